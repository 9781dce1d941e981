"""One instance per data directory; others learn of it only while it lives."""

from __future__ import annotations

import fcntl
import stat
from pathlib import Path

import pytest

from deployments import detach, instance
from deployments.cli.__main__ import main
from deployments.detach import foreground
from deployments.duration import parse_duration_s
from deployments.progress import Progress
from domain.errors import Conflict, Malformed, Unavailable

SERVING = instance.Running(http="http://h", ws="ws://h", data_dir="d", pid=1, dsn="postgresql://u:secret@h/d")


def test_a_second_instance_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    import os

    with instance.acquire(tmp_path), pytest.raises(Conflict, match=f"process {os.getpid()}"):
        instance.acquire(tmp_path)
    instance.acquire(tmp_path).close()


def test_who_only_looks_is_in_no_instance_s_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `up --detach`, which looks ten times a second, on a directory whose last instance was killed."""
    with instance.acquire(tmp_path):
        assert instance.is_locked(tmp_path)
    assert not instance.is_locked(tmp_path)
    looking = (tmp_path / "run" / "lock").open("rb")
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(instance.time, "sleep", lambda _s: looking.close())
    instance.acquire(tmp_path).close()


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    assert not instance.is_locked(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_running_instance_is_found_until_its_lock_is_free(tmp_path: Path) -> None:
    lock = instance.acquire(tmp_path)
    instance.publish(tmp_path, SERVING)
    assert instance.find_running(tmp_path) == SERVING
    lock.close()
    assert instance.find_running(tmp_path) is None, "as after a kill -9: the file stays, the lock does not"


def test_what_it_says_of_itself_is_for_the_owner_alone(tmp_path: Path) -> None:
    instance.publish(tmp_path, SERVING)
    mode = (tmp_path / "run" / "instance.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_without_an_instance_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="financehub up"):
        instance.require_running(tmp_path)
    assert instance.stop(tmp_path, 1.0) is False


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("15m", 900.0), ("1h", 3600.0), ("2", 2.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1s", "1y", "1 h x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_duration_s(text)


def test_the_dsn_last_served_from_is_remembered_for_the_owner_alone(tmp_path: Path) -> None:
    assert instance.remembered_dsn(tmp_path) == ""
    instance.remember_dsn(tmp_path, SERVING.dsn)
    assert instance.remembered_dsn(tmp_path) == SERVING.dsn
    assert stat.S_IMODE((tmp_path / "secrets" / "dsn").stat().st_mode) == 0o600
    instance.remember_dsn(tmp_path, "")
    assert instance.remembered_dsn(tmp_path) == ""


def test_an_instance_that_has_just_taken_its_lock_is_asked_to_stop_again_later(tmp_path: Path) -> None:
    with instance.acquire(tmp_path) as lock:
        lock.truncate(0)
        with pytest.raises(Unavailable, match="try again"):
            instance.stop(tmp_path, 1.0)


@pytest.mark.parametrize("dsn", [["--dsn", "postgresql://u:secret@h/d"], ["--dsn=postgresql://u:secret@h/d"]])
def test_the_command_line_of_what_runs_detached_shows_no_password(dsn: list[str]) -> None:
    assert foreground(["up", "--detach", *dsn, "--port", "8001"]) == ["up", "--port", "8001"]


@pytest.mark.parametrize("short", ["--det", "--detac"])
def test_options_are_given_in_full_for_what_runs_detached_would_detach_again(short: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["up", short])
    assert ended.value.code == 2


def test_whoever_asks_during_a_start_is_told_how_far_it_is(tmp_path: Path) -> None:
    with instance.acquire(tmp_path):
        instance.note_start(tmp_path, "restoring market/00: 1 of 2 events (50 %)")
        with pytest.raises(Unavailable, match="is starting: restoring market/00: 1 of 2"):
            instance.require_running(tmp_path)
        instance.forget_start(tmp_path)
        with pytest.raises(Unavailable, match="no FinanceHub is running"):
            instance.require_running(tmp_path)
    instance.note_start(tmp_path, "left behind by a start that was killed")
    with pytest.raises(Unavailable, match="no FinanceHub is running"):
        instance.require_running(tmp_path)


def test_progress_says_what_goes_on_now_and_then_and_notes_every_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times_s = [100.0]
    monkeypatch.setattr("deployments.progress.time.monotonic", lambda: times_s[-1])
    noted: list[str] = []
    progress = Progress(noted.append)
    for now_s, text in ((100.0, "1 of 3"), (101.0, "2 of 3"), (103.0, "2 of 3"), (110.0, "2 of 3")):
        times_s.append(now_s)
        progress.keep_saying(text)
    assert noted == ["1 of 3", "2 of 3"]
    assert capsys.readouterr().err == "[  0.0 s] 1 of 3\n[  3.0 s] 2 of 3\n"


def test_a_detached_start_passes_on_whole_lines_about_restoring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "up.log"
    log.write_text("[  1.0 s] Ray ...\n[  2.0 s] restoring market/00: 1 of 2\n[  3.0 s] restoring mar")
    told = detach._tell_progress(log, 0)
    with log.open("a") as out:
        out.write("ket/00: 2 of 2\n")
    detach._tell_progress(log, told)
    assert capsys.readouterr().err == (
        "[  2.0 s] restoring market/00: 1 of 2\n[  3.0 s] restoring market/00: 2 of 2\n"
    )
