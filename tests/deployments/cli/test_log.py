"""`tail` from the command line, as far as it needs no database."""

from __future__ import annotations

import io
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


@pytest.mark.parametrize(
    ("provider", "text", "code", "told"),
    [
        ("mtgox", '{"ts_recv": 1, "source": "ws"}', 2, "binance, coinbase, kraken"),
        ("binance", None, 2, "no such file"),
        ("binance", "", 1, "the file is empty"),
        ("binance", '{"e": "trade"}\n', 1, "plain payloads"),
        ("Binance", '{"ts_recv": 1, "source": "ws"}', 3, "no FinanceHub is running"),
    ],
)
def test_what_cannot_be_replayed_is_said_before_anything_is_asked_of_an_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: str, text: str | None, code: int, told: str
) -> None:
    path = tmp_path / "c.jsonl"
    if text is not None:
        path.write_text(text)
    assert main(["replay", str(path), "--provider", provider, "--data-dir", str(tmp_path)]) == code
    assert told in capsys.readouterr().err


def test_a_replay_of_standard_input_is_looked_at_like_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"time,open,high,low\n1,2,3,4\n")))
    assert main(["replay", "-", "--provider", "binance", "--data-dir", str(tmp_path)]) == 1
    assert "a table" in capsys.readouterr().err
