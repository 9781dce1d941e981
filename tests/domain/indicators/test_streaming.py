"""Whatever order bars come in, values are those of the history of the bars as they stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.sessions import UTC_DAYS
from domain.indicators.spec import parse_spec
from domain.indicators.streaming import Cells, Streaming

HOUR = 3_600 * 10**9
PRICES = st.integers(1, 60).map(lambda tenths: tenths / 10)
SPECS = ("sma(3)", "ema(4)", "rsi(3)", "atr(2)", "vwap", "obv", "supertrend(2,1)", "ema(2, rsi(2))")


def a_bar(close: float, spread: float = 0.5) -> Cells:
    return close, close + spread, close - spread, close, 1.0 + spread


def history_of(spec: str, bars: dict[int, Cells]) -> dict[int, float]:
    starts = np.array(sorted(bars), np.int64)
    columns = np.array([bars[start] for start in starts.tolist()]).T
    found = values(parse_spec(spec), Bars(*columns, UTC_DAYS.days(starts)))
    return dict(zip(starts.tolist(), found.tolist(), strict=True))


def same(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 9), PRICES, PRICES), min_size=1, max_size=50),
)
def test_told_values_are_those_of_the_bars_as_they_stand(spec: str, steps: list) -> None:
    """Each step goes on by some hours, or back by as many: a correction, or a bar put in between."""
    streaming = Streaming(parse_spec(spec), depth=6)
    bars: dict[int, Cells] = {}
    told: dict[int, float] = {}
    newest = 0
    for step, close, spread in steps:
        back = step > 6
        start = max(0, newest - (step - 6) * HOUR) if back else newest + (step + 1) * HOUR
        newest = max(newest, start)
        changes = streaming.put(start, a_bar(close, spread))
        if changes:
            bars[start] = a_bar(close, spread)
            assert changes[0][0] == start
        else:
            assert back
        told.update(changes)
    expected = history_of(spec, bars)
    assert told.keys() == expected.keys()
    assert all(same(told[start], expected[start]) for start in expected)


def test_a_correction_tells_only_what_changed_with_it() -> None:
    streaming = Streaming(parse_spec("sma(2)"))
    for hour, close in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
        streaming.put(hour * HOUR, a_bar(close))
    assert streaming.put(1 * HOUR, a_bar(4.0)) == [(HOUR, 2.5), (2 * HOUR, 3.5)]
    assert streaming.put(5 * HOUR, a_bar(6.0)) == [(5 * HOUR, 5.5)]


def test_a_bar_that_is_told_again_tells_its_value_again() -> None:
    streaming = Streaming(parse_spec("sma(1)"))
    streaming.put(0, a_bar(1.0))
    assert streaming.put(0, a_bar(1.0)) == [(0, 1.0)]
    assert streaming.put(0, a_bar(9.0), replace=False) == []
    assert streaming.put(HOUR, a_bar(2.0), replace=False) == [(HOUR, 2.0)]


def test_what_is_too_old_changes_nothing() -> None:
    streaming = Streaming(parse_spec("ema(3)"), depth=4)
    twin = Streaming(parse_spec("ema(3)"), depth=4)
    for hour in range(30):
        streaming.put(hour * HOUR, a_bar(float(hour)))
        twin.put(hour * HOUR, a_bar(float(hour)))
    assert streaming.put(2 * HOUR, a_bar(50.0)) == []
    assert streaming.put(30 * HOUR, a_bar(1.0)) == twin.put(30 * HOUR, a_bar(1.0))


def test_peeking_takes_nothing_in() -> None:
    streaming = Streaming(parse_spec("sma(2)"))
    streaming.put(0, a_bar(1.0))
    assert streaming.peek(HOUR, a_bar(5.0)) == 3.0
    assert streaming.put(HOUR, a_bar(2.0)) == [(HOUR, 1.5)]
