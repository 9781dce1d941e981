"""From an offset to the span of recorded time in which its block lies: which chunks a read has to open.

The first block of each UTC day in each partition is marked in the append that writes it.
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from domain.clock import NS_PER_S
from storage.pool import Pool

DAY_NS = 86_400 * NS_PER_S
"""Also the width of a chunk (schema/hypertables.sql): a span meets one or two of them."""
BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FOR_EVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)

_AROUND = """
(SELECT first_offset, recorded_at FROM log_marks WHERE partition = $1 AND first_offset <= $2
    ORDER BY first_offset DESC LIMIT 1)
UNION ALL
(SELECT first_offset, recorded_at FROM log_marks WHERE partition = $1 AND first_offset > $2
    ORDER BY first_offset LIMIT 1)
"""
_AT_OR_BEFORE = """
SELECT recorded_at FROM log_marks WHERE partition = $1 AND recorded_at <= $2
ORDER BY first_offset DESC LIMIT 1
"""


class _Span(Struct, frozen=True):
    """Offsets [first, end) were recorded in [since, before)."""

    first: int
    end: int | None
    since: dt.datetime
    before: dt.datetime

    def holds(self, offset: int) -> bool:
        return self.first <= offset and (self.end is None or offset < self.end)


class LogMarks:
    """Spans of the log, the last one of each partition kept: readers go forward.

    Marks are never changed, so a kept span stays true; one without an end may only be wider than needed.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._kept: dict[str, _Span] = {}

    async def span(self, partition: str, offset: int) -> tuple[dt.datetime, dt.datetime]:
        """The block that holds `offset`, once there is one, was recorded in [first, second)."""
        span = self._kept.get(partition)
        if span is None or not span.holds(offset):
            span = await self._look_up(partition, offset)
            self._kept[partition] = span
        return span.since, span.before

    def read(self, partition: str, recorded_ns: int) -> None:
        """A reader has come so far: into another day, where the kept span can be a narrower one."""
        span = self._kept.get(partition)
        if span is not None and span.end is None and recorded_ns // DAY_NS > _day(span.since):
            del self._kept[partition]

    async def at_or_before(self, partition: str, time: dt.datetime) -> dt.datetime:
        """What was recorded last until `time` was not recorded before this."""
        mark: dt.datetime | None = await self._pool.fetchval(_AT_OR_BEFORE, partition, time)
        return mark or BEGINNING

    async def _look_up(self, partition: str, offset: int) -> _Span:
        first, end, since, before = 0, None, BEGINNING, FOR_EVER
        for mark in await self._pool.fetch(_AROUND, partition, offset):
            if mark["first_offset"] <= offset:
                first, since = mark["first_offset"], mark["recorded_at"]
            else:
                end, before = mark["first_offset"], mark["recorded_at"]
        return _Span(first, end, since, before)


def _day(time: dt.datetime) -> int:
    return (time - BEGINNING).days
