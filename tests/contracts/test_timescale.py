"""What TimescaleDB adds: chunks by time under the log and the read models, and what users do with them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest
from msgspec.structs import replace

from domain.clock import NS_PER_MIN, ManualClock
from domain.errors import Rejected
from domain.market.decisions import BarClosed
from storage.block import verify_chain
from storage.event_log import GENESIS_HASH
from storage.log_marks import DAY_NS
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres_log import PostgresLog, recorded_at
from storage.read_models.postgres_bars import PostgresBars
from storage.read_models.postgres_events import PostgresEvents
from storage.settings import StorageSettings
from storage.writer import LogWriter, Part
from tests.builders import T0, a_gap, a_trade
from tests.contracts.test_projections import bar_fields, recorded
from tests.services import drop_database, fresh_database

pytestmark = [pytest.mark.anyio, pytest.mark.timescale]

PARTITIONS = ("market/00", "market/01")
DAYS = 30
BLOCKS_A_DAY = 3


@dataclass
class Hypertables:
    """A migrated database of a test's own, as its owner and as the service see it."""

    settings: StorageSettings
    owner: asyncpg.Connection
    log: PostgresLog

    async def values(self, query: str, *arguments: object) -> list[object]:
        return [row[0] for row in await self.owner.fetch(query, *arguments)]


@pytest.fixture
def settings(timescale_dsn: str) -> Iterator[StorageSettings]:
    dsn = fresh_database(timescale_dsn)
    yield StorageSettings(dsn=dsn)
    drop_database(dsn, timescale_dsn)


@pytest.fixture
async def hypertables(settings: StorageSettings, anyio_backend: str) -> AsyncIterator[Hypertables]:
    instance = await migrate(settings, T0)
    owner = await asyncpg.connect(settings.dsn)
    pool = await open_pool(settings, role=instance.service_role)
    yield Hypertables(settings, owner, PostgresLog(pool, settings))
    await close_pool(pool)
    await owner.close()


async def write_days(log: PostgresLog) -> int:
    """Some blocks on each of many days; returns the last offset."""
    clock = ManualClock(T0)
    writer = LogWriter(log, "me", clock)
    for name in PARTITIONS:
        await writer.claim(name)
    for day in range(DAYS):
        for _ in range(BLOCKS_A_DAY):
            clock.set(max(clock.now_ns() + NS_PER_MIN, T0 + day * DAY_NS))
            await writer.append([Part(name, (), [a_trade(1.0), a_trade(2.0)]) for name in PARTITIONS])
    return writer.heads[PARTITIONS[0]].offset


async def test_log_and_read_models_are_hypertables(hypertables: Hypertables) -> None:
    rows = await hypertables.owner.fetch(
        "SELECT hypertable_name, column_name, time_interval, integer_interval"
        " FROM timescaledb_information.dimensions"
    )
    assert {tuple(row) for row in rows} == {
        ("log_blocks", "recorded_at", dt.timedelta(days=1), None),
        ("events", "recorded_at", dt.timedelta(days=7), None),
        ("bars", "ts_event", None, 30 * DAY_NS),
    }


async def test_the_extension_and_its_licence_are_known(settings: StorageSettings) -> None:
    instance = await migrate(settings, T0)
    assert instance.timescaledb_version is not None
    assert instance.timescaledb_license in ("apache", "timescale")


