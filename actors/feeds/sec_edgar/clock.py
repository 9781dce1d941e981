"""Times of acceptance to ns UTC.

All times in `submissions` end in Z, but those of some companies, as of Apple, are on New York's clocks: the
header of the same filing shows it, as headers always are. It is the same for all filings of a company.
EDGAR accepts from 06:00 to 22:00 New York time, so a company's filings tell which clock they are on: by the
right one, none of them was accepted at night.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from actors.feeds.rest.days import NEW_YORK, UTC, local_ns, zoned_ns
from domain.errors import Malformed

OPENS, CLOSES = dt.time(5, 59), dt.time(22, 31)
"""With half an hour for what was sent before the closing and accepted after it."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
_MIDNIGHT = "00:00:00"
"""What stands for "no time" in the filings of the 1990s."""
_NEW_YORK = ZoneInfo(NEW_YORK)


def clock_of(stamps: Iterable[object]) -> str:
    """`UTC` or `America/New_York`. Where both fit, what the text says counts: UTC."""
    moments = [moment for stamp in stamps if (moment := _naive(stamp)) is not None]
    at_night = sum(not OPENS <= moment.time() <= CLOSES for moment in moments)
    utc_at_night = sum(not OPENS <= _in_new_york(moment) <= CLOSES for moment in moments)
    return NEW_YORK if utc_at_night > at_night else UTC


def accepted_ns(stamp: object, clock: str) -> int | None:
    """None where absent, and where only a day is said. Raises Malformed."""
    if not isinstance(stamp, str) or not stamp.strip():
        return None
    match = _STAMP.fullmatch(stamp.strip())
    if match is None:
        return zoned_ns(stamp)
    if match[2] == _MIDNIGHT:
        return None
    return local_ns(f"{match[1]} {match[2]}", clock)


def header_ns(stamp: str) -> int:
    """`20191115060224` of a submission's header, always New York's. Raises Malformed."""
    match = _COMPACT.fullmatch(stamp.strip())
    if match is None:
        raise Malformed(f"time {stamp[:40]!r} is not like 20191115060224")
    year, month, day, hour, minute, second = match.groups()
    return local_ns(f"{year}-{month}-{day} {hour}:{minute}:{second}", NEW_YORK)


def _naive(stamp: object) -> dt.datetime | None:
    match = _STAMP.fullmatch(stamp.strip()) if isinstance(stamp, str) else None
    if match is None or match[2] == _MIDNIGHT:
        return None
    try:
        return dt.datetime.fromisoformat(f"{match[1]}T{match[2]}")
    except ValueError:
        return None


def _in_new_york(moment: dt.datetime) -> dt.time:
    try:
        return moment.replace(tzinfo=dt.UTC).astimezone(_NEW_YORK).time()
    except OverflowError:
        return moment.time()
