"""Indicators live (one bar of each of 10,000 symbols) and over history, against the peers on the same bars.

Eight indicators: sma(20) ema(20) rsi(14) macd(12,26,9) bbands(20,2) stoch(14,3,3) willr(14) atr(14), all
outputs. TA-Lib runs here, talipp and polars-talib in the peers' environment; a peer that is not installed
leaves its row without one. All figures are CPU seconds of one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from domain.indicators.bank import Bank
from domain.indicators.bars import Bars
from domain.indicators.frames import with_indicators
from domain.indicators.spec import parse_spec
from tests.bench.decode import peer_python
from tests.bench.rows import Row, Scale, median, quiet, seconds

SPECS = (
    "sma(20)",
    "ema(20)",
    "rsi(14)",
    "macd(12,26,9)",
    "bbands(20,2)",
    "stoch(14,3,3)",
    "willr(14)",
    "atr(14)",
)
OUTPUTS = (
    *SPECS,
    *("macd(12,26,9).signal", "macd(12,26,9).histogram", "bbands(20,2).middle", "bbands(20,2).lower"),
    "stoch(14,3,3).d",
)
"""What TA-Lib's functions give at once."""
SYMBOLS, WARM_BARS = 10_000, 60
STREAM_SYMBOLS, STREAM_BARS = 200, 250
"""TA-Lib's stream functions compute from the window they are given: 250 bars, a year of days."""
SERIES, BARS = 1_000, 5_000
SIDE = Path(__file__).resolve().parent / "indicators_side.py"

Frame = tuple[np.ndarray, np.ndarray, np.ndarray]


def group(scale: Scale) -> list[Row]:
    symbols = scale.of(SYMBOLS, least=20)
    bar_s = median(live_rounds(symbols, 5 * scale.rounds))
    per_s = symbols * len(SPECS) / bar_s
    series, bars = scale.of(SERIES, least=4), scale.of(BARS, least=60)
    frame_s, batch_s = _frame_rounds(series, bars, scale.rounds)
    points = series * bars * len(SPECS)
    talipp, polars_talib = _peer("talipp", 100, WARM_BARS), _peer("polars_talib", series, bars)
    stream = _stream_per_s(scale.of(STREAM_SYMBOLS, least=4))
    return [
        Row("indicators_10k_ms", 1e3 * bar_s, "ms", 5 * scale.rounds),
        _against("indicators_vs_talipp", per_s, "updates/s", symbols, "talipp", talipp),
        _against("indicators_vs_talib_stream", per_s, "updates/s", symbols, "TA-Lib stream", stream),
        _against("frames_vs_talib", points / frame_s, "values/s", points, "TA-Lib", _rate(points, batch_s)),
        _against(
            "frames_vs_polars_talib", points / frame_s, "values/s", points, "polars-talib", polars_talib
        ),
    ]


def _against(name: str, value: float, unit: str, n: int, peer: str, peer_value: float | None) -> Row:
    return Row(name, value, unit, n, peer if peer_value else None, peer_value)


def _rate(points: int, took_s: float | None) -> float | None:
    return points / took_s if took_s else None


def live_rounds(symbols: int, rounds: int) -> list[float]:
    """CPU seconds of one bar of all symbols and indicators, each time; symbols are not in step."""
    rng = np.random.default_rng(1)
    banks = [Bank(parse_spec(spec), symbols) for spec in SPECS]
    for _ in range(2 * WARM_BARS):
        rows = np.flatnonzero(rng.random(symbols) < 0.7)
        _feed(banks, rows, _bars(rng, len(rows)))
    everyone = np.arange(symbols)
    took = []
    with quiet():
        for _ in range(rounds):
            bars = _bars(rng, symbols)
            took.append(seconds(lambda bars=bars: _feed(banks, everyone, bars)))
    return took


def _feed(banks: list[Bank], rows: np.ndarray, bars: Bars) -> None:
    for bank in banks:
        bank.update(rows, bars)


def _bars(rng: np.random.Generator, symbols: int) -> Bars:
    close = 100.0 + rng.normal(size=symbols)
    nothing = np.zeros(symbols)
    return Bars(close, close + 1.0, close - 1.0, close + 0.1, nothing, nothing.astype(np.int64))


def made_series(series: int, bars: int) -> Frame:
    """(high, low, close), each (series, bars): random walks. The peers' side makes the same."""
    rng = np.random.default_rng(2)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (series, bars)), axis=1))
    return close * 1.01, close * 0.99, close


def _frame_rounds(series: int, bars: int, rounds: int) -> tuple[float, float | None]:
    """Median CPU seconds of (ours, TA-Lib's) over all series."""
    high, low, close = made_series(series, bars)
    names = np.repeat(np.arange(series), bars)
    frame = pl.DataFrame({"id": names, "high": high.ravel(), "low": low.ravel(), "close": close.ravel()})
    batch = _talib_batch()
    ours, theirs = [], []
    with quiet():
        for _ in range(rounds):
            ours.append(seconds(lambda: with_indicators(frame, OUTPUTS, by="id")))
            if batch is not None:
                theirs.append(seconds(lambda: [batch(*each) for each in zip(high, low, close, strict=True)]))
    return median(ours), median(theirs) if theirs else None


def _talib_batch() -> Callable[[np.ndarray, np.ndarray, np.ndarray], object] | None:
    try:
        import talib
    except ImportError:
        return None
    return lambda high, low, close: _eight(talib, high, low, close)


def _eight(talib: object, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> tuple[object, ...]:
    """The eight indicators by TA-Lib's functions, batch or stream."""
    call = talib.__getattribute__
    return (
        call("SMA")(close, 20),
        call("EMA")(close, 20),
        call("RSI")(close, 14),
        call("MACD")(close, 12, 26, 9),
        call("BBANDS")(close, 20, 2.0, 2.0),
        call("STOCH")(high, low, close, 14, 3, 0, 3, 0),
        call("WILLR")(high, low, close, 14),
        call("ATR")(high, low, close, 14),
    )


def _stream_per_s(symbols: int) -> float | None:
    try:
        from talib import stream
    except ImportError:
        return None
    series = list(zip(*made_series(symbols, STREAM_BARS), strict=True))
    took = seconds(lambda: [_eight(stream, *each) for each in series])
    return symbols * len(SPECS) / took


def _peer(name: str, series: int, bars: int) -> float | None:
    """Updates or values per CPU second; None where the peer is not installed or fails."""
    python = peer_python()
    if python is None:
        return None
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [python, str(SIDE), name, str(series), str(bars)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, timeout=600, env=environment, cwd="/"
    )
    if done.returncode:  # its traceback stands on stderr
        print(f"the peer {name} failed: its row has no peer", file=sys.stderr)
        return None
    return float(json.loads(done.stdout)["per_s"])
