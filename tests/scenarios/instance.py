"""A real FinanceHub under test: started and asked through its command line, harmed by signals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployments.app import free_port
from tests.scenarios.processes import Processes, is_alive

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 120.0
LOOK_S = 0.1
LOAD = {"FINANCEHUB_FEEDS_SIM_RATE": "4", "FINANCEHUB_RAY_SHARDS": "2"}
"""About 1,500 events a second in 3 partitions: enough that every kill meets work in flight."""


def until(reached: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """The first true answer. Fails where none comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = reached()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(LOOK_S)


class CommandFailed(AssertionError):
    """A verb ended with an exit code that the test did not expect."""

    def __init__(self, verb: str, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{verb} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
        self.code = done.returncode
        self.stderr = done.stderr


class Instance:
    """One data directory and port. `destroy` leaves nothing behind, whatever has happened."""

    def __init__(self, data_dir: Path | None = None, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fh-", dir="/var/tmp"))
        self.folder.chmod(0o711)
        self.data_dir = data_dir or self.folder / "d"
        self.port = free_port()
        self.environment = {**os.environ, **LOAD, **environment}
        self.processes = Processes(self.data_dir)
        self.pid = 0

    # Its command line

    def run(self, verb: str, *arguments: str, timeout_s: float = CALL_TIMEOUT_S) -> str:
        """Stdout of a verb. Raises CommandFailed unless it exits with 0."""
        done = subprocess.run(
            self.command(verb, *arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(verb, done)
        return done.stdout

    def command(self, verb: str, *arguments: str) -> list[str]:
        return [
            *(sys.executable, "-m", "deployments.cli", verb),
            *("--data-dir", str(self.data_dir), *arguments),
        ]

    def up(self) -> float:
        """Start in the background; returns the seconds until it served."""
        began_s = time.monotonic()
        said = self.run("up", "--detach", "--json", "--port", str(self.port), timeout_s=START_TIMEOUT_S)
        self.pid = json.loads(said.splitlines()[-1])["pid"]
        self.processes.noted.add(self.pid)
        return time.monotonic() - began_s

    def down(self) -> None:
        self.run("down", timeout_s=STOP_TIMEOUT_S)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run("status", "--json"))
        return answer

    def token(self) -> str:
        return self.run("token", "--ttl", "4h").strip()

    def tail(self, start: str | None = None) -> list[dict[str, Any]]:
        """All events after a cursor, up to the head now."""
        out = self.run("tail", *(("--from", start) if start else ()))
        return [json.loads(line) for line in out.splitlines()]

    def verify(self) -> dict[str, Any]:
        """Raises CommandFailed on any fault."""
        report: dict[str, Any] = json.loads(self.run("verify", "--json"))
        return report

    def log(self) -> str:
        return (self.data_dir / "run" / "up.log").read_text(errors="replace")

    # What runs, and harm

    def actors(self) -> dict[str, dict[str, Any]]:
        """Name -> line of `status`. Empty while nobody answers."""
        try:
            return {line["name"]: line for line in self.status()["actors"]}
        except CommandFailed:
            return {}

    def pid_of(self, actor: str) -> int:
        return int(self.actors()[actor]["pid"])

    def owners(self) -> dict[str, str]:
        """Partition -> the actor that holds it; the highest epoch counts."""
        held = [
            (place["epoch"], place["partition"], name)
            for name, line in self.actors().items()
            for place in line["partitions"]
        ]
        return {partition: name for _, partition, name in sorted(held)}

    def wait_for_new(self, actor: str, old_pid: int, timeout_s: float = 60.0) -> dict[str, Any]:
        """Until the actor runs in another process."""

        def renewed() -> dict[str, Any] | None:
            line = self.actors().get(actor, {})
            return line if line.get("state") == "running" and line["pid"] != old_pid else None

        found: dict[str, Any] = until(renewed, timeout_s, f"{actor} runs again")
        return found

    def wait_until_whole(self, timeout_s: float = 90.0) -> dict[str, dict[str, Any]]:
        """Until every actor runs and every partition has one owner."""

        def whole() -> dict[str, dict[str, Any]] | None:
            lines = self.actors()
            held = [place["partition"] for line in lines.values() for place in line["partitions"]]
            running = bool(lines) and all(line["state"] == "running" for line in lines.values())
            return lines if running and len(held) == len(set(held)) == 4 else None

        found: dict[str, dict[str, Any]] = until(
            whole, timeout_s, "every actor runs, every partition is owned"
        )
        return found

    def kill_everything(self) -> None:
        """Power cut, as far as processes go."""
        self.processes.kill_all()
        until(lambda: not is_alive(self.pid), 20.0, "the starter is dead")

    def destroy(self) -> None:
        self.processes.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()


def environment_of(pid: int) -> Mapping[str, str]:
    """What a process was started with."""
    raw = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return dict(entry.split("=", 1) for entry in raw.split("\0") if "=" in entry)
