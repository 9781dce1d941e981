"""`tail` from the command line, as far as it needs no database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.cli.__main__ import main


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that name an instance which says that it runs; nothing listens at its address."""
    from deployments import instance

    told = instance.Running("http://x", "ws://x", str(tmp_path), 1, "postgresql:///nothing?host=/nowhere")
    monkeypatch.setattr(instance, "find_running", lambda _: told)
    return ["tail", "--data-dir", str(tmp_path)]


@pytest.mark.parametrize(("more", "code"), [(["--follow"], 0), ([], 4)])
def test_only_following_is_done_when_it_is_interrupted(
    running: list[str], monkeypatch: pytest.MonkeyPatch, more: list[str], code: int
) -> None:
    def interrupted(work) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("deployments.cli.log.asyncio.run", interrupted)
    assert main([*running, *more]) == code


@pytest.mark.parametrize("start", ["yesterday", "c1.zz", "now-5", ""])
def test_a_start_that_is_neither_time_nor_cursor_is_usage(
    running: list[str], capsys: pytest.CaptureFixture[str], start: str
) -> None:
    assert main([*running, "--from", start]) == 2
    assert capsys.readouterr().out == ""


def test_a_database_that_does_not_answer_is_not_reachable(
    running: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(running)
    out, err = capsys.readouterr()
    assert (code, out) == (3, ""), json.dumps(err)
