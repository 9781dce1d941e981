"""Stored bars as a run: the same bars as one by one, and keys that tell every change."""

from __future__ import annotations

import random
from typing import Any

import pytest

from domain.clock import NS_PER_MIN
from domain.market.decisions import BarClosed, BarCorrected, LateTrade
from domain.market.observations import Bar
from storage.read_models.bars import MAX_ROWS, BarRun, StoredBar, as_told
from tests.builders import T0
from tests.contracts.conftest import Backend
from tests.contracts.test_projections import apply, bar_fields, instrument

__all__ = ["instrument"]

pytestmark = pytest.mark.anyio

EVER = 2**62


async def mixed(backend: Backend, partition: str, name: str, minutes: int = 200) -> list[Any]:
    """Bars built here and bars of two providers, some without trades and average, some corrected."""
    rng = random.Random(7)
    events: list[Any] = []
    for minute in range(minutes):
        price = rng.uniform(1e-9, 1e9)
        fields = bar_fields(name, minute, price, ts_recv=T0 + rng.randrange(10**15))
        if minute % 5 == 0:
            without = {"trades": None, "vwap": None} if minute % 10 == 0 else {"trades": 0}
            sender = rng.choice(("sim", "another provider"))
            adjusted = minute % 15 == 0
            events.append(
                Bar(**fields | without | {"provider": sender, "closed": True, "adjusted": adjusted})
            )
        elif minute % 7 == 0:
            events.append(BarCorrected(**fields, revision=minute))
        else:
            events.append(BarClosed(**fields, revision=0, tainted=minute % 11 == 0))
    await apply(backend, backend.bars, partition, events)
    return events


async def both(
    backend: Backend, name: str, start: int = 0, end: int = EVER, limit: int = MAX_ROWS, interval: str = "1m"
) -> tuple[list[StoredBar], BarRun]:
    window = (name, interval, start, end, limit)
    return await backend.bars.bars(*window), await backend.bars.run(*window)


async def test_a_run_has_the_bars_of_its_query(backend: Backend, partition: str, instrument: str) -> None:
    await mixed(backend, partition, instrument)
    for interval in ("1m", "5m", "1h"):
        listed, run = await both(backend, instrument, interval=interval)
        assert len(run) == len(listed) > 1
        told = [as_told(bar) for bar in listed]
        assert run.told(0, len(run)) == told
        assert run.told(1, 3) == told[1:3]
        assert run.starts.tolist() == [bar.ts_event for bar in listed]


@pytest.mark.parametrize(("start", "end", "limit"), [(17, 45, 1_000), (17, 45, 5), (44, 45, 9), (45, 45, 9)])
async def test_a_run_is_cut_as_its_query_says(
    backend: Backend, partition: str, instrument: str, start: int, end: int, limit: int
) -> None:
    await mixed(backend, partition, instrument, 60)
    window = (T0 + start * NS_PER_MIN, T0 + end * NS_PER_MIN, limit)
    listed, run = await both(backend, instrument, *window)
    assert run.told(0, len(run)) == [as_told(bar) for bar in listed]
    assert len(listed) == min(end - start, limit)


async def test_equal_bars_have_equal_keys_in_every_run_that_holds_them(
    backend: Backend, partition: str, instrument: str
) -> None:
    await mixed(backend, partition, instrument)
    _, whole = await both(backend, instrument)
    _, part = await both(backend, instrument, T0 + 50 * NS_PER_MIN, T0 + 90 * NS_PER_MIN)
    assert part.key(0, 40) == whole.key(50, 90)
    assert part.key(7, 8) == whole.key(57, 58)
    keys = {whole.key(first, last) for first in range(30) for last in range(first + 1, 31)}
    assert len(keys) == 30 * 31 // 2


@pytest.mark.parametrize(
    "change",
    [
        {"open": 100.5}, {"high": 120.0}, {"low": 1.0}, {"close": 100.25}, {"volume": 2.5},
        {"trades": 4}, {"trades": None}, {"vwap": 100.1}, {"vwap": None},
        {"provider": "other"}, {"provider": "mis"}, {"ts_recv": T0}, {"adjusted": True},
    ],
    ids=str,
)  # fmt: skip
async def test_whatever_changes_in_a_bar_changes_its_key_and_no_other(
    backend: Backend, partition: str, instrument: str, change: dict[str, Any]
) -> None:
    fields = [bar_fields(instrument, minute, 100.0) for minute in range(10)]
    await apply(backend, backend.bars, partition, [Bar(**each, closed=True) for each in fields])
    _, before = await both(backend, instrument)
    await apply(backend, backend.bars, partition, [Bar(**fields[4] | change, closed=True)])
    _, after = await both(backend, instrument)
    differ = [place for place in range(10) if before.key(place, place + 1) != after.key(place, place + 1)]
    assert differ == [4]
    assert before.key(0, 10) != after.key(0, 10)


async def test_a_correction_and_a_late_trade_change_the_key(
    backend: Backend, partition: str, instrument: str
) -> None:
    first = bar_fields(instrument, 0, 100.0)
    await apply(backend, backend.bars, partition, [BarClosed(**first, revision=0)])
    keys = [(await both(backend, instrument))[1].key(0, 1)]
    await apply(backend, backend.bars, partition, [BarCorrected(**first, revision=1)])
    keys.append((await both(backend, instrument))[1].key(0, 1))
    late = LateTrade(
        instrument=instrument, interval="1m", bar_start=T0, ts_event=T0 + 5, ts_recv=T0 + 10**12,
        price=1.0, size=1.0, provider="sim", trade_id="9",
    )  # fmt: skip
    await apply(backend, backend.bars, partition, [late])
    listed, run = await both(backend, instrument)
    assert listed[0].tainted and run.told(0, 1) == [as_told(listed[0])]
    assert len({*keys, run.key(0, 1)}) == 3
