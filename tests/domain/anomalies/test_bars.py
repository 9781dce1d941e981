"""Bars: what is found, what it is called, and what is no anomaly."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from domain.anomalies.bar_detector import BarDetector, BarDetectorState
from domain.clock import NS_PER_MIN
from domain.tables import parse_table
from tests.builders import T0
from tests.domain.anomalies.series import BarRow, bars, changed, found_in, times, told

HOUR, DAY = 60 * NS_PER_MIN, 1440 * NS_PER_MIN
AT = 200


def flat(close: float, volume: float | None = None) -> object:
    return lambda bar: (bar[0], close, close, close, close, bar[5] if volume is None else volume)


def spiked(bar: BarRow, factor: float, volume: float) -> BarRow:
    close = bar[4] * factor
    return (bar[0], bar[1], max(bar[2], close), min(bar[3], close), close, bar[5] * volume)


def test_a_quiet_series_has_no_anomaly() -> None:
    assert [told(found_in(bars(2000, seed=seed))) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize("factor", [10.0, 100.0, 0.1, 0.01])
@pytest.mark.parametrize("length", [1, 2])
def test_prices_a_power_of_ten_off_that_come_back_are_a_slip(factor: float, length: int) -> None:
    known = found_in(changed(bars(), times(factor), AT, AT + length - 1))
    assert told(known) == [("decimal_slip", "data_error", AT)]
    row, finding = known[0]
    assert row == AT + length
    assert finding.evidence["ratio"] == pytest.approx(factor)


@pytest.mark.parametrize("ratio", [1 / 2, 1 / 3, 1 / 4, 1 / 7, 1 / 10, 1 / 20, 2.0, 10.0])
@pytest.mark.parametrize("volume_follows", [True, False])
def test_a_round_ratio_that_persists_without_more_money_is_a_split(
    ratio: float, volume_follows: bool
) -> None:
    change = times(ratio, volume=1 / ratio if volume_follows else 1.0)
    known = found_in(changed(bars(), change, AT, 399))
    assert told(known) == [("split", "data_error", AT)]
    row, finding = known[0]
    assert row == AT + 3
    assert finding.evidence["ratio"] == pytest.approx(ratio)


@pytest.mark.parametrize("gap", [-0.1, -0.06, 0.0, 0.06, 0.1])
@pytest.mark.parametrize(
    "new_shares", [4.0, 7.0, 10.0, 12.0, 14.0, 35.0, 100.0, 1 / 4, 1 / 8, 1 / 14, 1 / 40]
)
@pytest.mark.parametrize("rush", [1.0, 1.7])
def test_a_split_of_any_ratio_with_a_move_on_top_is_a_split_and_no_event(
    new_shares: float, gap: float, rush: float
) -> None:
    """Shares traded follow the ratio: neither they, nor those of later bars, are a rush."""
    rows = changed(bars(), times((1.0 + gap) / new_shares, volume=new_shares), AT, 399)
    rows = changed(rows, times(1.0, volume=rush), AT, AT)
    known = found_in(rows)
    assert told(known) == [("split", "data_error", AT)]
    assert known[0][1].evidence["ratio"] == pytest.approx(1.0 / new_shares, rel=0.15)
    assert known[0][1].evidence["turnover_ratio"] < 5.0


@pytest.mark.parametrize("new_shares", [1.5, 2.0, 3.0, 1 / 2, 1 / 3])
@pytest.mark.parametrize("gap", [-0.06, 0.06])
def test_a_small_split_that_noise_may_explain_is_at_least_no_event(new_shares: float, gap: float) -> None:
    rows = [(*row[:5], row[5] * math.exp(0.5 * math.sin(number))) for number, row in enumerate(bars())]
    known = told(found_in(changed(rows, times((1.0 + gap) / new_shares, volume=new_shares), AT, 399)))
    assert known in ([("split", "data_error", AT)], [("outlier", "unclear", AT)])


@pytest.mark.parametrize(("factor", "turnover"), [(0.6, 30.0), (0.28, 30.0), (2.5, 15.0)])
def test_a_gap_that_is_traded_like_never_before_for_days_is_the_market(
    factor: float, turnover: float
) -> None:
    rows = changed(bars(), times(factor), AT, 399)
    for number in range(AT, AT + 6):
        shares = turnover * 0.7 ** (number - AT) / min(factor, 1.0)
        rows = changed(rows, times(1.0, volume=shares), number, number)
    assert [verdict for _, verdict, row in told(found_in(rows)) if row == AT] == ["market_event"]


def test_a_fall_by_half_with_a_rush_of_volume_is_the_market() -> None:
    rows = changed(bars(), times(0.5), AT, 399)
    rows = changed(rows, times(1.0, volume=40.0), AT, AT)
    assert ("outlier", "market_event", AT) in told(found_in(rows))


def test_a_fall_by_half_that_does_not_stay_there_is_no_split() -> None:
    rows = changed(bars(), times(0.5), AT, AT)
    rows = changed(rows, times(0.7), AT + 1, 399)
    assert "split" not in [kind for kind, _, _ in told(found_in(rows))]


def test_a_lone_spike_without_volume_is_an_error_with_volume_the_market() -> None:
    for volume, verdict in ((1.0, "data_error"), (8.0, "market_event")):
        rows = changed(bars(), lambda bar, by=volume: spiked(bar, 1.13, by), AT, AT)
        assert told(found_in(rows)) == [("price_spike", verdict, AT)]


def test_a_wick_of_one_bad_print_is_an_error() -> None:
    rows = changed(bars(), lambda bar: (bar[0], bar[1], bar[2] * 1.2, *bar[3:]), AT, AT)
    known = found_in(rows)
    assert told(known) == [("price_spike", "data_error", AT)]
    assert known[0][1].evidence["price"] == pytest.approx(rows[AT][2])


def test_a_wick_ten_times_off_is_a_slip() -> None:
    rows = changed(bars(), lambda bar: (*bar[:3], bar[3] / 10.0, *bar[4:]), AT, AT)
    assert told(found_in(rows)) == [("decimal_slip", "data_error", AT)]


def test_a_move_that_stays_is_named_by_its_volume() -> None:
    for volume, kind, verdict in ((1.0, "outlier", "unclear"), (8.0, "price_spike", "market_event")):
        rows = changed(bars(), times(0.9), AT, 399)
        rows = changed(rows, times(1.0, volume=volume), AT, AT)
        assert told(found_in(rows)) == [(kind, verdict, AT)]


@pytest.mark.parametrize("later", [30, 60, 250])
def test_an_opposite_error_after_one_that_has_ended_is_an_error_of_its_own(later: int) -> None:
    rows = changed(bars(600), times(0.1), AT, AT)
    known = found_in(changed(rows, times(10.0), AT + later, AT + later))
    assert told(known) == [("decimal_slip", "data_error", AT), ("decimal_slip", "data_error", AT + later)]


def test_a_fall_that_undoes_a_rise_of_the_market_is_an_event_of_its_own() -> None:
    rows = changed(bars(), times(1.25), AT, AT + 79)
    known = found_in(changed(rows, times(1.0, volume=12.0), AT, AT))
    assert told(known) == [("price_spike", "market_event", AT), ("outlier", "unclear", AT + 80)]


@pytest.mark.parametrize("length", [20, 90, 300])
def test_the_end_of_an_error_that_had_stayed_is_no_second_event_and_then_forgotten(length: int) -> None:
    end = AT + length
    rows = changed(bars(900), times(0.1), AT, end - 1)
    once = told(found_in(rows))
    assert once == [("split", "data_error", AT)]
    again = told(found_in(changed(rows, times(10.0), end + 30, 899)))
    assert again == [*once, ("split", "data_error", end + 30)]


def test_an_error_whose_price_has_come_back_by_itself_has_no_end_to_wait_for() -> None:
    rows = bars(700)
    drifting = [
        (
            ts,
            *(price * (0.5 + min(0.5, 0.001 * max(0, n - AT)) if n >= AT else 1.0) for price in prices),
            volume,
        )
        for n, (ts, *prices, volume) in enumerate(rows)
    ]
    doubled = changed(drifting, times(2.0), 690, 699)  # type: ignore[arg-type]
    assert told(found_in(doubled)) == [("split", "data_error", AT), ("split", "data_error", 690)]


def test_volume_far_above_everything_recent_is_a_surge() -> None:
    known = found_in(changed(bars(), lambda bar: (*bar[:5], 1200.0), AT, AT + 3))
    assert told(known) == [("volume_surge", "market_event", AT)]
    assert known[0][0] == AT


def test_the_same_bar_again_and_again_is_a_frozen_feed() -> None:
    rows = bars()
    stuck = rows[AT]
    rows = changed(rows, lambda bar: (bar[0], *stuck[1:]), AT, AT + 20)
    known = found_in(rows)
    assert told(known) == [("frozen_feed", "data_error", AT + 1)]
    assert known[0][0] == AT + 3


def test_a_flat_price_with_volume_is_a_frozen_feed_and_its_end_no_jump() -> None:
    rows = bars()
    known = found_in(changed(rows, flat(rows[AT][4]), AT + 1, AT + 40))  # type: ignore[arg-type]
    assert told(known) == [("frozen_feed", "data_error", AT + 1)]


def test_a_price_that_often_rests_is_not_frozen_when_it_rests() -> None:
    rows = bars(300)
    resting = [(T0 + n * NS_PER_MIN, *rows[n // 6][1:4], rows[n // 6][4], 5.0) for n in range(1500)]
    steady = [(ts, close, close, close, close, volume) for ts, _, _, _, close, volume in resting]
    assert told(found_in(steady)) == []


def test_a_weekend_that_is_filled_with_the_last_price_is_not_frozen() -> None:
    """T0 is a Thursday; a table of hours without volume, as of currencies."""
    rows = []
    price = 1.0
    for number, row in enumerate(bars(24 * 28, spacing=HOUR)):
        weekend = (number // 24 + 3) % 7 >= 5
        price = price if weekend else row[4]
        rows.append((row[0], price, price, price, price, math.nan))
    assert told(found_in(rows)) == []


def test_nights_without_volume_are_closed_and_a_day_without_is_a_question() -> None:
    rows = []
    for number, row in enumerate(bars(24 * 20, spacing=HOUR)):
        night = number % 24 < 8
        close = rows[-1][4] if night and rows else row[4]
        rows.append((row[0], close, close, close, close, 0.0) if night else row)
    assert told(found_in(rows)) == []
    silent = changed(rows, lambda bar: (bar[0], *[rows[24 * 15 + 8][4]] * 4, 0.0), 24 * 15 + 9, 24 * 15 + 16)  # type: ignore[return-value]
    assert told(found_in(silent))[:1] == [("frozen_feed", "unclear", 24 * 15 + 9)]


def silent(first: int, last: int, *, timed: bool = True) -> list[tuple[str, str, int]]:
    """What is said of a day of minutes that all trade but these."""
    rows = bars(600)
    dead = changed(rows, flat(rows[first - 1][4], volume=0.0), first, last)  # type: ignore[arg-type]
    return told(found_in(dead, timed=timed))


@pytest.mark.parametrize(
    ("first", "last", "timed", "is_told"),
    [
        (203, 240, True, True),
        (203, 216, True, False),  # a quarter of an hour is the least
        (210, 250, True, False),  # 03:30, when a session may end
        (210, 250, False, True),
        (60, 120, False, False),  # not enough seen
    ],
)
def test_silence_where_every_minute_traded_is_a_question_on_the_first_day_already(
    first: int, last: int, timed: bool, is_told: bool
) -> None:
    expected = [("frozen_feed", "unclear", first)] if is_told else []
    assert silent(first, last, timed=timed) == expected


def test_silence_after_minutes_that_sometimes_rest_is_none() -> None:
    rows = bars(600)
    for first in range(50, AT, 20):
        rows = changed(rows, flat(rows[first - 1][4], volume=0.0), first, first + 1)  # type: ignore[arg-type]
    rows = changed(rows, flat(rows[AT][4], volume=0.0), AT + 1, AT + 60)  # type: ignore[arg-type]
    assert told(found_in(rows)) == []


def test_the_distance_of_a_weekend_excuses_a_larger_move() -> None:
    rows = bars(300)
    gapped = [(ts + (2 * DAY if n >= AT else 0), *rest) for n, (ts, *rest) in enumerate(rows)]
    moved = changed(gapped, times(1.03), AT, 299)  # type: ignore[arg-type]
    assert told(found_in(changed(rows, times(1.03), AT, 299))) != []
    assert told(found_in(moved)) == []


@pytest.mark.parametrize(
    "bad",
    [
        lambda bar: (bar[0], *(math.nan,) * 4, bar[5]),
        lambda bar: (bar[0], *bar[1:4], math.inf, bar[5]),
        lambda bar: (bar[0], *bar[1:3], -bar[3], *bar[4:]),
        lambda bar: (bar[0], 0.0, *bar[2:]),
        lambda bar: (bar[0], bar[1], bar[3] * 0.9, *bar[3:]),
        lambda bar: (*bar[:4], bar[2] * 1.1, bar[5]),
        lambda bar: (*bar[:5], -1.0),
        lambda bar: (*bar[:5], math.inf),
    ],
)
def test_impossible_bars_are_told_once_and_not_learnt_from(bad: object) -> None:
    known = found_in(changed(bars(), bad, AT, AT + 4))  # type: ignore[arg-type]
    assert told(known) == [("bad_value", "data_error", AT)]


def test_no_bar_one_bar_and_no_volume_are_fine() -> None:
    assert found_in([]) == []
    assert found_in(bars(1)) == []
    assert found_in([(*row[:5], math.nan) for row in bars(300)]) == []
    assert found_in([(*row[:5], 0.0) for row in bars(300)]) == []


def test_known_splits_and_bad_prints_of_real_series(shared_data: Path) -> None:
    """Apple's four splits (2000-06-21, 2005-02-28, 2014-06-09, 2020-08-31) in its raw daily prices."""
    known = found_in(lean_daily(shared_data / "ohlcv/lean/equity_usa_daily_aapl.zip"))
    rows = {(each.kind, each.row) for _, each in known}
    assert {row for kind, row in rows if kind == "split"} == {622, 1798, 4133, 5702}
    assert {("decimal_slip", 3185), ("decimal_slip", 3271), ("price_spike", 2947)} <= rows
    assert len(known) < 16


