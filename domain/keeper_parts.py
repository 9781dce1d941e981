"""What the fold of one instrument is made of: how it begins, is put down and taken up again."""

from __future__ import annotations

from typing import Self

from domain.fed_by import KINDS, FedBy
from domain.indicators.kept import KeptIndicators
from domain.keeper_state import KeeperState, PartitionSettings
from domain.market.bar_set import BarSet
from domain.market.bars import NEVER
from domain.market.book import OrderBook
from domain.market.flow import TradeFlow, notional_floor
from domain.market.gaps import BOOK_CHANNELS, CHANNEL_OF, KINDS_OF, WITNESS, OpenGap, OpenGaps
from domain.market.instrument import described, quote_currency
from domain.market.latest import Latest
from domain.market.observations import InstrumentInfo, Quote, Ticker, Trade
from domain.market.order_queue import OrderQueue
from domain.market.record_book import RecordBook
from domain.market.seen_ids import SeenSeries
from domain.market.skew import SkewGuard
from domain.market.sources import Kind, Patience
from domain.market.splits import KnownSplits
from domain.signals import Signal, Signals

STALE = -1
"""A `timer_at` that no deadline is: it has to be scheduled again."""


class KeeperParts:
    """State of one instrument; `SymbolKeeper` folds into it.

    `last_trade` is the newest by event time, among equals the last to arrive; a backfilled trade is
    never last. Bars that a provider built are kept in `latest`, not mixed with those built here.
    `feeds` are those that bring it, `late_trades` counts LateTrade.
    `speaker` is the feed whose events come next, the flags `_note_...` say what has still to be noted of it
    (that it brings trades ..., that it is there at all): for speed, and no state.
    `kept`: where the partition keeps this instrument's indicators, if it has one.
    `timer_at` and `timers` are the partition's notes, and no state: the deadline scheduled, and the heap.
    """

    __slots__ = (
        "_allowance_ns", "_bars", "_clamped", "_flow_floor", "_found", "_gaps", "_last_trade_ts",
        "_note_book", "_note_feed", "_note_quote", "_note_ticker", "_note_trade", "_patience", "_seen",
        "_skew", "_taint_next", "builders", "deadline", "feeds", "flow", "info", "instrument", "kept",
        "last_trade", "late_trades", "latest", "record", "settings", "signals", "speaker", "splits",
        "timer_at", "timers",
    )  # fmt: skip

    def __init__(self, instrument: str, settings: PartitionSettings) -> None:
        self.instrument = instrument
        self.settings = settings
        self.feeds = FedBy()
        self.speaker = ""
        self._note_trade = self._note_book = self._note_quote = self._note_ticker = self._note_feed = True
        self.kept: KeptIndicators | None = None
        self.info: InstrumentInfo | None = None
        self.last_trade: Trade | None = None
        self._patience = Patience()
        self.latest = Latest(self._patience)
        self.record = RecordBook(patience=self._patience)
        self.flow = TradeFlow()
        self.signals = Signals(instrument)
        self.splits = KnownSplits()
        self._found: list[Signal] = []  # by the event being folded: recorded live, dropped in replay
        self.late_trades = 0
        self.deadline = NEVER
        self.timer_at = NEVER
        self.timers: object = None
        self._bars = BarSet(
            instrument, settings.intervals, allowance_ns=settings.allowance_ns, keep=settings.keep_bars
        )
        self.builders = self._bars.by_interval
        self._seen = SeenSeries()
        self._gaps = OpenGaps()
        self._taint_next = False
        self._last_trade_ts = 0
        self._allowance_ns = settings.allowance_ns
        self._skew = SkewGuard(settings.skew_tolerance_ns, settings.skew_cooldown_ns)
        self._clamped = self._skew.clamped
        self._flow_floor = notional_floor(quote_currency(instrument, None))

    def hear(self, feed: str) -> None:
        """Whatever is folded next is brought by that feed."""
        if feed != self.speaker:
            known = self.feeds
            self._note_feed = feed not in known.names
            self._note_trade = feed not in known.trades
            self._note_book = feed not in known.books
            self._note_quote = feed not in known.quotes
            self._note_ticker = feed not in known.tickers
        self.speaker = feed

    def _noted(self, kind: Kind) -> None:
        """That the feed which speaks brings what is of record of a kind."""
        self._note_feed = False
        if kind == "trade":
            self._note_trade = False
        elif kind == "book":
            self._note_book = False
        elif kind == "quote":
            self._note_quote = False
        else:
            self._note_ticker = False

    @property
    def book(self) -> OrderBook | OrderQueue:
        return self.record.book

    @property
    def last_quote(self) -> Quote | None:
        return self.latest.quote

    @property
    def last_ticker(self) -> Ticker | None:
        return self.latest.ticker

    def described(self) -> InstrumentInfo:
        """By its venue, else by its id, with the provider of its newest value. The feed's own name serves
        only where there is none: a replay has a name of its own."""
        if self.info is not None:
            return self.info
        known = (self.last_trade, self.latest.newest())
        newest = max(
            (fact for fact in known if fact is not None), key=lambda fact: fact.ts_event, default=None
        )
        if newest is not None:
            return described(self.instrument, newest.provider, newest.ts_event)
        feed = next(iter((*self.feeds.bringing("book"), *self.feeds.names)), "")
        return described(self.instrument, feed, self.book.ts_event)

    @property
    def gaps_open(self) -> tuple[str, ...]:
        """`channel: reason` of each open gap, by channel."""
        return self._gaps.told()

    @property
    def book_lost(self) -> bool:
        """The fold found the book broken and no gap says so: its feed takes it for whole."""
        if not self.book.synchronised or self.book.usable:
            return False
        return not any(gap.channel in BOOK_CHANNELS and self._is_of("book", gap) for gap in self._gaps.each())

    def source_of(self, kind: Kind) -> str:
        """The provider of record of a kind; "" before the first."""
        if kind == "book":
            return self.record.source
        if kind == "trade":
            return "" if self.last_trade is None else self.last_trade.provider
        newest = self.latest.quote if kind == "quote" else self.latest.ticker
        return "" if newest is None else newest.provider

    def _is_of(self, kind: Kind, gap: OpenGap) -> bool:
        """Whether what is of record of a kind is brought by whoever has the gap."""
        return self.source_of(kind) == gap.who or (gap.of_feed and self.feeds.brings(kind, gap.who))

    def _may_be_of(self, kind: Kind, gap: OpenGap) -> bool:
        """The same, or nobody has brought any yet."""
        return not self.source_of(kind) or self._is_of(kind, gap)

    def _is_past(self, gap: OpenGap) -> bool:
        """Whether nobody waits for the end of a gap: it is of a feed that is none of this instrument or that
        others have followed in all that it is about, or of a provider that another has followed as the source
        of record."""
        if gap.of_feed and gap.who not in self.feeds.names:
            return True
        kinds = [kind for kind in KINDS_OF.get(gap.channel, ()) if self.source_of(kind)]
        return bool(kinds) and not any(self._is_of(kind, gap) for kind in kinds)

    def channels_lost_with(self, feed: str) -> tuple[str, ...]:
        """Channels of the gaps that a feed opens where it begins again.

        `feed`: all; with it goes the book. Where another feed brings the book, those of record that this one
        brings, else WITNESS: whoever follows the book must not take it for broken.
        """
        brings = self.feeds.brings
        if not self.record.source or brings("book", feed):
            return ("feed",)
        return tuple(channel for kind, channel in CHANNEL_OF.items() if brings(kind, feed)) or (WITNESS,)

    def venue_times(self, since: int, feed: str) -> list[int]:
        """Event times of the newest trade and quote, ns UTC, where a feed brings them, they were received
        after `since` by its clock and the time is the venue's own."""
        brings = self.feeds.brings
        newest = (
            self.last_trade if brings("trade", feed) else None,
            self.last_quote if brings("quote", feed) else None,
        )
        return [
            fact.ts_event
            for fact in newest
            if fact is not None and fact.ts_recv > since and fact.ts_event != fact.ts_recv
        ]

    def is_ahead_of(self, ts: int) -> bool:
        """Whether anything that is the newest of its kind here is dated after a time, ns UTC."""
        mine = max(self._last_trade_ts, self.book.ts_event, self._bars.newest_start())
        return max(mine, self.latest.newest_ts(), self.signals.newest_ts()) > ts

    def _describe(self, info: InstrumentInfo) -> None:
        self.info = info
        self._flow_floor = notional_floor(quote_currency(self.instrument, info))

    def _earliest(self) -> int:
        """Silence is looked at when it was due as the last bar began or closed: if too early, once more."""
        return min(self._bars.deadline(), self.signals.deadline)

    def _set_back(self, now: int) -> None:
        """The clock by which things were dated was ahead: nothing that is known is newer than now."""
        self._last_trade_ts = min(self._last_trade_ts, now)
        self.latest.set_back(now)
        self.book.ts_event = min(self.book.ts_event, now)
        self._bars.set_back(now)
        self._skew.set_back(now)
        if self.signals.newest_ts() > now:
            self.signals = self.signals.begun_anew()  # its habits are of times that never were
        if self.splits.set_back(now):
            self._change_shares()
        self.deadline = self._earliest()

    def _change_shares(self) -> None:
        """Other splits are in force than before."""
        self.signals.on_split()
        if self.kept is not None:
            self.kept.forget(self.instrument)

    def snapshot(self) -> KeeperState:
        book = self.book
        return KeeperState(
            instrument=self.instrument,
            feeds=self.feeds.snapshot(),
            info=self.info,
            last_trade=self.last_trade,
            last_trade_ts=self._last_trade_ts,
            latest=self.latest.snapshot(),
            book=book.snapshot() if isinstance(book, OrderBook) else None,
            orders=book.snapshot() if isinstance(book, OrderQueue) else None,
            bars=self._bars.snapshot(),
            flow=self.flow.snapshot(),
            seen=self._seen.snapshot(),
            gaps=self._gaps.snapshot(),
            taint_next=self._taint_next,
            skew_told_at=self._skew.told_at,
            late_trades=self.late_trades,
            book_source=self.record.source,
            signals=self.signals.snapshot(),
            patience=self._patience.snapshot(),
            splits=self.splits.snapshot(),
            indicators=b"" if self.kept is None else self.kept.packed(self.instrument),
        )

    @classmethod
    def restored(cls, state: KeeperState, settings: PartitionSettings) -> Self:
        keeper = cls(state.instrument, settings)
        if state.info is not None:
            keeper._describe(state.info)
        keeper.last_trade, keeper._last_trade_ts = state.last_trade, state.last_trade_ts
        patience = keeper._patience = Patience(state.patience)
        keeper.latest = Latest.restored(state.latest, patience)
        book = OrderBook() if state.book is None else OrderBook.restored(state.book)
        orders = None if state.orders is None else OrderQueue.restored(state.orders)
        keeper.record = RecordBook(orders or book, state.book_source, patience)
        keeper._bars.restore(state.bars)
        keeper.flow = TradeFlow.restored(state.flow)
        if state.signals is not None:
            keeper.signals = Signals.restored(state.signals)
        keeper._seen = SeenSeries.restored(state.seen)
        keeper._gaps = OpenGaps.restored(state.gaps)
        keeper._taint_next = state.taint_next
        keeper._skew.told_at = state.skew_told_at
        keeper.late_trades = state.late_trades
        keeper.splits = KnownSplits(state.splits)
        keeper.feeds = FedBy(state.feeds, {kind: keeper.source_of(kind) for kind in KINDS})
        keeper.deadline = keeper._earliest()
        return keeper
