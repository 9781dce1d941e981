"""An instance on this machine: its data directory, its lock, and what a running one says of itself.

<data_dir>/
  secrets/        0700: signing key, passwords, the DSN last served from where it is not the embedded one
  pg/             the embedded PostgreSQL
  run/lock        held while the instance runs: one per data directory
  run/instance.json   0600: addresses and pid, written when serving, removed when stopped
  run/starting    0600: the newest line of a start that is under way
  run/up.log      what a detached instance printed
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from domain.errors import Conflict, Unavailable

RUN_FOLDER = "run"
SECRETS_FOLDER = "secrets"
POLL_S = 0.1
LOOKS_S = 0.05


class Running(Struct, frozen=True):
    """What a serving instance tells other commands. `dsn` and `ray_token` are secrets."""

    http: str
    ws: str
    data_dir: str
    pid: int
    dsn: str
    ray_address: str = ""
    ray_dashboard: str = ""
    ray_token: str = ""
    partition_count: int = 4


def run_folder(data_dir: Path) -> Path:
    folder = data_dir / RUN_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def acquire(data_dir: Path) -> IO[str]:
    """Lock the data directory until the returned file is closed. Raises Conflict where another holds it."""
    lock = (run_folder(data_dir) / "lock").open("a+", encoding="utf-8")
    if not _locks(lock, fcntl.LOCK_EX):
        time.sleep(LOOKS_S)  # maybe somebody only looks, as `is_locked` does
        if not _locks(lock, fcntl.LOCK_EX):
            lock.seek(0)
            raise Conflict(f"{data_dir} is in use by process {lock.read().strip() or 'unknown'}")
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    os.set_inheritable(lock.fileno(), False)
    return lock


def is_locked(data_dir: Path) -> bool:
    """Changes nothing, and is in nobody's way but for an instant."""
    try:
        with (data_dir / RUN_FOLDER / "lock").open("rb") as lock:
            return not _locks(lock, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locks(lock: IO[Any], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def publish(data_dir: Path, running: Running) -> None:
    """Write `instance.json` whole, readable by the owner alone."""
    _write_private(run_folder(data_dir) / "instance.json", msgspec.json.encode(running))
    forget_start(data_dir)


def _write_private(target: Path, content: bytes) -> None:
    aside = target.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    aside.replace(target)


def note_start(data_dir: Path, text: str) -> None:
    """For those who ask meanwhile."""
    _write_private(run_folder(data_dir) / "starting", text.encode())


def forget_start(data_dir: Path) -> None:
    (run_folder(data_dir) / "starting").unlink(missing_ok=True)


def withdraw(data_dir: Path) -> None:
    (run_folder(data_dir) / "instance.json").unlink(missing_ok=True)


def remember_dsn(data_dir: Path, dsn: str) -> None:
    """What was served from, for commands that read the log later; "" for the embedded database."""
    target = data_dir / SECRETS_FOLDER / "dsn"
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if dsn:
        _write_private(target, dsn.encode())
    else:
        target.unlink(missing_ok=True)


def remembered_dsn(data_dir: Path) -> str:
    """Empty where it was the embedded database, or nothing was ever served."""
    try:
        return (data_dir / SECRETS_FOLDER / "dsn").read_text()
    except OSError:
        return ""


def find_running(data_dir: Path) -> Running | None:
    """The serving instance of a data directory; None where none serves (also after a kill -9)."""
    file = data_dir / RUN_FOLDER / "instance.json"
    try:
        running = msgspec.json.decode(file.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None
    return running if is_locked(data_dir) else None


def require_running(data_dir: Path) -> Running:
    """Raises Unavailable, saying how far the start is, or how to start one."""
    running = find_running(data_dir)
    if running is None:
        if (start := _start_of(data_dir)) is not None:
            raise Unavailable(f"the FinanceHub on {data_dir} is starting: {start}")
        raise Unavailable(f"no FinanceHub is running on {data_dir}; start one with 'financehub up'")
    return running


def _start_of(data_dir: Path) -> str | None:
    if not is_locked(data_dir):
        return None
    try:
        return (data_dir / RUN_FOLDER / "starting").read_text()
    except OSError:
        return None


def stop(data_dir: Path, timeout_s: float) -> bool:
    """Ask the instance to stop and wait until its lock is free. False: there was none.

    Raises Unavailable where it has not stopped in time.
    """
    lock = data_dir / RUN_FOLDER / "lock"
    if not lock.exists() or not is_locked(data_dir):
        return False
    pid = _holder(lock)
    with contextlib.suppress(ProcessLookupError):  # its warden still tidies up
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while is_locked(data_dir) or _runs(pid):
        if time.monotonic() > deadline:
            raise Unavailable(f"the instance on {data_dir} has not stopped in {timeout_s:.0f} s")
        time.sleep(POLL_S)
    return True


def _holder(lock: Path) -> int:
    """Who has written itself into the lock. Raises Unavailable in the moment before it has."""
    try:
        return int(lock.read_text())
    except ValueError:
        raise Unavailable(f"{lock} was taken just now: try again") from None


def _runs(pid: int) -> bool:
    """Also False for a zombie, which waits for a parent that may never come."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc").is_dir()
    except OSError:
        return False
