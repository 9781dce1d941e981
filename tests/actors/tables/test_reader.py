from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import polars as pl
import pytest

from actors.tables.reader import read_table
from domain.errors import Malformed, NotFound

CSV = "time,open,high,low,close,volume\n2004-08-19,2,3,1,2.5,5\n\n2004-08-20,2,3,1,2.25,6\n"


@pytest.mark.parametrize(
    "text", [CSV, CSV.replace(",", ";"), CSV.replace(",", "\t"), CSV.replace("\n", "\r\n")]
)
def test_separators_line_ends_and_blank_lines_do_not_matter(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = read_table(file)
    assert table.times == ("2004-08-19", "2004-08-20")
    assert table.bars.close.tolist() == [2.5, 2.25]


def test_compressed_text_is_read_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_bytes(gzip.compress(CSV.encode()))
    assert len(read_table(file)) == 2


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([dt.date(2004, 8, 19), dt.date(2004, 8, 20)], "2004-08-19"),
        ([dt.datetime(2004, 8, 19, 12), dt.datetime(2004, 8, 19, 13)], "2004-08-19T12:00:00"),
        ([1092873600000, 1092960000000], "1092873600000"),
    ],
)
def test_parquet_gives_the_same_numbers(times: list[object], shown: str, tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    prices = {"Open": [2.0, 2.0], "High": [3.0, 3.0], "Low": [1.0, 1.0], "Close": [2.5, None]}
    pl.DataFrame({"Date": times, **prices, "Volume": [5, 6]}).write_parquet(file)
    table = read_table(file)
    assert table.times[0] == shown
    assert table.bars.close[0] == 2.5 and table.bars.close[1] != table.bars.close[1]
    assert table.bars.volume.tolist() == [5.0, 6.0]


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_parquet_times_keep_their_nanoseconds(zone: str | None, tmp_path: Path) -> None:
    file = tmp_path / "trades.parquet"
    moments = [-1, 0, 1_704_153_600_000_000_001, 1_704_153_600_000_000_002, 1_704_153_600_500_000_000]
    times = pl.Series(moments).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(zone or "UTC")
    if zone is None:
        times = times.dt.replace_time_zone(None)
    pl.DataFrame({"time": times, "price": [1.0] * 5, "size": [1.0] * 5}).write_parquet(file)
    table = read_table(file)
    assert table.starts is not None and table.starts.tolist() == moments
    assert table.times[2] == (
        "2024-01-02T00:00:00.000000001" if zone is None else "2024-01-01T19:00:00.000000001-05:00"
    )


def test_the_index_that_pandas_adds_to_parquet_is_an_unnamed_first_column(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    prices = {name: [2.0, 2.0] for name in ("Open", "High", "Low", "Close")}
    index = [dt.datetime(2004, 8, 19), dt.datetime(2004, 8, 20)]
    pl.DataFrame({**prices, "__index_level_0__": index}).write_parquet(file)
    assert read_table(file).times == ("2004-08-19T00:00:00", "2004-08-20T00:00:00")


@pytest.mark.parametrize("blank", ["  \n", "\t\n", " \r\n"])
def test_lines_of_blanks_are_no_rows(blank: str, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    header, _, rows = CSV.replace(",", ";").partition("\n")
    file.write_text(f"{blank}{header}\n{blank}{rows}{blank}", newline="")
    assert read_table(file).times == ("2004-08-19", "2004-08-20")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe\x00t", b"PAR1 but no more", b"\x1f\x8b", b'time,open\n"1']
)
def test_what_is_no_table_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    with pytest.raises(Malformed, match=r"odd\.csv"):
        read_table(file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_table(tmp_path / "absent.csv")


def test_a_folder_is_not_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="not a file"):
        read_table(tmp_path)
