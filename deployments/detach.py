"""Start an instance in the background and wait until it serves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deployments import instance
from deployments.settings import Settings
from domain.errors import Conflict, FinanceHubError

START_TIMEOUT_S = 180.0
LOG_LINES_SHOWN = 20
DSN_VARIABLE = "FINANCEHUB_DATABASE_DSN"


def detach(settings: Settings, arguments: Sequence[str]) -> instance.Running:
    """Run the same command without `--detach`. Raises FinanceHubError with the end of its log."""
    data_dir = settings.data_dir
    if instance.is_locked(data_dir):
        raise Conflict(f"an instance already runs on {data_dir}")
    log = instance.run_folder(data_dir) / "up.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "deployments.cli", *foreground(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, DSN_VARIABLE: settings.database.dsn},
        )
    return _wait(child, data_dir, log)


def foreground(arguments: Sequence[str]) -> list[str]:
    """The same without `--detach`, and without `--dsn`: everybody on the machine may read the command line of
    what runs, and a DSN may hold a password. The environment, by which it goes, is for its owner alone."""
    kept: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument == "--dsn":
            next(given, None)
        elif argument != "--detach" and not argument.startswith("--dsn="):
            kept.append(argument)
    return kept


def _wait(child: subprocess.Popen[bytes], data_dir: Path, log: Path) -> instance.Running:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        running = instance.find_running(data_dir)
        if running is not None and running.pid == child.pid:
            return running
        if child.poll() is not None:
            raise FinanceHubError(f"it ended with code {child.returncode}:\n{_end_of(log)}")
        time.sleep(instance.POLL_S)
    child.terminate()
    raise FinanceHubError(f"it does not serve after {START_TIMEOUT_S:.0f} s:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
