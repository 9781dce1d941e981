"""Indicators that a shard keeps up: armed by the settings, over crashes, moves and changed settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from actors.answers import StateAnswer
from actors.arming import Keep
from actors.indicators_query import IndicatorsAsked
from actors.local_directory import LocalDirectory, LocalSettings
from actors.shard_settings import ShardSettings
from actors.stores import Stores, memory_stores
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Cursor
from domain.errors import Unavailable
from domain.indicators.armed import IndicatorArmed, IndicatorDisarmed
from domain.keeper_state import PartitionSettings
from domain.market.observations import SplitAnnounced
from domain.market.splits import Split
from tests.builders import INSTRUMENT, PROVIDER, a_trade, at

FOLD = PartitionSettings(keep_bars=20)
OTHER = "ETH-USD.SIM"
SPECS = ("sma(5)@1s", "rsi(3)@1s", "ema(4)@1m", "sma(2)@5m")


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    return run


async def started(stores: Stores[None], *specs: str, life: str = "1", **more: object) -> LocalDirectory:
    """`more`: of Keep."""
    settings = LocalSettings(
        fold=FOLD,
        keep=Keep(specs, **more),  # type: ignore[arg-type]
        shard=ShardSettings(linger_ms=0.0, linger_polled_ms=0.0),
        projecting=False,
    )
    return await LocalDirectory.over(
        stores, clock=ManualClock(at(0)), settings=settings, instance=life, shard_count=2
    )


async def trade(directory: LocalDirectory, first: int, last: int, *names: str) -> None:
    """A trade a second, and the feed's clock past the end of the last bar."""
    for second in range(first, last):
        trades = [
            a_trade(100.0 + second * 7 % 11, ts=at(second), instrument=n) for n in names or (INSTRUMENT,)
        ]
        await directory.feed(trades, clock=at(second))
    await directory.beat(at(last + 1))


async def until(what: Callable[[], bool], times: int = 400) -> None:
    """Turns of the loop, and of the shards' ticks; a look comes once a second."""
    for _ in range(times):
        if what():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within the time")


def look(directory: LocalDirectory) -> None:
    for shard in directory.shards.values():
        shard._arming._next_look_s = float("-inf")
        shard._arming.start_due()


async def looked(directory: LocalDirectory) -> None:
    """A new look of every shard, to its end, and what it ordered durable.

    One that runs already may have read its bars too long ago.
    """
    await ended(directory)
    look(directory)
    await ended(directory)
    await directory.instruments()


async def ended(directory: LocalDirectory) -> None:
    """The looks that run."""
    for shard in directory.shards.values():
        if shard._arming._looking is not None:
            await asyncio.gather(shard._arming._looking)


async def state(directory: LocalDirectory, at_: Cursor | None = None) -> StateAnswer:
    return await directory.state(INSTRUMENT, at=at_)


async def armings(directory: LocalDirectory) -> list[IndicatorArmed | IndicatorDisarmed]:
    found = await directory.events(INSTRUMENT, ("indicator_armed", "indicator_disarmed"), 0, None, 1_000)
    return [recorded.event for recorded in found]  # type: ignore[misc]


async def served(directory: LocalDirectory, spec: str, interval: str) -> tuple[int, float | None]:
    """What the question over recorded bars answers at the newest closed bar."""
    answer, _ = await directory.indicators(IndicatorsAsked(INSTRUMENT, interval, (spec,), 10))
    newest = max(place for place, closed in enumerate(answer.closed) if closed)
    return answer.starts[newest], answer.values[0][newest]


async def assert_as_served(directory: LocalDirectory, specs: Sequence[str] = SPECS) -> None:
    told = (await state(directory)).indicators
    assert set(told) == set(specs)
    for name, (start, value) in told.items():
        spec, _, interval = name.partition("@")
        expected = None if value is None else pytest.approx(value, rel=1e-9)
        assert (start, expected) == await served(directory, spec, interval), name


