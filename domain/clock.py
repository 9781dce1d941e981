"""The only notion of "now": integer nanoseconds since 1970-01-01 UTC, handed in by a shell."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Protocol

from domain.errors import Malformed

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MIN = 60 * NS_PER_S

MIN_NS = 0
MAX_NS = 4_102_444_800 * NS_PER_S  # 2100-01-01: beyond it a timestamp has the wrong unit

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|z|[+-]\d\d:?\d\d)?)?"
)
_RELATIVE = re.compile(r"now(?:-(\d{1,9})(ms|s|m|h|d|w))?")
_UNIT_NS = {
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": NS_PER_MIN,
    "h": 60 * NS_PER_MIN,
    "d": 1440 * NS_PER_MIN,
    "w": 7 * 1440 * NS_PER_MIN,
}


class Clock(Protocol):
    """Source of wall time in ns UTC."""

    def now_ns(self) -> int: ...


class ManualClock:
    """A clock that moves only when told to: tests, simulation, replay."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, by_ns: int) -> int:
        self._now_ns += by_ns
        return self._now_ns

    def set(self, now_ns: int) -> None:
        self._now_ns = now_ns


def from_epoch(value: int) -> int:
    """Integer seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude -> ns."""
    for limit, factor in ((10**11, NS_PER_S), (10**14, NS_PER_MS), (10**17, NS_PER_US)):
        if abs(value) < limit:
            return value * factor
    return value


def parse_time(text: str) -> int:
    """RFC 3339 (date alone = midnight; no zone = UTC; up to 9 fractional digits) -> ns.

    Raises Malformed. Exact to the nanosecond, unlike `datetime.fromisoformat`.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"time {text!r} is not RFC 3339, like 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        whole = dt.datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=dt.UTC,
        )
    except ValueError as error:
        raise Malformed(f"time {text!r}: {error}") from None
    delta = whole - _EPOCH
    ns = (delta.days * 86_400 + delta.seconds) * NS_PER_S + int((fraction or "0").ljust(9, "0"))
    return ns - _zone_ns(zone)


def _zone_ns(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = (hours * 60 + minutes) * NS_PER_MIN
    return -offset if zone[0] == "-" else offset


def parse_query_time(text: str, now_ns: int) -> int:
    """RFC 3339 or `now`, `now-15m` (ms s m h d w) -> ns. Raises Malformed."""
    match = _RELATIVE.fullmatch(text)
    if match is None:
        return parse_time(text)
    count, unit = match.groups()
    return now_ns - (int(count) * _UNIT_NS[unit] if count else 0)


def format_time(ns: int) -> str:
    """ns -> RFC 3339 UTC with as many fractional digits (0, 3, 6, 9) as the value needs.

    Answers format thousands of times: the date is remembered, and the rest is looked up.
    """
    seconds, fraction = divmod(ns, NS_PER_S)
    minutes, second = divmod(seconds, 60)
    days, minute = divmod(minutes, 1440)
    text = _date(days) + _CLOCK[minute] + _TWO_DIGITS[second]
    if fraction == 0:
        return text + "Z"
    digits = f"{fraction:09d}"
    if digits.endswith("000"):
        digits = digits[:3] if digits.endswith("000000") else digits[:6]
    return f"{text}.{digits}Z"


@lru_cache(maxsize=512)
def _date(days: int) -> str:
    """`2026-01-31T` of days since 1970-01-01."""
    return (_EPOCH + dt.timedelta(days=days)).strftime("%Y-%m-%dT")


_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))
_CLOCK = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
"""`HH:MM:` of each minute of a day."""
