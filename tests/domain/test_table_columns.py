"""Which column is which, by what exports call them; and that one table is one series."""

from __future__ import annotations

import pytest

from domain.clock import format_time
from domain.errors import Malformed
from domain.tables import Table, parse_table


def exported(header: str, *lines: str, symbol: str | None = None) -> Table:
    sign = next(sign for sign in ("\t", ";", ",") if sign in header)
    return parse_table(header.split(sign), [line.split(sign) for line in lines], symbol)


@pytest.mark.parametrize(
    ("header", "line", "start", "volume"),
    [
        (  # MetaTrader 5
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
            "2025.05.05\t00:15:00\t2\t3\t1\t2\t1711\t0\t4",
            "2025-05-05T00:15:00Z",
            1711.0,
        ),
        (
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
            "2025.05.05\t00:15:00\t2\t3\t1\t2\t1711\t9000\t4",
            "2025-05-05T00:15:00Z",
            9000.0,
        ),
        (
            "<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>",
            "20250505;001500;2;3;1;2;7",
            "2025-05-05T00:15:00Z",
            7.0,
        ),
        (  # MetaStock, Forexite
            "<TICKER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
            "EURUSD,20250505,001500,2,3,1,2,7",
            "2025-05-05T00:15:00Z",
            7.0,
        ),
        (
            "<TICKER>,<DTYYYYMMDD>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
            "X,20250505,2,3,1,2,7",
            "2025-05-05T00:00:00Z",
            7.0,
        ),
        (  # Stooq
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            "AAPL.US,D,20250505,000000,2,3,1,2,7,0",
            "2025-05-05T00:00:00Z",
            7.0,
        ),
        (
            "<TICKER>;<PER>;<MMDDYY>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>",
            "SBER;60;050625;100000;2;3;1;2;7",
            "2025-05-06T10:00:00Z",
            7.0,
        ),
        (
            "Local time,Open,High,Low,Close,Volume",
            "05.05.2025 01:15:00.000 GMT+0100,2,3,1,2,7",
            "2025-05-05T00:15:00Z",
            7.0,
        ),
        (  # Polygon's flat files
            "ticker,volume,open,close,high,low,window_start,transactions",
            "AAPL,7,2,2,3,1,1746404100000000000,3",
            "2025-05-05T00:15:00Z",
            7.0,
        ),
        (
            "time,open,high,low,close,tick_volume,spread,real_volume",
            "1746404100,2,3,1,2,7,1,0",
            "2025-05-05T00:15:00Z",
            7.0,
        ),
        ("Date,Open,High,Low,Close,Volume BTC", "2025-05-05,2,3,1,2,7", "2025-05-05T00:00:00Z", 7.0),
    ],
)
def test_exports_are_read_as_they_are(header: str, line: str, start: str, volume: float) -> None:
    table = exported(header, line)
    assert table.starts is not None and format_time(int(table.starts[0])) == start
    assert table.bars.close.tolist() == [2.0] and table.bars.volume.tolist() == [volume]


@pytest.mark.parametrize(
    ("columns", "cells", "said"),
    [
        ("vol,tickvol", "0,7", "column 'vol' holds no volume, 'tickvol' is read in its stead"),
        ("vol,tickvol", "5,7", "volume is read from column 'vol'; not read: 'tickvol'"),
        ("Volume BTC,Volume USD", "5,7", "no column is called volume; not read: 'Volume BTC', 'Volume USD'"),
        ("my_vol", "5", "no column is called volume; not read: 'my_vol'"),
        ("volume,quote_volume", "5,7", ""),
        ("volatility", "5", ""),
    ],
)
def test_a_column_like_volume_that_is_not_read_is_remarked_on(columns: str, cells: str, said: str) -> None:
    header, line = f"time,open,high,low,close,{columns}", f"2025-05-05,2,3,1,2,{cells}"
    assert "; ".join(exported(header, line).notes) == said


TWO = ("AAA,2,3,1,2,2025-05-05", "AAA,2,3,1,2,2025-05-06", "BBB,4,6,2,4,2025-05-05")


@pytest.mark.parametrize("name", ["ticker", "Symbol", "<TICKER>", "Name", "ts_code", "instrument", "market"])
def test_two_symbols_are_a_choice_and_never_one_series(name: str) -> None:
    header = f"{name},open,high,low,close,date"
    with pytest.raises(Malformed, match=r"2 symbols in column .* \(AAA, BBB\): choose one with --symbol"):
        exported(header, *TWO)
    assert exported(header, *TWO, symbol="BBB").bars.close.tolist() == [4.0]
    assert exported(header, *TWO, symbol="AAA").times == ("2025-05-05", "2025-05-06")
    assert len(exported(header, *TWO[:2])) == 2


def test_symbols_that_alternate_are_two_series_as_well() -> None:
    header = "symbol,price,size,time"
    lines = ("AAA,1,1,2025-05-05T00:00:01", "BBB,9,1,2025-05-05T00:00:02", "AAA,2,1,2025-05-05T00:00:03")
    with pytest.raises(Malformed, match="2 symbols"):
        exported(header, *lines)
    assert exported(header, *lines, symbol="AAA").bars.close.tolist() == [1.0, 2.0]


def test_a_symbol_that_is_not_there_is_refused_with_those_that_are() -> None:
    header = "symbol,open,high,low,close,date"
    with pytest.raises(Malformed, match=r"no row of 'CCC' in column 'symbol', which has AAA, BBB"):
        exported(header, *TWO, symbol="CCC")
    with pytest.raises(Malformed, match="no column tells symbols apart"):
        exported("date,open,high,low,close", "2025-05-05,2,3,1,2", symbol="AAA")
    many = [f"S{number},2,3,1,2,2025-05-05" for number in range(9)]
    with pytest.raises(Malformed, match="S0, S1, S2, S3, S4 and 4 more"):
        exported(header, *many)


ONE_DOWNLOAD = ("Ticker,AAPL,AAPL,AAPL,AAPL,AAPL", "Date,,,,,", "2025-05-05,2,3,1,1.5,7")
FIELD_FIRST = (
    "Ticker,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT",
    "Date,,,,,,,,",
    "2025-05-05,2,4,3,6,1,2,1.5,3",
)
SYMBOL_FIRST = (
    "Price,Open,High,Low,Close,Open,High,Low,Close",
    "Date,,,,,,,,",
    "2025-05-05,1.5,3,1,2,3,6,2,4",
)


def test_a_download_of_yfinance_is_read_over_its_two_headers() -> None:
    table = exported("Price,Close,High,Low,Open,Volume", *ONE_DOWNLOAD)
    assert table.times == ("2025-05-05",) and table.bars.close.tolist() == [2.0]
    assert table.bars.volume.tolist() == [7.0]
    wide = "Price,Close,Close,High,High,Low,Low,Open,Open"
    grouped = "Ticker,AAPL,AAPL,AAPL,AAPL,MSFT,MSFT,MSFT,MSFT"
    for header, lines in ((wide, FIELD_FIRST), (grouped, SYMBOL_FIRST)):
        assert exported(header, *lines, symbol="MSFT").bars.close.tolist() == [4.0]
        with pytest.raises(Malformed, match=r"2 symbols in the header \(AAPL, MSFT\)"):
            exported(header, *lines)
        with pytest.raises(Malformed, match="no column of 'IBM', the header has AAPL, MSFT"):
            exported(header, *lines, symbol="IBM")


def test_a_first_row_without_a_time_is_no_second_header() -> None:
    with pytest.raises(Malformed, match="row 0: time ''"):
        parse_table(["", "open", "high", "low", "close"], [["", "2", "3", "1", "2"]])
