from __future__ import annotations

import numpy as np
import pytest

from domain.clock import NS_PER_S, parse_time
from domain.errors import Malformed
from domain.table_times import NS_PER_DAY, parse_table_time
from domain.tables import parse_table

HEADER = ["time", "open", "high", "low", "close", "volume"]
NOON = parse_time("2004-08-19T12:30:00Z")


def a_row(time: str, close: str = "2", volume: str = "5") -> list[str]:
    return [time, "2", "3", "1", close, volume]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2004-08-19T12:30:00Z", NOON),
        ("2004-08-19 12:30", NOON),
        ("2004-08-19 14:30:00+02:00", NOON),
        ("20040819 12:30", NOON),
        ("20040819 12:30:00", NOON),
        ("19.08.2004 12:30:00.000", NOON),
        ("19.08.2004 12:30", NOON),
        (str(NOON // NS_PER_S), NOON),
        (str(NOON // 1_000_000), NOON),
        (str(NOON // 1_000), NOON),
        (str(NOON), NOON),
        ("2004-08-19", NOON - NOON % NS_PER_DAY),
        ("20040819", NOON - NOON % NS_PER_DAY),
        ("2004/08/19 12:30:00", NOON),
        ("2004.08.19 12:30", NOON),
        ("2004-08-19 12:30:00 UTC", NOON),
        ("20040819 12:30 UTC", NOON),
        (f"{NOON // NS_PER_S}.0", NOON),
        (f"{NOON // NS_PER_S}.000000001", NOON + 1),
        (f"{NOON // 1_000_000}.5", NOON + 500_000),
        (f"-{NS_PER_DAY // NS_PER_S}.5", -NS_PER_DAY - NS_PER_S // 2),
        ("0.25", NS_PER_S // 4),
        ("2004-08-19T12:30:00.000000001Z", NOON + 1),
        ("1969-12-31", -NS_PER_DAY),
    ],
)
def test_times_of_every_form_are_read(text: str, expected: int) -> None:
    assert parse_table_time(text) == expected


@pytest.mark.parametrize(
    "text", ["", "noon", "32.01.2004 12:30", "2004-02-30", "08/19/2004", "1.5e9", "UTC", "2004/8/19"]
)
def test_a_time_that_is_none_of_them_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_table_time(text)


def test_names_are_case_insensitive_and_an_unnamed_first_column_is_the_time() -> None:
    header = ["", "Open", "HIGH", "low", "Close", "Volume", "Adj Close"]
    table = parse_table(header, [[*a_row("2004-08-19"), "9"], [*a_row("2004-08-20"), "9"]])
    assert table.times == ("2004-08-19", "2004-08-20")
    assert table.spacing_ns == NS_PER_DAY
    assert table.bars.high.tolist() == [3.0, 3.0]
    assert (np.diff(table.bars.session) == 1).all()


def test_a_date_and_a_time_of_day_are_taken_together() -> None:
    table = parse_table(["Date", "Time", *HEADER[1:]], [["2004-08-19", "12:30", *a_row("")[1:]]])
    assert table.times == ("2004-08-19 12:30",) and table.starts is not None and table.starts[0] == NOON


def test_without_any_time_the_row_number_serves() -> None:
    table = parse_table(HEADER[1:], [a_row("")[1:], a_row("")[1:]])
    assert table.times == ("0", "1") and table.starts is None and table.spacing_ns is None


def test_volume_may_be_empty_or_absent() -> None:
    assert not parse_table(HEADER, [a_row("1", volume=""), a_row("2", volume=" ")]).has_volume
    assert not parse_table(HEADER[:5], [a_row("1")[:5]]).has_volume


def test_each_trade_is_a_bar_of_one_print_and_several_may_share_a_time() -> None:
    table = parse_table(
        ["time", "price", "size", "side"], [["5", "10", "1", "buy"], ["5", "11", "2", "sell"]]
    )
    assert table.kind == "trades"
    assert table.bars.open.tolist() == table.bars.low.tolist() == [10.0, 11.0]
    assert table.bars.volume.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (HEADER, [a_row("2"), a_row("1")], "row 1: time '1' is before '2'"),
        (HEADER, [a_row("1"), a_row("1")], "row 1: time '1' is the same as '1'"),
        (["time", "price", "size"], [["2", "1", "1"], ["1", "1", "1"]], "is before"),
        (HEADER, [a_row("1"), a_row("x")], "row 1: time 'x' is not like"),
        (HEADER, [a_row("1", close="ten")], "row 0: close 'ten' is not a number"),
        (HEADER, [a_row("1", close="1_000")], "row 0: close '1_000' is not a number"),
        (HEADER, [a_row("1", close="1,5")], "is not a number"),
        (HEADER, [a_row("1"), ["2", "3"]], "row 1: 2 cells, the header has 6"),
        (["time", "open", "close"], [], "expected in the header, which has 'time', 'open', 'close'"),
        ([*HEADER, "Close"], [], "two columns are called 'close'"),
        (["20040819", "1", "2", "1", "2"], [], "expected in the header"),
        (HEADER, [a_row("99999999999999999999")], "row 0: time"),
        (HEADER, [a_row("9223372036854775808")], "row 0:"),
    ],
)
def test_a_fault_is_named_with_its_row(header: list[str], rows: list[list[str]], said: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_table(header, rows)
    assert said in str(refused.value)


def test_missing_prices_are_no_numbers_and_odd_ones_are_noted() -> None:
    rows = [
        a_row("2004-08-11"),
        a_row("2004-08-12", close=""),
        a_row("2004-08-13", close="inf"),
        a_row("2004-08-14", close="-1"),
        a_row("2004-08-15", close="9"),
    ]
    table = parse_table(HEADER, rows)
    assert np.isnan(table.bars.close[1]) and np.isinf(table.bars.close[2])
    assert table.notes == (
        "row 1 and 1 more has no finite price somewhere",
        "row 3 has a price of 0 or less",
        "row 2 and 2 more has an open or close outside its range",
    )


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert len(parse_table(HEADER, [])) == 0


@pytest.mark.parametrize("time", ["9999-12-31", "1600-01-01", "-20240102000000"])
def test_a_time_that_nanoseconds_cannot_count_is_named(time: str) -> None:
    with pytest.raises(Malformed, match=f"row 1: time '{time}' is not between 1677 and 2262"):
        parse_table(HEADER, [a_row("1970-01-01"), a_row(time)])


@pytest.mark.parametrize("name", ["Gmt time", "open_time", "Open time"])
def test_what_exports_call_the_time_of_a_bar_is_the_time(name: str) -> None:
    """Dukascopy's charts, Binance's archive of klines."""
    table = parse_table([name, *HEADER[1:], "close_time"], [[*a_row("04.05.2003 21:00:00.000"), "1"]])
    assert table.times == ("04.05.2003 21:00:00.000",) and not table.notes


def test_a_number_too_large_to_be_computed_with_is_remarked_on() -> None:
    rows = [
        ["2004-08-11", "1e200", "1e200", "1e200", "1e200", "5"],
        a_row("2004-08-12", volume="1e400"),
        a_row("2004-08-13"),
    ]
    assert parse_table(HEADER, rows).notes == ("row 0 and 1 more has a number beyond 1e+100",)


def test_rows_are_not_numbered_silently_where_a_further_column_may_be_the_time() -> None:
    assert parse_table(["when", *HEADER[1:]], [a_row("2004-08-19")]).notes == (
        "no column is called time, timestamp, datetime or date: rows are numbered",
    )
    assert parse_table(HEADER[1:], [a_row("")[1:]]).notes == ()
