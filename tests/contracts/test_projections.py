"""What every checkpoint store and read model does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from domain.clock import NS_PER_MIN
from domain.envelope import Event, Recorded
from domain.errors import Conflict, FinanceHubError
from domain.feed_events import FeedLost
from domain.market.decisions import BarClosed, BarCorrected, LateTrade
from domain.market.observations import Bar, Gap
from storage.block import head_after, seal
from storage.projections import ProjectionRunner
from storage.read_models.bars import ROLLED_UP_NS, MemoryBars, Source
from storage.read_models.events import event_of
from tests.builders import T0, a_trade
from tests.contracts.conftest import Backend

pytestmark = pytest.mark.anyio

FOREVER = T0 + 10**18


def bar_fields(instrument: str, minute: int, price: float, **more: Any) -> dict[str, Any]:
    fields = {
        "provider": "sim",
        "instrument": instrument,
        "ts_event": T0 + minute * NS_PER_MIN,
        "ts_recv": T0 + (minute + 1) * NS_PER_MIN,
        "interval": "1m",
        "open": price,
        "high": price + 2,
        "low": price - 1,
        "close": price + 1,
        "volume": 2.0,
        "trades": 3,
        "vwap": price,
    }
    return fields | more


def recorded(partition: str, events: Sequence[Event], after: int = 0) -> list[Recorded]:
    return [Recorded(partition, after + n + 1, T0, event) for n, event in enumerate(events)]


async def apply(backend: Backend, projection: Any, partition: str, events: Sequence[Event]) -> None:
    entries = recorded(partition, events)
    if backend.pool is None:
        await projection.apply(None, partition, entries)
        return
    async with backend.pool.acquire() as connection, connection.transaction():
        await projection.apply(connection, partition, entries)


@pytest.fixture
def instrument(partition: str) -> str:
    return f"{partition.removeprefix('market/').upper()}.SIM"


async def nothing(_: object) -> None:
    return


async def test_a_checkpoint_moves_by_compare_and_set(backend: Backend, partition: str) -> None:
    start = await backend.checkpoints.load("bars", partition)
    assert (start.offset, start.version) == (0, 0)
    first = await backend.checkpoints.advance(start, 10, nothing)
    second = await backend.checkpoints.advance(first, 25, nothing)
    assert await backend.checkpoints.load("bars", partition) == second
    assert (second.offset, second.version) == (25, 2)
    for stale in (start, first):
        with pytest.raises(Conflict):
            await backend.checkpoints.advance(stale, 30, nothing)


async def test_a_restart_sets_every_checkpoint_of_one_projection_back(
    backend: Backend, partition: str
) -> None:
    other = f"{partition}-2"
    places = [("again", partition), ("again", other), ("else", partition)]
    first = [await backend.checkpoints.load(*place) for place in places]
    seen = [await backend.checkpoints.advance(each, 7, nothing) for each in first]
    await backend.checkpoints.restart("again", nothing)
    assert [(await backend.checkpoints.load(*place)).offset for place in places] == [0, 0, 7]
    for stale in seen[:2]:
        with pytest.raises(Conflict):
            await backend.checkpoints.advance(stale, 8, nothing)


async def test_a_restart_whose_output_fails_sets_nothing_back(backend: Backend, partition: str) -> None:
    async def fails(_: object) -> None:
        raise RuntimeError("no")

    start = await backend.checkpoints.load("again", partition)
    seen = await backend.checkpoints.advance(start, 7, nothing)
    with pytest.raises(RuntimeError):
        await backend.checkpoints.restart("again", fails)
    assert await backend.checkpoints.load("again", partition) == seen


async def test_an_output_that_fails_leaves_the_checkpoint(backend: Backend, partition: str) -> None:
    async def fails(_: object) -> None:
        raise FinanceHubError("no")

    start = await backend.checkpoints.load("bars", partition)
    with pytest.raises(FinanceHubError):
        await backend.checkpoints.advance(start, 10, fails)
    assert await backend.checkpoints.load("bars", partition) == start


async def test_a_projection_sees_every_event_once_and_in_order(backend: Backend, partition: str) -> None:
    seen: list[int] = []

    class Offsets:
        name = "offsets"
        kinds = frozenset({"trade"})

        async def apply(self, connection: object, partition: str, recorded: Sequence[Recorded]) -> None:
            seen.extend(entry.offset for entry in recorded)

    head = await backend.log.claim(partition, "me")
    for count in (3, 1, 70):
        block = seal(head, (), [a_trade(100.0)] * count, T0)
        await backend.log.append([block])
        head = head_after(block, "me")
    runners = [ProjectionRunner(backend.log, backend.checkpoints, Offsets()) for _ in range(2)]
    assert await runners[0].run_once(partition, max_blocks=1) == 3
    assert await runners[0].lag(partition, head.offset) == 71
    assert await runners[1].run_once(partition) == 71
    assert await runners[0].run_once(partition) == 0
    assert seen == list(range(1, 75))


async def test_of_two_racing_runners_one_applies(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    await backend.log.append([seal(head, (), [a_trade(100.0)], T0)])
    seen = await backend.checkpoints.load("race", partition)
    outcomes = await asyncio.gather(
        *(backend.checkpoints.advance(seen, 1, nothing) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3


async def test_minutes_roll_up_into_longer_bars(backend: Backend, partition: str, instrument: str) -> None:
    closed = [BarClosed(**bar_fields(instrument, minute, 100.0 + minute)) for minute in range(7)]
    await apply(backend, backend.bars, partition, closed)
    first, second = await backend.bars.bars(instrument, "5m", T0, FOREVER)
    assert (first.open, first.high, first.low, first.close) == (100.0, 106.0, 99.0, 105.0)
    assert (first.volume, first.trades, first.vwap) == (10.0, 15, 102.0)
    assert (first.closed, second.closed, second.ts_event) == (True, False, T0 + 5 * NS_PER_MIN)
    assert first.source is Source.ROLLED_UP
    day = await backend.bars.bars(instrument, "1d", T0, FOREVER)
    assert [(bar.volume, bar.closed) for bar in day] == [(14.0, False)]


async def test_a_correction_comes_through_to_every_interval(
    backend: Backend, partition: str, instrument: str
) -> None:
    await apply(backend, backend.bars, partition, [BarClosed(**bar_fields(instrument, 0, 100.0))])
    corrected = BarCorrected(**bar_fields(instrument, 0, 100.0, high=200.0, volume=5.0, revision=1))
    await apply(backend, backend.bars, partition, [corrected])
    for interval in ("1m", *ROLLED_UP_NS):
        (bar,) = await backend.bars.bars(instrument, interval, T0, FOREVER)
        assert (bar.high, bar.volume, bar.revision) == (200.0, 5.0, 1), interval


async def test_an_older_revision_never_replaces_a_newer_one(
    backend: Backend, partition: str, instrument: str
) -> None:
    newer = BarCorrected(**bar_fields(instrument, 0, 101.0, revision=2))
    await apply(backend, backend.bars, partition, [newer])
    await apply(backend, backend.bars, partition, [BarClosed(**bar_fields(instrument, 0, 100.0))])
    (bar,) = await backend.bars.bars(instrument, "1m", T0, FOREVER)
    assert (bar.open, bar.revision) == (101.0, 2)


async def test_a_providers_daily_bar_is_not_overwritten_by_a_roll_up(
    backend: Backend, partition: str, instrument: str
) -> None:
    daily = Bar(**bar_fields(instrument, 0, 50.0, interval="1d", trades=None, vwap=None))
    await apply(backend, backend.bars, partition, [daily])
    await apply(backend, backend.bars, partition, [BarClosed(**bar_fields(instrument, 3, 100.0))])
    (bar,) = await backend.bars.bars(instrument, "1d", T0, FOREVER)
    assert (bar.open, bar.trades, bar.source) == (50.0, None, Source.PROVIDER)


async def test_a_late_trade_taints_the_stored_bar(backend: Backend, partition: str, instrument: str) -> None:
    await apply(backend, backend.bars, partition, [BarClosed(**bar_fields(instrument, 0, 100.0))])
    await apply(backend, backend.bars, partition, [_late(instrument, 0), _late(instrument, 99)])
    for interval in ("1m", "5m", "1d"):
        (bar,) = await backend.bars.bars(instrument, interval, T0, FOREVER)
        assert bar.tainted, interval


def _late(instrument: str, minute: int) -> LateTrade:
    start = T0 + minute * NS_PER_MIN
    return LateTrade("sim", instrument, start, start, "1m", start, "7", 100.0, 1.0)


async def test_a_bar_query_is_bounded(backend: Backend, partition: str, instrument: str) -> None:
    closed = [BarClosed(**bar_fields(instrument, minute, 100.0)) for minute in range(10)]
    await apply(backend, backend.bars, partition, closed)
    found = await backend.bars.bars(instrument, "1m", T0 + 2 * NS_PER_MIN, T0 + 8 * NS_PER_MIN, limit=3)
    assert [(bar.ts_event - T0) // NS_PER_MIN for bar in found] == [2, 3, 4]


async def test_rows_do_not_depend_on_how_events_are_grouped(
    backend: Backend, partition: str, instrument: str
) -> None:
    dice = random.Random(partition)
    events = [_any_bar_event(dice, instrument) for _ in range(120)]
    reference = MemoryBars()
    for entry in recorded(partition, events):
        await reference.apply(None, partition, [entry])
    while events:
        cut = dice.randrange(1, 20)
        await apply(backend, backend.bars, partition, events[:cut])
        events = events[cut:]
    for interval in ("1m", *ROLLED_UP_NS):
        expected = await reference.bars(instrument, interval, T0, FOREVER)
        assert await backend.bars.bars(instrument, interval, T0, FOREVER) == expected, interval
        assert expected


def _any_bar_event(dice: random.Random, instrument: str) -> Event:
    price, minute = round(dice.uniform(1, 100), 2), dice.randrange(40)
    fields = bar_fields(instrument, minute, price, volume=round(dice.uniform(0, 3), 3))
    tainted = dice.random() < 0.2
    kinds = [
        lambda: BarClosed(**fields, tainted=tainted),
        lambda: BarCorrected(**fields, revision=dice.randrange(1, 4), tainted=tainted),
        lambda: Bar(**fields | {"trades": None, "vwap": None, "interval": dice.choice(["1m", "5m"])}),
    ]
    return dice.choice(kinds)()


async def test_cleared_bars_come_back_the_same(backend: Backend, partition: str, instrument: str) -> None:
    closed = [BarClosed(**bar_fields(instrument, minute, 100.0 + minute)) for minute in range(6)]
    await apply(backend, backend.bars, partition, closed)
    before = await backend.bars.bars(instrument, "5m", T0, FOREVER)
    if backend.pool is None:
        await backend.bars.clear(None)
    else:
        async with backend.pool.acquire() as connection:
            await backend.bars.clear(connection)
    assert await backend.bars.bars(instrument, "5m", T0, FOREVER) == []
    await apply(backend, backend.bars, partition, closed)
    assert await backend.bars.bars(instrument, "5m", T0, FOREVER) == before


async def test_decisions_and_gaps_are_listed_and_trades_are_not(
    backend: Backend, partition: str, instrument: str
) -> None:
    gap = Gap("sim", instrument, T0 + 5, T0 + 6, "trades", "lost \0 frames", 3, 9)
    lost = FeedLost("sim", T0, 1, "reset")
    closed = BarClosed(**bar_fields(instrument, 0, 100.0))
    events = [a_trade(100.0, instrument=instrument), gap, lost, closed]
    await apply(backend, backend.events, partition, events)
    rows = await backend.events.events(instrument, [], T0, FOREVER)
    assert [(row.kind, row.offset) for row in rows] == [("bar_closed", 4), ("gap", 2)]
    assert "lost � frames" in rows[1].body
    only_gaps = await backend.events.events(instrument, ["gap"], T0, FOREVER)
    assert [row.kind for row in only_gaps] == ["gap"]


async def test_a_projection_passes_over_what_it_does_not_want(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    for event in (a_trade(100.0), Gap("sim", "A.SIM", T0, T0, "trades", "lost"), a_trade(101.0)):
        block = seal(head, (), [event], T0)
        await backend.log.append([block])
        head = head_after(block, "me")
    runner = ProjectionRunner(backend.log, backend.checkpoints, backend.events)
    assert await runner.run_once(partition, max_blocks=2) == 2
    assert await runner.run_once(partition) == 1
    assert (await backend.checkpoints.load("events", partition)).offset == 3
    assert [row.offset for row in await backend.events.events("A.SIM", [], T0, FOREVER)] == [2]


async def test_a_page_of_events_goes_on_after_time_and_offset(
    backend: Backend, partition: str, instrument: str
) -> None:
    gaps = [Gap("sim", instrument, T0 + late, T0 + 9, "trades", "lost") for late in (5, 5, 5, 6)]
    await apply(backend, backend.events, partition, gaps)
    found = [row.offset for row in await backend.events.events(instrument, [], T0 + 5, FOREVER)]
    assert found == [1, 2, 3, 4]
    rest = await backend.events.events(instrument, [], T0 + 5, FOREVER, 10, 2)
    assert [row.offset for row in rest] == [3, 4]
    assert [event_of(row).event for row in rest] == gaps[2:]
