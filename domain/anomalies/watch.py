"""Everything that watches one instrument: trades, quotes, bars, silence, and other providers as witnesses.

    on_trade on_quote on_ticker on_bar on_gap on_info    each live observation, in the order of arrival
    due(limit, clock)                                    what time alone has made due; changes nothing
    evolve(found)                                        a recorded anomaly: what `due` told is told

The `on_` methods change state in the same way whether their findings are recorded (live) or dropped
(replay). `due` does not, so what it finds takes effect by `evolve`, in both. Times are ns UTC: `ts` the
event time as the fold takes it, `clock` the feed's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from domain.anomalies.bar_detector import BarDetector, BarDetectorState
from domain.anomalies.found import AnomalyClass, AnomalyFound, AnomalyKind, Finding, severity
from domain.anomalies.hours import Hours
from domain.anomalies.panel import Panel, PanelState
from domain.anomalies.prints import Testimony
from domain.anomalies.quote_detector import QuoteDetector, QuoteDetectorState
from domain.anomalies.stillness import Pulse, Stillness
from domain.anomalies.trade_detector import TradeDetector, TradeDetectorState
from domain.anomalies.values import price_fault
from domain.clock import NS_PER_S
from domain.ids import venue_of
from domain.market.decisions import BarClosed
from domain.market.gaps import OF_THE_FEED
from domain.market.observations import Bar, Gap, InstrumentInfo, Quote, Ticker, Trade
from domain.market.reference_ids import is_reference
from domain.market.reference_price import FRESH_NS, Reference, ReferencePrice, ReferencePriceState

GATHERING_VENUES = frozenset({"US", "CRYPTO", "FX"})
"""Their quotes are of several venues."""
BAR_INTERVAL = "1m"

NOTHING: tuple[AnomalyFound, ...] = ()
Anomalies = Sequence[AnomalyFound]


class WatchState(Struct, frozen=True, array_like=True):
    instrument: str
    provider: str
    halted: bool
    cut_off: bool
    pending_id: str | None
    bar_ts: int
    stillness: Stillness
    pulse: Pulse
    trades: TradeDetectorState
    quotes: QuoteDetectorState
    bars: BarDetectorState
    reference: ReferencePriceState
    resumed: int = 0
    panel: PanelState | None = None


class Watch:
    """`halted`: the venue has said so. `cut_off`: our own connection was lost, nothing heard since."""

    __slots__ = (
        "_bar_ts",
        "_cut_off",
        "_halted",
        "_hours",
        "_pending_id",
        "_provider",
        "_pulse",
        "_slept_from",
        "_stillness",
        "bars",
        "instrument",
        "panel",
        "quotes",
        "reference",
        "trades",
    )

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.trades = TradeDetector(self)
        self.quotes = QuoteDetector(gathered=venue_of(instrument) in GATHERING_VENUES)
        self.bars = BarDetector()
        self.reference = ReferencePrice()
        self.panel = Panel(instrument, self.reference) if is_reference(instrument) else None
        self._provider = ""
        self._halted = self._cut_off = False
        self._pending_id: str | None = None
        self._bar_ts = -1
        self._stillness = Stillness()
        self._pulse = Pulse()
        self._slept_from = -1
        self._hours = Hours(instrument)

    def on_trade(self, trade: Trade, ts: int, clock: int) -> Anomalies:
        """A live trade; backfilled and late ones must not be given."""
        found = self.trades.observe(ts, trade.price, trade.size, trade.side)
        return NOTHING if found is None else self._after_trade(found, trade, ts, clock)

    def on_quote(self, quote: Quote, ts: int, clock: int) -> Anomalies:
        bid, ask = quote.bid, quote.ask
        if bid is None or ask is None:
            return NOTHING
        found = self.quotes.observe(ts, bid, ask, quote.bid_size, quote.ask_size)
        return NOTHING if found is None else self._after_quote(found, quote, ts, clock)

    def on_ticker(self, ticker: Ticker, ts: int, clock: int) -> Anomalies:
        """Any provider's price of the same: a witness. On a reference each is judged by the others."""
        heard = self.reference.observe(ticker.provider, ticker.last, ts)
        if self.panel is None or not (heard or price_fault(ticker.last)):
            return NOTHING
        return self.panel.observe(ticker.provider, ticker.last, ts, clock)

    def is_repeat(self, ticker: Ticker, ts: int) -> bool:
        """On a reference: nothing newer than what its provider has said, so sampled or sent again."""
        heard = None if self.panel is None else self.reference.heard(ticker.provider)
        return heard is not None and ts <= heard

    def consensus(self) -> Reference | None:
        """What the providers of a reference agree on, as of the newest sample; None elsewhere."""
        newest = None if self.panel is None else self.reference.newest
        return None if newest is None else self.reference.at(newest)

    def on_reference(self, provider: str, price: float, ts: int) -> None:
        self.reference.observe(provider, price, ts)

    def on_bar(self, bar: Bar | BarClosed, clock: int) -> Anomalies:
        """A closed one-minute bar. Of one built from trades only the volume is news: its prices were."""
        built = isinstance(bar, BarClosed)
        if bar.interval != BAR_INTERVAL or bar.ts_event <= self._bar_ts:
            return NOTHING
        if isinstance(bar, Bar) and not bar.closed:
            return NOTHING
        self._bar_ts = bar.ts_event
        found = self.bars.observe(bar.ts_event, bar.open, bar.high, bar.low, bar.close, bar.volume)
        if built:
            event = self.trades.in_price_event(bar.ts_event)
            found = [each for each in found if each.kind == "volume_surge" and not event]
        meant = self._hours.meant_of_bar(found, bar.ts_event)
        return [self._record(each, bar.provider, clock) for each in meant]

    def on_gap(self, gap: Gap, ts: int, clock: int, *, heard: bool = True) -> Anomalies:
        """`heard`: whether what is listened to here comes from whoever has the gap."""
        if gap.opened and (gap.channel == "feed" or gap.reason in OF_THE_FEED):
            if self.panel is not None:
                self.panel.cut_off(gap.provider)
            self._cut_off |= heard  # until it speaks: what passed meanwhile was no silence of the market
        if gap.reason != "halted" or not gap.opened:
            return NOTHING
        return self._stated_halt(gap.provider, ts, clock)

    def on_info(self, info: InstrumentInfo, ts: int, clock: int) -> Anomalies:
        if info.status == "halted":
            return self._stated_halt(info.provider, ts, clock)
        if self._halted:
            self._halted, self._hours.resumed = False, clock
        return NOTHING

    def newest_ts(self) -> int:
        """The newest time that was heard of, ns UTC; 0 before the first."""
        return max(self._pulse.last, self.reference.newest or 0, self._bar_ts, self._hours.resumed)

    def next_deadline(self) -> int | None:
        """When silence is to be looked at; None while nothing is expected."""
        if self._cut_off or self._halted or self._slept_from == self._pulse.last:
            return None
        deadline = self._pulse.deadline
        return None if deadline is None else deadline + max(0, self._hours.resumed - self._pulse.last)

    def due(self, limit: int, clock: int) -> Anomalies:
        """A silence that has become too long by `limit`. One that the close of a session made long is
        never told, however late it is looked at; no timer runs on until the stream has spoken again."""
        deadline = self.next_deadline()
        if deadline is None or deadline > limit:
            return NOTHING
        if not self._hours.same_session(self._pulse.last, deadline):
            self._slept_from = self._pulse.last  # follows from the pulse, so it is no state
            return NOTHING
        return [self._silence(limit, clock)]

    def evolve(self, found: AnomalyFound) -> None:
        """What a recorded anomaly changes: a silence is told once."""
        if any(name == "silent_s" for name, _ in found.evidence):
            self._pulse.told = True

    def mid(self, ts: int) -> float:
        return self.quotes.mid(ts)

    def settled_mid(self) -> float:
        return self.quotes.settled_mid()

    def testimony(self, move: float, since: int, now: int) -> Testimony:
        """What quotes and other providers say to a log move of this one's trades since a time."""
        witnesses = self.reference.witnesses(move, since=since, now=now, besides=self._provider)
        return Testimony(self.quotes.mid(now), witnesses.confirm, witnesses.deny)

    def unsettled(self, ts: int) -> bool:
        """Whether this is the first sign of life after a halt, or trading has just begun."""
        return self._halted or self._pulse.told or self._hours.finds_its_level(ts)

    def _after_trade(self, found: list[Finding], trade: Trade, ts: int, clock: int) -> Anomalies:
        row = self.trades.rows - 1
        self._provider = trade.provider
        self._beat(ts)
        if self.quotes.updates == 0 and self.trades.bucket_start == ts:
            self._look_still(ts, found)
        told = []
        for each in self._hours.meant(found, ts):
            pending = self._pending_id if each.row < row else trade.trade_id
            told.append(self._record(each, trade.provider, clock, pending))
        if self.trades.pending_row == row:
            self._pending_id = trade.trade_id
        return told

    def _after_quote(self, found: list[Finding], quote: Quote, ts: int, clock: int) -> Anomalies:
        self._provider = self._provider or quote.provider
        self._beat(ts)
        if self.quotes.bucket_start == ts:
            self._look_still(ts, found)
        return [self._record(each, quote.provider, clock) for each in self._hours.meant(found, ts)]

    def _beat(self, ts: int) -> None:
        """What was silent in a halt, while we were cut off or the market was closed is no habit."""
        if self._halted or self._pulse.told:
            self._hours.resumed = ts
        hours, last = self._hours, self._pulse.last
        usual = not self._cut_off and hours.resumed <= last and hours.same_session(last, ts)
        self._pulse.beat(ts, usual=usual)
        self._halted = self._cut_off = False

    def _look_still(self, ts: int, found: list[Finding]) -> None:
        """At the end of a bucket: did anything move in it?"""
        moved = self.trades.moved or self.quotes.moved
        self.trades.moved = self.quotes.moved = False
        still = self._stillness
        if not self._hours.same_session(self._pulse.before, ts):
            still.rest()
            return
        updates = self.trades.rows + self.quotes.updates
        if still.observe(self._pulse.before, ts, updates, moved=moved):
            finding = self._frozen(still, ts)
            if finding is not None:
                still.told = True
                found.append(finding)

    def _frozen(self, still: Stillness, ts: int) -> Finding | None:
        """None where the other providers stand still as well: a calm market."""
        moving, resting = self._others(still.since, ts)
        if resting and not moving:
            return None
        seconds = (ts - still.since) / NS_PER_S
        evidence = {
            "still_s": seconds,
            "needed_s": still.needed_ns / NS_PER_S,
            "updates": float(still.run_updates),
            "providers_moving": float(moving),
        }
        score = severity(seconds * NS_PER_S, still.needed_ns)
        return Finding("frozen_feed", "data_error", score, self.trades.rows, still.since, evidence)

    def _silence(self, limit: int, clock: int) -> AnomalyFound:
        pulse = self._pulse
        moving, resting = self._others(pulse.last, limit)
        silent_ns = limit - pulse.last
        kind: AnomalyKind = "frozen_feed" if moving else "halt"
        verdict: AnomalyClass = "data_error" if moving else "unclear"
        if not moving and (resting or self._others_stopped(pulse.last)):
            verdict = "market_event"
        evidence = {
            "silent_s": silent_ns / NS_PER_S,
            "needed_s": pulse.patience_ns / NS_PER_S,
            "longest_before_s": pulse.longest_ns / NS_PER_S,
            "providers_moving": float(moving),
        }
        score = severity(float(silent_ns), pulse.longest_ns) if pulse.longest_ns else 0.5
        finding = Finding(kind, verdict, score, self.trades.rows, pulse.last, evidence)
        return self._record(finding, self._provider, clock)

    def _others(self, since: int, now: int) -> tuple[int, int]:
        """Other providers heard since then: how many changed their price, how many repeated it."""
        return self.reference.moving(since=since, now=now, besides=self._provider)

    def _others_stopped(self, last: int) -> bool:
        """Whether other providers, heard until then, have fallen silent as well."""
        newest = self.reference.last_heard(besides=self._provider)
        return newest is not None and abs(newest - last) <= FRESH_NS

    def _stated_halt(self, provider: str, ts: int, clock: int) -> Anomalies:
        if self._halted:
            return NOTHING
        self._halted = True
        finding = Finding("halt", "market_event", 1.0, self.trades.rows, ts, {"stated": 1.0})
        return [self._record(finding, provider, clock)]

    def _record(self, finding: Finding, provider: str, clock: int, about: str | None = None) -> AnomalyFound:
        return AnomalyFound(
            provider=provider,
            instrument=self.instrument,
            ts_event=finding.ts,
            ts_recv=clock,
            anomaly=finding.kind,
            verdict=finding.verdict,
            severity=finding.severity,
            evidence=tuple((name, _finite(value)) for name, value in finding.evidence.items()),
            about=about,
        )

    def snapshot(self) -> WatchState:
        return WatchState(
            self.instrument,
            self._provider,
            self._halted,
            self._cut_off,
            self._pending_id,
            self._bar_ts,
            replace(self._stillness),
            replace(self._pulse),
            self.trades.snapshot(),
            self.quotes.snapshot(),
            self.bars.snapshot(),
            self.reference.snapshot(),
            self._hours.resumed,
            None if self.panel is None else self.panel.snapshot(),
        )

    @classmethod
    def restored(cls, state: WatchState) -> Watch:
        watch = cls(state.instrument)
        watch._provider = state.provider
        watch._halted, watch._cut_off = state.halted, state.cut_off
        watch._pending_id, watch._bar_ts = state.pending_id, state.bar_ts
        watch._stillness, watch._pulse = replace(state.stillness), replace(state.pulse)
        watch.trades.restore(state.trades)
        watch.quotes.restore(state.quotes)
        watch.bars = BarDetector.restored(state.bars)
        watch.reference = ReferencePrice.restored(state.reference)
        if state.panel is not None:
            watch.panel = Panel.restored(state.instrument, watch.reference, state.panel)
        watch._hours.resumed = state.resumed
        return watch


def _finite(value: float) -> float:
    """JSON has no infinity: the largest float stands for it, 0 for what is not a number."""
    if math.isnan(value):
        return 0.0
    return max(min(value, 1.7976931348623157e308), -1.7976931348623157e308)
