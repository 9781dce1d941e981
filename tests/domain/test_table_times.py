"""A column of times is read in one way, or refused: never as an hour of 1970 without a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import format_time, parse_time
from domain.errors import Malformed
from domain.table_times import NS_PER_DAY, parse_table_time, read_dated_times, read_times

MIDNIGHT = parse_time("2025-04-01")
HALF_PAST = MIDNIGHT + 30 * 60 * 10**9


def read(*texts: str, order: str = "") -> list[str]:
    return [format_time(ns) for ns in read_times(texts, order).starts.tolist()]


def remarked(*texts: str) -> str:
    return "; ".join(read_times(texts).notes)


@pytest.mark.parametrize(
    "text",
    [
        "2025-04-01 00:30:00+00",
        "2025-04-01 02:30:00+02",
        "2025-03-31 19:30:00.000-05",
        "2025-04-01T00:30:00+0000",
        "2025-04-01T06:00:00+0530",
        "2025-04-01 00:30:00 +00:00",
        "2025-04-01 00:30 UTC",
        "2025-04-01T00:30:00,000Z",
        "20250401T003000Z",
        "20250401T0030Z",
        "20250401T023000+02",
        "20250401T003000.000+0000",
        "20250401 003000",
        "202504010030",
        "20250401003000",
        "01.04.2025 00:30:00.000 UTC",
        "01.04.2025 01:30:00.000 GMT+0100",
        "2025-04-01 01:30:00 GMT+01:00",
    ],
)
def test_iso_8601_and_its_neighbours_are_read_with_their_zone(text: str) -> None:
    assert parse_table_time(text) == HALF_PAST
    assert read_times([text]).starts.tolist() == [HALF_PAST]


@pytest.mark.parametrize("text", ["2025-04-01 00:30+99", "20250401T00300Z", "20250401T2530Z", "2025-04-01T"])
def test_what_only_looks_like_iso_8601_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="row 0: time"):
        read_times([text])


@pytest.mark.parametrize(("unit", "per_s"), [("s", 1), ("ms", 1_000), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("begin", ["1972-01-03", "1973-02-20", "1999-06-01", "2001-09-08", "2025-04-01"])
def test_numbers_count_one_unit_from_top_to_bottom(unit: str, per_s: int, begin: str) -> None:
    days = [parse_time(begin) + day * NS_PER_DAY for day in range(400)]
    told = [str(ns // 10**9 * per_s) for ns in days]
    assert read_times(told).starts.tolist() == days
    assert read_times([f"{text}.5" for text in told]).starts.tolist() == [
        ns + 10**9 // per_s // 2 for ns in days
    ]
    assert read_times(told).notes == ()


def test_a_column_may_begin_before_1970_and_cross_it() -> None:
    assert read("-86400", "0", "86400", "31536000") == [
        *("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z", "1971-01-01T00:00:00Z")
    ]


def test_a_change_of_unit_within_a_column_is_followed_and_remarked_on() -> None:
    """Binance's archive of spot klines has milliseconds until the end of 2024, then microseconds."""
    texts = ("1735603200000", "1735689540000", "1735689600000000", "1735776000000000")
    assert read(*texts) == [
        *("2024-12-31T00:00:00Z", "2024-12-31T23:59:00Z", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")
    ]
    assert remarked(*texts) == "row 2: the unit of times goes over from ms to us"


def test_days_of_a_spreadsheet_are_days_and_are_remarked_on() -> None:
    assert read("45658", "45658.5", "45659.0416666667") == [
        *("2025-01-01T00:00:00Z", "2025-01-01T12:00:00Z", "2025-01-02T01:00:00Z")
    ]
    assert "spreadsheet, in its 1900 date system" in remarked("45658", "45659")
    assert read("10227", "29221") == ["1927-12-31T00:00:00Z", "1980-01-01T00:00:00Z"]


def test_a_workbook_of_the_1904_date_system_betrays_itself_by_its_weekends() -> None:
    working_days = [day for day in range(45658, 45698) if (day - 2) % 7 < 5]
    told = read_times([str(day - 1462) for day in working_days])
    assert told.starts[0] == parse_time("2025-01-01") and "1904" in told.notes[0]
    every_day = read_times([str(day) for day in range(45658, 45698)])
    assert every_day.starts[0] == parse_time("2025-01-01") and "1900" in every_day.notes[0]


@pytest.mark.parametrize(
    ("texts", "begin", "said"),
    [
        (("241230", "241231", "250102"), "2024-12-30T00:00:00Z", "year, month, day"),
        (("311224", "010125", "020125"), "2024-12-31T00:00:00Z", "day, month, year"),
        (("123124", "010225", "010325"), "2024-12-31T00:00:00Z", "month, day, year"),
        (("691231", "700105"), "1969-12-31T00:00:00Z", "year, month, day"),
        (("31122024", "01012025"), "2024-12-31T00:00:00Z", "day, month, year"),
        (("12/31/24", "1/2/25"), "2024-12-31T00:00:00Z", "month, day, year"),
        (("31/12/2024", "02/01/2025"), "2024-12-31T00:00:00Z", "day, month, year"),
        (("31.12.24", "02.01.25"), "2024-12-31T00:00:00Z", "day, month, year"),
        (("24-12-31", "25-01-02"), "2024-12-31T00:00:00Z", "year, month, day"),
        (("2024/12/31", "2025/1/2"), "2024-12-31T00:00:00Z", "year, month, day"),
        (("1/31/2025 4:00:00 PM", "2/3/2025 12:15 AM"), "2025-01-31T16:00:00Z", "month, day, year"),
    ],
)
def test_the_column_says_in_which_order_its_dates_are_written(
    texts: Sequence[str], begin: str, said: str
) -> None:
    assert read(*texts)[0] == begin
    assert said in remarked(*texts)


@pytest.mark.parametrize(
    "texts", [("010225",), ("010203", "010204"), ("01/02/2025", "01/03/2025"), ("01/02/25 9:30 AM",)]
)
def test_dates_that_may_mean_two_things_are_refused(texts: Sequence[str]) -> None:
    with pytest.raises(Malformed, match=r"may be .* or .*: write dates like 2026-01-31"):
        read_times(texts)


def test_the_header_may_say_the_order() -> None:
    assert read("010225", order="dmy") == ["2025-02-01T00:00:00Z"]
    assert read("010225", order="mdy") == ["2025-01-02T00:00:00Z"]


def test_a_date_of_eight_digits_that_is_none_is_named_among_others() -> None:
    with pytest.raises(Malformed, match="row 1: time '20230230' is no date"):
        read_times(["20230227", "20230230", "20230301"])


@pytest.mark.parametrize(
    "texts",
    [("1", "2", "3"), ("93000", "93100"), ("738887", "738888"), ("0.1", "0.2"), ("1970-01-05", "1970-01-06")],
)
def test_a_column_that_falls_in_1970_is_remarked_on(texts: Sequence[str]) -> None:
    assert "times fall in 1970" in remarked(*texts)


@pytest.mark.parametrize(
    ("dates", "clocks", "begin"),
    [
        (("20250505", "20250505"), ("000000", "001500"), "2025-05-05T00:00:00Z"),
        (("20250505", "20250505"), ("093000", "094500"), "2025-05-05T09:30:00Z"),
        (("20250505", "20250505"), ("93000", "101500"), "2025-05-05T09:30:00Z"),
        (("20250505", "20250505"), ("0930", "0945"), "2025-05-05T09:30:00Z"),
        (("2025.05.05", "2025.05.05"), ("9:30", "09:45"), "2025-05-05T09:30:00Z"),
        (("2025-05-05", "2025-05-05"), ("09:30:00.250", "09:45:00"), "2025-05-05T09:30:00.250Z"),
        (("2025-05-05", "2025-05-05"), ("11:30+02:00", "11:45+02:00"), "2025-05-05T09:30:00Z"),
        (("45782", "45782"), ("0.395833333333333", "0.40625"), "2025-05-05T09:30:00Z"),
        (("05/31/25", "06/02/25"), ("0931", "0931"), "2025-05-31T09:31:00Z"),
        (("2025-05-05", "2025-05-06"), ("1746403200", "1746489600"), "2025-05-05T00:00:00Z"),
        (("2025-05-05T09:30:00", "2025-05-05T09:45:00"), ("09:30", "09:45"), "2025-05-05T09:30:00Z"),
    ],
)
def test_a_date_and_a_time_of_day_are_put_together(
    dates: Sequence[str], clocks: Sequence[str], begin: str
) -> None:
    assert format_time(int(read_dated_times(dates, clocks).starts[0])) == begin


@pytest.mark.parametrize("clock", ["2400", "256000", "09:61", "noon"])
def test_a_time_of_day_that_is_none_is_refused(clock: str) -> None:
    with pytest.raises(Malformed, match="row 1"):
        read_dated_times(["20250505", "20250505"], ["0930" if clock.isdigit() else "09:30", clock])


def test_a_date_that_holds_another_time_of_day_is_refused() -> None:
    with pytest.raises(Malformed, match="row 0: date '2025-05-05 10:00' holds another time of day"):
        read_dated_times(["2025-05-05 10:00"], ["09:30"])


@given(st.lists(st.integers(parse_time("1975-01-01"), parse_time("2099-12-01")), min_size=1, max_size=20))
def test_the_same_times_in_any_unit_are_the_same(moments: list[int]) -> None:
    seconds = sorted({ns // 10**9 for ns in moments})
    for factor in (1, 1_000, 10**6, 10**9):
        starts = read_times([str(each * factor) for each in seconds]).starts
        assert (starts == np.array(seconds) * 10**9).all()
