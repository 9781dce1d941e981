"""The bars of one instrument that are built here: one builder an interval, taken as one."""

from __future__ import annotations

from collections.abc import Iterable

from domain.market.bars import BarBuilder, BarsState, Landed
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.observations import Trade

Landings = list[tuple[BarBuilder, Landed]]
"""Builders for which a trade did more than amend the forming bar."""


class BarSet:
    """`by_interval`: the builders, for reading. Times in ns UTC."""

    __slots__ = ("_builders", "by_interval")

    def __init__(self, instrument: str, intervals: Iterable[str], *, allowance_ns: int, keep: int) -> None:
        self.by_interval = {
            interval: BarBuilder(instrument, interval, allowance_ns=allowance_ns, keep=keep)
            for interval in intervals
        }
        self._builders = tuple(self.by_interval.values())

    def add(self, trade: Trade, ts: int, clock: int) -> Landings | None:
        """Fold a trade at `ts`. None in the common case: every builder amended its forming bar."""
        landings: Landings | None = None
        price, size, provider = trade.price, trade.size, trade.provider
        notional = price * size
        for builder in self._builders:
            landed = builder.add(ts, price, size, notional, provider, clock)
            if landed is not None:
                if landings is None:
                    landings = []
                landings.append((builder, landed))
        return landings

    def deadline(self) -> int:
        """When the first bar closes; NEVER while none forms."""
        return min(builder.deadline for builder in self._builders)

    def due(self, upto: int, clock: int) -> list[BarClosed | BarCorrected]:
        """Decisions, taken at `clock`, that close the bars whose deadline is <= upto, in deadline order."""
        closing = [
            (each.ts_event + builder.interval_ns, each)
            for builder in self._builders
            for each in builder.due(upto, clock)
        ]
        closing.sort(key=lambda pair: pair[0])
        return [each for _, each in closing]

    def settle(self, decision: BarClosed | BarCorrected) -> bool:
        """Fold a decision; False where no such interval is built here."""
        builder = self.by_interval.get(decision.interval)
        if builder is None:
            return False
        builder.settle(decision)
        return True

    def taint(self, ts: int) -> None:
        """The bars that hold `ts`."""
        for builder in self._builders:
            builder.taint(ts)

    def taint_forming(self) -> None:
        for builder in self._builders:
            builder.taint_forming()

    def closed_until(self) -> int:
        """End of the newest closed bar that is held; 0 before the first."""
        ends = [each.closed[-1].ts_event + each.interval_ns for each in self._builders if each.closed]
        return max(ends, default=0)

    def newest_start(self) -> int:
        """Of all bars that are held; 0 without any."""
        return max(builder.newest_start() for builder in self._builders)

    def set_back(self, now: int) -> None:
        """See `BarBuilder.set_back`."""
        for builder in self._builders:
            builder.set_back(now)

    def snapshot(self) -> tuple[BarsState, ...]:
        return tuple(builder.snapshot() for builder in self._builders)

    def restore(self, states: Iterable[BarsState]) -> None:
        for state in states:
            self.by_interval[state.interval].restore(state)
