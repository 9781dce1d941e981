"""The fold of one instrument: what came in, and what follows from it.

    hear(feed)                both: whose events come next
    observe(event, clock)     live: admit, evolve, decide, evolve the decisions; None for a repeat
    run_timers(clock)         live: decide what time alone has made due
    apply(event, clock)       replay: evolve an observation or a recorded decision, decide nothing

Every change of state is made by an evolving step that both ways share, so that a replay of what live
recorded ends in the same bytes. A repeat changes nothing and is no event of the log. `clock` is the
monotone time of the feed that brought the event, ns UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.anomalies.announced import explained
from domain.anomalies.found import AnomalyFound
from domain.envelope import MarketEvent
from domain.fed_by import KINDS
from domain.indicators.armed import Arming
from domain.keeper_parts import STALE, KeeperParts
from domain.market.bar_set import Landings
from domain.market.bars import NEVER
from domain.market.book import BookChange
from domain.market.decisions import (
    BarClosed,
    BarCorrected,
    BookBroken,
    ClockSkewed,
    Decision,
    LateTrade,
    SourceChanged,
)
from domain.market.gaps import BOOK_CHANNELS, CLOCK_SET_BACK, RENUMBERED, TRADE_CHANNELS, OpenGap, touched
from domain.market.intervals import interval_ns
from domain.market.observations import (
    Bar,
    BookDelta,
    BookOrder,
    BookSnapshot,
    FxRate,
    Gap,
    InstrumentInfo,
    Observation,
    Quote,
    SplitAnnounced,
    Ticker,
    Trade,
)
from domain.market.record_book import BookEvent
from domain.market.rulings import on_book_change, on_landings, on_large_trade, on_source_change
from domain.market.seen_ids import Verdict
from domain.market.sources import Kind
from domain.signals import Signal

_NEW, _REPEAT, _RENUMBERED = Verdict.NEW, Verdict.REPEAT, Verdict.RENUMBERED
_RESUMING = (Trade, Quote, Ticker, Bar, FxRate)
KIND_OF: Mapping[type, Kind] = {
    Quote: "quote",
    Ticker: "ticker",
    BookSnapshot: "book",
    BookDelta: "book",
    BookOrder: "book",
}
"""Kinds that have a source of record, trades aside."""


class SymbolKeeper(KeeperParts):
    """The fold over what it is made of. Attributes are for reading; only the methods above change them."""

    __slots__ = ()

    def observe(self, event: Observation, clock: int) -> tuple[Decision, ...] | None:
        """Fold one observation. Returns its decisions, already folded; None where it is a repeat."""
        if type(event) is not Trade:
            return self._observe_other(event, clock)
        last = self.last_trade
        before = "" if last is None or last.provider == event.provider else last.provider
        if before:
            ts = self._clamped(event.ts_event, clock)
            if not self._patience.is_over("trade", ts, self._last_trade_ts):
                return None
        verdict = _NEW
        if event.trade_id is not None:
            verdict = self._seen.admit(event.provider, event.trade_id, event.ts_event)
            if verdict is _REPEAT:
                return None
            if verdict is _RENUMBERED:
                verdict, self._taint_next = _NEW, True
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
        if not self._admits(event, clock):
            return None
        skewed = self._skew.decide(event, clock)
        kind = KIND_OF.get(type(event))
        before = self.source_of(kind) if kind else ""
        change = self._fold(event, clock)
        decisions: list[Decision] = [] if skewed is None else [skewed]
        if kind and before and before != self.source_of(kind):
            decisions.append(on_source_change(event, before, clock))
        if change is not None:
            decisions.append(on_book_change(event, self._clamped(event.ts_event, clock), clock, change))
        if not decisions and not self._found:
            return ()
        return self._evolved([*decisions, *self._taken()])

    def _admits(self, event: Observation, clock: int) -> bool:
        """False for a repeat, and for what is not of the source of record where others are let go."""
        if type(event) is BookDelta or type(event) is BookSnapshot or type(event) is BookOrder:
            return self.record.admits(event, self._clamped(event.ts_event, clock))
        if type(event) is Ticker:
            return not self.signals.is_repeat(event, self._clamped(event.ts_event, clock))
        return True

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
                verdict = self._seen.admit(event.provider, event.trade_id, event.ts_event)
            if verdict is _RENUMBERED:
                verdict, self._taint_next = _NEW, True
            self._fold_trade(event, clock, verdict)
        elif type(event) is Quote or type(event) is BookDelta or isinstance(event, Observation):
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
                if len(self.splits):
                    self._pass_bar(decision)
                if isinstance(decision, BarClosed):
                    self._found += self.signals.on_bar(decision)
                self.deadline = self._earliest()
        elif isinstance(decision, BookBroken):
            self.book.break_()
        elif isinstance(decision, ClockSkewed):
            self._skew.evolve(decision)
        elif isinstance(decision, LateTrade):
            self.late_trades += 1
        elif isinstance(decision, SourceChanged):
            for kind in KINDS:
                if kind == decision.of:
                    self._brought(kind, decision.provider)
        elif isinstance(decision, AnomalyFound):
            self.signals.evolve(decision)
            if decision.taints:
                self._bars.taint(decision.ts_event)

    def _pass_bar(self, bar: BarClosed | BarCorrected) -> None:
        """Indicators are of bars in the shares of today: where those change they are armed anew."""
        end = bar.ts_event + interval_ns(bar.interval)
        if self.splits.pass_bar(end):
            self._change_shares()
        elif self.splits.precedes(end) and self.kept is not None:
            self.kept.forget(self.instrument)

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
                self._last_trade_ts = ts
                self.last_trade = trade
                self.flow.add(size, trade.side)
                found = self.signals.on_trade(trade, ts, clock)
                if found:
                    self._found += self._explained(found)
            elif ts >= self._last_trade_ts - self._allowance_ns:
                self.flow.add(size, trade.side)
        if self._note_trade:
            self._brought("trade", provider)
        if self._gaps:
            self._resume(provider)
        return landings

    def _after_landing(self, trade: Trade, ts: int, verdict: Verdict) -> None:
        """A bar taints where its trade's time was clamped, or where trades before it may be missing: after
        a gap, and where the trades of its source of record begin."""
        last = self.last_trade
        begins = last is None or last.provider != trade.provider
        if begins and last is not None and verdict is _NEW:
            self._patience.changed("trade")
        resumes = (self._taint_next or begins) and verdict is _NEW
        if resumes or ts != trade.ts_event:
            self._bars.taint(ts)
        if resumes:
            self._taint_next = False
        self.deadline = self._earliest()

    def _fold(self, event: Observation, clock: int) -> BookChange | None:
        """Any observation but a trade."""
        if type(event) is BookDelta or type(event) is BookSnapshot or type(event) is BookOrder:
            return self._fold_book(event, self._clamped(event.ts_event, clock))
        if type(event) is Quote:
            counts = self.latest.fold_quote(event, self._clamped(event.ts_event, clock))
            if self._note_quote:
                self._brought("quote", event.provider)
            self._watch_quote(event, clock, counts=counts)
        elif isinstance(event, Ticker):
            self.latest.fold_ticker(event, self._clamped(event.ts_event, clock))
            if self._note_ticker:
                self._brought("ticker", event.provider)
            self._found += self.signals.on_ticker(event, self._clamped(event.ts_event, clock), clock)
        elif isinstance(event, Bar):
            self.latest.fold_bar(event, clock)
            if self._clamped(event.ts_event, clock) == event.ts_event:
                self._found += self._explained(self.signals.on_provider_bar(event, clock))
        elif isinstance(event, FxRate):
            self.latest.fold_fx(event, clock)
        elif isinstance(event, InstrumentInfo):
            self._describe(event)
            self._found += self.signals.on_info(event, self._clamped(event.ts_event, clock), clock)
        elif isinstance(event, Gap):
            self._fold_gap(event, clock)
            return None
        elif isinstance(event, SplitAnnounced):
            self._announce(event)
        if self._note_feed:
            self._join()
        if self._gaps and isinstance(event, _RESUMING):
            self._resume(event.provider)
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

    def _fold_book(self, event: BookEvent, ts: int) -> BookChange | None:
        """What begins a book anew ends the gaps of the one before."""
        begins = isinstance(event, BookSnapshot) or self.record.source not in ("", event.provider)
        if begins and self._gaps:
            mine = self._gaps.of(self.speaker, event.provider)
            self._gaps.close(
                gap
                for gap in self._gaps.each()
                if gap.channel in BOOK_CHANNELS and (gap in mine or self._is_of("book", gap))
            )
        change = self.record.fold(event, ts)
        if self._note_book:
            self._brought("book", event.provider)
        return change

    def _explained(self, found: Sequence[Signal]) -> Sequence[Signal]:
        """What a split explains that was announced is no error."""
        splits = self.splits.known()
        if not splits:
            return found
        return [explained(each, splits) if isinstance(each, AnomalyFound) else each for each in found]

    def _announce(self, split: SplitAnnounced) -> None:
        if not len(self.splits):
            self.splits.pass_bar(self._bars.closed_until())
        if self.splits.fold(split):
            self._change_shares()

    def _fold_gap(self, gap: Gap, clock: int) -> None:
        if gap.reason == CLOCK_SET_BACK:
            self._set_back(clock)
        elif gap.reason == RENUMBERED and gap.opened and gap.channel in TRADE_CHANNELS:
            self._seen.begin_anew(gap.provider)
        whose = OpenGap(gap.channel, gap.provider, gap.reason)
        if not whose.of_feed:
            self._join()
        if gap.opened and (gap.channel in BOOK_CHANNELS or whose.of_feed):
            self._forgive(whose)
        of = touched(gap, book=self._may_be_of("book", whose), trades=self._may_be_of("trade", whose))
        if of is None:
            return
        heard = not whose.of_feed or self._is_of("trade", whose) or self._is_of("quote", whose)
        self._found += self.signals.on_gap(gap, self._clamped(gap.ts_event, clock), clock, heard=heard)
        if not gap.opened:
            mine = self._gaps.of(self.speaker, gap.provider)
            self._gaps.close(each for each in mine if each.channel == gap.channel)
            return
        if whose.of_feed:
            self._replace_told(gap.provider)
        if not whose.of_feed or not self._is_past(whose):
            self._gaps.open(whose)
        if of.book:
            self.book.break_()
        if of.trades:
            self._taint_next = True
            self._bars.taint_forming()

    def _replace_told(self, feed: str) -> None:
        """A session that begins again knows nothing of the gaps that the one before it told, and ends none:
        its feed's own gap takes their place. A book's ends with its snapshot."""
        told = self._gaps.of(feed, feed)
        self._gaps.close(each for each in told if each.channel != "book")

    def _forgive(self, gap: OpenGap) -> None:
        """Whose connection or book is lost is waited for no longer than a source is at first."""
        kinds: tuple[Kind, ...] = KINDS if gap.channel == "feed" or gap.of_feed else ("book",)
        self._patience.lost(*(kind for kind in kinds if self._may_be_of(kind, gap)))

    def _resume(self, provider: str) -> None:
        """Data flow again: that ends the gap of a feed, except where its book still waits for a snapshot."""
        waits = self.book.synchronised
        mine = self._gaps.of(self.speaker, provider)
        ends = [gap for gap in mine if gap.channel == "feed" or gap.of_feed]
        self._gaps.close(gap for gap in ends if not (waits and self._is_of("book", gap)))

    def _join(self) -> None:
        """An event of the feed that speaks is recorded."""
        if self.feeds.join(self.speaker):
            self._change_feeds()
        self._note_feed = False

    def _brought(self, kind: Kind, provider: str) -> None:
        """The same of an event of a kind that has a source of record."""
        if self.source_of(kind) != provider:
            self._join()
            return
        if self.feeds.brought(kind, self.speaker, provider):
            self._change_feeds()
        self._noted(kind)

    def _change_feeds(self) -> None:
        """Others tell the time than before, and what a source before this one misses concerns nobody."""
        self.timers, self.timer_at = None, STALE
        if self._gaps:
            self._gaps.close(gap for gap in self._gaps.each() if self._is_past(gap))
