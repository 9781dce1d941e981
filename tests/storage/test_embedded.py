"""The embedded server survives what laptops do to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from domain.errors import Unavailable
from storage import embedded

pytestmark = pytest.mark.services


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="fh-emb-"))
    yield path
    pid_file = path / "pg" / "data" / "postmaster.pid"
    if pid_file.exists():
        embedded.start(path).stop()
    shutil.rmtree(path)


def ask(dsn: str, question: str) -> object:
    async def asked() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(asked())


def test_a_killed_server_comes_back_with_what_was_committed(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    assert ask(server.dsn, "SHOW fsync") == "on"
    assert ask(server.dsn, "SHOW listen_addresses") == ""
    ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)
    again = embedded.start(data_dir)
    assert again.pid != server.pid
    assert ask(again.dsn, "SELECT answer FROM kept") == 42
    again.stop()
    assert not again.is_running()


def test_what_is_left_of_a_damaged_cluster_is_never_deleted(data_dir: Path) -> None:
    left = data_dir / "pg" / "data" / "base" / "16384"
    left.parent.mkdir(parents=True)
    left.write_text("rows")
    with pytest.raises(Unavailable, match="no PG_VERSION"):
        embedded.start(data_dir)
    assert left.read_text() == "rows"
    shutil.rmtree(left.parents[1])
    left.parents[1].mkdir()
    embedded.start(data_dir).stop()


def test_a_running_server_is_adopted(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    second = embedded.start(data_dir)
    assert (second.pid, second.adopted, server.adopted) == (server.pid, True, False)
    second.stop()


def test_a_stale_pid_file_of_a_reused_pid_is_seen_through(data_dir: Path) -> None:
    embedded.start(data_dir).stop()
    (data_dir / "pg" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}\n")
    server = embedded.start(data_dir)
    assert ask(server.dsn, "SELECT 1") == 1
    server.stop()


def test_only_its_own_user_may_enter_and_the_path_may_be_long(data_dir: Path) -> None:
    deep = data_dir / ("a" * 60) / ("b" * 60)
    server = embedded.start(deep)
    try:
        assert ask(server.dsn, "SELECT 1") == 1
        assert stat.S_IMODE((deep / "pg").stat().st_mode) == 0o700
        assert stat.S_IMODE((deep / "pg" / "data").stat().st_mode) == 0o700
    finally:
        server.stop()
