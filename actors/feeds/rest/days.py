"""Days and times of places to ns UTC.

A bar or a report of a day begins at midnight of its exchange, unless its provider stamps it itself.
All functions raise Malformed.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from actors.feeds.rest.numbers import is_absent, number
from actors.feeds.scan import checked_ns, rfc3339_ns
from domain.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from domain.errors import Malformed

NEW_YORK = "America/New_York"
UTC = "UTC"
NS_PER_DAY = 86_400 * NS_PER_S

Unit = Literal["s", "ms", "us", "ns"]
_FACTOR: dict[Unit, int] = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
_MAX_EPOCH = 1e19
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1800, 2199


def epoch_ns(value: object, unit: Unit) -> int:
    """A number since 1970 in `unit` -> ns; between 1970 and 2100. The digits of whole numbers are exact."""
    if isinstance(value, int) and not isinstance(value, bool):
        return checked_ns(value * _FACTOR[unit])
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 24:
        return checked_ns(int(value) * _FACTOR[unit])
    found = number(value)
    if found is None:
        raise Malformed("a time is missing")
    if abs(found) > _MAX_EPOCH:
        raise Malformed(f"time {found} lies outside 1970 to 2100")
    return checked_ns(round(found * _FACTOR[unit]))


def maybe_epoch_ns(value: object, unit: Unit) -> int | None:
    """None where absent or 0: a provider's word for "never"."""
    return None if is_absent(value) or value in (0, "0") or value is False else epoch_ns(value, unit)


def iso_day(value: object) -> str:
    """`2026-03-31`, `20260331`, `2026-03-31T16:00:00Z` -> `2026-03-31`."""
    match = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Malformed(f"day {str(value)[:40]!r} is not like 2026-03-31")
    try:
        day = dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise Malformed(f"day {str(value)[:40]!r}: {error}") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Malformed(f"day {str(value)[:40]!r} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return day.isoformat()


def maybe_day(value: object) -> str | None:
    """None where absent, also for `0000-00-00`."""
    if is_absent(value) or (isinstance(value, str) and value.startswith("0000")):
        return None
    return iso_day(value)


def day_ns(day: str, zone: str = UTC) -> int:
    """Midnight at the start of a day in a zone. Days before 1970 are below 0."""
    year, month, date = map(int, iso_day(day).split("-"))
    return _utc_ns(dt.datetime(year, month, date, tzinfo=_zone(zone)))


def local_ns(text: object, zone: str) -> int:
    """`2020-05-08 14:05:00` (or a day alone: its midnight) on the clocks of a zone.

    An hour that the clocks show twice is the first of the two.
    """
    match = _LOCAL.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise Malformed(f"time {str(text)[:40]!r} is not like 2020-05-08 14:05:00")
    day, hour, minute, second, fraction = match.groups()
    year, month, date = map(int, iso_day(day).split("-"))
    try:
        moment = dt.datetime(
            year, month, date, int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(zone)
        )
    except ValueError as error:
        raise Malformed(f"time {str(text)[:40]!r}: {error}") from None
    return _utc_ns(moment) + int((fraction or "0").ljust(9, "0"))


def zoned_ns(text: object) -> int:
    """RFC 3339 with its own zone (none: UTC)."""
    if not isinstance(text, str):
        raise Malformed(f"time {str(text)[:40]!r} is no text")
    return rfc3339_ns(text.strip())


def week_start(day: str) -> str:
    """The Monday of a day's week."""
    found = dt.date.fromisoformat(day)
    return (found - dt.timedelta(days=found.weekday())).isoformat()


def month_start(day: str) -> str:
    return f"{day[:8]}01"


def last_weekday(day: str) -> str:
    """The day itself, or the Friday before a Saturday or Sunday."""
    found = dt.date.fromisoformat(day)
    return (found - dt.timedelta(days=max(0, found.weekday() - 4))).isoformat()


def day_of(ns: int, zone: str = UTC) -> str:
    """The day that the clocks of a zone show."""
    return (_EPOCH + dt.timedelta(microseconds=ns // 1000)).astimezone(_zone(zone)).date().isoformat()


def _utc_ns(moment: dt.datetime) -> int:
    try:
        delta = moment - _EPOCH
    except OverflowError:
        raise Malformed(f"time {moment} is out of range") from None
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise Malformed(f"time zone {name[:40]!r} is not known") from None
