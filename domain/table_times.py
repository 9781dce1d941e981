"""Times of an input table: a column of texts is read in one way from top to bottom.

One cell cannot say whether 63244800000 counts seconds or milliseconds, whether 45658 is a day of a
spreadsheet, nor whether 01/02/25 lies in January or in February. The column can, or it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from domain.clock import MAX_NS, NS_PER_MS, NS_PER_S, NS_PER_US, from_epoch, parse_time
from domain.errors import Malformed
from domain.indicators.bars import Integers
from domain.table_dates import ordered_dates, packed_dates

NS_PER_DAY = 86_400 * NS_PER_S
NS_PER_YEAR = 365 * NS_PER_DAY
UNITS = (("s", NS_PER_S), ("ms", NS_PER_MS), ("us", NS_PER_US), ("ns", 1))
FIRST_SERIAL, LAST_SERIAL = 7_306, 73_050
"""1920-01-01 and 2099-12-31 as days of a spreadsheet; counted in seconds both are hours of 1970-01-01."""
SERIAL_EPOCH_DAYS = 25_569
"""Serial number of 1970-01-01 in the 1900 date system of spreadsheets."""
SERIAL_1904 = 1_462
"""Days that the 1904 date system counts less."""
WEEK = 7
WEEKS_SEEN = 10
"""Different days from which the days of the week are evidence."""
THOUSANDFOLD = (990, 1020)
"""The factor between neighbours where a column goes over to the next finer unit, with a gap of a year."""
LEAST_BEFORE_CHANGE = 10**8
WHOLE_TIME = 8
"""Signs of the shortest time that says its day."""

_ZONE = r"(?: ?(Z|z|UTC|GMT|(?:UTC|GMT)?[+-](?:0\d|1[0-5])(?::?[0-5]\d)?))?"
_CLOCK = rf"(?:(?:[Tt]| +)(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{{1,9}}))?)?)?)?{_ZONE}"
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d\d)\2(\d\d)" + _CLOCK, re.ASCII)
_DAY_FIRST = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})" + _CLOCK, re.ASCII)
_PACKED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_DECIMAL = re.compile(r"(-?\d{1,19})\.\d+", re.ASCII)
_TIME_OF_DAY = re.compile(rf"(\d{{1,2}}):(\d\d)(?::(\d\d)(?:[.,](\d{{1,9}}))?)?{_ZONE}", re.ASCII)
_FORMS = "2026-01-31T12:00:00Z, 20260131 12:00, 31.01.2026 12:00:00.000 or an epoch number"


Number = int | Decimal


class Times(NamedTuple):
    """`starts` in ns UTC, as they stand; `notes` say in which way they were read where that was a choice."""

    starts: Integers
    notes: tuple[str, ...] = ()


def parse_table_time(text: str) -> int:
    """One cell alone -> ns UTC within 64 bits; no zone means UTC. Raises Malformed.

    ISO 8601 in its extended and basic form (also with `/` or `.` in the date, a blank before the clock or
    the zone), `YYYYMMDD[ HH:MM[:SS]]`, `DD.MM.YYYY[ HH:MM:SS.mmm]`, and s, ms, us or ns told apart by
    magnitude, as integers or with a fraction. 8, 12 and 14 digits are a date where they can be one.
    """
    ns = _any_time(text.strip())
    if not -(2**63) <= ns < 2**63:
        raise Malformed(f"time {text.strip()[:40]!r} is not between 1677 and 2262")
    return ns


def read_times(texts: Sequence[str], order: str = "") -> Times:
    """A column of times. `order` of day, month and year, as `dmy`, where the header says it.

    Raises Malformed with the row of the first fault, or where the column may mean two things.
    """
    plain = [text.strip() for text in texts]
    if plain and all(_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text) for text in plain):
        return _with_1970(_of_numbers(plain, order))
    try:
        return _with_1970(Times(_each(plain, parse_table_time)))
    except Malformed:
        found = ordered_dates(plain, order)
        if found is None:
            raise
    return _with_1970(Times(*found))


def read_dated_times(dates: Sequence[str], clocks: Sequence[str], order: str = "") -> Times:
    """Two columns, of dates and of times of day. The second alone where it holds whole times.

    Raises Malformed.
    """
    try:
        clock = _times_of_day([text.strip() for text in clocks])
    except Malformed:
        if not clocks or min(map(len, clocks)) < WHOLE_TIME or _is_time_of_day(clocks[0]):
            raise
        return read_times(clocks)
    days = read_times(dates, order)
    within = days.starts % NS_PER_DAY
    beyond = np.flatnonzero((within != 0) & (within != clock))
    if beyond.size:
        row = int(beyond[0])
        raise Malformed(f"row {row}: date {dates[row]!r} holds another time of day than {clocks[row]!r}")
    return Times(np.where(within == 0, days.starts + clock, days.starts), days.notes)


def _any_time(text: str) -> int:
    year_first, day_first = _YEAR_FIRST.fullmatch(text), _DAY_FIRST.fullmatch(text)
    if year_first and (len(text) != 8 or _is_date(*map(int, year_first.group(1, 3, 4)))):
        year, _, month, day, *rest = year_first.groups()
        return _moment(year, month, day, *rest)
    if day_first:
        day, month, year, *rest = day_first.groups()
        return _moment(year, month, day, *rest)
    if (packed := _PACKED.fullmatch(text)) and (ns := _packed_time(packed)) is not None:
        return ns
    if _INTEGER.fullmatch(text):
        return from_epoch(int(text))
    if match := _DECIMAL.fullmatch(text):
        whole = int(match[1])
        return int(Decimal(text) * (from_epoch(whole) // whole if whole else NS_PER_S))
    raise Malformed(f"time {text[:40]!r} is not like {_FORMS}")


def _moment(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> int:
    offset = (zone or "").removeprefix("UTC").removeprefix("GMT").upper()
    if len(offset) == 3:
        offset += "00"
    clock = f"{hour or '00'}:{minute or '00'}:{second or '00'}.{fraction or '0'}"
    return parse_time(f"{year}-{month}-{day}T{clock}{offset or 'Z'}")


def _packed_time(match: re.Match[str]) -> int | None:
    """YYYYMMDDHHMM[SS], None where it is a number that only looks like one."""
    year, month, day, hour, minute, second = match.groups()
    if not 1900 <= int(year) < 2100:
        return None
    try:
        return parse_time(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}")
    except Malformed:
        return None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1900 <= date(year, month, day).year < 2100
    except ValueError:
        return False


def _each(texts: Sequence[str], read: Callable[[str], int]) -> Integers:
    found = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        try:
            found[row] = read(text)
        except Malformed as error:
            raise Malformed(f"row {row}: {error}") from None
    return found


def _of_numbers(texts: Sequence[str], order: str) -> Times:
    """Dates written without a separator, days of a spreadsheet, or one unit of time since 1970."""
    dates = packed_dates(texts, order)
    if dates is not None:
        return Times(*dates)
    lengths = {len(text) for text in texts}
    if lengths <= {12} or lengths <= {14}:
        packed = [match and _packed_time(match) for match in map(_PACKED.fullmatch, texts)]
        if None not in packed:
            return Times(np.array(packed, np.int64))
    values: list[Number] = [Decimal(text) if "." in text else int(text) for text in texts]
    if all(FIRST_SERIAL <= value <= LAST_SERIAL for value in values):
        return _of_serials(values)
    return _of_epochs(texts, values)


def _of_serials(values: Sequence[Number]) -> Times:
    """Days of a spreadsheet, to the millisecond, which is what a cell holds.

    Both date systems count alike. Where bars of the 1900 system would fall on Saturdays and never on Sundays
    and Mondays the workbook was of the 1904 one.
    """
    days = {int(value) for value in values}
    weekdays = {(day - 2) % WEEK for day in days}  # serial 2 of the 1900 system is a Monday, 1900-01-01 moved
    is_1904 = len(days) >= WEEKS_SEEN and 5 in weekdays and not weekdays & {6, 0}
    since = SERIAL_EPOCH_DAYS - (SERIAL_1904 if is_1904 else 0)
    ms_per_day = NS_PER_DAY // NS_PER_MS
    starts = [round((value - since) * ms_per_day) * NS_PER_MS for value in values]
    system = "1904" if is_1904 else "1900"
    return Times(
        np.array(starts, np.int64),
        (f"times are read as days of a spreadsheet, in its {system} date system",),
    )


def _of_epochs(texts: Sequence[str], values: Sequence[Number]) -> Times:
    """Each stretch of a column in one unit; a second stretch begins where values grow a thousandfold."""
    starts = np.empty(len(values), np.int64)
    notes: list[str] = []
    unit = ""
    cuts = [0, *_changes(values), len(values)]
    for begin, end in pairwise(cuts):
        before, (unit, factor) = unit, _unit(values[begin:end])
        if begin:
            notes.append(f"row {begin}: the unit of times goes over from {before} to {unit}")
        for row in range(begin, end):
            ns = int(values[row] * factor)
            if not -(2**63) <= ns < 2**63:
                raise Malformed(f"row {row}: time {texts[row]!r} is not between 1677 and 2262")
            starts[row] = ns
    return Times(starts, tuple(notes))


def _changes(values: Sequence[Number]) -> list[int]:
    """Rows at which the numbers grow a thousandfold at one stroke, as Binance's archive does in 2025."""
    least, most = THOUSANDFOLD
    return [
        row
        for row in range(1, len(values))
        if values[row - 1] >= LEAST_BEFORE_CHANGE
        and least * values[row - 1] <= values[row] <= most * values[row - 1]
    ]


