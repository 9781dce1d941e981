"""Bars to compute on: random ones, and the recorded series."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from domain.indicators.bars import Bars

EVERY_SPEC = (
    *("sma(20)", "sma(1)", "sma(200)", "ema(9)", "ema(1)", "wma(20)", "wma(1)", "rsi(14)", "rsi(2)"),
    *("macd(12,26,9)", "macd(1,2,1)", "bbands(20,2)", "stoch(14,3,3)", "stoch(1,1,1)", "stochf(5,3)"),
    *("willr(14)", "atr(14)", "atr(1)", "vwap", "vwap(3)", "obv", "cci(20)", "mfi(14)", "adx(14)", "adx(2)"),
    *("roc(10)", "stddev(5,2)", "keltner(20,10,2)", "keltner(5,10,2)", "donchian(20)", "ichimoku(9,26,52)"),
    *("ichimoku(3,5,9)", "psar(0.02,0.2)", "psar(0.3,0.9)", "supertrend(10,3)", "supertrend(3,1)"),
    *("ema(9, rsi(14))", "ema(3, vwap(2))", "stddev(4, wma(3, macd(3,6,2).signal))", "sma(5,source=hl2)"),
)


def random_bars(rng: np.random.Generator, bars: int, symbols: int, *, missing: float = 0.0) -> Bars:
    """(bars, symbols): prices on a coarse grid, so that ties and flat stretches occur; volume may be 0."""
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (bars, symbols)), axis=0)), 1)
    opened = np.vstack((close[:1], close[:-1]))
    high = np.maximum(opened, close) + np.round(rng.random((bars, symbols)), 1)
    low = np.minimum(opened, close) - np.round(rng.random((bars, symbols)), 1)
    volume = np.round(3.0 * rng.random((bars, symbols)))
    close = np.where(rng.random((bars, symbols)) < missing, np.nan, close)
    volume = np.where(rng.random((bars, symbols)) < missing, np.nan, volume)
    session = np.repeat(np.arange(bars)[:, None] // 24, symbols, axis=1)
    return Bars(opened, high, low, close, volume, session)


def one_bar_of(bars: Bars, bar: int, rows: np.ndarray) -> Bars:
    return Bars(*(column[bar, rows] for column in bars))


def recorded(file: Path) -> Bars:
    """A CSV of the recorded series; random volume where it has none."""
    with file.open(newline="") as opened:
        rows = [{name.lower(): cell for name, cell in row.items()} for row in csv.DictReader(opened)]
    columns = [np.array([float(row[name]) for row in rows]) for name in ("open", "high", "low", "close")]
    volume = 1000.0 * np.random.default_rng(7).random(len(rows))
    if "volume" in rows[0]:
        volume = np.array([float(row["volume"]) for row in rows])
    return Bars(*columns, volume, np.zeros(len(rows), np.int64))
