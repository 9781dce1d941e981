"""Swings: alternating highs and lows, each known only once price has turned away from it.

A zigzag of threshold t takes the highest high for a pivot as soon as a later low lies t below it, then
seeks the lowest low, and so on. t is a multiple of the average true range (Wilder, New Concepts in
Technical Trading Systems, 1978, p. 21), so that it fits any price and any volatility. Several zigzags of
rising multiples see small and large swings.
"""

from __future__ import annotations

from msgspec import Struct

HIGH, LOW = 1, -1


class Pivot(Struct, frozen=True, array_like=True, gc=False):
    """An extreme: `side` 1 for a high, -1 for a low. Known at the bar `known`, later than `row`."""

    row: int
    ts: int
    price: float
    side: int
    known: int


class RangeState(Struct, frozen=True, array_like=True):
    count: int
    average: float
    last_close: float


class AverageRange:
    """Average true range: the mean of the first `period` true ranges, then Wilder's smoothing.

    It has a value from the first bar on (its high less its low), so that short tables are judged too.
    """

    __slots__ = ("_count", "_last_close", "_period", "average")

    def __init__(self, period: int = 14) -> None:
        self._period = period
        self._count, self.average, self._last_close = 0, 0.0, 0.0

    def update(self, high: float, low: float, close: float) -> float:
        last = self._last_close
        if self._count:
            high, low = max(high, last), min(low, last)
        if self._count < self._period:
            self._count += 1
        self.average += (high - low - self.average) / self._count
        self._last_close = close
        return self.average

    def snapshot(self) -> RangeState:
        return RangeState(self._count, self.average, self._last_close)

    def restore(self, state: RangeState) -> None:
        self._count, self.average, self._last_close = state.count, state.average, state.last_close


class ZigzagState(Struct, frozen=True, array_like=True):
    side: int
    high: tuple[int, int, float]
    low: tuple[int, int, float]
    pivots: tuple[Pivot, ...]


class Zigzag:
    """The last `keep` pivots, oldest first; they alternate.

    On a bar that both makes a new extreme and turns, the extreme counts and the turn waits for the next
    bar: which came first within the bar is unknown.
    """

    __slots__ = ("_high", "_keep", "_low", "_side", "pivots")

    def __init__(self, keep: int = 14) -> None:
        self._keep = keep
        self._side = 0
        self._high = self._low = (-1, 0, 0.0)
        self.pivots: list[Pivot] = []

    def update(self, row: int, ts: int, high: float, low: float, threshold: float) -> bool:
        """Whether a pivot became known. `_side`: which extreme is sought, 0 before the first pivot."""
        side = self._side
        if side > 0:
            if high > self._high[2]:
                self._high = (row, ts, high)
            elif self._high[2] - low >= threshold:
                return self._turn(self._high, HIGH, row, (row, ts, low))
        elif side < 0:
            if low < self._low[2]:
                self._low = (row, ts, low)
            elif high - self._low[2] >= threshold:
                return self._turn(self._low, LOW, row, (row, ts, high))
        else:
            return self._begin(row, ts, high, low, threshold)
        return False

    def _begin(self, row: int, ts: int, high: float, low: float, threshold: float) -> bool:
        if self._high[0] < 0 or high > self._high[2]:
            self._high = (row, ts, high)
        if self._low[0] < 0 or low < self._low[2]:
            self._low = (row, ts, low)
        if self._high[0] == self._low[0] or self._high[2] - self._low[2] < max(threshold, 1e-300):
            return False
        if self._high[0] < self._low[0]:
            return self._turn(self._high, HIGH, row, self._low)
        return self._turn(self._low, LOW, row, self._high)

    def _turn(
        self, extreme: tuple[int, int, float], side: int, known: int, next_: tuple[int, int, float]
    ) -> bool:
        self.pivots.append(Pivot(*extreme, side, known))
        if len(self.pivots) > self._keep:
            del self.pivots[0]
        self._side = -side
        if side > 0:
            self._low = next_
        else:
            self._high = next_
        return True

    def snapshot(self) -> ZigzagState:
        return ZigzagState(self._side, self._high, self._low, tuple(self.pivots))

    def restore(self, state: ZigzagState) -> None:
        self._side, self._high, self._low = state.side, state.high, state.low
        self.pivots = list(state.pivots)
