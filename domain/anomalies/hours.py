"""What a market's calendar and its halts say of the anomalies found: closed and opening markets are no habit.

While a market is closed nothing has to move, and what trades then (before the opening, after the close) is no
measure of what is usual: only wrong values and moves of the price are told. The first minute of a session and
the last have their own rush; a session, or trading after a halt, begins at its own price.
"""

from __future__ import annotations

from domain.anomalies.found import Finding
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.market.calendars import has_hours, is_open, same_session

SETTLING_NS = NS_PER_MIN
"""After an opening or a halt: rush and wide spreads of the first minute come every day."""
RESUMING_NS = 10 * NS_PER_S
"""After a halt: the reopening auction's one print sets the level."""
HABITS = frozenset({"large_trade", "one_sided_flow", "spread_blowout", "trade_burst", "volume_surge"})
"""Kinds that compare with the habit of open, settled trading."""


class Hours:
    """`resumed`: when the last halt ended, stated or told, ns UTC; 0 before the first."""

    __slots__ = ("_always_open", "_instrument", "resumed")

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._always_open = not has_hours(instrument)
        self.resumed = 0

    def same_session(self, since: int, until: int) -> bool:
        """Whether the market has been open all along."""
        return self._always_open or same_session(self._instrument, since, until)

    def finds_its_level(self, ts: int) -> bool:
        """Whether a session began within the last minute, or trading after a halt just now."""
        return ts - self.resumed < RESUMING_NS or self._has_just_opened(ts)

    def meant(self, found: list[Finding], ts: int) -> list[Finding]:
        """Those of a trade's or quote's findings that mean something at its time."""
        if not found:
            return found
        if not self._is_open(ts):
            return [each for each in found if each.kind not in HABITS and each.kind != "frozen_feed"]
        if ts - self.resumed < SETTLING_NS or self._has_just_opened(ts):
            return [each for each in found if each.kind not in HABITS]
        return found

    def meant_of_bar(self, found: list[Finding], start: int) -> list[Finding]:
        """The same of a one-minute bar, which may be the session's last."""
        if found and not self._is_open(start + NS_PER_MIN):
            found = [each for each in found if each.kind not in HABITS]
        return self.meant(found, start)

    def _is_open(self, ts: int) -> bool:
        return self._always_open or is_open(self._instrument, ts)

    def _has_just_opened(self, ts: int) -> bool:
        return self._is_open(ts) and not self._is_open(ts - SETTLING_NS)
