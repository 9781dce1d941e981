"""Trades to bars.

A bar forms from its first trade until the feed clock reaches its end plus the allowance; an interval
without trades makes no bar. Where a trade lands depends only on the builder's own state:

    bar still forming                      amended in place
    bar closed and in the ring             amended there; BarCorrected with the next revision
    no such bar, its close not yet due     a new forming bar
    no such bar, its close already due     closed at once
    older than the ring                    LateTrade: the stored bar lacks it and says so

A bar is published first as BarClosed, or where newer bars have been closed already as BarCorrected
revision 0, so that BarClosed come in order. A replay needs no allowance: the recorded decisions say
when bars closed.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from domain.clock import NS_PER_S
from domain.market.built_bar import BuiltBar, ClosedBars
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.intervals import bar_start, interval_ns

NEVER = 2**63 - 1
"""A deadline that does not come."""

DEFAULT_ALLOWANCE_NS = NS_PER_S
DEFAULT_KEEP = 120
"""Closed bars kept per interval: two minutes of 1s, two hours of 1m corrections."""


class Landed(Enum):
    """Where an uncommon trade went. Amending the forming bar is the common case and says None."""

    OPENED = "opened"
    AMENDED = "amended"
    BEYOND = "beyond"


class BarsState(Struct, frozen=True, array_like=True):
    interval: str
    provider: str
    closed_total: int
    floor: int | None
    forming: tuple[bytes, ...]
    closed: tuple[bytes, ...]


class BarBuilder:
    """The bars of one instrument and interval.

    `provider` is the one whose trade opened the newest bar; `closed_total` counts the bars ever
    closed, corrections not counted; `deadline` is when the oldest forming bar closes, else NEVER.
    """

    __slots__ = (
        "_closed",
        "_current",
        "_forming",
        "allowance_ns",
        "closed_total",
        "deadline",
        "instrument",
        "interval",
        "interval_ns",
        "provider",
    )

    def __init__(
        self,
        instrument: str,
        interval: str,
        *,
        allowance_ns: int = DEFAULT_ALLOWANCE_NS,
        keep: int = DEFAULT_KEEP,
    ) -> None:
        self.instrument = instrument
        self.interval = interval
        self.interval_ns = interval_ns(interval)
        self.allowance_ns = allowance_ns
        self.provider = ""
        self.closed_total = 0
        self.deadline = NEVER
        self._closed = ClosedBars(self.interval_ns, keep)
        self._forming: dict[int, BuiltBar] = {}
        self._current = _nothing()

    def add(
        self, ts: int, price: float, size: float, notional: float, provider: str, clock: int
    ) -> Landed | None:
        """Fold one trade; `ts` is its event time, clamped to the clock where it was skewed."""
        bar = self._current
        if bar.start <= ts < bar.end:
            # BuiltBar.add, unrolled: this is the hottest line of the whole fold.
            if ts >= bar.last_ts:
                bar.last_ts = ts
                bar.close = price
            elif ts < bar.first_ts:
                bar.first_ts = ts
                bar.open = price
            if price > bar.high:
                bar.high = price
            elif price < bar.low:
                bar.low = price
            bar.volume += size
            bar.notional += notional
            bar.trades += 1
            return None
        return self._add_elsewhere(ts, price, size, notional, provider, clock)

    def _add_elsewhere(
        self, ts: int, price: float, size: float, notional: float, provider: str, clock: int
    ) -> Landed | None:
        start = bar_start(ts, self.interval_ns)
        bar = self._forming.get(start)
        if bar is not None:
            bar.add(ts, price, size, notional)
            return None
        bar = self._closed.get(start)
        if bar is not None:
            bar.add(ts, price, size, notional)
            self._closed.put(bar)
            return Landed.AMENDED
        if self._closed.floor is not None and start <= self._closed.floor:
            return Landed.BEYOND
        bar = BuiltBar(start, start + self.interval_ns, ts, price, clock)
        bar.add(ts, price, size, notional)
        self._open(bar, provider)
        return Landed.OPENED

    def _open(self, bar: BuiltBar, provider: str) -> None:
        self.provider = provider
        self._forming[bar.start] = bar
        if bar.start >= self._current.start:
            self._current = bar
        self.deadline = min(self.deadline, bar.end + self.allowance_ns)

    def decide(self, landed: Landed, ts: int, clock: int) -> BarClosed | BarCorrected | None:
        """What a trade that landed outside the forming bars has to be answered with, if anything."""
        start = bar_start(ts, self.interval_ns)
        if landed is Landed.AMENDED:
            bar = self._closed.get(start)
            return None if bar is None else self._corrected(bar, bar.revision + 1, clock)
        if landed is Landed.OPENED and start + self.interval_ns + self.allowance_ns <= clock:
            return self._published(self._forming[start], clock)
        return None

    def due(self, upto: int, clock: int) -> list[BarClosed | BarCorrected]:
        """Decisions that close the bars whose deadline is <= upto, oldest first, taken at `clock`."""
        limit = upto - self.allowance_ns
        starts = sorted(start for start, bar in self._forming.items() if bar.end <= limit)
        return [self._published(self._forming[start], clock) for start in starts]

    def _published(self, bar: BuiltBar, clock: int) -> BarClosed | BarCorrected:
        """A bar's first publication. Behind a newer bar where it was born late, or where a feed with a
        slower clock took over; then it is a correction, for BarClosed come in order."""
        newest = self._closed.newest_start
        if newest is None or bar.start > newest:
            return self._view(bar, clock)
        return self._corrected(bar, 0, clock)

    def settle(self, event: BarClosed | BarCorrected) -> None:
        """Evolve: the bar is closed, or corrected, as recorded."""
        start = event.ts_event
        bar = self._forming.pop(start, None)
        if bar is not None:
            self._forget_forming(bar)
        else:
            bar = self._closed.get(start) or self._from_event(event)
        bar.take(event)
        if self._closed.put(bar):
            self.closed_total += 1

    def _forget_forming(self, bar: BuiltBar) -> None:
        forming = self._forming
        self.deadline = min(forming) + self.interval_ns + self.allowance_ns if forming else NEVER
        if bar is self._current:
            self._current = forming[max(forming)] if forming else _nothing()

    def _from_event(self, event: BarClosed | BarCorrected) -> BuiltBar:
        start, end = event.ts_event, event.ts_event + self.interval_ns
        bar = BuiltBar(start, end, start, event.open, event.ts_recv)
        bar.last_ts = end - 1
        return bar

    def taint(self, ts: int) -> None:
        """Mark the bar that holds a time as not to be trusted fully."""
        start = bar_start(ts, self.interval_ns)
        bar = self._forming.get(start)
        if bar is not None:
            bar.tainted = True
            return
        bar = self._closed.get(start)
        if bar is not None:
            bar.tainted = True
            self._closed.put(bar)

    def taint_forming(self) -> None:
        for bar in self._forming.values():
            bar.tainted = True

    def newest_start(self) -> int:
        """Of the bars that are held, ns UTC; 0 without any."""
        return max(self._closed.newest_start or 0, max(self._forming, default=0))

    def set_back(self, now: int) -> None:
        """The clock had been ahead: bars that began after `now` are given up, or those of the present would
        come behind them. Those that were told stand as told; a trade of a bar that was pushed out is late.
        """
        self._closed.drop_after(now, bar_start(now, self.interval_ns))
        self._forming = {start: bar for start, bar in self._forming.items() if start <= now}
        forming = self._forming
        self.deadline = min(forming) + self.interval_ns + self.allowance_ns if forming else NEVER
        self._current = forming[max(forming)] if forming else _nothing()

    def forming(self) -> tuple[BarClosed, ...]:
        """The bars not yet closed as they stand, oldest first; `ts_recv` is when each was opened."""
        return tuple(self._view(self._forming[start]) for start in sorted(self._forming))

    @property
    def closed(self) -> tuple[BarClosed, ...]:
        """The bars still held, oldest first, each at its newest revision."""
        return tuple(self._view(bar) for bar in self._closed)

    def snapshot(self) -> BarsState:
        forming = tuple(self._forming[start].pack() for start in sorted(self._forming))
        return BarsState(
            self.interval,
            self.provider,
            self.closed_total,
            self._closed.floor,
            forming,
            self._closed.packed(),
        )

    def restore(self, state: BarsState) -> None:
        """Into a fresh builder."""
        self._closed.load(state.closed, state.floor)
        for packed in state.forming:
            self._open(BuiltBar.unpack(packed, self.interval_ns), state.provider)
        self.provider = state.provider
        self.closed_total = state.closed_total

    def _view(self, bar: BuiltBar, clock: int | None = None) -> BarClosed:
        return BarClosed(
            self.provider,
            self.instrument,
            bar.start,
            bar.ts_recv if clock is None else clock,
            self.interval,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.trades,
            bar.vwap,
            bar.revision,
            bar.tainted,
        )

    def _corrected(self, bar: BuiltBar, revision: int, clock: int) -> BarCorrected:
        return BarCorrected(
            self.provider,
            self.instrument,
            bar.start,
            clock,
            self.interval,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.trades,
            bar.vwap,
            revision,
            bar.tainted,
        )


def _nothing() -> BuiltBar:
    """A bar of no length: no trade ever falls into it."""
    return BuiltBar(-1, -1, 0, 0.0, 0)
