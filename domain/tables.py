"""Input tables of the offline verbs: cells as text become bars, or an error that names the row.

Bars: `time,open,high,low,close[,volume]`. Trades: `time,price,size[,side]`; each becomes a bar of one
print. Names are case-insensitive and further columns are ignored. One table is one series: where a column
tells symbols apart, one of them has to be chosen. `row` counts data rows (of the chosen symbol) from 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from domain.errors import Malformed
from domain.indicators.bars import LARGEST, Bars, Floats, Integers
from domain.market.observations import Side
from domain.table_headers import listed, one_header
from domain.table_layout import Layout, layout_of, plain
from domain.table_times import NS_PER_DAY, Times, read_dated_times, read_times

_SIDES: Mapping[str, Side] = MappingProxyType({"buy": "buy", "b": "buy", "sell": "sell", "s": "sell"})
_MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "-"))
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)", re.ASCII | re.IGNORECASE
)

Cells = Sequence[Sequence[str]]
"""Rows of cells as text."""


class Table(Struct, frozen=True):
    """`times` as read (row numbers where there are none); `starts` in ns UTC, None where there is no time.

    `bars` hold NaN where a cell is missing; `bars.session` is the UTC day. `notes` say what is odd
    about the data but no error. `sides` are the aggressors' of trades, None where none is told.
    """

    kind: str
    times: tuple[str, ...]
    starts: Integers | None
    bars: Bars
    has_volume: bool
    notes: tuple[str, ...]
    sides: tuple[Side | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def spacing_ns(self) -> int | None:
        """The commonest distance of neighbours, the lesser of equals; None under two rows or without time."""
        if self.starts is None or len(self.starts) < 2:
            return None
        counted: Counter[int] = Counter(np.diff(self.starts).tolist())
        return max(counted, key=lambda gap: (counted[gap], -gap))


def parse_table(names: Sequence[str], rows: Cells, symbol: str | None = None) -> Table:
    """Cells as text to a table. `symbol`: which one, where a column tells several apart.

    Raises Malformed with the row of the first fault, or where it holds several symbols and none is chosen.
    Times must rise, for trades at least not fall.
    """
    names, rows = one_header(names, rows, symbol)
    layout = layout_of(names)
    widest = max((*layout.time, *layout.prices, *layout.volumes, layout.symbol or 0))
    for number, row in enumerate(rows):
        if len(row) <= widest:
            raise Malformed(f"row {number}: {len(row)} cells, the header has {len(names)}")
    rows = _of_symbol(layout.symbol, names[layout.symbol or 0], rows, symbol)
    times = tuple(" ".join(row[place] for place in layout.time) for row in rows)
    read = _times(layout, times, rows) if layout.time else None
    if read is None:
        times = tuple(str(number) for number in range(len(rows)))
    columns = {place: _numbers(rows, place, names[place]) for place in {*layout.prices}}
    volume, volume_notes = _volume(layout, names, rows)
    session = np.zeros(len(rows), np.int64) if read is None else read.starts // NS_PER_DAY
    opened, high, low, close = (columns[place] for place in layout.prices)
    bars = Bars(opened, high, low, close, volume, session)
    has_volume = bool(np.isfinite(volume).any())
    sides = None if layout.side is None else tuple(_side(row, layout.side) for row in rows)
    time_notes = _untimed(layout, names) if read is None else read.notes
    notes = (*time_notes, *volume_notes, *_notes(bars))
    starts = None if read is None else read.starts
    return Table(layout.kind, times, starts, bars, has_volume, notes, sides)


def _of_symbol(place: int | None, name: str, rows: Cells, symbol: str | None) -> Cells:
    """The rows of one series. Raises Malformed where that has to be chosen, or cannot be."""
    if place is None:
        if symbol is not None:
            raise Malformed(f"no column tells symbols apart, so {symbol!r} cannot be chosen")
        return rows
    found = sorted({row[place].strip() for row in rows})
    if symbol is None:
        if len(found) > 1:
            raise Malformed(
                f"{len(found)} symbols in column {name!r} ({listed(found)}): choose one with --symbol"
            )
        return rows
    chosen = [row for row in rows if row[place].strip() == symbol]
    if rows and not chosen:
        raise Malformed(f"no row of {symbol!r} in column {name!r}, which has {listed(found)}")
    return chosen


def _volume(layout: Layout, names: Sequence[str], rows: Cells) -> tuple[Floats, tuple[str, ...]]:
    """The first of the columns that holds a number above 0, else the first; and remarks."""
    columns = {place: _numbers(rows, place, names[place]) for place in layout.volumes}
    filled = [place for place in layout.volumes if (columns[place] > 0.0).any()]
    if not columns:
        return np.full(len(rows), np.nan), _unread(layout.idle, names, "no column is called volume")
    best = layout.volumes[0]
    chosen = filled[0] if filled else best
    if chosen != best:
        said = f"column {names[best]!r} holds no volume, {names[chosen]!r} is read in its stead"
        return columns[chosen], (said,)
    others = (*(place for place in layout.volumes if place != chosen), *layout.idle)
    if plain(names[chosen]) in ("volume", "size"):
        others = ()
    return columns[chosen], _unread(others, names, f"volume is read from column {names[chosen]!r}")


def _unread(places: Sequence[int], names: Sequence[str], said: str) -> tuple[str, ...]:
    """A remark on columns that look like volume and are not read."""
    unread = ", ".join(repr(names[place]) for place in places)
    return (f"{said}; not read: {unread}",) if unread else ()


def _times(layout: Layout, times: Sequence[str], rows: Cells) -> Times:
    """Raises Malformed with the row of the first fault."""
    if len(layout.time) == 2:
        dates, clocks = ([row[place] for row in rows] for place in layout.time)
        read = read_dated_times(dates, clocks, layout.order)
    else:
        read = read_times(times, layout.order)
    _check_order(read.starts, times, layout.kind)
    return read


def _check_order(starts: Integers, times: Sequence[str], kind: str) -> None:
    gaps = np.diff(starts)
    wrong = np.flatnonzero(gaps < 0 if kind == "trades" else gaps <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        fault = "is the same as" if gaps[row - 1] == 0 else "is before"
        raise Malformed(
            f"row {row}: time {times[row]!r} {fault} {times[row - 1]!r}; rows must be in rising order"
        )


def _untimed(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """A remark where rows are numbered although a column that is not read may have been meant as the time."""
    read = {*layout.prices, *layout.volumes, layout.side} - {None}
    if layout.time or len(names) <= len(read):
        return ()
    return ("no column is called time, timestamp, datetime or date: rows are numbered",)


def _side(row: Sequence[str], place: int) -> Side | None:
    """None where it is neither or missing: a side that cannot be read is not known."""
    return _SIDES.get(row[place].strip().lower()) if place < len(row) else None


def _numbers(rows: Cells, place: int, name: str) -> Floats:
    cells = [row[place] for row in rows]
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        values = np.array([_number(cell, row, name) for row, cell in enumerate(cells)])
    else:
        if any("_" in cell for cell in cells):
            values = np.array([_number(cell, row, name) for row, cell in enumerate(cells)])
    return values


def _number(cell: str, row: int, name: str) -> float:
    """NaN where it is missing. Raises Malformed where it is no number."""
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    if not _NUMBER.fullmatch(text):
        raise Malformed(f"row {row}: {name.strip()} {text[:40]!r} is not a number")
    return float(text)


def _notes(bars: Bars) -> tuple[str, ...]:
    prices = np.stack(bars[:4])
    beyond = np.vstack((np.where(np.isfinite(prices), np.abs(prices), 0.0), bars.volume)) > LARGEST
    faults = (
        ("has no finite price somewhere", ~np.isfinite(prices).all(axis=0)),
        (f"has a number beyond {LARGEST:g}", beyond.any(axis=0)),
        ("has a price of 0 or less", (prices <= 0.0).any(axis=0)),
        ("has a high below its low", bars.high < bars.low),
        ("has an open or close outside its range", _outside(bars)),
        ("has a volume below 0", bars.volume < 0.0),
    )
    return tuple(_note(text, np.flatnonzero(rows)) for text, rows in faults if rows.any())


def _outside(bars: Bars) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    ends = np.stack((bars.open, bars.close))
    outside = (ends > bars.high) | (ends < bars.low)
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = outside.any(axis=0) & (bars.high >= bars.low)
    return found


def _note(text: str, rows: Integers) -> str:
    further = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"row {int(rows[0])}{further} {text}"
