"""A file of splits: CSV with `time` (or `date`) and `ratio`, `4:1` or `4.0` new shares for one old."""

from __future__ import annotations

import csv
from pathlib import Path

from domain.errors import Malformed, NotFound
from domain.market.splits import Split
from domain.table_times import read_times

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
        told = [_told(number, row) for number, row in enumerate(rows)]
        starts = read_times([time for time, _ in told]).starts.tolist()
        return sorted(_split(number, ts, told[number][1]) for number, ts in enumerate(starts))
    except (Malformed, UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{file}: {error}") from None


def _told(number: int, row: dict[str, str]) -> tuple[str, float]:
    """(time as written, new shares for one old)."""
    time, ratio = row.get("time") or row.get("date"), row.get("ratio")
    if not time or not ratio:
        raise Malformed(f"row {number}: columns time and ratio expected, found {', '.join(row)[:80]!r}")
    new, _, old = ratio.partition(":")
    try:
        return time, float(new) / float(old or 1.0)
    except (ValueError, ZeroDivisionError):
        raise Malformed(f"row {number}: ratio {ratio[:40]!r} is not like 4:1 or 4.0") from None


def _split(number: int, effective: int, ratio: float) -> Split:
    try:
        return Split(effective, ratio)
    except Malformed as error:
        raise Malformed(f"row {number}: {error}") from None
