"""The fold of one instrument: what came in, and what follows from it.

    observe(event, clock)     live: admit, evolve, decide, evolve the decisions; None for a repeat
    run_timers(clock)         live: decide what time alone has made due
    apply(event, clock)       replay: evolve an observation or a recorded decision, decide nothing

Every change of state is made by an evolving step that both ways share, so that a replay of what live
recorded ends in the same bytes. A repeat changes nothing and is no event of the log. `clock` is the
monotone time of the feed that brought the event, ns UTC.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.anomalies.found import AnomalyFound
from domain.envelope import MarketEvent
from domain.indicators.armed import Arming
from domain.indicators.kept import KeptIndicators
from domain.keeper_state import KeeperState, PartitionSettings
from domain.market.bar_set import BarSet, Landings
from domain.market.bars import NEVER
from domain.market.book import BookChange, OrderBook
from domain.market.decisions import BarClosed, BarCorrected, BookBroken, ClockSkewed, Decision, LateTrade
from domain.market.flow import TradeFlow, notional_floor
from domain.market.gaps import BOOK_CHANNELS, OpenGaps, touched
from domain.market.instrument import quote_currency
from domain.market.latest import Latest
from domain.market.observations import (
    Bar,
    BookSnapshot,
    FxRate,
    Gap,
    InstrumentInfo,
    Observation,
    Quote,
    Ticker,
    Trade,
)
from domain.market.order_queue import OrderQueue
from domain.market.record_book import BookEvent, RecordBook
from domain.market.rulings import on_book_change, on_landings, on_large_trade, on_source_change
from domain.market.seen_ids import SeenSeries, Verdict
from domain.market.skew import SkewGuard
from domain.market.sources import takes_over
from domain.signals import Signal, Signals

_NEW, _REPEAT = Verdict.NEW, Verdict.REPEAT
_RESUMING = (Trade, Quote, Ticker, Bar, FxRate)


class SymbolKeeper:
    """State of one instrument. Attributes are for reading; only the methods above change them.

    `last_trade` is the newest by event time, among equals the last to arrive; a backfilled trade is
    never last. Bars that a provider built are kept in `latest`, not mixed with those built here.
    `sender` is the feed that brought the last observation, `late_trades` counts LateTrade.
    `kept`: where the partition keeps this instrument's indicators, if it has one.
    `timer_at` is the partition's note of the deadline it has scheduled, and no state.
    """

    __slots__ = (
        "_allowance_ns", "_bars", "_clamped", "_flow_floor", "_found", "_gaps", "_last_trade_ts", "_seen",
        "_skew", "_taint_next", "builders", "deadline", "flow", "info", "instrument", "kept", "last_trade",
        "late_trades", "latest", "record", "sender", "settings", "signals", "timer_at",
    )  # fmt: skip

    def __init__(self, instrument: str, settings: PartitionSettings) -> None:
        self.instrument = instrument
        self.settings = settings
        self.sender = ""
        self.kept: KeptIndicators | None = None
        self.info: InstrumentInfo | None = None
        self.last_trade: Trade | None = None
        self.latest = Latest()
        self.record = RecordBook()
        self.flow = TradeFlow()
        self.signals = Signals(instrument)
        self._found: list[Signal] = []  # by the event being folded: recorded live, dropped in replay
        self.late_trades = 0
        self.deadline = NEVER
        self.timer_at = NEVER
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

    @property
    def book(self) -> OrderBook | OrderQueue:
        return self.record.book

    @property
    def last_quote(self) -> Quote | None:
        return self.latest.quote

    @property
    def last_ticker(self) -> Ticker | None:
        return self.latest.ticker

    @property
    def gaps_open(self) -> tuple[str, ...]:
        """`channel: reason` of each open gap, by channel."""
        return self._gaps.told()

    @property
    def book_lost(self) -> bool:
        """The fold found the book broken and no gap says so: its feed takes it for whole."""
        return self.book.synchronised and not self.book.usable and not self._gaps.hide_book

    def next_deadline(self) -> int | None:
        """When a timer is due, ns UTC on the feed's clock; None while none runs."""
        return None if self.deadline == NEVER else self.deadline

    def observe(self, event: Observation, clock: int) -> tuple[Decision, ...] | None:
        """Fold one observation. Returns its decisions, already folded; None where it is a repeat."""
        if type(event) is not Trade:
            return self._observe_other(event, clock)
        last = self.last_trade
        before = "" if last is None or last.provider == event.provider else last.provider
        if before and not takes_over(self._clamped(event.ts_event, clock), self._last_trade_ts):
            return None
        verdict = _NEW
        if event.trade_id is not None:
            verdict = self._seen.admit(event.provider, event.trade_id)
            if verdict is _REPEAT:
                return None
            if verdict is not _NEW:
                before = ""
        multiple = None
        if event.price * event.size >= self._flow_floor:
            multiple = self._large_multiple(event, clock, verdict)
        landings = self._fold_trade(event, clock, verdict)
        if landings is None and multiple is None and not before and not self._found:
            return ()
        return self._decide_trade(event, clock, landings or [], multiple, before)

    def _observe_other(self, event: Observation, clock: int) -> tuple[Decision, ...] | None:
        if isinstance(event, BookEvent) and not self.record.admits(
            event, self._clamped(event.ts_event, clock)
        ):
            return None
        if isinstance(event, Ticker) and self.signals.is_repeat(event, self._clamped(event.ts_event, clock)):
            return None
        skewed = self._skew.decide(event, clock)
        before = self._source_of(event)
        change = self._fold(event, clock)
        decisions: list[Decision] = [] if skewed is None else [skewed]
        if before not in ("", self._source_of(event)):
            decisions.append(on_source_change(event, before, clock))
        if change is not None:
            decisions.append(on_book_change(event, self._clamped(event.ts_event, clock), clock, change))
        if not decisions and not self._found:
            return ()
        return self._evolved([*decisions, *self._taken()])

    def run_timers(self, clock: int, upto: int | None = None) -> tuple[Decision, ...]:
        """Close the bars whose deadline is <= `upto` (the clock unless given), in deadline order; then what
        silence has made known by then."""
        limit = clock if upto is None else upto
        if self.deadline > limit:
            return ()
        told = self._evolved(self._bars.due(limit, clock))
        told += self._evolved(self.signals.due(limit, clock))
        self.deadline = self._earliest()
        return told

    def apply(self, event: MarketEvent, clock: int) -> None:
        """Fold an event of the log without deciding anything."""
        if type(event) is Trade:
            verdict = _NEW
            if event.trade_id is not None:
                verdict = self._seen.admit(event.provider, event.trade_id)
            self._fold_trade(event, clock, verdict)
        elif isinstance(event, Observation):
            self._fold(event, clock)
        elif not isinstance(event, Arming):  # those are the partition's
            self._evolve(event)
        self._found.clear()

    def _decide_trade(
        self, trade: Trade, clock: int, landings: Landings, multiple: float | None, before: str
    ) -> tuple[Decision, ...]:
        decisions: list[Decision] = [on_source_change(trade, before, clock)] if before else []
        skewed = self._skew.decide(trade, clock)
        if skewed is not None:
            decisions.append(skewed)
        ts = self._clamped(trade.ts_event, clock)
        decisions += on_landings(trade, ts, clock, landings)
        if multiple is not None:
            decisions.append(on_large_trade(trade, clock, multiple))
        return self._evolved([*decisions, *self._taken()])

    def _large_multiple(self, trade: Trade, clock: int, verdict: Verdict) -> float | None:
        ts = self._clamped(trade.ts_event, clock)
        if verdict is not _NEW or ts < self._last_trade_ts - self._allowance_ns:
            return None
        return self.flow.multiple(trade.size)

    def _evolved(self, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
        told: list[Decision] = []
        for decision in decisions:
            self._evolve(decision)
            told.append(decision)
            if self._found:
                told += self._evolved(self._taken())
        return tuple(told)

    def _taken(self) -> list[Signal]:
        found, self._found = self._found, []
        return found

    def _evolve(self, decision: Decision) -> None:
        if isinstance(decision, BarClosed | BarCorrected):
            if self._bars.settle(decision):
                if isinstance(decision, BarClosed):
                    self._found += self.signals.on_bar(decision)
                self.deadline = self._earliest()
        elif isinstance(decision, BookBroken):
            self.book.break_()
        elif isinstance(decision, ClockSkewed):
            self._skew.evolve(decision)
        elif isinstance(decision, LateTrade):
            self.late_trades += 1
        elif isinstance(decision, AnomalyFound):
            self.signals.evolve(decision)
            if decision.taints:
                self._bars.taint(decision.ts_event)

    def _fold_trade(self, trade: Trade, clock: int, verdict: Verdict) -> Landings | None:
        """None in the common case: every builder amended a forming bar and the time was plausible."""
        ts = trade.ts_event
        skewed = ts > clock + self._skew.tolerance_ns
        if skewed:
            ts = clock
        landings = self._bars.add(trade, ts, clock)
        if skewed and landings is None:
            landings = []
        size, provider = trade.size, trade.provider
        if landings is not None or self._taint_next:
            self._after_landing(trade, ts, verdict)
        if verdict is _NEW:
            if ts >= self._last_trade_ts:
                if self._gaps and self.last_trade is not None and self.last_trade.provider != provider:
                    self._gaps.close("trades")  # of the source before: its end would concern nobody
                self._last_trade_ts = ts
                self.last_trade = trade
                self.flow.add(size, trade.side)
                found = self.signals.on_trade(trade, ts, clock)
                if found:
                    self._found += found
            elif ts >= self._last_trade_ts - self._allowance_ns:
                self.flow.add(size, trade.side)
        if self._gaps:
            self._resume()
        return landings

    def _after_landing(self, trade: Trade, ts: int, verdict: Verdict) -> None:
        """A bar taints where its trade's time was clamped, or where trades before it may be missing: after
        a gap, and where the trades of its source of record begin."""
        begins = self.last_trade is None or self.last_trade.provider != trade.provider
        resumes = (self._taint_next or begins) and verdict is _NEW
        if resumes or ts != trade.ts_event:
            self._bars.taint(ts)
        if resumes:
            self._taint_next = False
        self.deadline = self._earliest()

    def _earliest(self) -> int:
        """Silence is looked at when it was due as the last bar began or closed: if too early, once more."""
        return min(self._bars.deadline(), self.signals.deadline)

    def _fold(self, event: Observation, clock: int) -> BookChange | None:
        """Any observation but a trade."""
        if isinstance(event, BookEvent):
            return self._fold_book(event, self._clamped(event.ts_event, clock))
        counts = True
        if isinstance(event, Quote):
            counts = self.latest.fold_quote(event, self._clamped(event.ts_event, clock))
            self._watch_quote(event, clock, counts=counts)
        elif isinstance(event, Ticker):
            counts = self.latest.fold_ticker(event, self._clamped(event.ts_event, clock))
            self._found += self.signals.on_ticker(event, self._clamped(event.ts_event, clock), clock)
        elif isinstance(event, Bar):
            self.latest.fold_bar(event)
            self._found += self.signals.on_provider_bar(event, clock)
        elif isinstance(event, FxRate):
            self.latest.fold_fx(event)
        elif isinstance(event, InstrumentInfo):
            self._describe(event)
            self._found += self.signals.on_info(event, self._clamped(event.ts_event, clock), clock)
        elif isinstance(event, Gap):
            self._fold_gap(event, clock)
        if self._gaps and counts and isinstance(event, _RESUMING):
            self._resume()
        return None

    def _watch_quote(self, quote: Quote, clock: int, *, counts: bool) -> None:
        """Of the source of record; another provider's mid price is a witness."""
        ts = self._clamped(quote.ts_event, clock)
        if counts:
            self._found += self.signals.on_quote(quote, ts, clock)
            if self.deadline == NEVER:
                self.deadline = self._earliest()
        elif quote.bid is not None and quote.ask is not None:
            self.signals.on_reference(quote.provider, (quote.bid + quote.ask) / 2, ts)

    def _describe(self, info: InstrumentInfo) -> None:
        self.info = info
        self._flow_floor = notional_floor(quote_currency(self.instrument, info))

    def _fold_book(self, event: BookEvent, ts: int) -> BookChange | None:
        if isinstance(event, BookSnapshot) or self.record.source not in ("", event.provider):
            self._gaps.close(*BOOK_CHANNELS)
        return self.record.fold(event, ts)

    def _source_of(self, event: Observation) -> str:
        """The provider of record of an observation's kind; "" before the first and where there is none."""
        return self.record.source if isinstance(event, BookEvent) else self.latest.source_of(event)

    def _fold_gap(self, gap: Gap, clock: int) -> None:
        of = touched(gap, book=self.record.source, trades=getattr(self.last_trade, "provider", ""))
        if of is None:
            return
        self._found += self.signals.on_gap(gap, self._clamped(gap.ts_event, clock), clock)
        if not gap.opened:
            self._gaps.close(gap.channel)
            return
        self._gaps.open(gap.channel, gap.reason)
        if of.book:
            self.book.break_()
        if of.trades:
            self._taint_next = True
            self._bars.taint_forming()

    def _resume(self) -> None:
        """Data flow again: that ends a feed's gap, except where a book still waits for its snapshot."""
        if not self.book.synchronised:
            self._gaps.close("feed")

    def snapshot(self) -> KeeperState:
        book = self.book
        return KeeperState(
            instrument=self.instrument,
            sender=self.sender,
            info=self.info,
            last_trade=self.last_trade,
            last_trade_ts=self._last_trade_ts,
            latest=self.latest.snapshot(),
            book=book.snapshot() if isinstance(book, OrderBook) else None,
            orders=book.snapshot() if isinstance(book, OrderQueue) else None,
            bars=self._bars.snapshot(),
            flow=self.flow.snapshot(),
            seen=self._seen.snapshot(),
            gaps=tuple(sorted(self._gaps.items())),
            taint_next=self._taint_next,
            skew_told_at=self._skew.told_at,
            late_trades=self.late_trades,
            book_source=self.record.source,
            signals=self.signals.snapshot(),
            indicators=b"" if self.kept is None else self.kept.packed(self.instrument),
        )

    @classmethod
    def restored(cls, state: KeeperState, settings: PartitionSettings) -> SymbolKeeper:
        keeper = cls(state.instrument, settings)
        keeper.sender = state.sender
        if state.info is not None:
            keeper._describe(state.info)
        keeper.last_trade, keeper._last_trade_ts = state.last_trade, state.last_trade_ts
        keeper.latest = Latest.restored(state.latest)
        book = OrderBook() if state.book is None else OrderBook.restored(state.book)
        orders = None if state.orders is None else OrderQueue.restored(state.orders)
        keeper.record = RecordBook(orders or book, state.book_source)
        keeper._bars.restore(state.bars)
        keeper.flow = TradeFlow.restored(state.flow)
        if state.signals is not None:
            keeper.signals = Signals.restored(state.signals)
        keeper._seen = SeenSeries.restored(state.seen)
        keeper._gaps = OpenGaps(state.gaps)
        keeper._taint_next = state.taint_next
        keeper._skew.told_at = state.skew_told_at
        keeper.late_trades = state.late_trades
        keeper.deadline = keeper._earliest()
        return keeper
