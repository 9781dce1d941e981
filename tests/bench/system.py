"""A whole instance for the length of a figure, through the command line that users have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.rows import ROOT
from tests.bench.shard_load import data_dir

UP_TIMEOUT_S = 240.0
NO_FEEDS = "[feeds]\nenabled = []\n"


class System:
    """A running instance. `up_s`: from the command until it serves."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._config = folder / "bench.toml"
        self._config.write_text(settings)
        began = time.monotonic()
        self.addresses: dict[str, Any] = json.loads(
            self.cli("up", "--detach", "--json", "--port", str(self.port))
        )
        self.up_s = time.monotonic() - began
        self.http = str(self.addresses["http"])
        self.ws = str(self.addresses["ws"])

    def cli(self, verb: str, *arguments: str) -> str:
        """Its stdout. Raises CalledProcessError, its stderr shown."""
        command = [sys.executable, "-m", "deployments.cli", verb, *arguments]
        command += ["--data-dir", str(self.folder), "--config", str(self._config)]
        done = subprocess.run(
            command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=UP_TIMEOUT_S
        )
        return done.stdout

    def token(self, user: str = "bench", role: str = "admin") -> str:
        return self.cli("token", "--user", user, "--role", role).strip()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.cli("status", "--json"))
        return found

    def pid_of(self, role: str) -> int:
        return next(int(actor["pid"]) for actor in self.status()["actors"] if actor["role"] == role)

    def get(self, path: str, token: str, timeout_s: float = 5.0) -> Any:
        """The decoded body. Raises URLError (HTTPError for a refusal), TimeoutError."""
        request = urllib.request.Request(self.http + path, headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return json.loads(answer.read())

    def down(self) -> None:
        self.cli("down")


@contextmanager
def running(settings: str = NO_FEEDS, folder: Path | None = None) -> Iterator[System]:
    """An instance on a clean data directory (or the given one, which then stays)."""
    place = folder or data_dir()
    system: System | None = None
    try:
        system = System(place, settings)
        yield system
    finally:
        if system is not None:
            system.down()
        else:
            _end_rest(place)
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _end_rest(place: Path) -> None:
    """A start that failed half-way may have left its process, which we began, by the pid in its lock."""
    lock = place / "run" / "lock"
    if lock.exists() and lock.read_text().strip().isdigit():
        try:
            os.kill(int(lock.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            return


def feed_process(system: System, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run `tests.bench.feed_process` with a job: what it reports, one result for each round."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.feed_process", str(system.folder), json.dumps(job)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"the feed process ended with {process.returncode}")


def until(reached: Callable[[], object], timeout_s: float, every_s: float = 0.05) -> float:
    """Seconds until it was so; refusals and lost connections count as not yet. Raises TimeoutError."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        try:
            if reached():
                return time.monotonic() - began
        except (urllib.error.URLError, TimeoutError, OSError):
            pass
        time.sleep(every_s)
    raise TimeoutError(f"not reached in {timeout_s} s")


def cpu_s(pid: int) -> float:
    """CPU seconds that a live process has used, and its ended children. Linux."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def family_cpu_s(pid: int) -> float:
    """The same of a process and its live children: PostgreSQL's server and its backends."""
    total = cpu_s(pid)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = _stat(int(entry.name))
            except OSError:  # ended meanwhile
                continue
            total += cpu_s(int(entry.name)) if int(fields[1]) == pid else 0.0
    return total


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on: the name before it may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def toml_list(items: Sequence[str]) -> str:
    return json.dumps(list(items))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
