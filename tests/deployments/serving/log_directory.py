"""A Directory over plain lists: the port's behaviour without actors, with knobs for trouble.

`append` makes an event durable and visible at once. `memory` bounds how far back `poll` reaches, so
that a slow poller is told `behind`. Books and last values are folded from the very same lists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from actors.adjusting import adjusted_rows, in_force_now
from actors.answers import BarRow, BookAnswer, FeedStatus, LastAnswer, Page, PollReply, StateAnswer
from actors.bar_text import BarsPage, BarTexts
from actors.connections import Named, SessionInfo
from actors.event_pages import forward_page, newest_page, parse_page
from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked, IndicatorsQuery, parse_asked
from actors.patterns_query import PatternsAnswer, PatternsAsked, check_asked, patterns_in
from domain.clock import MAX_NS, NS_PER_S
from domain.envelope import Cursor, Recorded
from domain.errors import Conflict, NotFound, OverLimit, Rejected, Unauthenticated, Unavailable
from domain.ids import market_partition, market_partitions, symbol_of
from domain.market.decisions import BarClosed, BarCorrected, BookBroken
from domain.market.observations import (
    BookDelta,
    BookSnapshot,
    InstrumentInfo,
    Quote,
    SplitAnnounced,
    Ticker,
    Trade,
)
from domain.market.splits import KnownSplits, Split
from storage.read_models.bars import MemoryBars

PARTITIONS = 2
RECORDED_FROM = 1_800_000_000 * NS_PER_S


class LogDirectory:
    def __init__(self) -> None:
        self.log: dict[str, list[Recorded]] = {name: [] for name in market_partitions(PARTITIONS)}
        self.memory = 1_000_000
        self.max_sockets = 100
        self.sessions: dict[str, str] = {}
        self.closed: list[tuple[str, int, str]] = []
        self.tickets: set[str] = set()
        self.gateways: set[str] = set()
        self.given_up: set[str] = set()
        self.audited: list[tuple[str, Named]] = []
        self.told, self.ended = asyncio.Event(), asyncio.Event()
        """Set by the first `subscribed` and the first `close_session`."""
        self.answering = asyncio.Event()
        self.answering.set()
        """Cleared: polls hang, while the log goes on."""
        self.skips = 0
        """Events left out at the start of the next poll's answer."""
        self.unavailable = False
        self.lease_ms = 15_000
        self.book_calls = 0
        self.before_book: Any = None
        self.forming: dict[tuple[str, str], BarRow] = {}
        self.feed_states = [FeedStatus("sim", "connected", 2, RECORDED_FROM, 0, 1, 1, 100, 5, 0)]
        self.reads: list[tuple[str, int]] = []
        self.read_delay_s = 0.0
        self.first_retained = 1
        self._infos: dict[str, InstrumentInfo] = {}
        self._news = asyncio.Event()

    def introduce(self, instrument: str, *, base: str | None = None, aliases: tuple[str, ...] = ()) -> None:
        self._infos[instrument] = InstrumentInfo(
            provider="sim",
            instrument=instrument,
            ts_event=RECORDED_FROM,
            ts_recv=RECORDED_FROM,
            venue_symbol=symbol_of(instrument),
            base=base,
            aliases=aliases,
        )

    def append(self, *events: Any) -> list[int]:
        """Offsets of the events, each in its instrument's partition."""
        offsets = []
        for event in events:
            if event.instrument not in self._infos:
                self.introduce(event.instrument)
            block = self.log[self.partition_of(event.instrument)]
            recorded = Recorded(self.partition_of(event.instrument), len(block) + 1, event.ts_recv, event)
            block.append(recorded)
            offsets.append(recorded.offset)
        news, self._news = self._news, asyncio.Event()
        news.set()
        return offsets

    def cursor(self) -> Cursor:
        return Cursor({name: len(events) for name, events in self.log.items()})

    def partition_of(self, instrument: str) -> str:
        return market_partition(instrument, PARTITIONS)

    def partitions(self) -> Sequence[str]:
        return list(self.log)

    async def instruments(self, *, fresh: bool = False) -> Sequence[InstrumentInfo]:
        self._check()
        return [self._infos[name] for name in sorted(self._infos)]

    async def last(self, instrument: str, *, after: Cursor | None = None) -> LastAnswer:
        self._check()
        await self._wait(after)
        events = self._of(instrument)
        return LastAnswer(
            instrument,
            _newest(events, Trade),
            _newest(events, Quote),
            _newest(events, Ticker),
            self._place(instrument),
        )

    async def book(self, instrument: str, depth: int, *, after: Cursor | None = None) -> BookAnswer:
        self._check()
        self.book_calls += 1
        if self.before_book is not None:
            await self.before_book()
        await self._wait(after)
        bids, asks, usable, sequence, cut = fold_book(self._of(instrument))
        return BookAnswer(
            instrument,
            tuple(sorted(bids.items(), reverse=True)[:depth]),
            tuple(sorted(asks.items())[:depth]),
            sequence,
            usable,
            RECORDED_FROM,
            self._place(instrument),
            {},
            cut,
        )

    async def state(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> StateAnswer:
        self._check()
        await self._wait(after)
        partition = self.partition_of(instrument)
        whole = self.log[partition]
        until = len(whole)
        if isinstance(at, Cursor):
            until = at.at(partition)
        elif at is not None:
            until = sum(recorded.recorded_at <= at for recorded in whole)
        past = LogDirectory()
        past._infos, past.log = self._infos, {**self.log, partition: whole[:until]}
        last, book = await past.last(instrument), await past.book(instrument, 25)
        moment = whole[until - 1].recorded_at if until else 0
        return StateAnswer(instrument, moment, last, book, (), (), {}, (), (partition, until))

    async def bars(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        limit: int,
        *,
        at: int | Cursor | None = None,
    ) -> tuple[Sequence[BarRow], Cursor]:
        self._check()
        rows: dict[int, BarRow] = {}
        for event in self._of(instrument):
            if isinstance(event, BarClosed | BarCorrected) and event.interval == interval:
                rows[event.ts_event] = bar_row(event)
        forming = self.forming.get((instrument, interval))
        if forming is not None:
            rows.setdefault(forming.ts_event, forming)
        chosen = [rows[ts] for ts in sorted(rows) if start <= ts < end]
        return chosen[:limit], self.cursor()

    async def bars_page(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        count: int,
        *,
        at: int | Cursor | None = None,
        adjusted: bool = False,
    ) -> tuple[BarsPage, Cursor]:
        rows, cursor = await self.bars(instrument, interval, start, end, count + 1, at=at)
        if adjusted:
            rows = adjusted_rows(rows, in_force_now(self._splits(instrument), {interval: rows}, MAX_NS))
        return BarTexts().page_of(instrument, interval, rows, count), cursor

    async def decisions(
        self, instrument: str, kinds: Sequence[str], start: int, end: int, limit: int, after_offset: int = 0
    ) -> tuple[Sequence[Recorded], Cursor]:
        self._check()
        found = [
            each
            for each in self.log[self.partition_of(instrument)]
            if each.event.instrument == instrument
            and each.event.kind in kinds
            and (start, after_offset) < (each.event.ts_event, each.offset)
            and each.event.ts_event < end
        ]
        found.sort(key=lambda each: (each.event.ts_event, each.offset))
        return found[:limit], self.cursor()

    async def indicators(
        self, asked: IndicatorsAsked, *, at: int | Cursor | None = None
    ) -> tuple[IndicatorsAnswer, Cursor]:
        """Over all bars that are there; nothing stored, nothing left out."""
        self._check()
        parsed = parse_asked(asked)

        async def read(interval: str, start: int, end: int, limit: int) -> Sequence[BarRow]:
            return (await self.bars(asked.instrument, interval, start, end, limit))[0]

        tails = {base: await read(base, 0, MAX_NS, 10_000) for base in parsed.bases}
        splits = self._splits(asked.instrument)
        answer = await IndicatorsQuery(MemoryBars()).answer(parsed, tails, RECORDED_FROM, read, splits)
        return answer, self.cursor()

    def _splits(self, instrument: str) -> tuple[Split, ...]:
        splits = KnownSplits()
        for event in self._of(instrument):
            if isinstance(event, SplitAnnounced):
                splits.fold(event)
        return splits.known()

    async def patterns(self, asked: PatternsAsked) -> tuple[PatternsAnswer, Cursor]:
        self._check()
        check_asked(asked)
        rows, _ = await self.bars(asked.instrument, asked.interval, asked.read_from, asked.end, 10_000)
        known = self._splits(asked.instrument) if asked.adjusted else ()
        return patterns_in(asked, adjusted_rows(rows, in_force_now(known, {"": rows}, MAX_NS))), self.cursor()

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Sequence[Recorded]:
        self._check()
        found = [
            recorded
            for recorded in self.log[self.partition_of(instrument)]
            if recorded.offset > after
            and (until is None or recorded.offset <= until)
            and recorded.event.instrument == instrument
            and recorded.event.kind in kinds
        ]
        return found[:limit]

    async def events_between(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        page: str | None = None,
    ) -> Page:
        """Of a list begun with a `forward_page` or a `newest_page`."""
        assert page is not None
        token = parse_page(page, instrument)
        found = [
            recorded
            for recorded in await self.events(instrument, kinds, token.after, token.until, 10**9)
            if start <= recorded.event.ts_event < end
        ]
        partition = self.partition_of(instrument)
        if len(found) <= limit:
            return Page(found, None, (partition, 0 if token.backwards else token.until))
        chosen = found[-limit:] if token.backwards else found[:limit]
        place = chosen[0].offset - 1 if token.backwards else chosen[-1].offset
        rest = newest_page(instrument, place)
        if not token.backwards:
            rest = forward_page(instrument, place, token.until)
        return Page(chosen, rest, (partition, place))

    async def heads(self) -> Cursor:
        self._check()
        return self.cursor()

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        return Cursor(
            {
                name: sum(recorded.recorded_at <= recorded_ns for recorded in events)
                for name, events in self.log.items()
            }
        )

    async def poll(self, after: Mapping[str, int], *, wait_s: float) -> PollReply:
        self._check()
        reply = self._news_after(after)
        if not reply.events and not reply.behind:
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._check()
            reply = self._news_after(after)
        await self.answering.wait()
        for partition in reply.events:
            reply.events[partition], self.skips = reply.events[partition][self.skips :], 0
        return reply

    def _news_after(self, after: Mapping[str, int]) -> PollReply:
        reply = PollReply({}, {}, dict.fromkeys(after, 1))
        for partition, offset in after.items():
            events = self.log[partition]
            oldest = max(0, len(events) - self.memory)
            if offset < oldest:
                reply.behind[partition] = oldest
            elif offset < len(events):
                reply.events[partition] = events[offset : offset + 5000]
        return reply

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5000
    ) -> Sequence[Recorded]:
        self._check()
        if after + 1 < self.first_retained:
            raise Rejected(f"{partition} begins at {self.first_retained}")
        self.reads.append((partition, after))
        await asyncio.sleep(self.read_delay_s)
        end = len(self.log[partition]) if until is None else until
        return self.log[partition][after : min(after + limit, end)]

    async def feeds(self) -> Sequence[FeedStatus]:
        self._check()
        return self.feed_states

    async def sell_ticket(self, ticket: str, user: str) -> None:
        self._check()
        self.tickets.add(ticket)

    async def open_session(
        self, session: str, user: str, role: str, expires_at: int, gateway: str, ticket: str | None = None
    ) -> None:
        self._check()
        if ticket is not None and ticket not in self.tickets:
            raise Unauthenticated("the ticket was used before")
        if list(self.sessions.values()).count(user) >= self.max_sockets:
            raise OverLimit(f"user {user!r} has {self.max_sockets} sockets, the limit")
        self.tickets.discard(ticket or "")
        self.sessions[session] = user

    async def subscribed(self, session: str, named: Named) -> None:
        if session not in self.sessions:
            raise NotFound(f"no session {session!r}")
        self.audited.append((session, named))
        self.told.set()

    async def close_session(self, session: str, code: int, reason: str) -> None:
        if self.sessions.pop(session, None) is not None:
            self.closed.append((session, code, reason))
            self.ended.set()

    async def register_gateway(
        self, gateway: str, sessions: Sequence[SessionInfo], opening: Sequence[str] = ()
    ) -> int:
        self._check_gateway(gateway)
        self.gateways.add(gateway)
        held = {info.session: info.user for info in sessions}
        self.sessions = {name: user for name, user in self.sessions.items() if name in opening} | held
        return self.lease_ms

    async def renew_gateway(self, gateway: str) -> int:
        self._check_gateway(gateway)
        return self.lease_ms

    async def leave_gateway(self, gateway: str) -> None:
        self._check()

    async def system(self) -> Mapping[str, object]:
        return {"actors": [], "partitions": {name: len(events) for name, events in self.log.items()}}

    def _of(self, instrument: str) -> list[Any]:
        if instrument not in self._infos:
            raise NotFound(f"no instrument {instrument!r}")
        events = self.log[self.partition_of(instrument)]
        return [recorded.event for recorded in events if recorded.event.instrument == instrument]

    def _place(self, instrument: str) -> tuple[str, int]:
        partition = self.partition_of(instrument)
        return partition, len(self.log[partition])

    async def _wait(self, after: Cursor | None) -> None:
        for partition, offset in (after.offsets if after is not None else {}).items():
            if len(self.log[partition]) < offset:
                raise Unavailable(f"{partition} has not reached {offset}")

    def _check_gateway(self, gateway: str) -> None:
        self._check()
        if gateway in self.given_up:
            raise Conflict(f"{gateway!r} was given up")

    def _check(self) -> None:
        if self.unavailable:
            raise Unavailable("the owner cannot be reached")


