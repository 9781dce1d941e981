"""Reader: answers from the log and the read models, off the shards. Stateless, one of a pool.

    read_log, events, events_between   blocks, skipped by their headers where nothing in them is wanted
    state_at                           snapshot + tail, see history.py
    bars                               stored rows + the live tail, see bars_query.py
    cursor_at                          a time, once no open append can still land below it

Everything is bounded: blocks per call, bytes of decoded blocks kept, states rebuilt at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import Struct

from actors import views
from actors.answers import BarRow, Page, Place, StateAnswer
from actors.bars_query import BarsModel, BarsQuery, Tail, base_of
from actors.block_cache import BlockCache
from actors.block_scan import BlockScan, holds
from actors.event_pages import PageToken, Scan, parse_page
from actors.history import History
from domain.clock import NS_PER_MS, NS_PER_S, Clock
from domain.envelope import Cursor, Recorded
from domain.errors import NotFound, Rejected, Unavailable
from domain.ids import market_partition
from domain.keeper import SymbolKeeper
from storage.event_log import Checkpoint, EventLog, Head
from storage.read_models.bars import StoredBar, newest

MARKET = "market"
BARS = "bars"
"""Name of the projection that keeps the stored bars."""
BAR_KINDS = ("bar", "bar_closed", "bar_corrected")
HEAD_LOOK_S = 0.02
"""How often a waiting `cursor_at` looks at the heads."""
TURN_EVERY = 16
"""Blocks scanned before others on the event loop get a turn."""


class Checkpoints(Protocol):
    """How far projections have come."""

    async def load(self, projection: str, partition: str) -> Checkpoint: ...


class ReaderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[reader]` of financehub.toml."""

    cache_bytes: int = 64 << 20
    scan_blocks: int = 2_000
    """Blocks looked at per call; the answer says where the walk stopped."""
    max_events: int = 10_000
    """Events per answer."""
    settle_ms: int = 1_000
    """An append is taken to be through, or claimed anew, this long after its block was stamped."""
    skew_ns: int = 60 * NS_PER_S
    """How far a venue's clock may run ahead of ours before a query by event time can miss its events."""


