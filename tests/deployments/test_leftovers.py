"""What an instance has started ends with it, whichever way it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.leftovers import MARK, PROC, clear_node_folders, sweep

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="processes are found in /proc")

SLEEPER = [sys.executable, "-S", "-c", "import time; print(flush=True); time.sleep(60)"]
STARTER = """
import subprocess, sys, time
from pathlib import Path
from deployments import instance, leftovers
data_dir = Path(sys.argv[1])
lock = instance.acquire(data_dir)
leftovers.mark(data_dir)
leftovers.post_warden(data_dir, lock)
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
DEADLINE_S = 10.0


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        SLEEPER, stdout=subprocess.PIPE, env={MARK: str(tmp_path), "PATH": os.defpath}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_sweep_kills_what_bears_the_mark(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    assert sweep(tmp_path) == [sleeper.pid]
    assert sleeper.wait(DEADLINE_S) == -signal.SIGKILL


def test_a_sweep_spares_other_instances(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    assert sweep(tmp_path / "other") == []
    assert sleeper.poll() is None


def test_a_killed_starter_takes_its_processes_along_and_then_frees_the_lock(tmp_path: Path) -> None:
    from deployments import instance

    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path), *SLEEPER], cwd=root, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        assert instance.is_locked(tmp_path)
        starter.kill()
    deadline = time.monotonic() + DEADLINE_S
    while instance.is_locked(tmp_path):
        assert time.monotonic() < deadline, "the warden still holds the lock"
        time.sleep(0.01)
    assert not sleeps(child)


def sleeps(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_folders_of_earlier_nodes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a" * 56, "0123456789abcdef" * 3 + "01234567", "b" * 55, "g" * 56):
        (tmp_path / name).mkdir()
    (tmp_path / ("a" * 56) / "left").write_text("something")
    (tmp_path / ("c" * 56)).write_text("a file")
    assert clear_node_folders(tmp_path) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"b" * 55, "g" * 56, "c" * 56}
