"""Event times beyond the feed's clock: clamped to it, and told once a while."""

from __future__ import annotations

from domain.market.decisions import ClockSkewed
from domain.market.observations import (
    BookDelta,
    BookOrder,
    BookSnapshot,
    Observation,
    Quote,
    Ticker,
    Trade,
)
from domain.market.rulings import on_skew

_SKEWABLE = (Trade, Quote, Ticker, BookSnapshot, BookDelta, BookOrder)
"""What happens at a venue's instant; a bar, a rate or a gap may be dated ahead."""


class SkewGuard:
    """Of one instrument. `told_at`: clock of its last ClockSkewed, 0 before the first; times in ns UTC.

    A time is plausible up to `tolerance_ns` beyond the clock. The first event that is not gets a
    ClockSkewed, later ones only `cooldown_ns` after it; all are clamped.
    """

    __slots__ = ("_cooldown_ns", "told_at", "tolerance_ns")

    def __init__(self, tolerance_ns: int, cooldown_ns: int) -> None:
        self.tolerance_ns = tolerance_ns
        self._cooldown_ns = cooldown_ns
        self.told_at = 0

    def clamped(self, ts: int, clock: int) -> int:
        return clock if ts > clock + self.tolerance_ns else ts

    def decide(self, event: Observation, clock: int) -> ClockSkewed | None:
        if event.ts_event <= clock + self.tolerance_ns or not isinstance(event, _SKEWABLE):
            return None
        if self.told_at and clock < self.told_at + self._cooldown_ns:
            return None
        return on_skew(event, clock)

    def set_back(self, now: int) -> None:
        """The clock had been ahead."""
        self.told_at = min(self.told_at, now)

    def evolve(self, skewed: ClockSkewed) -> None:
        self.told_at = skewed.ts_recv
