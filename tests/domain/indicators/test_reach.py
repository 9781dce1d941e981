"""As far back as a spec reaches, and no further: the values are those of the whole history."""

from __future__ import annotations

import numpy as np
import pytest

from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.reach import reach
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import EVERY_SPEC, random_bars

BARS, WINDOW = 4_000, 40
SETTLING = [spec for spec in EVERY_SPEC if not reach(parse_spec(spec)).forever]


def cut(bars: Bars, begin: int) -> Bars:
    return Bars(*(column[begin:] for column in bars))


@pytest.mark.parametrize("spec", [*SETTLING, "ema(200)", "rsi(50)", "ema(21, ema(21, ema(21)))", "adx(40)"])
def test_values_from_as_far_back_as_they_reach_are_those_of_all_bars(spec: str) -> None:
    parsed = parse_spec(spec)
    bars = random_bars(np.random.default_rng(3), BARS, 6)
    begin = BARS - WINDOW - reach(parsed).bars
    if reach(parsed).session:
        begin = int(np.searchsorted(bars.session[:, 0], bars.session[begin, 0]))
    assert begin > 0
    whole, part = values(parsed, bars)[-WINDOW:], values(parsed, cut(bars, begin))[-WINDOW:]
    assert not np.isnan(part).any() or "vwap" in spec
    np.testing.assert_allclose(part, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", ["ema(9)", "rsi(14)", "macd(12,26,9)", "atr(14)"])
def test_an_average_begun_much_later_differs(spec: str) -> None:
    """Otherwise the reach would be longer than it has to be."""
    parsed = parse_spec(spec)
    bars = random_bars(np.random.default_rng(3), BARS, 6)
    whole = values(parsed, bars)[-1]
    part = values(parsed, cut(bars, BARS - reach(parsed).bars // 4))[-1]
    assert not np.allclose(part, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", ["obv", "psar(0.02,0.2)", "supertrend(10,3)", "sma(5, obv)"])
def test_what_depends_on_the_first_bar_says_so(spec: str) -> None:
    assert reach(parse_spec(spec)).forever


def test_a_window_reaches_exactly_its_warm_up() -> None:
    assert reach(parse_spec("sma(50)")).bars == 49
    assert reach(parse_spec("vwap(20)")).bars == 19
    assert reach(parse_spec("vwap")).session and not reach(parse_spec("sma(50)")).session
