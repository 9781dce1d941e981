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
