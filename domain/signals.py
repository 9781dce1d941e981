"""What is looked for in one instrument as it goes: anomalies, and chart patterns in its bars.

    on_*      fold one observation or closed bar; returns what it made known, state changes alike in replay
    due       what time alone has made known; changes nothing until it is evolved
    evolve    a recorded finding

A pattern is judged on bars as they first closed: a correction changes no recorded fact, so it is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from domain.anomalies.found import AnomalyFound
from domain.anomalies.watch import Watch, WatchState
from domain.market.bars import NEVER
from domain.market.decisions import BarClosed
from domain.market.observations import Bar, Gap, InstrumentInfo
from domain.patterns.found import PatternFound, found
from domain.patterns.scanner import PatternScanner, ScannerState

PATTERN_INTERVAL = "1m"
"""Bars in which figures are looked for; those of longer ones are for the reader."""

Signal = AnomalyFound | PatternFound


class SignalsState(Struct, frozen=True, array_like=True):
    watch: WatchState
    scanner: ScannerState


class Signals:
    """See the module. Bounded: a few kB, some 60 kB at most with many open figures."""

    __slots__ = (
        "_scanner",
        "_watch",
        "consensus",
        "is_repeat",
        "on_quote",
        "on_reference",
        "on_ticker",
        "on_trade",
    )

    def __init__(self, instrument: str, watch: Watch | None = None) -> None:
        self._watch = watch or Watch(instrument)
        self._scanner = PatternScanner()
        self.on_trade = self._watch.on_trade  # the hot path: no call in between
        self.on_quote = self._watch.on_quote
        self.on_ticker = self._watch.on_ticker
        self.on_reference = self._watch.on_reference
        self.is_repeat = self._watch.is_repeat
        self.consensus = self._watch.consensus

    def on_gap(self, gap: Gap, ts: int, clock: int, *, heard: bool = True) -> Sequence[Signal]:
        return self._watch.on_gap(gap, ts, clock, heard=heard)

    def on_info(self, info: InstrumentInfo, ts: int, clock: int) -> Sequence[Signal]:
        return self._watch.on_info(info, ts, clock)

    def on_provider_bar(self, bar: Bar, clock: int) -> Sequence[Signal]:
        """A bar that a provider built: the watch looks at it, figures are looked for in ours alone."""
        return self._watch.on_bar(bar, clock)

    def on_bar(self, bar: BarClosed) -> Sequence[Signal]:
        """A bar of ours has closed."""
        if bar.interval != PATTERN_INTERVAL:
            return ()
        events = self._scanner.observe(bar.ts_event, bar.open, bar.high, bar.low, bar.close)
        figures = [found(each, bar.provider, bar.instrument, bar.interval, bar.ts_recv) for each in events]
        return [*self._watch.on_bar(bar, bar.ts_recv), *figures]

    def on_split(self) -> None:
        """Bars are in other shares than before, or will turn out to have been: no figure lasts over that."""
        self._scanner.cut("split")

    def begun_anew(self) -> Signals:
        """For times before those of what was seen: without its habits, and figures end with the next bar."""
        signals = Signals(self._watch.instrument)
        signals._scanner = self._scanner
        signals._scanner.cut("clock")
        return signals

    @property
    def deadline(self) -> int:
        """When `due` is to be asked, ns UTC; it moves on as things come, and asking early is harmless."""
        deadline = self._watch.next_deadline()
        return NEVER if deadline is None else deadline

    def newest_ts(self) -> int:
        """Of all that is watched, ns UTC; 0 before the first."""
        return self._watch.newest_ts()

    def due(self, limit: int, clock: int) -> Sequence[Signal]:
        return self._watch.due(limit, clock)

    def evolve(self, signal: Signal) -> None:
        if isinstance(signal, AnomalyFound):
            self._watch.evolve(signal)

    def snapshot(self) -> SignalsState:
        return SignalsState(self._watch.snapshot(), self._scanner.snapshot())

    @classmethod
    def restored(cls, state: SignalsState) -> Signals:
        signals = cls(state.watch.instrument, Watch.restored(state.watch))
        signals._scanner.restore(state.scanner)
        return signals