class Reader:
    """Answers about any market partition. Methods raise Unavailable where the log cannot be reached."""

    def __init__(
        self,
        log: EventLog,
        history: History,
        bars: BarsModel,
        checkpoints: Checkpoints,
        clock: Clock,
        partition_count: int,
        settings: ReaderSettings | None = None,
    ) -> None:
        self._log = log
        self._history = history
        self._bars = BarsQuery(bars)
        self._checkpoints = checkpoints
        self._clock = clock
        self._partition_count = partition_count
        self._settings = settings or ReaderSettings()
        self.cache = BlockCache(self._settings.cache_bytes)
        self.scan = BlockScan(log, self.cache)

    async def heads(self) -> Cursor:
        """Durable head of every market partition that has been claimed."""
        return Cursor({head.partition: head.offset for head in await self._log.heads(MARKET)})

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5_000
    ) -> list[Recorded]:
        """The first events with offsets > `after` and <= `until`: at least one unless there is none."""
        limit = self._capped(limit)
        found: list[Recorded] = []
        async for last, events in self.scan.blocks(partition, after, until):
            found.extend(_between(events, after, until))
            if len(found) >= limit or (until is not None and last >= until):
                break
        return found[:limit]

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Scan:
        """Events of one instrument and some kinds (none named: all) with offset > `after` and <= `until`."""
        partition = market_partition(instrument, self._partition_count)
        head = (await self.heads()).at(partition)
        upto = head if until is None else min(until, head)
        return await self._walk(instrument, kinds, after, upto, limit, None, None)

    async def events_between(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        page: str | None = None,
    ) -> Page:
        """Events with start <= ts_event < end in log order, a page at a time.

        A page ends after `limit` events or a bounded number of blocks, so it may be empty although
        another follows. Paging ends at the head of the log when the first page was read. Raises
        Malformed for a page token of another list.
        """
        partition = market_partition(instrument, self._partition_count)
        token = (
            await self._first_page(instrument, partition, start)
            if page is None
            else parse_page(page, instrument)
        )
        scan = await self._walk(instrument, kinds, token.after, token.until, limit, start, end)
        rest = None if scan.done else PageToken(instrument, scan.scanned_to, token.until).encode()
        return Page(items=scan.events, next_page=rest, place=(partition, scan.scanned_to))

    async def _first_page(self, instrument: str, partition: str, start: int) -> PageToken:
        """Nothing recorded before an event's own time is that event, a skewed clock apart."""
        head = (await self.heads()).at(partition)
        after = await self._log.offset_at(partition, max(0, start - self._settings.skew_ns))
        return PageToken(instrument, min(after, head), head)

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        """The last offset of every market partition recorded at or before a time.

        Waits (at most `settle_ms`) while an append that is under way could still land below it; a
        partition whose head is later than the time cannot change there any more. Raises Rejected for
        a time that has not come yet.
        """
        return await self._cursor_at(recorded_ns, None)

    async def _cursor_at(self, recorded_ns: int, only: str | None) -> Cursor:
        """Of one partition where `only` that is asked for: the others need not be waited for then."""
        settle_ns = self._settings.settle_ms * NS_PER_MS
        now = self._clock.now_ns()
        if recorded_ns > now + settle_ns:
            raise Rejected(f"time {recorded_ns} has not come yet")
        await self._settled(recorded_ns, (recorded_ns + settle_ns - now) / NS_PER_S, only)
        heads = await self._heads_of(only)
        offsets = await asyncio.gather(*(self._log.offset_at(head.partition, recorded_ns) for head in heads))
        return Cursor({head.partition: offset for head, offset in zip(heads, offsets, strict=True)})

    async def _heads_of(self, only: str | None) -> list[Head]:
        return [head for head in await self._log.heads(MARKET) if only in (None, head.partition)]

    async def _settled(self, recorded_ns: int, wait_s: float, only: str | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while (left_s := deadline - loop.time()) > 0:
            if all(head.recorded_ns > recorded_ns for head in await self._heads_of(only)):
                return
            await asyncio.sleep(min(left_s, HEAD_LOOK_S))

    async def offset_of(self, partition: str, at: int | Cursor) -> int:
        """A recorded time (ns) or a cursor -> offset. Raises Rejected for one beyond the log."""
        if not isinstance(at, Cursor):
            return (await self._cursor_at(at, partition)).at(partition)
        head = (await self.heads()).at(partition)
        if at.at(partition) > head:
            raise Rejected(f"cursor lies beyond the log: {partition!r} ends at {head}")
        return at.at(partition)

    async def state_at(self, instrument: str, at: int | Cursor) -> StateAnswer:
        """The keeper's state as it was. Raises NotFound before the instrument's first event."""
        async with self._keeper_at(instrument, at) as (keeper, recorded_ns, place):
            return views.state_answer(keeper, recorded_ns, place)

    @asynccontextmanager
    async def _keeper_at(
        self, instrument: str, at: int | Cursor
    ) -> AsyncIterator[tuple[SymbolKeeper, int, Place]]:
        partition = market_partition(instrument, self._partition_count)
        offset = await self.offset_of(partition, at)
        async with self._history.at(partition, offset) as position:
            keeper = position.market.keeper(instrument)
            if keeper is None:
                raise NotFound(f"nothing was known of {instrument!r} at offset {offset} of {partition!r}")
            yield keeper, position.recorded_ns, (partition, offset)

    async def bars(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        limit: int,
        *,
        tail: Sequence[BarRow],
        place: Place,
    ) -> tuple[list[BarRow], Cursor]:
        """start <= ts_event < end, oldest first, the first `limit`, and the cursor they are true at.

        `tail` and `place`: what the instrument's shard answers for the interval's base, see `base_of`.
        Raises Malformed for an interval that is not served.
        """
        return await self._bars_of(instrument, interval, start, end, limit, Tail(tuple(tail)), place)

    async def bars_at(
        self, instrument: str, interval: str, start: int, end: int, limit: int, at: int | Cursor
    ) -> tuple[list[BarRow], Cursor]:
        """The same as they were. Raises NotFound before the instrument's first event."""
        base = base_of(interval)
        async with self._keeper_at(instrument, at) as (keeper, recorded_ns, place):
            tail = Tail(tuple(views.bar_rows(keeper, base)), past_ns=recorded_ns)
        return await self._bars_of(instrument, interval, start, end, limit, tail, place)

    async def _bars_of(
        self, instrument: str, interval: str, start: int, end: int, limit: int, tail: Tail, place: Place
    ) -> tuple[list[BarRow], Cursor]:
        async def fill() -> list[StoredBar]:
            return await self._unprojected_bars(instrument, *place)

        limit = self._capped(limit)
        rows = await self._bars.answer(instrument, interval, start, end, limit, tail, fill)
        return rows, Cursor(dict([place]))

    async def _unprojected_bars(self, instrument: str, partition: str, until: int) -> list[StoredBar]:
        """Bars recorded after the projection's checkpoint. Raises Unavailable where it is far behind."""
        seen = await self._checkpoints.load(BARS, partition)
        scan = await self._walk(
            instrument, BAR_KINDS, seen.offset, until, self._settings.max_events, None, None
        )
        if not scan.done:
            raise Unavailable(f"the bars of {partition!r} are {until - seen.offset} events behind")
        return newest(scan.events)

    async def _walk(
        self,
        instrument: str,
        kinds: Sequence[str],
        after: int,
        until: int,
        limit: int,
        start: int | None,
        end: int | None,
    ) -> Scan:
        partition = market_partition(instrument, self._partition_count)
        wanted = holds(instrument=instrument, kinds=kinds, start=start, end=end)
        chosen = _chooser(instrument, kinds, start, end)
        limit = self._capped(limit)
        found: list[Recorded] = []
        scanned_to, looked_at = after, 0
        async for last, events in self.scan.blocks(partition, after, until, wanted):
            for recorded in _between(events, after, until):
                if chosen(recorded):
                    if len(found) == limit:
                        return Scan(tuple(found), found[-1].offset, False)
                    found.append(recorded)
            scanned_to = min(last, until)
            looked_at += 1
            if looked_at >= self._settings.scan_blocks:
                break
            if looked_at % TURN_EVERY == 0:
                await asyncio.sleep(0)
        return Scan(tuple(found), scanned_to, scanned_to >= until)

    def _capped(self, limit: int) -> int:
        if limit < 1:
            raise Rejected(f"limit {limit} is below 1")
        return min(limit, self._settings.max_events)


def _between(events: Sequence[Recorded], after: int, until: int | None) -> Sequence[Recorded]:
    """A block's events with offsets in (after, until]; offsets are dense, so this is a slice."""
    if not events:
        return events
    first = events[0].offset
    start = max(0, after + 1 - first)
    stop = len(events) if until is None else max(0, until + 1 - first)
    return events if start == 0 and stop >= len(events) else events[start:stop]


def _chooser(
    instrument: str, kinds: Sequence[str], start: int | None, end: int | None
) -> Callable[[Recorded], bool]:
    names = frozenset(kinds)

    def chosen(recorded: Recorded) -> bool:
        event = recorded.event
        return (
            getattr(event, "instrument", None) == instrument
            and (not names or event.kind in names)
            and (start is None or event.ts_event >= start)
            and (end is None or event.ts_event < end)
        )

    return chosen
