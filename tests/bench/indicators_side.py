"""The peers of the indicator figures, in their own interpreter and environment.

    python indicators_side.py talipp|polars_talib SERIES BARS     {"per_s": ...} on stdout

Imports nothing of this project. talipp: updates per CPU second, after as many bars of warm-up. polars-talib:
values per CPU second over all series.
"""

import json
import sys
import time

import numpy as np

INDICATORS = 8


def made_series(series, bars):
    rng = np.random.default_rng(2)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (series, bars)), axis=1))
    return close * 1.01, close * 0.99, close


def talipp(series, bars):
    from talipp.indicators import ATR, BB, EMA, MACD, RSI, SMA, Stoch, Williams
    from talipp.ohlcv import OHLCV

    high, low, close = made_series(series, 2 * bars)
    symbols = []
    for _ in range(series):
        closes = [SMA(20), EMA(20), RSI(14), MACD(12, 26, 9), BB(20, 2)]
        symbols.append((closes, [Stoch(14, 3), Williams(14), ATR(14)]))
    candles = [
        [OHLCV(c, h, low_, c, 1.0) for h, low_, c in zip(*each, strict=True)]
        for each in zip(high.tolist(), low.tolist(), close.tolist(), strict=True)
    ]

    def feed(begin, end):
        for (closes, ranges), own in zip(symbols, candles, strict=True):
            for candle in own[begin:end]:
                for indicator in closes:
                    indicator.add(candle.close)
                for indicator in ranges:
                    indicator.add(candle)

    feed(0, bars)
    began = time.process_time()
    feed(bars, 2 * bars)
    return series * bars * INDICATORS / (time.process_time() - began)


def polars_talib(series, bars):
    import polars as pl
    import polars_talib as plta

    high, low, close = made_series(series, bars)
    names = np.repeat(np.arange(series), bars)
    frame = pl.DataFrame({"id": names, "high": high.ravel(), "low": low.ravel(), "close": close.ravel()})
    h, l, c = pl.col("high"), pl.col("low"), pl.col("close")  # noqa: E741
    stoch = {"fastk_period": 14, "slowk_period": 3, "slowk_matype": 0, "slowd_period": 3, "slowd_matype": 0}
    bands = {"timeperiod": 20, "nbdevup": 2.0, "nbdevdn": 2.0, "matype": 0}
    expressions = {
        "sma": plta.sma(c, timeperiod=20),
        "ema": plta.ema(c, timeperiod=20),
        "rsi": plta.rsi(c, timeperiod=14),
        "macd": plta.macd(c, fastperiod=12, slowperiod=26, signalperiod=9),
        "bbands": plta.bbands(c, **bands),
        "stoch": plta.stoch(h, l, c, **stoch),
        "willr": plta.willr(h, l, c, timeperiod=14),
        "atr": plta.atr(h, l, c, timeperiod=14),
    }
    columns = [expression.over("id").alias(name) for name, expression in expressions.items()]
    frame.head(bars).with_columns(columns)
    began = time.process_time()
    frame.with_columns(columns)
    return series * bars * INDICATORS / (time.process_time() - began)


if __name__ == "__main__":
    peer, count, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({"per_s": {"talipp": talipp, "polars_talib": polars_talib}[peer](count, length)}))
