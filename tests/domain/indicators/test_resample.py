"""Coarser bars beside finer ones, and where sessions begin."""

from __future__ import annotations

import numpy as np
import pytest

from domain.clock import NS_PER_MIN, NS_PER_S, parse_time
from domain.errors import Malformed
from domain.indicators.bars import Bars
from domain.indicators.beside import Series, spec_columns
from domain.indicators.history import values
from domain.indicators.resample import coarser, known_at
from domain.indicators.sessions import NS_PER_DAY, parse_sessions
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import random_bars

HOUR = 60 * NS_PER_MIN
NAN = float("nan")


def minutes(count: int, *, begin: int = 0) -> np.ndarray:
    return begin + NS_PER_MIN * np.arange(count)


def one_symbol(count: int) -> Bars:
    return Bars(*(column[:, 0] for column in random_bars(np.random.default_rng(5), count, 1)))


def test_a_coarse_bar_is_made_of_all_that_lies_in_it() -> None:
    fine = Bars(
        np.array([1.0, 2.0, 3.0, NAN, 5.0]),
        np.array([2.0, 9.0, 4.0, NAN, 6.0]),
        np.array([1.0, 1.5, 0.5, NAN, 4.0]),
        np.array([2.0, 3.0, 3.5, NAN, 5.5]),
        np.array([1.0, 2.0, NAN, NAN, NAN]),
        np.zeros(5, np.int64),
    )
    starts, bars = coarser(minutes(5, begin=58 * NS_PER_MIN), fine, HOUR)
    assert starts.tolist() == [0, HOUR]
    assert (bars.open.tolist(), bars.close.tolist()) == ([1.0, 3.0], [3.0, 5.5])
    assert (bars.high.tolist(), bars.low.tolist()) == ([9.0, 6.0], [1.0, 0.5])
    assert bars.volume[0] == 3.0 and np.isnan(bars.volume[1])


def test_a_coarse_value_is_told_from_its_close_on_until_the_next() -> None:
    ends = minutes(6, begin=HOUR - 2 * NS_PER_MIN)
    assert known_at(ends, np.array([HOUR, HOUR + 2 * NS_PER_MIN])).tolist() == [-1, -1, 0, 0, 1, 1]


@pytest.mark.parametrize("spec", ["sma(3)@15m", "ema(2,source=hl2)@15m", "vwap@15m", "obv@5m", "rsi(2)@5m"])
def test_no_coarse_value_looks_ahead(spec: str) -> None:
    """Later bars may be anything: what was told stays, and equals the figure of the closed coarse bars."""
    parsed, starts, bars = parse_spec(spec), minutes(200, begin=7 * NS_PER_MIN), one_symbol(200)
    length = 5 * NS_PER_MIN if "5m" in spec and "15m" not in spec else 15 * NS_PER_MIN

    def told(count: int) -> np.ndarray:
        base = Series(
            None, starts[:count], starts[:count] + NS_PER_MIN, Bars(*(each[:count] for each in bars))
        )

        def resampled(interval: str) -> Series:
            coarse_starts, coarse = coarser(base.starts, base.bars, length)
            return Series(interval, coarse_starts, coarse_starts + length, coarse)

        return spec_columns([parsed], base, resampled)[0]

    whole = told(200)
    for count in (1, 8, 23, 24, 100, 199):
        np.testing.assert_array_equal(told(count), whole[:count])
    coarse_starts, coarse = coarser(starts, bars, length)
    figures = values(parsed, coarse)
    for minute, value in enumerate(whole):
        closed = np.flatnonzero(coarse_starts + length <= starts[minute] + NS_PER_MIN)
        expected = figures[closed[-1]] if closed.size else NAN
        np.testing.assert_array_equal(value, expected)


def test_sessions_are_utc_days_unless_said_otherwise() -> None:
    times = np.array([parse_time("2026-03-06T23:59:59Z"), parse_time("2026-03-07T00:00:00Z")])
    assert np.diff(parse_sessions("00:00").days(times)).tolist() == [1]
    assert np.diff(parse_sessions("01:00").days(times)).tolist() == [0]


def test_a_session_follows_its_zone_through_the_change_of_clocks() -> None:
    """New York's 17:00 is 22:00 UTC on 6 March 2026 and 21:00 UTC from 8 March on."""
    sessions = parse_sessions("17:00@America/New_York")
    for begin in ("2026-03-06T22:00:00Z", "2026-03-09T21:00:00Z"):
        begins = parse_time(begin)
        days = sessions.days(np.array([begins - NS_PER_S, begins, begins + 22 * HOUR]))
        assert np.diff(days).tolist() == [1, 0]
        assert begins - NS_PER_DAY <= sessions.begin_of(begins + HOUR) <= begins


@pytest.mark.parametrize("text", ["24:00", "9:30", "09:30@Mars/Olympus", "09:30@../etc/passwd", "utc", ""])
def test_a_session_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_sessions(text)
