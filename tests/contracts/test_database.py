"""What only a database can do: lose answers, refuse changes, be tampered with, be upgraded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from msgspec.structs import replace

from domain.clock import ManualClock
from domain.errors import Corrupt, NotOwner, OutcomeUnknown, Rejected
from storage.block import seal, verify_chain
from storage.event_log import GENESIS_HASH
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.settings import StorageSettings, WriterSettings
from storage.writer import LogWriter, Part
from tests.builders import T0, a_trade
from tests.contracts.conftest import Backend, Database
from tests.services import fresh_database, with_user

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def head_locked(database: Database, partition: str) -> AsyncIterator[asyncpg.Connection]:
    """Another session holds the partition's head row, so that appends there hang."""
    connection = await asyncpg.connect(database.settings.dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM log_heads WHERE partition = $1 FOR UPDATE", partition)
            yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def impatient_log(database: Database, timeout_s: float) -> AsyncIterator[PostgresLog]:
    settings = replace(database.settings, append_timeout_s=timeout_s)
    pool = await open_pool(settings, role=database.instance.service_role)
    yield PostgresLog(pool, settings)
    await close_pool(pool)


async def _waiting_backend(connection: asyncpg.Connection) -> int:
    async with asyncio.timeout(10):
        while True:
            # Inside a transaction the activity view is read once and kept.
            await connection.execute("SELECT pg_stat_clear_snapshot()")
            pid: int | None = await connection.fetchval(
                "SELECT pid FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if pid is not None:
                return pid
            await asyncio.sleep(0.01)


async def test_a_timeout_leaves_the_outcome_unknown(
    database: Database, stored: Backend, partition: str
) -> None:
    head = await stored.log.claim(partition, "me")
    async with impatient_log(database, 0.2) as log, head_locked(database, partition):
        with pytest.raises(OutcomeUnknown):
            await log.append([seal(head, (), [a_trade(1.0)], T0)])


async def test_a_killed_backend_leaves_the_outcome_unknown(
    database: Database, stored: Backend, partition: str
) -> None:
    head = await stored.log.claim(partition, "me")
    async with head_locked(database, partition) as holder:
        append = asyncio.create_task(stored.log.append([seal(head, (), [a_trade(1.0)], T0)]))
        await holder.execute("SELECT pg_terminate_backend($1)", await _waiting_backend(holder))
        with pytest.raises(OutcomeUnknown):
            await append


async def test_a_writer_settles_an_unknown_outcome_and_nothing_is_lost_or_doubled(
    database: Database, stored: Backend, partition: str
) -> None:
    names = [f"{partition}-a", f"{partition}-b"]
    async with impatient_log(database, 0.2) as log:
        writer = LogWriter(log, "me", ManualClock(T0), WriterSettings(first_delay_s=0.01))
        for name in names:
            await writer.claim(name)
        parts = [Part(name, (), [a_trade(1.0, trade_id=n) for n in range(3)]) for name in names]
        async with head_locked(database, names[1]) as holder:
            append = asyncio.create_task(writer.append(parts))
            await holder.execute("SELECT pg_terminate_backend($1)", await _waiting_backend(holder))
            await _waiting_backend(holder)  # the writer claims again, behind the lock
        await append
        await writer.append(parts)
    for name in names:
        blocks = await stored.log.read(name, 0)
        assert verify_chain(blocks, 0, GENESIS_HASH)[0] == 6
        assert blocks[-1].epoch > 1


async def test_a_writer_whose_partition_was_taken_meanwhile_is_told(
    database: Database, stored: Backend, partition: str
) -> None:
    async with impatient_log(database, 0.2) as log:
        writer = LogWriter(log, "me", ManualClock(T0), WriterSettings(first_delay_s=0.01))
        await writer.claim(partition)
        async with head_locked(database, partition) as holder:
            append = asyncio.create_task(writer.append([Part(partition, (), [a_trade(1.0)])]))
            await _waiting_backend(holder)
            await holder.execute(
                "UPDATE log_heads SET epoch = 9, owner = 'x' WHERE partition = $1", partition
            )
        with pytest.raises(NotOwner):
            await append
        assert partition not in writer.heads


async def test_a_claim_waits_for_an_append_in_flight(
    database: Database, stored: Backend, partition: str
) -> None:
    await stored.log.claim(partition, "me")
    async with head_locked(database, partition):
        claim = asyncio.create_task(stored.log.claim(partition, "other"))
        done, _ = await asyncio.wait([claim], timeout=0.1)
        assert not done
    assert (await claim).epoch == 2


@pytest.mark.parametrize(
    "statement",
    ["UPDATE log_blocks SET epoch = 7", "DELETE FROM log_blocks", "TRUNCATE log_blocks"],
    ids=["update", "delete", "truncate"],
)
async def test_the_service_cannot_change_what_is_in_the_log(stored: Backend, statement: str) -> None:
    assert stored.pool is not None
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stored.pool.execute(statement)


async def test_tampering_with_a_stored_block_is_found(
    database: Database, stored: Backend, partition: str
) -> None:
    writer = LogWriter(stored.log, "me", ManualClock(T0))
    await writer.claim(partition)
    for _ in range(3):
        await writer.append([Part(partition, (), [a_trade(1.0)])])
    owner = await asyncpg.connect(database.settings.dsn)
    await owner.execute(
        "UPDATE log_blocks SET payload = set_byte(payload, 20, 1) WHERE partition = $1 AND first_offset = 2",
        partition,
    )
    await owner.close()
    with pytest.raises(Corrupt):
        verify_chain(await stored.log.read(partition, 0), 0, GENESIS_HASH)


async def test_reading_below_the_retained_log_is_refused(
    database: Database, stored: Backend, partition: str
) -> None:
    writer = LogWriter(stored.log, "me", ManualClock(T0))
    await writer.claim(partition)
    for _ in range(3):
        await writer.append([Part(partition, (), [a_trade(1.0)])])
    owner = await asyncpg.connect(database.settings.dsn)
    await owner.execute("DELETE FROM log_blocks WHERE partition = $1 AND first_offset < 3", partition)
    await owner.close()
    for until in (None, 1):
        with pytest.raises(Rejected):
            await stored.log.read(partition, 0, until=until)
    assert len(await stored.log.read(partition, 2)) == 1


async def test_migrating_again_changes_nothing(database: Database) -> None:
    again = replace(database.settings, market_partitions=64)
    assert await migrate(again, time.time_ns()) == database.instance
    assert database.instance.market_partitions == 4


async def test_the_log_is_a_hypertable_where_the_server_has_timescaledb(database: Database) -> None:
    connection = await asyncpg.connect(database.settings.dsn)
    found = await connection.fetchval("SELECT value FROM meta WHERE name = 'hypertables'")
    if database.instance.timescaledb_version is None:
        assert found is None
    else:
        names = await connection.fetch("SELECT hypertable_name FROM timescaledb_information.hypertables")
        assert {row[0] for row in names} == {"log_blocks", "bars", "events"}
    await connection.close()


@pytest.mark.services
def test_processes_may_migrate_at_the_same_time(embedded_dsn: str) -> None:
    settings = StorageSettings(dsn=fresh_database(embedded_dsn))

    async def race() -> set[str]:
        instances = await asyncio.gather(*(migrate(settings, T0) for _ in range(4)))
        return {instance.instance_id for instance in instances}

    assert len(asyncio.run(race())) == 1


@pytest.mark.services
def test_a_newer_schema_is_refused(embedded_dsn: str) -> None:
    settings = StorageSettings(dsn=fresh_database(embedded_dsn))

    async def upgraded_elsewhere() -> None:
        await migrate(settings, T0)
        connection = await asyncpg.connect(settings.dsn)
        await connection.execute("INSERT INTO schema_versions (number, name) VALUES (99, 'future')")
        await connection.close()
        with pytest.raises(Rejected, match="newer than this build"):
            await migrate(settings, T0)

    asyncio.run(upgraded_elsewhere())


@pytest.mark.services
def test_a_server_that_may_lose_commits_is_refused_unless_forced(embedded_dsn: str) -> None:
    settings = StorageSettings(dsn=fresh_database(embedded_dsn))
    name = urlsplit(settings.dsn).path.lstrip("/")

    async def careless() -> None:
        connection = await asyncpg.connect(settings.dsn)
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        await connection.close()
        with pytest.raises(Rejected, match="synchronous_commit"):
            await migrate(settings, T0)
        await migrate(replace(settings, allow_unsafe_durability=True), T0)

    asyncio.run(careless())


@pytest.mark.services
def test_a_trigger_guards_the_log_where_roles_cannot_be_granted(embedded_dsn: str) -> None:
    dsn = fresh_database(embedded_dsn)
    name = urlsplit(dsn).path.lstrip("/")
    user = f"plain_{name}"

    async def without_rights() -> None:
        await migrate(StorageSettings(dsn=fresh), T0)  # the roles exist, and are not ours to take
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"CREATE ROLE {user} LOGIN")
        await connection.execute(f"ALTER DATABASE {name} OWNER TO {user}")
        await connection.close()
        settings = StorageSettings(dsn=with_user(dsn, user))
        instance = await migrate(settings, T0)
        assert instance.service_role is None
        pool = await open_pool(settings, role=instance.service_role)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("DELETE FROM log_blocks")
        await close_pool(pool)

    fresh = fresh_database(embedded_dsn)
    asyncio.run(without_rights())
