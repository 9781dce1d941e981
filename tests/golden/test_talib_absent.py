"""What TA-Lib has not, or does otherwise: the definition worked out window by window, and talipp's tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from domain.indicators.bars import Bars
from domain.indicators.history import history, values
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import random_bars

TALIPP = {
    "SMA": "sma(20)",
    "EMA": "ema(20)",
    "WMA": "wma(20)",
    "BB": "bbands(5,2)",
    "Stoch": "stochf(14,3)",
    "Williams": "willr(14)",
    "CCI": "cci(20)",
    "VWAP": "vwap",
}
"""talipp 2: their RSI, MACD and ATR seed otherwise, so these stand against TA-Lib alone."""
FIELDS = {"lb": "lower", "cb": "middle", "ub": "upper", "k": "k", "d": "d"}
LINE = re.compile(r"ind\[(-?\d+)\](?:\.(\w+))?, (-?[\d.]+)")


@pytest.fixture(scope="module")
def talipp(shared_data: Path) -> tuple[Bars, dict[str, list[str]]]:
    held = json.loads((shared_data / "ta_reference" / "talipp_expectations.json").read_text())
    columns = (np.array(held["input_ohlcv"][name]) for name in ("open", "high", "low", "close", "volume"))
    return Bars(*columns, np.zeros(50, np.int64)), held["assertion_lines"]


@pytest.mark.parametrize("name", TALIPP)
def test_equals_the_values_of_talipps_own_tests(name: str, talipp: tuple[Bars, dict[str, list[str]]]) -> None:
    bars, lines = talipp
    found = [match.groups() for line in lines[name] if (match := LINE.search(line))]
    assert found
    for place, field, expected in found:
        spec = TALIPP[name] + (f".{FIELDS[field]}" if field else "")
        assert values(parse_spec(spec), bars)[int(place)] == pytest.approx(float(expected), abs=1.1e-5)


def _middle(bars: Bars, end: int, length: int) -> float:
    window = slice(end - length + 1, end + 1)
    return (bars.high[window, 0].max() + bars.low[window, 0].min()) / 2.0


def test_ichimoku_draws_over_a_bar_what_was_known_when_it_began() -> None:
    """Patel, Trading with Ichimoku Clouds, 2010, ch. 2, with 3, 5 and 9 for 9, 26 and 52."""
    bars = random_bars(np.random.default_rng(2), 60, 1)
    tenkan, kijun, ahead_a, ahead_b, chikou = (
        each[:, 0] for each in history(parse_spec("ichimoku(3,5,9)"), bars)
    )
    for bar in range(20, 60):
        assert tenkan[bar] == _middle(bars, bar, 3)
        assert kijun[bar] == _middle(bars, bar, 5)
        assert ahead_a[bar] == (_middle(bars, bar - 5, 3) + _middle(bars, bar - 5, 5)) / 2.0
        assert ahead_b[bar] == _middle(bars, bar - 5, 9)
        assert chikou[bar] == bars.close[bar, 0]


def test_session_vwap_begins_anew_with_each_session() -> None:
    bars = random_bars(np.random.default_rng(3), 72, 1)
    found = values(parse_spec("vwap"), bars)[:, 0]
    typical = ((bars.high + bars.low + bars.close) / 3.0)[:, 0]
    for bar in range(72):
        session = slice(bar - bar % 24, bar + 1)
        volume = bars.volume[session, 0]
        if volume.sum():
            assert found[bar] == pytest.approx((typical[session] * volume).sum() / volume.sum(), rel=1e-13)
        else:
            assert np.isnan(found[bar])


def test_rolling_vwap_is_the_volume_weighted_mean_of_its_window() -> None:
    bars = random_bars(np.random.default_rng(4), 60, 1)
    found = values(parse_spec("vwap(5)"), bars)[:, 0]
    typical = ((bars.high + bars.low + bars.close) / 3.0)[:, 0]
    for bar in range(4, 60):
        volume = bars.volume[bar - 4 : bar + 1, 0]
        expected = np.average(typical[bar - 4 : bar + 1], weights=volume) if volume.sum() else np.nan
        assert found[bar] == pytest.approx(expected, rel=1e-13, nan_ok=True)
