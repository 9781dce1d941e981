"""Where a trading session begins: the UTC day unless said otherwise (`session=17:00 America/New_York`)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from msgspec import Struct

from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed
from domain.indicators.bars import Integers

NS_PER_DAY = 1440 * NS_PER_MIN
NS_PER_QUARTER = 15 * NS_PER_MIN
"""Zones change their offset at whole quarters of an hour."""
_TEXT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?:[ @]([A-Za-z0-9_+\-/]{1,40}))?", re.ASCII)


class Sessions(Struct, frozen=True):
    """Each session lasts from `begin_ns` after midnight in `zone` to the same time of the next day."""

    begin_ns: int = 0
    zone: str = "UTC"

    def days(self, starts: Integers) -> Integers:
        """The session of each time (ns UTC, any order): its number, which grows by 1 a day. (n,) -> (n,)"""
        local = starts - self.begin_ns
        if self.zone != "UTC":
            quarters, places = np.unique(starts // NS_PER_QUARTER, return_inverse=True)
            zone = ZoneInfo(self.zone)
            offsets = np.array([_offset_ns(int(each), zone) for each in quarters], np.int64)
            local = local + offsets[places]
        days: Integers = local // NS_PER_DAY
        return days

    def begin_of(self, ts: int) -> int:
        """A time at or before the begin of the session that holds a time; exact in UTC, else within an
        hour, as a zone's offset may have changed since."""
        days = self.days(np.array([ts]))
        if self.zone == "UTC":
            return int(days[0]) * NS_PER_DAY + self.begin_ns
        return ts - NS_PER_DAY - 60 * NS_PER_MIN


UTC_DAYS = Sessions()


def parse_sessions(text: str) -> Sessions:
    """`00:00`, `17:00 America/New_York` or `17:00@America/New_York`. Raises Malformed."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Malformed(f"session {text[:60]!r} is not like 00:00 or 17:00@America/New_York")
    hour, minute, zone = match.groups()
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Malformed(f"session {text[:60]!r}: there is no time zone {zone!r}") from None
    return Sessions((60 * int(hour) + int(minute)) * NS_PER_MIN, zone or "UTC")


def _offset_ns(quarter: int, zone: ZoneInfo) -> int:
    """Of local time to UTC at a quarter of an hour since 1970."""
    offset = datetime.fromtimestamp(quarter * NS_PER_QUARTER // NS_PER_S, zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) * NS_PER_S
