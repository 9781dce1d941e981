"""Indicators over stored bars: the same values whatever holds the bars."""

from __future__ import annotations

import asyncio

import pytest

from actors.arming import Keep
from actors.indicators_query import IndicatorsAsked
from actors.local_directory import LocalDirectory, LocalSettings
from actors.stores import Stores
from domain.clock import NS_PER_MIN
from tests.builders import INSTRUMENT, T0, a_trade, at
from tests.contracts.test_read_side import directory, embedded_dsn, settings, stores, timescale_dsn

__all__ = ["directory", "embedded_dsn", "settings", "stores", "timescale_dsn"]

pytestmark = pytest.mark.anyio

MINUTES = 300
EVERY = 3


async def traded(directory: LocalDirectory) -> None:
    """A trade every third minute, all but the newest bars stored."""
    trades = [
        a_trade(100.0 + minute % 13, 1.0, ts=at(60.0 * minute), trade_id=minute)
        for minute in range(0, MINUTES, EVERY)
    ]
    await directory.feed(trades)
    await directory.projected()


async def test_bars_are_counted_back_over_intervals_without_trades(
    directory: LocalDirectory,
    stores: Stores,
) -> None:
    await traded(directory)
    before = T0 + 100 * NS_PER_MIN
    found = [await stores.bars.nth_before(INSTRUMENT, "1m", before, count) for count in (1, 2, 34, 35)]
    assert found == [T0 + 99 * NS_PER_MIN, T0 + 96 * NS_PER_MIN, T0, None]


async def test_an_average_reaches_back_over_intervals_without_trades(
    directory: LocalDirectory,
) -> None:
    await traded(directory)
    start = T0 + 150 * NS_PER_MIN
    asked = IndicatorsAsked(INSTRUMENT, "1m", ("sma(20)", "obv", "sma(2)@15m"), 10, start, start + 10**15)
    answer, _ = await directory.indicators(asked)
    assert answer.starts[0] == start and len(answer.starts) == 10
    newest = [100.0 + (150 - EVERY * back) % 13 for back in range(20)]
    assert answer.values[0][0] == pytest.approx(sum(newest) / 20)
    assert None not in answer.values[1] and None not in answer.values[2]
    assert all(each.settled for each in answer.specs)


async def test_kept_indicators_begin_with_the_stored_bars(directory: LocalDirectory, stores: Stores) -> None:
    await traded(directory)
    await directory.close()
    kept = Keep(("sma(70)", "rsi(3)", "sma(4)@15m", "ema(3)@1h"))
    again = await LocalDirectory.over(stores, settings=LocalSettings(keep=kept), instance="2")
    try:
        told = {}
        async with asyncio.timeout(30):
            while len(told) < len(kept.specs):
                told = (await again.state(INSTRUMENT)).indicators
                await asyncio.sleep(0.02)
        for name, (start, value) in told.items():
            spec, _, interval = name.partition("@")
            answer, _ = await again.indicators(IndicatorsAsked(INSTRUMENT, interval, (spec,), 10))
            closed = [place for place, is_closed in enumerate(answer.closed) if is_closed]
            assert (start, pytest.approx(value)) == (answer.starts[closed[-1]], answer.values[0][closed[-1]])
    finally:
        await again.close()
