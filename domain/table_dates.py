"""Dates whose day, month and year may stand in any order: the column says which, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np

from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.indicators.bars import Integers

DAY_S = 86_400
PIVOT = 69
"""Two digits from here on are of the twentieth century (POSIX)."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_PARTED = re.compile(
    r"(\d{4}|\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{1,2})"
    r"(?:[T ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?([AP])M)?)?",
    re.ASCII | re.IGNORECASE,
)
_SIX = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_EIGHT = {
    "ymd": re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII),
    "dmy": re.compile(r"(\d\d)(\d\d)(\d{4})", re.ASCII),
    "mdy": re.compile(r"(\d\d)(\d\d)(\d{4})", re.ASCII),
}
_NAMES = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}
Read = tuple[Integers, tuple[str, ...]]
"""ns UTC, and what is to be remarked on."""


def packed_dates(texts: Sequence[str], order: str = "") -> Read | None:
    """Of eight or six digits each; None where the numbers are no dates. Raises Malformed.

    Eight digits are YYYYMMDD where they can be. A column in which some can and some cannot is refused.
    """
    if all(len(text) == 8 for text in texts):
        return _of_eight(texts, order)
    if not all(map(_SIX.fullmatch, texts)):
        return None
    orders = (order,) if order else ("ymd", "dmy", "mdy")
    fitting = {each: days for each in orders if (days := _days(texts, _SIX, each)) is not None}
    if not fitting:
        return None
    return _chosen(fitting, texts)


def ordered_dates(texts: Sequence[str], order: str = "") -> Read | None:
    """As `1/31/2025 4:00 PM`, `31.01.25`, `25-01-31`; None where they are none. Raises Malformed."""
    parted = [_PARTED.fullmatch(text) for text in texts]
    if not texts or None in parted:
        return None
    matches = [match for match in parted if match is not None]
    orders = (order,) if order else _orders(matches)
    fitting: dict[str, Integers] = {}
    for each in orders:
        found = [_parted_ns(match, each) for match in matches]
        if None not in found:
            fitting[each] = np.array(found, np.int64)
    return _chosen(fitting, texts) if fitting else None


def _of_eight(texts: Sequence[str], order: str) -> Read | None:
    if order not in ("dmy", "mdy"):
        faulty = [
            row for row, text in enumerate(texts) if _day_of(_EIGHT["ymd"].fullmatch(text), "ymd") is None
        ]
        if not faulty:
            days = _days(texts, _EIGHT["ymd"], "ymd")
            return None if days is None else (days, ())
        if 2 * len(faulty) < len(texts):
            row = faulty[0]
            raise Malformed(f"row {row}: time {texts[row]!r} is no date, although others of its column are")
    orders = (order,) if order in ("dmy", "mdy") else ("dmy", "mdy")
    fitting = {each: days for each in orders if (days := _days(texts, _EIGHT[each], each)) is not None}
    return _chosen(fitting, texts) if fitting else None


def _orders(matches: Sequence[re.Match[str]]) -> tuple[str, ...]:
    """Those that the parts' lengths admit; points stand in dates that begin with the day or the year."""
    if any(len(match[1]) == 4 for match in matches):
        return ("ymd",)
    month_first = () if matches[0][2] == "." else ("mdy",)
    year_first = () if any(len(match[4]) == 4 for match in matches) else ("ymd",)
    return ("dmy", *month_first, *year_first)


def _chosen(fitting: dict[str, Integers], texts: Sequence[str]) -> Read:
    """The only order that fits, or the only one in which times do not fall."""
    if len(fitting) > 1:
        fitting = {each: ns for each, ns in fitting.items() if (np.diff(ns) >= 0).all()} or fitting
    if len(fitting) > 1:
        ways = " or ".join(_NAMES[each] for each in fitting)
        raise Malformed(f"row 0: time {texts[0]!r} may be {ways}: write dates like 2026-01-31")
    order, ns = next(iter(fitting.items()))
    return ns, (f"dates like {texts[0]!r} are read as {_NAMES[order]}",)


def _days(texts: Sequence[str], form: re.Pattern[str], order: str) -> Integers | None:
    """None where one of them is no date in this order."""
    days = [_day_of(form.fullmatch(text), order) for text in texts]
    return None if None in days else np.array(days, np.int64) * (DAY_S * NS_PER_S)


def _day_of(match: re.Match[str] | None, order: str) -> int | None:
    return None if match is None else _day(match.group(1, 2, 3), order)


def _day(parts: Sequence[str], order: str) -> int | None:
    """Days since 1970 of a date between 1900 and 2100."""
    year, month, day = (int(parts[order.index(each)]) for each in "ymd")
    digits = len(parts[order.index("y")])
    if digits == 2:
        year += 1900 if year >= PIVOT else 2000
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY if 1900 <= year < 2100 else None
    except ValueError:
        return None


def _parted_ns(match: re.Match[str], order: str) -> int | None:
    day = _day(match.group(1, 3, 4), order)
    clock = _clock_ns(match)
    return None if day is None or clock is None else day * DAY_S * NS_PER_S + clock


def _clock_ns(match: re.Match[str]) -> int | None:
    hour, minute, second = (int(each or 0) for each in match.group(5, 6, 7))
    half = (match[9] or "").upper()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "P" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return ((hour * 60 + minute) * 60 + second) * NS_PER_S + int((match[8] or "0").ljust(9, "0"))
