"""Reader: answers from the log and the read models, off the shards. Stateless, one of a pool.

    read_log, events, events_between   blocks, skipped by their headers where nothing in them is wanted
    state_at                           snapshot + tail, see history.py
    bars                               stored rows + the live tail, see bars_query.py
    bars_page                          the same as JSON, see bar_text.py
    indicators                         computed from these, see indicators_query.py
    patterns                           found in these, see patterns_query.py
    decisions                          the read model + what it has not reached, see decisions_query.py
    cursor_at                          a time, see log_times.py

Everything is bounded: blocks per call, bytes of decoded blocks kept, states rebuilt at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import Struct

from actors import views
from actors.adjusting import adjusted_rows, in_force_now
from actors.answers import MAX_EVENTS, BarRow, OrdersAnswer, Page, Place, StateAnswer
from actors.bar_text import BarsPage, BarTexts
from actors.bars_query import BarsModel, BarsQuery, Tail, base_of
from actors.block_cache import BlockCache
from actors.block_scan import BlockScan
from actors.decisions_query import DecisionsQuery, EventsModel
from actors.event_pages import PageToken, Scan, forward_page, newest_page, parse_page
from actors.event_walk import EventWalk, Wish, between
from actors.history import History
from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked, IndicatorsQuery, parse_asked
from actors.log_times import LogTimes
from actors.packed import PackedBars, PackedEvents
from actors.patterns_query import (
    BEFORE,
    MAX_WINDOW,
    PatternsAnswer,
    PatternsAsked,
    check_asked,
    patterns_in,
)
from domain.clock import NS_PER_S, Clock
from domain.envelope import Cursor, Recorded
from domain.errors import NotFound, Rejected, Unavailable
from domain.ids import market_partition
from domain.keeper import SymbolKeeper
from domain.market.splits import Split
from storage.event_log import Checkpoint, EventLog
from storage.read_models.bars import StoredBar, newest

BARS = "bars"
"""Name of the projection that keeps the stored bars."""
EVENTS = "events"
"""Name of the projection that lists decisions."""
BAR_KINDS = ("bar", "bar_closed", "bar_corrected")


class Checkpoints(Protocol):
    """How far projections have come."""

    async def load(self, projection: str, partition: str) -> Checkpoint: ...


class ReaderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much one call may take. `max_events`: no more than what askers count on, MAX_EVENTS."""

    cache_bytes: int = 64 << 20
    scan_blocks: int = 2_000
    """Blocks looked at per call; the answer says where the walk stopped."""
    max_events: int = MAX_EVENTS
    settle_ms: int = 1_000
    """An append has reached the log, or is sealed anew, this long after its block was stamped."""
    skew_ns: int = 60 * NS_PER_S
    """How far a venue's clock may run ahead of ours before a query by event time can miss its events."""


