"""A keeper shard's process that Ray has restarted takes up what it can of what the log says it owned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import asyncpg
import pytest

from actors import spawn
from actors.roles import KeeperShardActor
from actors.runtime import Runtime
from actors.stores import postgres_stores
from domain.errors import FinanceHubError
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.settings import StorageSettings
from tests.contracts.conftest import Backend
from tests.contracts.test_retention import Kept
from tests.services import drop_database, embedded_dsn, fresh_database

__all__ = ["embedded_dsn"]

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAMAGED, WHOLE = "market/00", "market/01"


@pytest.fixture
def settings(embedded_dsn: str) -> Iterator[StorageSettings]:
    dsn = fresh_database(embedded_dsn)
    yield StorageSettings(dsn=dsn)
    drop_database(dsn, embedded_dsn)


@pytest.fixture(autouse=True)
def restarted_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "was_restarted", lambda: True)
    monkeypatch.setattr(spawn, "node_address", lambda: "127.0.0.1")


async def _connections(settings: StorageSettings) -> int:
    connection = await asyncpg.connect(settings.dsn)
    try:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return found
    finally:
        await connection.close()


async def _actor(settings: StorageSettings) -> KeeperShardActor:
    """Of a shard that owned both partitions; what is in the log is not read yet."""
    instance = await migrate(settings, time.time_ns())
    pool = await open_pool(settings)
    stores = postgres_stores(pool, settings)
    for partition in (DAMAGED, WHOLE):
        backend = Backend(stores.log, stores.log, stores.snapshots, stores.checkpoints, None, None, pool)
        await Kept(backend, partition).write(3, step_ns=10**9)
    await pool.execute("UPDATE log_heads SET owner = 'keeper-shard-0#1'")
    await close_pool(pool)
    runtime = Runtime(settings.dsn, 2, 1, 0, {}, service_role=instance.service_role)
    return KeeperShardActor("keeper-shard-0", runtime)


async def test_a_damaged_partition_does_not_keep_the_others_of_a_restarted_shard_away(
    settings: StorageSettings,
) -> None:
    actor = await _actor(settings)
    connection = await asyncpg.connect(settings.dsn)
    await connection.execute("SET session_replication_role = replica")  # past the guard of the log
    await connection.execute("UPDATE log_blocks SET payload = 'x' WHERE partition = $1", DAMAGED)
    await connection.close()
    async with asyncio.timeout(20):
        while not ((stats := await actor.call("stats"))["broken"] and not stats["restoring"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert list(await actor.call("heads")) == [WHOLE]
    assert list(stats["broken"]) == [DAMAGED]
    await actor.stop()
    assert await _connections(settings) == 0


async def test_a_shard_that_cannot_be_built_leaves_no_connection_behind(
    settings: StorageSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = await _actor(settings)
    connection = await asyncpg.connect(settings.dsn)
    await connection.execute("ALTER TABLE log_heads RENAME TO gone")
    await connection.close()
    for _ in range(3):
        with pytest.raises(FinanceHubError):
            await actor.call("heads")
    assert await _connections(settings) == 0
