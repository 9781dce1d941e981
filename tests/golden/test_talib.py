"""Every indicator that TA-Lib has, against TA-Lib on recorded series, from the first value on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain.indicators.bars import Bars
from domain.indicators.history import history
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import recorded

talib = pytest.importorskip("talib")

SERIES = (
    "ta_reference/ta_regtest_252bars.csv",
    "ohlcv/backtesting/BTCUSD.csv",
    "ohlcv/backtesting/EURUSD.csv",
    "ohlcv/backtesting/GOOG.csv",
    "ohlcv/neurotrader/BTCUSDT86400.csv",
    "ohlcv/nautilus/usdjpy-m1-bid-2013.csv",
)
OSCILLATORS = {"rsi", "stoch", "stochf", "willr", "mfi", "adx"}
Reference = Callable[[Bars], "np.ndarray | tuple[np.ndarray, ...]"]
REFERENCE: dict[str, Reference] = {
    "sma(20)": lambda b: talib.SMA(b.close, 20),
    "sma(50,source=hl2)": lambda b: talib.SMA(talib.MEDPRICE(b.high, b.low), 50),
    "sma(20,source=hlc3)": lambda b: talib.SMA(talib.TYPPRICE(b.high, b.low, b.close), 20),
    "sma(20,source=hlcc4)": lambda b: talib.SMA(talib.WCLPRICE(b.high, b.low, b.close), 20),
    "sma(20,source=ohlc4)": lambda b: talib.SMA(talib.AVGPRICE(b.open, b.high, b.low, b.close), 20),
    "ema(9)": lambda b: talib.EMA(b.close, 9),
    "ema(200)": lambda b: talib.EMA(b.close, 200),
    "wma(20)": lambda b: talib.WMA(b.close, 20),
    "rsi(14)": lambda b: talib.RSI(b.close, 14),
    "rsi(2)": lambda b: talib.RSI(b.close, 2),
    "ema(9, rsi(14))": lambda b: talib.EMA(talib.RSI(b.close, 14), 9),
    "macd(12,26,9)": lambda b: talib.MACD(b.close, 12, 26, 9),
    "macd(5,35,5)": lambda b: talib.MACD(b.close, 5, 35, 5),
    "bbands(20,2)": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0),
    "bbands(5,2.5)": lambda b: talib.BBANDS(b.close, 5, 2.5, 2.5),
    "stoch(14,3,3)": lambda b: talib.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0),
    "stoch(5,1,2)": lambda b: talib.STOCH(b.high, b.low, b.close, 5, 1, 0, 2, 0),
    "stochf(14,3)": lambda b: talib.STOCHF(b.high, b.low, b.close, 14, 3, 0),
    "willr(14)": lambda b: talib.WILLR(b.high, b.low, b.close, 14),
    "atr(14)": lambda b: talib.ATR(b.high, b.low, b.close, 14),
    "atr(1)": lambda b: talib.ATR(b.high, b.low, b.close, 1),
    "obv": lambda b: talib.OBV(b.close, b.volume),
    "cci(20)": lambda b: talib.CCI(b.high, b.low, b.close, 20),
    "cci(5)": lambda b: talib.CCI(b.high, b.low, b.close, 5),
    "mfi(14)": lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 14),
    "adx(14)": lambda b: _directional(b, 14),
    "adx(2)": lambda b: _directional(b, 2),
    "roc(10)": lambda b: talib.ROC(b.close, 10),
    "stddev(20)": lambda b: talib.STDDEV(b.close, 20, 1.0),
    "stddev(5,2)": lambda b: talib.STDDEV(b.close, 5, 2.0),
    "keltner(20,10,2)": lambda b: talib.KC(b.high, b.low, b.close, 20, 10, 2.0),
    "keltner(10,20,1.5)": lambda b: talib.KC(b.high, b.low, b.close, 10, 20, 1.5),
    "donchian(20)": lambda b: talib.DONCHIAN(b.high, b.low, 20),
    "psar(0.02,0.2)": lambda b: talib.SAR(b.high, b.low, 0.02, 0.2),
    "supertrend(10,3)": lambda b: _supertrend(b, 10, 3.0),
    "supertrend(7,1)": lambda b: _supertrend(b, 7, 1.0),
    "vwap": lambda b: talib.VWAP(b.high, b.low, b.close, b.volume),
}


def _directional(bars: Bars, period: int) -> tuple[np.ndarray, ...]:
    prices = (bars.high, bars.low, bars.close, period)
    return talib.ADX(*prices), talib.PLUS_DI(*prices), talib.MINUS_DI(*prices)


def _supertrend(bars: Bars, period: int, multiplier: float) -> tuple[np.ndarray, ...]:
    """TA-Lib's direction is 0 while warming up; ours has no value then."""
    line, direction = talib.SUPERTREND(bars.high, bars.low, bars.close, period, multiplier)
    return line, np.where(np.isnan(line), np.nan, direction.astype(float))


