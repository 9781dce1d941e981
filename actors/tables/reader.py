"""A file that holds an input table -> Table."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Malformed, NotFound
from domain.tables import Table, parse_table

if TYPE_CHECKING:
    import polars as pl

MAX_BYTES = 4 * 1024**3
"""Of text after unpacking; a larger table is refused before memory is gone."""
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_SEPARATORS = (",", ";", "\t")
_PANDAS_INDEX = "__index_level_0__"
"""What pandas calls an index without a name in Parquet, and puts last: in CSV an unnamed first column."""

Cells = tuple[list[str], list[list[str]]]


def read_table(file: Path, symbol: str | None = None) -> Table:
    """`symbol`: which one, where the file holds several.

    Raises NotFound where there is no such file, Malformed where it holds no table, or not one.
    """
    if not file.is_file():
        raise NotFound(f"{file}: {'not a file' if file.exists() else 'no such file'}")
    with file.open("rb") as opened:
        magic = opened.read(4)
    try:
        names, rows = _parquet_cells(file) if magic == _PARQUET else _csv_cells(_text(file, magic))
        return parse_table(names, rows, symbol)
    except Malformed as error:
        raise Malformed(f"{file}: {error}") from None


def _text(file: Path, magic: bytes) -> str:
    try:
        with gzip.open(file) if magic.startswith(_GZIP) else file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Malformed(f"more than {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise Malformed(f"neither CSV in UTF-8 nor Parquet: {error}") from None


def _csv_cells(text: str) -> Cells:
    """Header and data rows; lines of nothing but blanks are left out."""
    header = text.lstrip().partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = [row for row in lines if len(row) > 1 or (row and row[0].strip())]
    except csv.Error as error:
        raise Malformed(f"not CSV: {error}") from None
    if not rows:
        raise Malformed("empty: not even a header")
    return rows[0], rows[1:]


def _parquet_cells(file: Path) -> Cells:
    import polars as pl  # 40 MB and half a second: only for those who need it

    try:
        frame = pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise Malformed(f"not Parquet: {error}") from None
    in_order = sorted(frame.columns, key=lambda name: name != _PANDAS_INDEX)
    columns = [_column(frame[name]) for name in in_order]
    names = ["" if name == _PANDAS_INDEX else name for name in in_order]
    return names, [list(row) for row in zip(*columns, strict=True)]


def _column(series: pl.Series) -> list[str]:
    """Cells as text. Python's own times end at microseconds: what goes beyond is put in by hand."""
    values: list[object] = series.to_list()
    if getattr(series.dtype, "time_unit", None) != "ns":
        return [_cell(value) for value in values]
    beyond = [0 if ns is None else ns % 1000 for ns in series.to_physical().to_list()]
    return [_fine_time(value, ns) for value, ns in zip(values, beyond, strict=True)]


def _fine_time(value: object, beyond_ns: int) -> str:
    if not isinstance(value, datetime) or not beyond_ns:
        return _cell(value)
    text = value.isoformat(timespec="microseconds")
    seconds = len("2026-01-31T12:00:00.000000")
    return f"{text[:seconds]}{beyond_ns:03d}{text[seconds:]}"


def _cell(value: object) -> str:
    """As text that parses to the same value."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep="T")
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)
