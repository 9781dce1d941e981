"""What both directories do alike: which question goes to a partition's owner and which to a Reader.

    now     last, book, orders, state     the owner of the instrument's partition
    both    bars, indicators, patterns    stored rows from a Reader, their live tail from the owner
    log     events, heads, cursors, `at`  a Reader

How an owner or a Reader is reached, and what happens while it moves, is the directory's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from actors.answers import (
    BarRow,
    BookAnswer,
    HeldBars,
    LastAnswer,
    OrdersAnswer,
    Page,
    Place,
    PollReply,
    StateAnswer,
)
from actors.bar_text import BarsPage
from actors.bars_query import base_of
from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked, parse_asked
from actors.patterns_query import PatternsAnswer, PatternsAsked, check_asked
from domain.envelope import Cursor, Recorded
from domain.ids import market_partition, market_partitions
from domain.market.splits import Split

READ_S = 20.0
PAST_S = 60.0
"""Rebuilding an old state may take many blocks."""


class RoutedDirectory(ABC):
    """The part of `Directory` that only routes; see there for what each question means."""

    def __init__(self, partition_count: int) -> None:
        self.partition_count = partition_count
        self._partitions = [str(partition) for partition in market_partitions(partition_count)]

    @abstractmethod
    async def _ask_owner(self, instrument: str, method: str, *args: Any, **named: Any) -> Any:
        """The answer of the shard that owns the instrument; while it moves, of the next one."""

    @abstractmethod
    async def _ask_reader(self, method: str, *args: Any, timeout_s: float = READ_S, **named: Any) -> Any:
        """The answer of any Reader."""

    def partition_of(self, instrument: str) -> str:
        return market_partition(instrument, self.partition_count)

    def partitions(self) -> Sequence[str]:
        return list(self._partitions)

    async def last(self, instrument: str, *, after: Cursor | None = None) -> LastAnswer:
        answer: LastAnswer = await self._ask_owner(instrument, "last", instrument, after=after)
        return answer

    async def book(self, instrument: str, depth: int, *, after: Cursor | None = None) -> BookAnswer:
        answer: BookAnswer = await self._ask_owner(instrument, "book", instrument, depth, after=after)
        return answer

    async def orders(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> OrdersAnswer:
        answer: OrdersAnswer
        if at is None:
            answer = await self._ask_owner(instrument, "orders", instrument, after=after)
        else:
            answer = await self._ask_reader("orders_at", instrument, at, timeout_s=PAST_S)
        return answer

    async def state(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> StateAnswer:
        if at is None or after is not None:
            now: StateAnswer = await self._ask_owner(instrument, "state", instrument, after=after)
            if at is None:
                return now
        then: StateAnswer = await self._ask_reader("state_at", instrument, at, timeout_s=PAST_S)
        return then

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
        answer: tuple[Sequence[BarRow], Cursor]
        window = (instrument, interval, start, end, limit)
        if at is not None:
            answer = await self._ask_reader("bars_at", *window, at, timeout_s=PAST_S)
        else:
            tail, place, _ = await self._held(instrument, interval)
            answer = await self._ask_reader("bars", *window, tail=tail, place=place)
        return answer

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
        answer: tuple[BarsPage, Cursor]
        window = (instrument, interval, start, end, count)
        if at is not None:
            answer = await self._ask_reader("bars_page_at", *window, at, adjusted=adjusted, timeout_s=PAST_S)
        else:
            tail, place, splits = await self._held(instrument, interval)
            known = splits if adjusted else ()
            answer = await self._ask_reader("bars_page", *window, tail=tail, place=place, splits=known)
        return answer

    async def indicators(
        self, asked: IndicatorsAsked, *, at: int | Cursor | None = None
    ) -> tuple[IndicatorsAnswer, Cursor]:
        bases = parse_asked(asked).bases
        answer: tuple[IndicatorsAnswer, Cursor]
        if at is not None:
            answer = await self._ask_reader("indicators_at", asked, at, timeout_s=PAST_S)
            return answer
        name = asked.instrument
        held: HeldBars = await self._ask_owner(name, "held", name, bases)
        answer = await self._ask_reader(
            "indicators", asked, tails=held.bars, place=held.place, splits=held.splits
        )
        return answer

    async def patterns(self, asked: PatternsAsked) -> tuple[PatternsAnswer, Cursor]:
        check_asked(asked)
        tail, place, splits = await self._held(asked.instrument, asked.interval)
        answer: tuple[PatternsAnswer, Cursor]
        answer = await self._ask_reader("patterns", asked, tail=tail, place=place, splits=splits)
        return answer

    async def _held(self, instrument: str, interval: str) -> tuple[Sequence[BarRow], Place, Sequence[Split]]:
        """The bars that the keeper holds of the interval's base, and what goes with them."""
        base = base_of(interval)
        held: HeldBars = await self._ask_owner(instrument, "held", instrument, (base,))
        return held.bars[base], held.place, held.splits

    async def decisions(
        self, instrument: str, kinds: Sequence[str], start: int, end: int, limit: int, after_offset: int = 0
    ) -> tuple[Sequence[Recorded], Cursor]:
        found: tuple[list[Recorded], Cursor] = await self._ask_reader(
            "decisions", instrument, list(kinds), start, end, limit, after_offset
        )
        return found

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Sequence[Recorded]:
        found: list[Recorded] = []
        while len(found) < limit:
            scan = await self._ask_reader("events", instrument, list(kinds), after, until, limit - len(found))
            found.extend(scan.events)
            after = scan.scanned_to
            if scan.done:
                break
        return found

    async def events_between(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        page: str | None = None,
    ) -> Page:
        found: Page = await self._ask_reader(
            "events_between", instrument, list(kinds), start, end, limit, page
        )
        return found

    async def heads(self) -> Cursor:
        read: Cursor = await self._ask_reader("heads")
        return Cursor(dict.fromkeys(self._partitions, 0)).merged(read.offsets)

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        cursor: Cursor = await self._ask_reader("cursor_at", recorded_ns)
        return cursor

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5000
    ) -> Sequence[Recorded]:
        found: list[Recorded] = await self._ask_reader("read_log", partition, after, until=until, limit=limit)
        return found


def merge(reply: PollReply, other: PollReply) -> None:
    """Add what another owner has replied."""
    reply.events.update(other.events)
    reply.behind.update(other.behind)
    reply.epochs.update(other.epochs)