@in_a_loop
async def test_what_is_kept_equals_what_is_served_from_recorded_bars() -> None:
    directory = await started(memory_stores(), *SPECS)
    try:
        await trade(directory, 0, 3)
        await looked(directory)
        assert {name: start for name, (start, _) in (await state(directory)).indicators.items()} == {
            "sma(5)@1s": at(2),
            "rsi(3)@1s": at(2),
        }, "nothing before the first bar"
        await trade(directory, 3, 70)
        await looked(directory)
        await trade(directory, 70, 700)
        await assert_as_served(directory)
        assert len(await armings(directory)) == 3
    finally:
        await directory.close()


@in_a_loop
async def test_after_a_change_of_the_setting_they_begin_at_once_with_the_bars_before() -> None:
    stores = memory_stores()
    directory = await started(stores, "sma(3)@1s")
    await trade(directory, 0, 650)
    await looked(directory)
    await directory.projected()
    await directory.close()
    directory = await started(stores, *SPECS, life="2")
    try:
        await looked(directory)
        await assert_as_served(directory)
        disarmed = [event for event in await armings(directory) if isinstance(event, IndicatorDisarmed)]
        assert [event.specs for event in disarmed] == [("sma(3)",)]
        await directory.restart_feed()
        await trade(directory, 650, 720)
        await assert_as_served(directory)
    finally:
        await directory.close()


@in_a_loop
async def test_without_the_setting_all_are_disarmed_and_the_past_keeps_them() -> None:
    stores = memory_stores()
    directory = await started(stores, "sma(3)@1s")
    await trade(directory, 0, 10)
    await looked(directory)
    then, before = await directory.heads(), (await state(directory)).indicators
    await directory.close()
    directory = await started(stores, life="2")
    try:
        await looked(directory)
        assert (await state(directory)).indicators == {}
        assert (await state(directory, then)).indicators == before != {}
    finally:
        await directory.close()


@in_a_loop
async def test_only_the_watch_list_is_kept_up() -> None:
    directory = await started(memory_stores(), "sma(3)@1s", watched=frozenset({INSTRUMENT}))
    try:
        await trade(directory, 0, 5, INSTRUMENT, OTHER)
        await looked(directory)
        assert (await state(directory)).indicators != {}
        assert (await directory.state(OTHER)).indicators == {}
    finally:
        await directory.close()


@in_a_loop
async def test_a_crash_between_arming_and_the_next_bar_changes_nothing() -> None:
    calm, shaken = memory_stores(), memory_stores()
    tell = []
    for stores, crashes in ((calm, False), (shaken, True)):
        directory = await started(stores, *SPECS)
        await trade(directory, 0, 330)
        await looked(directory)
        armed = await armings(directory)
        if crashes:  # no release, no snapshot: what is not in the log is gone
            await directory.close()
            directory = await started(stores, *SPECS, life="2")
            await looked(directory)
            assert await armings(directory) == armed, "armed once"
            await directory.restart_feed()
        await trade(directory, 330, 400)
        tell.append((await state(directory)).indicators)
        await directory.close()
    assert tell[0] == tell[1] and len(tell[0]) == len(SPECS)


@in_a_loop
async def test_a_partition_that_moves_takes_them_along() -> None:
    directory = await started(memory_stores(), *SPECS)
    try:
        await trade(directory, 0, 330)
        await looked(directory)
        before, armed = (await state(directory)).indicators, await armings(directory)
        partition = directory.partition_of(INSTRUMENT)
        owner = directory.routes[partition].name
        await directory.move(partition, next(name for name in directory.shards if name != owner))
        await looked(directory)
        assert (await state(directory)).indicators == before and await armings(directory) == armed
        await trade(directory, 330, 400)
        await assert_as_served(directory)
    finally:
        await directory.close()