@pytest.fixture(scope="module", params=SERIES)
def bars(request: pytest.FixtureRequest, shared_data: Path) -> Bars:
    return recorded(shared_data / request.param)


@pytest.mark.parametrize("spec", REFERENCE)
def test_equals_talib_from_the_first_value_on(spec: str, bars: Bars) -> None:
    parsed = parse_spec(spec)
    expected = REFERENCE[spec](bars)
    expected = expected if isinstance(expected, tuple) else (expected,)
    ours = history(parsed, bars)
    assert len(ours) == len(expected)
    for mine, theirs in zip(ours, expected, strict=True):
        assert np.array_equal(np.isnan(mine), np.isnan(theirs)), "another warm-up"
        allowed = 1e-9 * np.abs(theirs) + 1e-10 * np.abs(bars.close)
        if parsed.name in OSCILLATORS:
            allowed = np.full(theirs.shape, 1e-7)
        assert not (np.abs(mine - theirs) > allowed).any()


@pytest.mark.parametrize("spec", REFERENCE)
def test_closes_outside_their_bars_give_what_talib_makes_of_them(spec: str) -> None:
    """As in a series whose closes are adjusted for dividends and whose other prices are not."""
    rng = np.random.default_rng(3)
    bars = Bars(*rng.uniform(1.0, 100.0, (5, 300)), np.zeros(300, np.int64))
    _assert_equal_on(bars, spec)


def test_money_that_flows_at_negative_prices_stays_an_index() -> None:
    price = np.random.default_rng(5).normal(size=300)
    bars = Bars(price, price + 1.0, price - 1.0, price, np.ones(300), np.zeros(300, np.int64))
    found = history(parse_spec("mfi(14)"), bars)[0][14:]
    assert found.min() == 0.0 and found.max() == 100.0
    assert found == pytest.approx(REFERENCE["mfi(14)"](bars)[14:], abs=1e-7)


def _assert_equal_on(bars: Bars, spec: str) -> None:
    expected = REFERENCE[spec](bars)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for mine, theirs in zip(history(parse_spec(spec), bars), expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-7, nan_ok=True)


def test_a_constant_price_gives_what_talib_says_of_it() -> None:
    flat = Bars(*(np.full(80, 100.1) for _ in range(5)), np.zeros(80, np.int64))
    for spec in (
        "rsi(14)",
        "stoch(14,3,3)",
        "willr(14)",
        "cci(20)",
        "mfi(14)",
        "adx(14)",
        "roc(10)",
        "atr(14)",
    ):
        ours = history(parse_spec(spec), flat)[0]
        theirs = REFERENCE[spec](flat)
        theirs = theirs[0] if isinstance(theirs, tuple) else theirs
        assert ours[-1] == theirs[-1] == 0.0, spec
    upper, middle, lower = history(parse_spec("bbands(20,2)"), flat)
    assert upper[-1] == middle[-1] == lower[-1] == 100.1
