"""The read side over memory and over PostgreSQL: the same questions, the same answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from actors.local_directory import LocalDirectory, LocalSettings
from actors.projector import Projector, ProjectorSettings
from actors.stores import Stores, memory_stores, postgres_stores
from actors.verify import verify
from domain.clock import MAX_NS, ManualClock
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.settings import StorageSettings
from tests.builders import INSTRUMENT, T0, a_snapshot, a_trade, at
from tests.contracts.conftest import EMBEDDED, TIMESCALE
from tests.services import drop_database, embedded_dsn, fresh_database, timescale_dsn

__all__ = ["embedded_dsn", "timescale_dsn"]

pytestmark = pytest.mark.anyio

FOREVER = MAX_NS
SMALL = ProjectorSettings(blocks_a_step=3, steps_a_turn=2)


@pytest.fixture(params=["memory", EMBEDDED, TIMESCALE])
def settings(request: pytest.FixtureRequest) -> Iterator[StorageSettings | None]:
    """A database of its own for the test; None: in memory."""
    if request.param == "memory":
        yield None
        return
    server_dsn = request.getfixturevalue(f"{request.param}_dsn")
    dsn = fresh_database(server_dsn)
    yield StorageSettings(dsn=dsn)
    drop_database(dsn, server_dsn)


@pytest.fixture
async def stores(settings: StorageSettings | None, anyio_backend: str) -> AsyncIterator[Stores]:
    if settings is None:
        yield memory_stores()
        return
    instance = await migrate(settings, time.time_ns())
    pool = await open_pool(settings, role=instance.service_role)
    yield postgres_stores(pool, settings)
    await close_pool(pool)


@pytest.fixture
async def directory(stores: Stores) -> AsyncIterator[LocalDirectory]:
    settings = LocalSettings(projecting=False)
    made = await LocalDirectory.over(stores, clock=ManualClock(T0), settings=settings)
    yield made
    await made.close()


def _trades(first: int, count: int) -> list:
    return [a_trade(100.0 + n % 9, ts=at(n), trade_id=n) for n in range(first, first + count)]


@pytest.mark.parametrize("interval", ["1s", "1m", "5m"])
async def test_bars_do_not_depend_on_the_projection(directory, interval):
    await directory.feed(_trades(0, 150))
    unprojected, _ = await directory.bars(INSTRUMENT, interval, T0, FOREVER, 1000)
    await directory.projected()
    assert (await directory.bars(INSTRUMENT, interval, T0, FOREVER, 1000))[0] == unprojected
    then = await directory.heads()
    await directory.feed(_trades(150, 150))
    half, _ = await directory.bars(INSTRUMENT, interval, T0, FOREVER, 1000)
    await directory.projected()
    assert (await directory.bars(INSTRUMENT, interval, T0, FOREVER, 1000))[0] == half
    assert (await directory.bars(INSTRUMENT, interval, T0, FOREVER, 1000, at=then))[0] == unprojected
    assert sum(row.trades for row in half) == 300


async def test_two_projectors_at_once_leave_the_rows_of_one(directory):
    await directory.feed(_trades(0, 120))
    stores = directory.stores
    twins = [Projector(stores.log, stores.checkpoints, stores.projections, SMALL) for _ in range(2)]
    await asyncio.gather(*(twin.catch_up() for twin in twins))
    rows = await stores.bars.bars(INSTRUMENT, "1s", T0, FOREVER)
    assert [row.ts_event for row in rows] == [at(n) for n in range(len(rows))]
    assert {row.trades for row in rows} == {1}
    heads = await stores.log.heads()
    events = sum(head.offset for head in heads)
    assert sum(twin.applied for twin in twins) == 2 * events, "two projections, each event once"


async def test_a_rebuilt_read_model_is_the_one_that_was(directory):
    await directory.feed(_trades(0, 200))
    await directory.projected()
    before = [await directory.stores.bars.bars(INSTRUMENT, name, T0, FOREVER) for name in ("1s", "1m", "5m")]
    await directory.projector.rebuild("bars")
    after = [await directory.stores.bars.bars(INSTRUMENT, name, T0, FOREVER) for name in ("1s", "1m", "5m")]
    assert after == before
    assert await directory.projector.lags() == [("bars", 0), ("events", 0)]


async def test_past_states_and_the_log_itself_hold_what_was_answered(directory):
    await directory.feed([a_snapshot(sequence=1), *_trades(0, 50)])
    then, cursor = await directory.state(INSTRUMENT), await directory.heads()
    await directory.move(directory.partition_of(INSTRUMENT), "keeper-shard-0")  # leaves a snapshot
    await directory.feed(_trades(50, 50))
    assert await directory.state(INSTRUMENT, at=cursor) == then
    assert await directory.state(INSTRUMENT, at=await directory.heads()) == await directory.state(INSTRUMENT)
    await directory.open_session("s", "ann", "viewer", at(3600), "g1")
    await directory.connections.stop()
    verdicts = await verify(directory.stores.log, directory.stores.snapshots)
    assert [verdict for verdict in verdicts if not verdict.ok] == []
    assert len(await directory.stores.snapshots.ladder(directory.partition_of(INSTRUMENT))) == 1
