"""Processes of one instance as /proc shows them: by session of the starter, by database directory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
KILL_TIMEOUT_S = 30.0


def is_alive(pid: int) -> bool:
    """Runs, and is no zombie."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def name_of(pid: int) -> str:
    """Command line, or the short name of a process without one."""
    try:
        line = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return line.strip() or (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def below(pid: int) -> set[int]:
    """A live process and its live descendants; empty once it has died."""
    found = {pid} if is_alive(pid) else set()
    grown = True
    while grown:
        children = {child for child in _pids() if is_alive(child) and _parent(child) in found}
        grown = not children <= found
        found |= children
    return found


class Processes:
    """`noted`: pids of every starter there ever was; each leads the session of all it has made."""

    def __init__(self, data_dir: Path) -> None:
        self._database = data_dir / "pg" / "data"
        self.noted: set[int] = set()

    def of_sessions(self) -> dict[int, str]:
        """pid -> name of everything that a noted starter has made, itself included."""
        return {pid: name_of(pid) for pid in _pids() if is_alive(pid) and _session(pid) in self.noted}

    def of_database(self) -> dict[int, str]:
        """pid -> name of the processes of the embedded PostgreSQL."""
        return {pid: name_of(pid) for pid in _pids() if is_alive(pid) and _works_in(pid, self._database)}

    def named(self, part: str) -> list[int]:
        """Pids whose command line contains `part`."""
        return sorted(pid for pid, name in self.of_sessions().items() if part in name)

    def kill_all(self) -> None:
        """kill -9, again and again, until nothing is left."""
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while left := {**self.of_sessions(), **self.of_database()}:
            assert time.monotonic() < deadline, f"cannot be killed: {left}"
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)

    def listening(self) -> dict[tuple[str, int], str]:
        """(address, port) -> name of each TCP socket on which a process of the instance listens."""
        owners = {
            inode: name
            for pid, name in {**self.of_sessions(), **self.of_database()}.items()
            for inode in _sockets(pid)
        }
        return {place: owners[inode] for place, inode in _listening() if inode in owners}


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _works_in(pid: int, directory: Path) -> bool:
    try:
        return (PROC / str(pid) / "cwd").readlink() == directory
    except OSError:
        return False


def _sockets(pid: int) -> Iterator[str]:
    try:
        handles = list((PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for handle in handles:
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _listening() -> Iterator[tuple[tuple[str, int], str]]:
    for table in ("tcp", "tcp6"):
        for row in (PROC / "net" / table).read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == LISTEN:
                address, _, port = columns[1].partition(":")
                yield (_address(address), int(port, 16)), columns[9]


def _address(text: str) -> str:
    """/proc writes addresses as little-endian words in hex; v4 inside v6 is shown as v4."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    if len(words) == 4 and words[:3] == [bytes(4), bytes(4), b"\0\0\xff\xff"]:
        words = words[3:]
    raw = b"".join(words)
    return ".".join(str(byte) for byte in raw) if len(raw) == 4 else raw.hex(":", 2)
