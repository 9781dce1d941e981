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


def test_a_coarser_spec_is_told_from_its_bar_s_close_on_in_each_series() -> None:
    times = [dt.datetime(2026, 1, 1, 0, minute) for minute in range(1, 13)]
    frame = pl.DataFrame(
        {
            "id": ["a", "b"] * 12,
            "time": [time for time in times for _ in "ab"],
            "close": [value for minute in range(1, 13) for value in (minute + 1.0, 100.0 * minute)],
        }
    )
    found = with_indicators(frame, ["sma(1)@5m", "sma(2)@5m", "sma(1)@1m"], by="id")
    told = found.filter(pl.col("id") == "a")
    assert told["sma(1)@5m"].to_list() == [None] * 3 + [5.0] * 5 + [10.0] * 4
    assert told["sma(2)@5m"].to_list() == [None] * 8 + [7.5] * 4
    assert told["sma(1)@1m"].to_list() == [minute + 1.0 for minute in range(1, 13)]
    other = found.filter(pl.col("id") == "b")
    assert other["sma(1)@5m"].to_list() == [None] * 3 + [400.0] * 5 + [900.0] * 4


def test_a_coarser_spec_needs_times_that_make_its_bars() -> None:
    prices = pl.DataFrame({"close": [1.0, 2.0, 3.0]})
    with pytest.raises(Malformed, match="needs the column 'time'"):
        with_indicators(prices, ["sma(2)@1h"])
    daily = prices.with_columns(time=pl.Series([dt.datetime(2026, 1, day) for day in (1, 2, 3)]))
    with pytest.raises(Malformed, match="86400 s apart"):
        with_indicators(daily, ["sma(2)@1h"])
    assert with_indicators(daily, ["sma(2)@1d"])["sma(2)@1d"].to_list() == [None, 1.5, 2.5]