class Reader:
    """Answers about any market partition. Methods raise Unavailable where the log cannot be reached."""

    def __init__(
        self,
        log: EventLog,
        history: History,
        bars: BarsModel,
        events: EventsModel,
        checkpoints: Checkpoints,
        clock: Clock,
        partition_count: int,
        settings: ReaderSettings | None = None,
    ) -> None:
        self._log = log
        self._history = history
        self._bars = BarsQuery(bars)
        self._texts = BarTexts()
        self._indicators = IndicatorsQuery(bars)
        self._decisions = DecisionsQuery(events)
        self._checkpoints = checkpoints
        self._clock = clock
        self._times = LogTimes(log, clock, (settings or ReaderSettings()).settle_ms)
        self._partition_count = partition_count
        self._settings = settings or ReaderSettings()
        self.cache = BlockCache(self._settings.cache_bytes)
        self.scan = BlockScan(log, self.cache)
        self._walks = EventWalk(self.scan, self._settings.scan_blocks)

    async def heads(self) -> Cursor:
        """Durable head of every market partition that has been claimed."""
        return await self._times.heads()

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5_000
    ) -> list[Recorded]:
        """The first events with offsets > `after` and <= `until`: at least one unless there is none."""
        limit = self._capped(limit)
        found: list[Recorded] = []
        async for last, events in self.scan.blocks(partition, after, until):
            found.extend(between(events, after, until))
            if len(found) >= limit or (until is not None and last >= until):
                break
        return PackedEvents(found[:limit])

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Scan:
        """Events of one instrument and some kinds (none named: all) with offset > `after` and <= `until`."""
        partition = market_partition(instrument, self._partition_count)
        head = (await self.heads()).at(partition)
        upto = head if until is None else min(until, head)
        return await self._walk(Wish(instrument, kinds), after, upto, limit)

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
        another follows. Paging ends at the head of the log when the first page was read; with a
        `newest_page` it goes backwards from there. The page's place is where the next one goes on.
        Raises Malformed for a page token of another list.
        """
        partition = market_partition(instrument, self._partition_count)
        token = (
            await self._first_page(instrument, partition, start)
            if page is None
            else parse_page(page, instrument)
        )
        wish = Wish(instrument, kinds, start, end)
        if token.backwards:
            scan = await self._walks.backwards(partition, wish, token.until, self._capped(limit))
            rest = None if scan.done else newest_page(instrument, scan.scanned_to)
        else:
            scan = await self._walk(wish, token.after, token.until, limit)
            rest = None if scan.done else forward_page(instrument, scan.scanned_to, token.until)
        return Page(items=scan.events, next_page=rest, place=(partition, scan.scanned_to))

    async def _first_page(self, instrument: str, partition: str, start: int) -> PageToken:
        """Nothing recorded before an event's own time is that event, a skewed clock apart."""
        head = (await self.heads()).at(partition)
        after = await self._log.offset_at(partition, max(0, start - self._settings.skew_ns))
        return PageToken(instrument, min(after, head), head)

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        """See `LogTimes.cursor_at`."""
        return await self._times.cursor_at(recorded_ns)

    async def offset_of(self, partition: str, at: int | Cursor) -> int:
        """See `LogTimes.offset_of`."""
        return await self._times.offset_of(partition, at)

    async def state_at(self, instrument: str, at: int | Cursor) -> StateAnswer:
        """The keeper's state as it was. Raises NotFound before the instrument's first event."""
        async with self._keeper_at(instrument, at) as (keeper, recorded_ns, place):
            return views.state_answer(keeper, recorded_ns, place)

    async def orders_at(self, instrument: str, at: int | Cursor) -> OrdersAnswer:
        """The orders of a book as they rested. Raises NotFound before the instrument's first event."""
        async with self._keeper_at(instrument, at) as (keeper, _, place):
            return views.orders_answer(keeper, place)

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

    async def bars_page(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        count: int,
        *,
        tail: Sequence[BarRow],
        place: Place,
        splits: Sequence[Split] = (),
    ) -> tuple[BarsPage, Cursor]:
        """The first `count` of the same, written as JSON, adjusted by those splits that are in force."""
        adjusting = in_force_now(splits, {interval: tail}, self._clock.now_ns())
        if adjusting:
            held = Tail(tuple(tail))
            return await self._adjusted_page(instrument, interval, start, end, count, held, place, adjusting)

        async def fill() -> list[StoredBar]:
            return await self._unprojected_bars(instrument, *place)

        limit = self._capped(count + 1)
        held = Tail(tuple(tail))
        stored, later = await self._bars.parts(instrument, interval, start, end, limit, held, fill)
        page = self._texts.page(instrument, interval, stored, later, min(count, limit - 1))
        return page, Cursor(dict([place]))

    async def bars_page_at(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        count: int,
        at: int | Cursor,
        *,
        adjusted: bool = False,
    ) -> tuple[BarsPage, Cursor]:
        """The same as it was. Raises NotFound before the instrument's first event."""
        base = base_of(interval)
        async with self._keeper_at(instrument, at) as (keeper, recorded_ns, place):
            tail = Tail(tuple(views.bar_rows(keeper, base)), past_ns=recorded_ns)
            splits = keeper.splits.known() if adjusted else ()
        adjusting = in_force_now(splits, {base: tail.rows}, recorded_ns)
        return await self._adjusted_page(instrument, interval, start, end, count, tail, place, adjusting)

    async def _adjusted_page(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        count: int,
        tail: Tail,
        place: Place,
        splits: Sequence[Split],
    ) -> tuple[BarsPage, Cursor]:
        limit = self._capped(count + 1)
        rows, cursor = await self._bars_of(instrument, interval, start, end, limit, tail, place)
        told = adjusted_rows(rows, splits)
        return self._texts.page_of(instrument, interval, told, min(count, limit - 1)), cursor

    async def _bars_of(
        self, instrument: str, interval: str, start: int, end: int, limit: int, tail: Tail, place: Place
    ) -> tuple[PackedBars, Cursor]:
        async def fill() -> list[StoredBar]:
            return await self._unprojected_bars(instrument, *place)

        limit = self._capped(limit)
        rows = await self._bars.answer(instrument, interval, start, end, limit, tail, fill)
        return PackedBars(rows), Cursor(dict([place]))

    async def indicators(
        self,
        asked: IndicatorsAsked,
        *,
        tails: Mapping[str, Sequence[BarRow]],
        place: Place,
        splits: Sequence[Split] = (),
    ) -> tuple[IndicatorsAnswer, Cursor]:
        """Indicator values at the bars of a window, and the cursor they are true at.

        `tails`, `place` and `splits`: what the instrument's shard answers for the intervals of `bases`.
        Raises Malformed and OverLimit for a question that cannot be answered.
        """
        held = {base: Tail(tuple(rows)) for base, rows in tails.items()}
        return await self._indicators_of(asked, held, place, splits)

    async def indicators_at(
        self, asked: IndicatorsAsked, at: int | Cursor
    ) -> tuple[IndicatorsAnswer, Cursor]:
        """The same as they were. Raises NotFound before the instrument's first event."""
        bases = parse_asked(asked).bases
        async with self._keeper_at(asked.instrument, at) as (keeper, recorded_ns, place):
            held = {base: Tail(tuple(views.bar_rows(keeper, base)), recorded_ns) for base in bases}
            splits = keeper.splits.known()
        return await self._indicators_of(asked, held, place, splits)

    async def _indicators_of(
        self, asked: IndicatorsAsked, held: Mapping[str, Tail], place: Place, splits: Sequence[Split]
    ) -> tuple[IndicatorsAnswer, Cursor]:
        async def fill() -> list[StoredBar]:
            return await self._unprojected_bars(asked.instrument, *place)

        async def read(interval: str, start: int, end: int, limit: int) -> list[BarRow]:
            tail = held.get(base_of(interval), Tail(()))
            return await self._bars.answer(asked.instrument, interval, start, end, limit, tail, fill)

        tails = {base: tail.rows for base, tail in held.items()}
        answer = await self._indicators.answer(parse_asked(asked), tails, self._clock.now_ns(), read, splits)
        return answer, Cursor(dict([place]))

    async def patterns(
        self, asked: PatternsAsked, *, tail: Sequence[BarRow], place: Place, splits: Sequence[Split] = ()
    ) -> tuple[PatternsAnswer, Cursor]:
        """Patterns in the stored bars of an interval, and the cursor they are true at; see `indicators`.

        Raises Malformed and OverLimit for a question that cannot be answered.
        """
        check_asked(asked)
        window = (asked.instrument, asked.interval, asked.read_from, asked.end)
        rows, cursor = await self._bars_of(*window, BEFORE + MAX_WINDOW + 1, Tail(tuple(tail)), place)
        known = splits if asked.adjusted else ()
        told = adjusted_rows(rows, in_force_now(known, {asked.interval: tail}, self._clock.now_ns()))
        return await asyncio.to_thread(patterns_in, asked, told), cursor

    async def decisions(
        self, instrument: str, kinds: Sequence[str], start: int, end: int, limit: int, after_offset: int = 0
    ) -> tuple[list[Recorded], Cursor]:
        """start <= ts_event < end by (ts_event, offset), the first `limit`, and the cursor they are true
        at; of those at `start` only what has a larger offset than `after_offset`."""
        partition = market_partition(instrument, self._partition_count)
        head = (await self.heads()).at(partition)

        async def unprojected() -> Sequence[Recorded]:
            return await self._unprojected(EVENTS, Wish(instrument, kinds, start, end), partition, head)

        found = await self._decisions.answer(
            instrument, kinds, start, end, self._capped(limit), after_offset, unprojected
        )
        return found, Cursor({partition: head})

    async def _unprojected_bars(self, instrument: str, partition: str, until: int) -> list[StoredBar]:
        """Bars recorded after the projection's checkpoint. Raises Unavailable where it is far behind."""
        return newest(await self._unprojected(BARS, Wish(instrument, BAR_KINDS), partition, until))

    async def _unprojected(
        self, projection: str, wish: Wish, partition: str, until: int
    ) -> Sequence[Recorded]:
        """What a projection has not reached. Raises Unavailable where it is far behind."""
        seen = await self._checkpoints.load(projection, partition)
        scan = await self._walk(wish, seen.offset, until, self._settings.max_events)
        if not scan.done:
            raise Unavailable(f"the {projection} of {partition!r} are {until - seen.offset} events behind")
        return scan.events

    async def _walk(self, wish: Wish, after: int, until: int, limit: int) -> Scan:
        partition = market_partition(wish.instrument, self._partition_count)
        return await self._walks.forwards(partition, wish, after, until, self._capped(limit))

    def _capped(self, limit: int) -> int:
        if limit < 1:
            raise Rejected(f"limit {limit} is below 1")
        return min(limit, self._settings.max_events)
