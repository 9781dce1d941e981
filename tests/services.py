"""Databases for tests: one embedded server for a whole run, one fresh database for each module."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from storage import embedded

TIMESCALE_SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "timescale.sh"
TIMESCALE_DSN = "FINANCEHUB_TEST_TIMESCALE_DSN"
TIMESCALE_SWITCH = "FINANCEHUB_TEST_TIMESCALE"
BUILD_TIMEOUT_S = 600


@pytest.fixture(scope="session")
def embedded_dsn() -> Iterator[str]:
    """The server of this test run, under a temporary data directory."""
    data_dir = Path(tempfile.mkdtemp(prefix="fh-test-"))
    server = embedded.start(data_dir)
    yield server.dsn
    os.kill(server.pid, signal.SIGQUIT)  # at once: nothing is kept, a shutdown checkpoint would be waste
    while server.is_running():
        time.sleep(0.02)
    shutil.rmtree(data_dir)


@pytest.fixture(scope="session")
def timescale_dsn() -> Iterator[str]:
    """A server with TimescaleDB: the one named by the environment, or the script's for this run."""
    given = os.environ.get(TIMESCALE_DSN)
    if given:
        yield given
        return
    if os.environ.get(TIMESCALE_SWITCH) == "off":
        pytest.skip(f"no TimescaleDB: {TIMESCALE_DSN} is not set and {TIMESCALE_SWITCH} is off")
    mine = str(os.getpid())
    started = timescale_script("start", mine)
    if started.returncode != 0:
        reason = started.stderr.strip().splitlines()[-1:] or ["no reason given"]
        pytest.skip(f"no TimescaleDB: {TIMESCALE_DSN} is not set and {reason[0]}")
    yield started.stdout.strip()
    timescale_script("release", mine)


def timescale_script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`start` or `release` the local server, or `drop` it; see scripts/timescale.sh."""
    return subprocess.run(
        ["bash", str(TIMESCALE_SCRIPT), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )


def fresh_database(server_dsn: str) -> str:
    """Make an empty database on a server; returns its DSN."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    asyncio.run(_execute(server_dsn, f"CREATE DATABASE {name}"))
    return with_database(server_dsn, name)


def drop_database(dsn: str, server_dsn: str) -> None:
    name = urlsplit(dsn).path.lstrip("/")
    asyncio.run(_execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


def with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def with_user(dsn: str, user: str) -> str:
    """The same server as another user without a password (the embedded one trusts its socket)."""
    return urlunsplit(urlsplit(dsn)._replace(netloc=f"{user}@"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
