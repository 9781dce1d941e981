"""Walks through one partition's blocks for the events of one instrument, forwards or backwards.

Bounded in blocks: what a walk could not reach is where the next one goes on. The log is read forwards
only, so a backward walk looks at windows of offsets, each wider than the one after it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from msgspec import Struct

from actors.block_scan import BlockScan, holds
from actors.event_pages import Scan
from actors.packed import PackedEvents
from domain.envelope import Recorded
from domain.errors import Gone

TURN_EVERY = 16
"""Blocks scanned before others on the event loop get a turn."""
FIRST_WINDOW = 500
"""Offsets of the first look back: in a quiet log some 300 blocks, in a busy one a part of one."""
WIDER = 4
"""How much wider each further look is."""


class Wish(Struct, frozen=True):
    """Events of one instrument and some kinds (none named: all) with start <= ts_event < end."""

    instrument: str
    kinds: Sequence[str] = ()
    start: int | None = None
    end: int | None = None


class EventWalk:
    """At most `max_blocks` looked at per walk; a backward one finishes the window it is in."""

    def __init__(self, scan: BlockScan, max_blocks: int) -> None:
        self._scan = scan
        self._max_blocks = max_blocks

    async def forwards(self, partition: str, wish: Wish, after: int, until: int, limit: int) -> Scan:
        """The first `limit` with offsets > `after` and <= `until`."""
        found = PackedEvents()
        scanned_to, looked_at = after, 0
        async for last, matching in self._matching(partition, wish, after, until):
            room = limit - len(found)
            found += matching[:room]
            if len(matching) > room:
                return Scan(found, found[-1].offset, False)
            scanned_to = last
            looked_at += 1
            if looked_at >= self._max_blocks:
                break
        return Scan(found, scanned_to, scanned_to >= until)

    async def backwards(self, partition: str, wish: Wish, until: int, limit: int) -> Scan:
        """The newest `limit` with offsets <= `until`, in log order.

        `scanned_to`: the next walk goes back from there, it included. `done`: nothing older is retained.
        """
        found: list[Recorded] = []
        oldest, lower, width, left = 0, until, FIRST_WINDOW, self._max_blocks
        while lower > oldest and len(found) < limit and left > 0:
            start = max(oldest, lower - width)
            try:
                older, looked_at = await self._newest(partition, wish, start, lower, limit + 1 - len(found))
            except Gone as gone:
                oldest = min(lower, max(start + 1, gone.kept_from - 1))
                continue
            found = [*older, *found]
            lower, left = start, left - looked_at
            width = max(1, min(WIDER * width, width * left // max(1, looked_at)))
        page = PackedEvents(found[-limit:])
        full = len(page) == limit and (lower > oldest or len(found) > limit)
        return Scan(page, page[0].offset - 1 if full else lower, not full and lower <= oldest)

    async def _newest(
        self, partition: str, wish: Wish, after: int, until: int, limit: int
    ) -> tuple[deque[Recorded], int]:
        """The last `limit` of a window, and the number of its blocks."""
        found: deque[Recorded] = deque(maxlen=limit)
        looked_at = 0
        async for _, matching in self._matching(partition, wish, after, until):
            found.extend(matching)
            looked_at += 1
        return found, looked_at

    async def _matching(
        self, partition: str, wish: Wish, after: int, until: int
    ) -> AsyncIterator[tuple[int, list[Recorded]]]:
        """(last offset, what is wished for) of each block."""
        wanted = holds(instrument=wish.instrument, kinds=wish.kinds, start=wish.start, end=wish.end)
        chosen = _chooser(wish)
        looked_at = 0
        async for last, events in self._scan.blocks(partition, after, until, wanted):
            yield min(last, until), [each for each in between(events, after, until) if chosen(each)]
            looked_at += 1
            if looked_at % TURN_EVERY == 0:
                await asyncio.sleep(0)


def between(events: Sequence[Recorded], after: int, until: int | None) -> Sequence[Recorded]:
    """A block's events with offsets in (after, until]; offsets are dense, so this is a slice."""
    if not events:
        return events
    first = events[0].offset
    start = max(0, after + 1 - first)
    stop = len(events) if until is None else max(0, until + 1 - first)
    return events if start == 0 and stop >= len(events) else events[start:stop]


def _chooser(wish: Wish) -> Callable[[Recorded], bool]:
    names = frozenset(wish.kinds)
    instrument, start, end = wish.instrument, wish.start, wish.end

    def chosen(recorded: Recorded) -> bool:
        event = recorded.event
        return (
            getattr(event, "instrument", None) == instrument
            and (not names or event.kind in names)
            and (start is None or event.ts_event >= start)
            and (end is None or event.ts_event < end)
        )

    return chosen
