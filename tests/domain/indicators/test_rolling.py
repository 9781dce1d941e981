"""Coarser bars made as 1m bars close equal those that stored bars are rolled up to on read."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MIN
from domain.indicators.armed import WarmBar
from domain.indicators.rolling import KEEP, Roll, summed
from domain.market.intervals import bar_start, interval_ns


def a_minute(number: int, close: float) -> WarmBar:
    return number * NS_PER_MIN, close - 0.5, close + 1.0, close - 1.0, close, close / 3


def rolled(minutes: list[WarmBar], interval: str) -> list[WarmBar]:
    """All coarser bars, the last one perhaps still forming."""
    length = interval_ns(interval)
    return [
        summed(start, None, list(parts))
        for start, parts in groupby(minutes, lambda bar: bar_start(bar[0], length))
    ]


@st.composite
def minutes(draw: st.DrawFn) -> list[WarmBar]:
    numbers = draw(st.lists(st.integers(1, 9), min_size=1, max_size=200))
    closes = draw(st.lists(st.integers(4, 40), min_size=len(numbers), max_size=len(numbers)))
    found, number = [], 0
    for more, close in zip(numbers, closes, strict=True):
        number += more if more > 6 else 1
        found.append(a_minute(number, close / 4))
    return found


@settings(max_examples=60, deadline=None)
@given(bars=minutes(), interval=st.sampled_from(("5m", "15m", "1h", "1d")))
def test_every_coarser_bar_is_told_once_when_it_closes(bars: list[WarmBar], interval: str) -> None:
    roll, told = Roll(interval), []
    for bar in bars:
        told += roll.add(bar)
    expected = rolled(bars, interval)
    if expected[-1][0] + interval_ns(interval) > bars[-1][0] + NS_PER_MIN:
        expected.pop()
    assert told == expected


@settings(max_examples=40, deadline=None)
@given(bars=minutes(), cut=st.integers(0, 200), interval=st.sampled_from(("5m", "1h")))
def test_a_restored_roll_goes_on_as_if_nothing_had_been(bars: list[WarmBar], cut: int, interval: str) -> None:
    roll = Roll(interval)
    for bar in bars[:cut]:
        roll.add(bar)
    again = Roll.restored(interval, roll.snapshot())
    for bar in bars[cut:]:
        assert again.add(bar) == roll.add(bar)
    assert again.snapshot() == roll.snapshot()


@settings(max_examples=60, deadline=None)
@given(bars=minutes(), back=st.integers(0, KEEP - 1), known=st.booleans())
def test_a_corrected_minute_gives_its_coarser_bar_anew(bars: list[WarmBar], back: int, known: bool) -> None:
    roll, closed = Roll("15m"), []
    for bar in bars:
        closed += roll.add(bar)
    place = max(0, len(bars) - 1 - back)
    number = bars[place][0] // NS_PER_MIN if known else bars[place][0] // NS_PER_MIN + 1
    changed = a_minute(number, 77.0)
    if changed[0] > bars[-1][0]:
        return
    after = sorted({bar[0]: bar for bar in (*bars, changed)}.values())
    (expected,) = [bar for bar in rolled(after, "15m") if bar[0] == bar_start(changed[0], 15 * NS_PER_MIN)]
    is_closed = bool(closed) and expected[0] <= closed[-1][0]
    assert roll.correct(changed) == (expected if is_closed else None)


def test_what_is_older_than_any_that_is_kept_changes_nothing() -> None:
    roll = Roll("5m")
    for number in range(KEEP + 30):
        roll.add(a_minute(number, 5.0))
    before = roll.snapshot()
    assert roll.correct(a_minute(29, 9.0)) is None and roll.snapshot() == before
    assert roll.correct(a_minute(30, 9.0)) is not None


def test_a_roll_that_begins_in_the_middle_of_a_bar_has_what_came_before() -> None:
    minutes = [a_minute(number, 3.0 + number % 4) for number in range(60)]
    whole = Roll("1h")
    told = [bar for minute in minutes for bar in whole.add(minute)]
    begun = Roll("1h", summed(0, None, minutes[:20]))
    assert [bar for minute in minutes[20:] for bar in begun.add(minute)] == told
    assert len(told) == 1 and told[0][5] == pytest.approx(sum(minute[5] for minute in minutes))
