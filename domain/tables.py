"""Input tables of the offline verbs: cells as text become bars, or an error that names the row.

Bars: `time,open,high,low,close[,volume]`. Trades: `time,price,size[,side]`; each becomes a bar of one
print. Names are case-insensitive and further columns are ignored. `row` counts data rows from 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from domain.clock import NS_PER_S, from_epoch, parse_time
from domain.errors import Malformed
from domain.indicators.bars import LARGEST, Bars, Floats, Integers
from domain.market.observations import Side

NS_PER_DAY = 86_400 * NS_PER_S
PRICES = ("open", "high", "low", "close")
_TIME_NAMES = ("time", "timestamp", "datetime", "date", "", "gmt time", "open_time", "open time")
"""The last three: Dukascopy's charts and Binance's archive of klines."""
_SIDES: Mapping[str, Side] = MappingProxyType({"buy": "buy", "b": "buy", "sell": "sell", "s": "sell"})
_MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "-"))
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d(?:\.\d{1,9})?))?)?", re.ASCII)
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_DECIMAL = re.compile(r"(-?\d{1,19})\.\d{1,9}", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d\d)[/.](\d\d)(?!\d)(.*)", re.ASCII)
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)", re.ASCII | re.IGNORECASE
)


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


class Layout(Struct, frozen=True):
    """Where the columns are; `time` may be two of them (date, time of day) or none."""

    kind: str
    time: tuple[int, ...]
    prices: tuple[int, ...]
    volume: int | None
    side: int | None = None


def layout_of(names: Sequence[str]) -> Layout:
    """From the header. Raises Malformed where it fits neither bars nor trades."""
    plain = [name.strip().strip("<>\"'").lower() for name in names]
    places: dict[str, int] = {}
    for place, name in enumerate(plain):
        if name in places and name in (*PRICES, "price", "size", "volume"):
            raise Malformed(f"two columns are called {name!r}")
        if name or place == 0:
            places.setdefault(name, place)
    time = tuple(places[name] for name in ("date", "time") if {"date", "time"} <= places.keys())
    if not time:
        time = tuple(places[name] for name in _TIME_NAMES if name in places)[:1]
    if all(name in places for name in PRICES):
        return Layout("bars", time, tuple(places[name] for name in PRICES), places.get("volume"))
    if "price" in places and "size" in places:
        return Layout("trades", time, (places["price"],) * 4, places["size"], places.get("side"))
    shown = ", ".join(repr(name[:20]) for name in names[:12])
    raise Malformed(
        f"columns open, high, low, close (or price, size) expected in the header, which has {shown}"
    )


def parse_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Cells as text to a table. Raises Malformed with the row of the first fault.

    Times must rise, for trades at least not fall.
    """
    layout = layout_of(names)
    widest = max((*layout.time, *layout.prices, layout.volume or 0))
    for number, row in enumerate(rows):
        if len(row) <= widest:
            raise Malformed(f"row {number}: {len(row)} cells, the header has {len(names)}")
    times = tuple(" ".join(row[place] for place in layout.time) for row in rows)
    starts = _starts(times, layout.kind) if layout.time else None
    if starts is None:
        times = tuple(str(number) for number in range(len(rows)))
    columns = {place: _numbers(rows, place, names[place]) for place in {*layout.prices}}
    volume = np.full(len(rows), np.nan)
    if layout.volume is not None:
        volume = _numbers(rows, layout.volume, names[layout.volume])
    session = np.zeros(len(rows), np.int64) if starts is None else starts // NS_PER_DAY
    opened, high, low, close = (columns[place] for place in layout.prices)
    bars = Bars(opened, high, low, close, volume, session)
    has_volume = bool(np.isfinite(volume).any())
    sides = None if layout.side is None else tuple(_side(row, layout.side) for row in rows)
    notes = (*_notes(bars), *_untimed(layout, names))
    return Table(layout.kind, times, starts, bars, has_volume, notes, sides)


def _untimed(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """A remark where rows are numbered although a column that is not read may have been meant as the time."""
    read = {*layout.prices, layout.volume, layout.side} - {None}
    if layout.time or len(names) <= len(read):
        return ()
    return ("no column is called time, timestamp, datetime or date: rows are numbered",)


def _side(row: Sequence[str], place: int) -> Side | None:
    """None where it is neither or missing: a side that cannot be read is not known."""
    return _SIDES.get(row[place].strip().lower()) if place < len(row) else None


def _starts(times: Sequence[str], kind: str) -> Integers:
    starts = np.empty(len(times), np.int64)
    for number, text in enumerate(times):
        try:
            starts[number] = parse_table_time(text)
        except Malformed as error:
            raise Malformed(f"row {number}: {error}") from None
    gaps = np.diff(starts)
    wrong = np.flatnonzero(gaps < 0 if kind == "trades" else gaps <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        fault = "is the same as" if gaps[row - 1] == 0 else "is before"
        raise Malformed(
            f"row {row}: time {times[row]!r} {fault} {times[row - 1]!r}; rows must be in rising order"
        )
    return starts


def parse_table_time(text: str) -> int:
    """ns UTC within 64 bits; no zone means UTC. Raises Malformed.

    ISO 8601 (also with `/` or `.` in the date), `YYYYMMDD[ HH:MM[:SS]]`, `DD.MM.YYYY[ HH:MM:SS.mmm]`, each
    with ` UTC` behind it or not, and s, ms, us or ns told apart by magnitude, as integers or with a fraction.
    Eight digits are a date where they can be one.
    """
    ns = _any_time(text.strip().removesuffix(" UTC"))
    if not -(2**63) <= ns < 2**63:
        raise Malformed(f"time {text.strip()[:40]!r} is not between 1677 and 2262")
    return ns


def _any_time(text: str) -> int:
    if match := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second = match.groups()
        if len(text) > 8 or _is_date(int(year), int(month), int(day)):
            return parse_time(f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}")
    if _INTEGER.fullmatch(text):
        return from_epoch(int(text))
    if match := _DECIMAL.fullmatch(text):
        whole = int(match[1])
        return int(Decimal(text) * (from_epoch(whole) // whole if whole else NS_PER_S))
    if match := _YEAR_FIRST.fullmatch(text):
        text = "-".join(match.groups()[:3]) + match[4]
    if match := _DOTTED.fullmatch(text):
        day, month, year, clock = match.groups()
        return parse_time(f"{year}-{month}-{day}T{clock or '00:00'}")
    try:
        return parse_time(text)
    except Malformed:
        forms = "2026-01-31T12:00:00Z, 20260131 12:00, 31.01.2026 12:00:00.000 or an epoch number"
        raise Malformed(f"time {text[:40]!r} is not like {forms}") from None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1900 <= date(year, month, day).year < 2100
    except ValueError:
        return False


def _numbers(rows: Sequence[Sequence[str]], place: int, name: str) -> Floats:
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