@in_a_loop
async def test_an_order_whose_append_fails_is_given_again() -> None:
    stores = memory_stores()
    directory = await started(stores, "sma(3)@1s")
    try:
        await trade(directory, 0, 10)
        partition = directory.partition_of(INSTRUMENT)
        shard = directory.routes[partition]
        shard._commit._dirty.clear()
        look(directory)
        await until(lambda: shard._seats[partition].market.indicators.live)
        seat = shard._seats[partition]
        shard._lost(seat, Unavailable("the append failed"))
        await until(lambda: partition in shard._seats and shard._seats[partition] is not seat)
        await looked(directory)
        assert set((await state(directory)).indicators) == {"sma(3)@1s"}
        assert len(await armings(directory)) == 1
    finally:
        await directory.close()


@in_a_loop
async def test_bars_that_close_while_the_history_is_read_are_not_missed() -> None:
    directory = await started(memory_stores(), "sma(5)@1s")
    try:
        await trade(directory, 0, 30)
        read, began, go_on = directory.reader.bars, asyncio.Event(), asyncio.Event()

        async def slowly(*asked: object, **named: object) -> object:
            answer = await read(*asked, **named)  # type: ignore[arg-type]
            began.set()
            await go_on.wait()
            return answer

        directory.reader.bars = slowly  # type: ignore[method-assign,assignment]
        look(directory)
        await began.wait()
        await trade(directory, 30, 40)
        go_on.set()
        directory.reader.bars = read  # type: ignore[method-assign]
        await looked(directory)
        start, value = (await state(directory)).indicators["sma(5)@1s"]
        assert (start, pytest.approx(value)) == await served(directory, "sma(5)", "1s")
        (armed,) = await armings(directory)
        assert isinstance(armed, IndicatorArmed)
        assert [bar[0] for bar in armed.bars] == [at(0) + n * NS_PER_S for n in range(40)]
    finally:
        await directory.close()


@in_a_loop
async def test_a_defect_costs_the_figures_that_were_to_come_and_nothing_else() -> None:
    stores = memory_stores()
    directory = await started(stores, "sma(3)@1s")
    await trade(directory, 0, 10)
    await looked(directory)
    await directory.close()
    directory = await started(stores, "sma(3)@1s", "ema(3)@1s", life="2")
    try:

        async def defective(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        directory.reader.bars = defective  # type: ignore[method-assign,assignment]
        for _ in range(2):
            await looked(directory)
        assert set((await state(directory)).indicators) == {"sma(3)@1s"}
        await directory.restart_feed()
        await trade(directory, 20, 30)
        assert (await state(directory)).indicators["sma(3)@1s"][0] == at(29)
    finally:
        await directory.close()


@in_a_loop
async def test_figures_go_on_in_new_shares_after_a_split() -> None:
    """Prices fall to a quarter in the second minute, as announced."""
    directory = await started(memory_stores(), *SPECS[:3])
    try:
        await directory.feed(
            [SplitAnnounced(PROVIDER, INSTRUMENT, at(0), at(0), at(60), split_from=1.0, split_to=4.0)],
            clock=at(0),
        )
        await trade(directory, 0, 59)
        await looked(directory)
        assert (await state(directory)).indicators["sma(5)@1s"][1] > 100.0
        for second in range(60, 64):
            await directory.feed([a_trade(25.0 + second % 3, ts=at(second))], clock=at(second))
        await directory.beat(at(65))
        assert (await state(directory)).indicators == {}, "no figure over two kinds of shares"
        await looked(directory)
        await assert_as_served(directory, SPECS[:3])
        assert 20.0 < (await state(directory)).indicators["sma(5)@1s"][1] < 30.0
        assert (await state(directory)).splits == (Split(at(60), 4.0),)
        for second in range(64, 70):
            await directory.feed([a_trade(25.0 + second % 3, ts=at(second))], clock=at(second))
        await directory.beat(at(71))
        await assert_as_served(directory, SPECS[:3])
    finally:
        await directory.close()
