"""`financehub up --dsn` on a database that cannot serve: one line, exit 3 or 4, nothing left running."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.services import embedded_dsn, fresh_database, timescale_dsn, with_database

__all__ = ["embedded_dsn", "timescale_dsn"]

ROOT = Path(__file__).resolve().parents[3]
UNREACHABLE, FAILED = 3, 4
MARK = "FINANCEHUB_TEST_MARK"

Refusal = Callable[[str], tuple[int, str]]


def processes_marked(mark: str) -> list[int]:
    """Pids of whatever was started with this mark in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.fixture(params=["foreground", "detached"])
def refusal(request: pytest.FixtureRequest, tmp_path: Path) -> Refusal:
    """Runs `up --dsn`; returns exit code and stderr once it is proven that no process is left."""

    def run(dsn: str) -> tuple[int, str]:
        mark = uuid.uuid4().hex
        detach = ["--detach"] if request.param == "detached" else []
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "deployments.cli",
                "up",
                *detach,
                "--dsn",
                dsn,
                "--data-dir",
                str(tmp_path),
            ],
            cwd=ROOT,
            env={**os.environ, MARK: mark},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert processes_marked(mark) == []
        assert done.stdout == ""
        return done.returncode, done.stderr

    return run


def one_line(stderr: str) -> str:
    assert stderr.startswith("financehub: the database ")
    assert stderr.count("\n") == 1
    return stderr


def test_a_host_that_refuses_connections(refusal: Refusal) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code, stderr = refusal(f"postgresql://user:secret@127.0.0.1:{port}/d")
    assert code == UNREACHABLE
    assert f"127.0.0.1:{port}" in one_line(stderr)
    assert "secret" not in stderr


def test_a_host_without_an_address(refusal: Refusal) -> None:
    code, stderr = refusal("postgresql://user:secret@host.invalid/d")
    assert code == UNREACHABLE
    assert "cannot be reached" in one_line(stderr)


@pytest.mark.slow
def test_a_server_that_never_answers(refusal: Refusal) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        code, stderr = refusal(f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/d")
    assert code == UNREACHABLE
    assert "did not answer in time" in one_line(stderr)


@pytest.mark.parametrize("dsn", ["localhost/d", "postgresql://user@127.0.0.1:port/d"])
def test_what_is_no_dsn(dsn: str, refusal: Refusal) -> None:
    code, stderr = refusal(dsn)
    assert code == FAILED
    one_line(stderr)


@pytest.mark.services
def test_a_database_that_is_not_there(refusal: Refusal, embedded_dsn: str) -> None:
    code, stderr = refusal(with_database(embedded_dsn, "absent"))
    assert code == FAILED
    assert 'database "absent" does not exist' in one_line(stderr)


@pytest.mark.services
def test_a_database_that_does_not_wait_for_its_disk(refusal: Refusal, embedded_dsn: str) -> None:
    dsn = fresh_database(embedded_dsn)
    name = urlsplit(dsn).path.lstrip("/")
    asyncio.run(execute(dsn, f"ALTER DATABASE {name} SET synchronous_commit = off"))
    code, stderr = refusal(dsn)
    assert code == FAILED
    assert "synchronous_commit off" in one_line(stderr)


@pytest.fixture
def server_without_fsync(embedded_dsn: str) -> Iterator[str]:
    asyncio.run(execute(embedded_dsn, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
    yield embedded_dsn
    asyncio.run(execute(embedded_dsn, "ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()"))


@pytest.mark.services
def test_a_server_that_never_flushes(refusal: Refusal, server_without_fsync: str) -> None:
    code, stderr = refusal(server_without_fsync)
    assert code == FAILED
    assert "fsync off" in one_line(stderr)


@pytest.mark.services
def test_a_schema_of_a_newer_build(refusal: Refusal, embedded_dsn: str) -> None:
    dsn = fresh_database(embedded_dsn)
    asyncio.run(
        execute(
            dsn,
            "CREATE TABLE schema_versions (number integer PRIMARY KEY, name text, applied_at timestamptz);"
            "INSERT INTO schema_versions VALUES (99, 'future')",
        )
    )
    code, stderr = refusal(dsn)
    assert code == FAILED
    assert "newer than this build" in one_line(stderr)


@pytest.mark.timescale
def test_a_wrong_password(refusal: Refusal, timescale_dsn: str) -> None:
    parts = urlsplit(timescale_dsn)
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    code, stderr = refusal(wrong)
    assert code == FAILED
    assert "password authentication failed" in one_line(stderr)
    assert "wrong@" not in stderr


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
