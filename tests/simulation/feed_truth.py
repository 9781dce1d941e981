"""What must hold of several feeds of one instrument, told from the log alone, batch by batch.

A. What an acknowledged batch told and the log has not is a repeat, or of no source of record.
B. A feed that begins again opens a gap on every instrument that it has brought.
C. The bars that formed then are tainted where it had brought the last trade before.
D. The gap is one of the book only where that feed has brought the last change of the book.
E. By the clock of the feed that brought the last trade no bar is open that is over; an hour of its
   heartbeats closes every one, whoever has spoken since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from domain.clock import NS_PER_S
from domain.envelope import Admitted, Batch, Event
from domain.market.book import OrderBook
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.gaps import BOOK_CHANNELS, OF_THE_FEED
from domain.market.intervals import interval_ns
from domain.market.observations import (
    BookDelta,
    BookOrder,
    BookSnapshot,
    Gap,
    Observation,
    Ticker,
    Trade,
)
from domain.partition import MarketPartition

BookEvent = BookDelta | BookSnapshot | BookOrder


class Violation(AssertionError):
    """An invariant does not hold."""


class FeedTruth:
    """Of one partition: `admitted` each batch of the log in order, once the replay has applied it."""

    def __init__(self, intervals: Sequence[str], allowance_ns: int) -> None:
        self._intervals = intervals
        self._allowance_ns = allowance_ns
        self._incarnation: dict[str, int] = {}
        self._brought: dict[str, set[str]] = defaultdict(set)
        self._trader: dict[str, str] = {}
        self._booker: dict[str, str] = {}
        self._last_trade: dict[str, int] = {}
        self._open: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self._doubtful: set[tuple[str, str, int]] = set()
        self.restarts = 0
        self.tainted = 0

    def admitted(self, batch: Admitted, events: Sequence[Event], market: MarketPartition) -> None:
        self._restarted(batch, events)
        for event in events:
            if isinstance(event, BarClosed | BarCorrected):
                self._closed(event)
            elif isinstance(event, Observation) and not _of_the_fold(event):
                self._told(batch, event)
        self._over(batch, events, market)

    def _restarted(self, batch: Admitted, events: Sequence[Event]) -> None:
        """B and D."""
        sender = batch.sender
        known = self._incarnation.get(sender, 0)
        self._incarnation[sender] = max(known, batch.incarnation)
        if batch.incarnation <= known:
            return
        gaps = [event for event in events if isinstance(event, Gap) and event.reason in OF_THE_FEED]
        missing = self._brought[sender] - {gap.instrument for gap in gaps}
        if missing:
            raise Violation(f"{batch} opened no gap on {sorted(missing)}")
        self.restarts += bool(gaps)
        for gap in gaps:
            booker = self._booker.get(gap.instrument, sender)
            if gap.channel in BOOK_CHANNELS and booker != sender:
                raise Violation(f"{gap} says that the book is broken, which {booker} brings")
            if self._trader.get(gap.instrument) == sender:
                self._doubtful |= {
                    (gap.instrument, interval, start) for interval, start in self._open[gap.instrument]
                }

    def _closed(self, bar: BarClosed | BarCorrected) -> None:
        """C."""
        key = (bar.interval, bar.ts_event)
        self._open[bar.instrument].discard(key)
        if (bar.instrument, *key) in self._doubtful:
            self.tainted += 1
            if not bar.tainted:
                raise Violation(f"{bar} was forming as its feed began again, and is not tainted")

    def _told(self, batch: Admitted, event: Observation) -> None:
        name = event.instrument
        self._brought[batch.sender].add(name)
        if isinstance(event, BookSnapshot) or (isinstance(event, BookEvent) and name in self._booker):
            self._booker[name] = batch.sender
        elif isinstance(event, Trade):
            self._traded(batch, event)

    def _traded(self, batch: Admitted, trade: Trade) -> None:
        name = trade.instrument
        if trade.ts_event >= self._last_trade.get(name, 0) and trade.ts_event <= batch.clock:
            self._last_trade[name] = trade.ts_event
            self._trader[name] = batch.sender
            for interval in self._intervals:
                length = interval_ns(interval)
                start = trade.ts_event - trade.ts_event % length
                if start + length + self._allowance_ns > batch.clock:
                    self._open[name].add((interval, start))

    def _over(self, batch: Admitted, events: Sequence[Event], market: MarketPartition) -> None:
        """E, of a batch that is no slice of what time has made due."""
        if not any(isinstance(event, Trade) for event in events):
            return
        for name in {event.instrument for event in events if isinstance(event, Trade)}:
            keeper = market.keeper(name)
            if keeper is None or self._trader.get(name) != batch.sender:
                continue
            over = [each for each in keeper.builders.values() if each.deadline <= batch.clock]
            if over:
                raise Violation(f"{over[0].interval} of {name} is open past {batch}")

    def heartbeats_close_all(self, market: MarketPartition) -> None:
        """E, of a state that nobody goes on with."""
        for sender in sorted(set(self._trader.values())):
            incarnation, sequence = market.last_sequence(sender)
            place = market.place(sender)
            clock = (0 if place is None else place.clock) + 3600 * NS_PER_S
            market.observe(Batch(sender, incarnation, sequence, clock, ()))
            for name in [name for name, trader in self._trader.items() if trader == sender]:
                keeper = market.keeper(name)
                if keeper is not None and any(each.forming() for each in keeper.builders.values()):
                    raise Violation(f"an hour of heartbeats of {sender} leaves bars of {name} open")


def let_go_rightly(event: Observation, before: tuple[str, str], market: MarketPartition) -> bool:
    """A. `before`: the sources of the trades and the book before the batch; `market` is as after it."""
    keeper = market.keeper(event.instrument)
    if keeper is None:
        return False
    if isinstance(event, Trade):
        return {event.provider} != {before[0] or event.provider, keeper.source_of("trade")}
    if isinstance(event, BookEvent):
        if {event.provider} != {before[1] or event.provider, keeper.record.source}:
            return True
        book = keeper.book
        return isinstance(event, BookDelta) and isinstance(book, OrderBook) and book.repeats(event)
    return isinstance(event, Ticker) and keeper.signals.is_repeat(event, event.ts_event)


def sources_of(market: MarketPartition, batch: Batch) -> dict[str, tuple[str, str]]:
    """instrument -> (source of its trades, of its book), for `let_go_rightly`."""
    found = {}
    for name in {event.instrument for event in batch.events}:
        keeper = market.keeper(name)
        found[name] = ("", "") if keeper is None else (keeper.source_of("trade"), keeper.record.source)
    return found


def _of_the_fold(event: Observation) -> bool:
    return isinstance(event, Gap) and event.reason in OF_THE_FEED