def lean_daily(file: Path) -> list[BarRow]:
    with zipfile.ZipFile(file) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    table = parse_table(
        ["time", "open", "high", "low", "close", "volume"], list(csv.reader(io.StringIO(text)))
    )
    assert table.starts is not None
    columns = (column.tolist() for column in table.bars[:5])
    return list(zip(table.starts.tolist(), *columns, strict=True))


price = st.sampled_from(
    (0.0, -1.0, 1e-320, 1e-9, 9e99, 1.0, 10.0, 99.0, 100.0, 100.5, 101.0, 200.0, 1000.0, math.nan, math.inf)
)
wild_bars = st.tuples(
    price, price, price, price, st.sampled_from((0.0, 1e-320, 1.0, 50.0, 9e99, math.nan, -1.0))
)
steps = st.integers(1, 5 * NS_PER_MIN)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(steps, wild_bars), max_size=40), st.integers(0, 60))
def test_state_put_down_and_taken_up_again_goes_on_the_same(
    tail: list[tuple[int, tuple[float, ...]]], calm: int
) -> None:
    """The state travels as bytes; findings of a prefix are those of the whole up to there (no repaint)."""
    rows = bars(calm)
    ts = T0 + calm * NS_PER_MIN
    for step, figures in tail:
        rows.append((ts := ts + step, *figures))  # type: ignore[arg-type]
    through, carried = BarDetector(), BarDetector()
    for row in rows:
        once, again = through.observe(*row), carried.observe(*row)
        assert once == again
        packed = msgpack.encode(carried.snapshot())
        carried = BarDetector.restored(msgpack.decode(packed, type=BarDetectorState))
        assert msgpack.encode(carried.snapshot()) == packed
    assert all(0.0 <= each.severity <= 1.0 and each.row <= row for row, each in found_in(rows))
