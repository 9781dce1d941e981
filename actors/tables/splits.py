"""A file of splits: CSV with `time` (or `date`) and `ratio`, `4:1` or `4.0` new shares for one old."""

from __future__ import annotations

import csv
from pathlib import Path

from domain.errors import Malformed, NotFound
from domain.market.splits import Split
from domain.tables import parse_table_time

MAX_BYTES = 1 << 20


def read_splits(file: Path) -> list[Split]:
    """By time. Raises NotFound where there is no such file, Malformed with the row of the first fault."""
    if not file.is_file():
        raise NotFound(f"{file}: no such file")
    if file.stat().st_size > MAX_BYTES:
        raise Malformed(f"{file}: more than {MAX_BYTES} bytes")
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = [
                {str(name).strip().lower(): cell for name, cell in row.items()}
                for row in csv.DictReader(opened)
            ]
        return sorted(_split(number, row) for number, row in enumerate(rows))
    except (Malformed, UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{file}: {error}") from None


def _split(number: int, row: dict[str, str]) -> Split:
    time, ratio = row.get("time") or row.get("date"), row.get("ratio")
    if not time or not ratio:
        raise Malformed(f"row {number}: columns time and ratio expected, found {', '.join(row)[:80]!r}")
    new, _, old = ratio.partition(":")
    try:
        return Split(parse_table_time(time), float(new) / float(old or 1.0))
    except (ValueError, ZeroDivisionError):
        raise Malformed(f"row {number}: ratio {ratio[:40]!r} is not like 4:1 or 4.0") from None
    except Malformed as error:
        raise Malformed(f"row {number}: {error}") from None
