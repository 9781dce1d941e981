from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from domain.errors import Malformed
from domain.indicators import frames
from domain.indicators.bars import Bars
from domain.indicators.frames import with_indicators
from domain.indicators.history import values
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import random_bars

SPECS = ("sma(5)", "macd(3,6,2).signal", "atr(4)", "vwap", "obv")
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def a_frame(lengths: dict[str, int]) -> tuple[pl.DataFrame, dict[str, Bars]]:
    """Hourly bars of several series, mixed by time."""
    parts, series = [], {}
    for seed, (name, length) in enumerate(lengths.items()):
        bars = Bars(*(column[:, 0] for column in random_bars(np.random.default_rng(seed), length, 1)))
        series[name] = bars
        times = [START + dt.timedelta(hours=hour) for hour in range(length)]
        prices = {field: getattr(bars, field) for field in ("open", "high", "low", "close", "volume")}
        parts.append(pl.DataFrame({"id": [name] * length, "time": times, **prices}))
    return pl.concat(parts).sort("time", "id"), series


@pytest.mark.parametrize("at_once", [1, 2, 250])
def test_mixed_series_of_different_lengths_equal_each_computed_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "COLUMNS_AT_ONCE", at_once)
    frame, series = a_frame({"A": 60, "B": 1, "C": 45})
    found = with_indicators(frame, SPECS, by="id")
    assert found.columns == [*frame.columns, *SPECS]
    assert found.select(frame.columns).equals(frame)
    for name, bars in series.items():
        own = found.filter(pl.col("id") == name)
        for spec in SPECS:
            mine = own[spec].fill_null(float("nan")).to_numpy()
            assert np.array_equal(mine, values(parse_spec(spec), bars), equal_nan=True), (name, spec)


def test_no_value_is_null_and_no_rows_give_no_rows() -> None:
    frame = pl.DataFrame({"close": [1, 2, None, 4]})
    assert with_indicators(frame, ["sma(2)"])["sma(2)"].to_list() == [None, 1.5, None, 3.0]
    assert with_indicators(frame.head(0), ["sma(2)"]).shape == (0, 2)
    assert with_indicators(a_frame({"A": 3})[0].head(0), ["sma(2)"], by="id").shape[0] == 0


@pytest.mark.parametrize(
    ("frame", "by", "said"),
    [
        (pl.DataFrame({"price": [1.0]}), None, "no column 'close'"),
        (pl.DataFrame({"close": [1.0]}), "id", "no column 'id'"),
        (pl.DataFrame({"close": [1.0, 2.0], "time": [2, 1]}), None, "row 1: times must rise"),
        (pl.DataFrame({"close": [1.0] * 3, "time": [1, 1, 1], "id": ["a", "b", "a"]}), "id", "row 2: times"),
    ],
)
def test_a_frame_that_cannot_be_computed_on_is_refused(
    frame: pl.DataFrame, by: str | None, said: str
) -> None:
    with pytest.raises(Malformed) as refused:
        with_indicators(frame, ["sma(2)"], by=by)
    assert said in str(refused.value)