async def test_a_read_opens_few_of_many_chunks(hypertables: Hypertables) -> None:
    end = await write_days(hypertables.log)
    chunks = await hypertables.values("SELECT show_chunks('log_blocks')")
    assert len(chunks) == DAYS
    for after in (0, 10, end // 2, end - 1, end):
        async with hypertables.owner.transaction():
            log = PostgresLog(hypertables.owner, hypertables.settings)
            await log.read(PARTITIONS[0], after, max_blocks=BLOCKS_A_DAY)
            await log.offset_at(PARTITIONS[0], T0 + 10 * DAY_NS)
            opened = await hypertables.values(
                "SELECT DISTINCT relation FROM pg_locks"
                " WHERE pid = pg_backend_pid() AND relation = ANY($1::regclass[])",
                chunks,
            )
        assert len(opened) <= 4, f"after {after}"


async def test_a_log_of_many_days_is_read_to_its_end(hypertables: Hypertables) -> None:
    end = await write_days(hypertables.log)
    for name in PARTITIONS:
        offset, block_hash = 0, GENESIS_HASH
        while blocks := await hypertables.log.read(name, offset):
            offset, block_hash = verify_chain(blocks, offset, block_hash)
        assert offset == end == 2 * DAYS * BLOCKS_A_DAY


async def test_every_day_resolves_to_its_last_offset(hypertables: Hypertables) -> None:
    await write_days(hypertables.log)
    ends = [await hypertables.log.offset_at(PARTITIONS[1], T0 + day * DAY_NS - 1) for day in range(DAYS + 2)]
    assert ends == [min(day, DAYS) * BLOCKS_A_DAY * 2 for day in range(DAYS + 2)]


async def test_after_dropping_old_chunks_the_rest_is_read_and_the_dropped_refused(
    hypertables: Hypertables,
) -> None:
    end = await write_days(hypertables.log)
    kept_from = recorded_at(T0 + 10 * DAY_NS)
    await hypertables.owner.fetch(
        "SELECT drop_chunks('log_blocks', older_than => $1::timestamptz)", kept_from
    )
    first = 10 * BLOCKS_A_DAY * 2 + 1
    for after, until in ((0, None), (first - 2, None), (7, 9)):
        with pytest.raises(Rejected, match=f"kept from offset {first}"):
            await hypertables.log.read(PARTITIONS[0], after, until=until)
    assert (await hypertables.log.read(PARTITIONS[0], first - 1))[0].first_offset == first
    assert await hypertables.log.read(PARTITIONS[0], end) == []
    assert await hypertables.log.offset_at(PARTITIONS[0], T0 + 5 * DAY_NS) == 0  # no anchor says otherwise


async def test_a_log_without_marks_gets_them_by_migrating(hypertables: Hypertables) -> None:
    await write_days(hypertables.log)
    marks = await hypertables.owner.fetch("SELECT * FROM log_marks ORDER BY 1, 2")
    assert len(marks) == DAYS * len(PARTITIONS)
    await hypertables.owner.execute(
        "DROP TABLE log_marks, log_anchors, log_slices, log_clock_steps;"
        "DELETE FROM schema_versions WHERE number >= 4"
    )
    await migrate(hypertables.settings, T0)
    assert await hypertables.owner.fetch("SELECT * FROM log_marks ORDER BY 1, 2") == marks


async def test_bars_are_bucketed_and_dropped_by_time(hypertables: Hypertables) -> None:
    bars = PostgresBars(hypertables.owner)
    minutes = [0, 1, 2, 3, 60 * 24 * 200]
    closed = [BarClosed(**bar_fields("BTC-USD.SIM", minute, 100.0 + minute)) for minute in minutes]
    async with hypertables.owner.transaction():
        await bars.apply(hypertables.owner, "market/00", recorded("market/00", closed))
    of_time, of_number = [
        await hypertables.values(
            f"SELECT max(high) FROM bars WHERE interval = '1m' GROUP BY time_bucket({bucket}) ORDER BY 1"
        )
        for bucket in ("INTERVAL '2 minutes', starts_at", "120000000000::bigint, ts_event")
    ]
    assert of_time == of_number == [103.0, 105.0, 288102.0]
    await hypertables.owner.fetch("SELECT drop_chunks('bars', older_than => $1::bigint)", T0 + 100 * DAY_NS)
    assert await hypertables.values("SELECT DISTINCT open FROM bars") == [288100.0]


async def test_events_are_bucketed_and_dropped_by_time(hypertables: Hypertables) -> None:
    events = PostgresEvents(hypertables.owner)
    for day in (0, 1, 90):
        entries = recorded("market/00", [a_gap()], after=day)
        later = [replace(entry, recorded_at=T0 + day * DAY_NS) for entry in entries]
        await events.apply(hypertables.owner, "market/00", later)
    assert await hypertables.values(
        "SELECT count(*) FROM events GROUP BY time_bucket('30 days', recorded_at) ORDER BY 1"
    ) == [1, 2]
    long_ago = recorded_at(T0 + 60 * DAY_NS)
    await hypertables.owner.fetch("SELECT drop_chunks('events', older_than => $1::timestamptz)", long_ago)
    assert await hypertables.values('SELECT "offset" FROM events') == [91]


@pytest.fixture
def plain_owner(settings: StorageSettings) -> Iterator[StorageSettings]:
    """The database belongs to a user without rights beyond it; a superuser has made the extension."""
    name = urlsplit(settings.dsn).path.lstrip("/")
    user = f"plain_{name}"
    asyncio.run(
        execute(
            settings.dsn,
            "CREATE EXTENSION timescaledb",
            f"CREATE ROLE {user} LOGIN PASSWORD 'plain'",
            f"ALTER DATABASE {name} OWNER TO {user}",
        )
    )
    parts = urlsplit(settings.dsn)
    netloc = f"{user}:plain@{parts.hostname}:{parts.port}"
    yield replace(settings, dsn=parts._replace(netloc=netloc).geturl())
    asyncio.run(execute(settings.dsn, f"REASSIGN OWNED BY {user} TO CURRENT_USER", f"DROP OWNED BY {user}"))
    asyncio.run(execute(settings.dsn, f"DROP ROLE {user}"))


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_a_plain_owner_gets_hypertables_and_a_guarded_log(plain_owner: StorageSettings) -> None:
    instance = await migrate(plain_owner, T0)
    assert instance.service_role is None
    pool = await open_pool(plain_owner)
    await write_days(PostgresLog(pool, plain_owner))
    assert await pool.fetchval("SELECT count(*) FROM timescaledb_information.hypertables") == 3
    for statement in ("UPDATE log_blocks SET epoch = 7", "DELETE FROM log_blocks", "TRUNCATE log_blocks"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
    await close_pool(pool)