def _unit(values: Sequence[Number]) -> tuple[str, int]:
    """The coarsest in which no value lies beyond 2100."""
    largest = Decimal(max(max(values), -min(values)))
    return next((unit for unit in UNITS if largest * unit[1] < MAX_NS), UNITS[-1])


def _with_1970(times: Times) -> Times:
    """With a remark on a column that ends in the first year that numbers count from."""
    starts, notes = times
    if not len(starts) or not 0 <= starts[-1] < NS_PER_YEAR:
        return times
    return Times(
        starts, (*notes, "times fall in 1970: the column may count something else than time since then")
    )


def _is_time_of_day(text: str) -> bool:
    return _TIME_OF_DAY.fullmatch(text.strip()) is not None


def _times_of_day(texts: Sequence[str]) -> Integers:
    """ns since midnight (less the zone's offset): HH:MM[:SS.mmm], HHMMSS, HHMM, or a fraction of the day.

    Digits alone are hours and minutes where no cell has more than four of them. Raises Malformed.
    """
    if texts and all(text.isascii() and text.isdigit() and len(text) <= 6 for text in texts):
        width = 4 if max(map(len, texts)) <= 4 else 6
        padded = [text.zfill(width).ljust(6, "0") for text in texts]
        return _each([f"{text[:2]}:{text[2:4]}:{text[4:]}" for text in padded], _time_of_day)
    return _each(texts, _time_of_day)


def _time_of_day(text: str) -> int:
    if match := _TIME_OF_DAY.fullmatch(text):
        hour, *rest = match.groups()
        return _moment("1970", "01", "01", hour.zfill(2), *rest)
    if text.startswith(("0.", ".")) and _DECIMAL.fullmatch(f"0{text}"):
        return round(Decimal(text) * (NS_PER_DAY // NS_PER_MS)) * NS_PER_MS
    raise Malformed(f"time of day {text[:40]!r} is not like 12:00:00 or 120000")
