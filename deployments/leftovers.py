"""No process of an instance outlives it, however it ends.

Ray ends its processes in most deaths, not in all: actors outlive a killed raylet for a while, HAProxy its
manager. So `up` marks its environment, which everything it starts inherits (except the embedded
PostgreSQL, which may outlive it), and starts a warden: a small process that waits for the end of `up`
and then kills what bears the mark. The warden holds the instance's lock until that is done. The next
start sweeps again, in case the warden was killed too. Needs /proc; does nothing elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

MARK = "FINANCEHUB_BELONGS_TO"
"""Environment variable: the data directory of the instance that a process belongs to."""
PROC = Path("/proc")
SWEEP_S = 10.0
_NODE_ID = re.compile(r"[0-9a-f]{56}")
LOOK_S = 0.05


def mark(data_dir: Path) -> None:
    """Everything started from here on belongs to the instance."""
    os.environ[MARK] = str(data_dir.absolute())
    # Ray's processes write their titles over their environment, unless told to spare it.
    os.environ["SPT_NOENV"] = "1"


def post_warden(data_dir: Path, lock: IO[str]) -> subprocess.Popen[bytes]:
    """Start the warden. It acts when the last copy of its stdin's other end is closed: with our death."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(data_dir.absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[lock.fileno()],
        env={"PATH": os.defpath},
    )


def dismiss(warden: subprocess.Popen[bytes]) -> None:
    """An orderly end: the warden looks after stragglers now, and is gone when this returns."""
    assert warden.stdin is not None  # noqa: S101 - it was made with a pipe
    warden.stdin.close()
    warden.wait(2 * SWEEP_S)


def sweep(data_dir: Path) -> list[int]:
    """Kill what belongs to the instance, except this process; returns the pids. Gives up after 10 s."""
    deadline = time.monotonic() + SWEEP_S
    killed: dict[int, None] = {}
    while (left := _belonging(str(data_dir.absolute()))) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed[pid] = None
        time.sleep(LOOK_S)
    return list(killed)


def clear_node_folders(run_folder: Path) -> int:
    """Remove what Ray's nodes of earlier lives left there, a folder each; returns how many."""
    found = [path for path in run_folder.iterdir() if _NODE_ID.fullmatch(path.name) and path.is_dir()]
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def _belonging(data_dir: str) -> list[int]:
    if not PROC.is_dir():
        return []
    wanted = os.fsencode(f"{MARK}={data_dir}")
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and wanted in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    """As it was when the process started; empty for a zombie and for somebody else's."""
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _keep_watch(data_dir: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(data_dir)


if __name__ == "__main__":
    _keep_watch(Path(sys.argv[1]))
