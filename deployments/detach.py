"""Start an instance in the background and wait until it serves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from actors.patience import Patience
from deployments import instance
from deployments.settings import Settings
from domain.errors import Conflict, FinanceHubError

START_STILL_S = 180.0
"""So long may a start say nothing; one that restores a long log says how far it is every few seconds."""
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
    patience, told = Patience(START_STILL_S), 0
    while patience.lasts(log.stat().st_size):
        told = _tell_progress(log, told)
        running = instance.find_running(data_dir)
        if running is not None and running.pid == child.pid:
            return running
        if child.poll() is not None:
            raise FinanceHubError(f"it ended with code {child.returncode}:\n{_end_of(log)}")
        time.sleep(instance.POLL_S)
    child.terminate()
    raise FinanceHubError(
        f"it has said nothing for {START_STILL_S:.0f} s and does not serve:\n{_end_of(log)}"
    )


def _tell_progress(log: Path, told: int) -> int:
    """Pass on what it says about restoring a long log; returns up to where its log was read."""
    with log.open("rb") as said:
        said.seek(told)
        lines = said.read().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    for line in whole:
        if b" restoring " in line and line.startswith(b"["):
            sys.stderr.write(line.decode(errors="replace"))
    return told + sum(map(len, whole))


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