def fold_book(events: Sequence[Any]) -> tuple[dict[float, float], dict[float, float], bool, int | None, Any]:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    usable, sequence, cut = False, None, None
    for event in events:
        if isinstance(event, BookSnapshot):
            bids, asks, usable, cut = dict(event.bids), dict(event.asks), True, event.depth
        elif isinstance(event, BookBroken):
            usable = False
        elif isinstance(event, BookDelta):
            change(bids, event.bids)
            change(asks, event.asks)
        if isinstance(event, BookSnapshot | BookDelta) and event.sequence is not None:
            sequence = event.sequence[1]
    return ({}, {}, False, sequence, cut) if not usable else (bids, asks, True, sequence, cut)


def change(side: dict[float, float], levels: Sequence[Sequence[float]]) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def bar_row(event: BarClosed | BarCorrected, *, closed: bool = True) -> BarRow:
    return BarRow(
        event.provider,
        event.instrument,
        event.ts_event,
        event.ts_recv,
        event.interval,
        event.open,
        event.high,
        event.low,
        event.close,
        event.volume,
        event.trades,
        event.vwap,
        closed,
        False,
        event.revision,
    )


def _newest(events: Sequence[Any], kind: type) -> Any:
    return next((event for event in reversed(events) if isinstance(event, kind)), None)
