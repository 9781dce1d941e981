"""Lines through pivots, and how closely prices follow a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from domain.patterns.swings import Pivot

MIN_TIME_RATIO = 0.25
"""Of the shortest leg of a figure to its longest, in bars."""
GRAIN = 0.35
"""Bars: a pivot stands on a whole bar, price turned somewhere beside it. In short legs that counts."""


class Line(Struct, frozen=True, array_like=True, gc=False):
    """Price over rows: `price` at `row`, `slope` per bar."""

    row: int
    price: float
    slope: float = 0.0

    def at(self, row: float) -> float:
        return self.price + self.slope * (row - self.row)

    def moved(self, by: float) -> Line:
        return Line(self.row, self.price + by, self.slope)


def through(points: Sequence[Pivot]) -> Line:
    """Least squares; exact through two. Points of one row at least two."""
    first, count = points[0].row, len(points)
    mean_row = mean_price = 0.0
    for point in points:
        mean_row += point.row - first
        mean_price += point.price
    mean_row, mean_price = mean_row / count, mean_price / count
    spread = moment = 0.0
    for point in points:
        away = point.row - first - mean_row
        spread += away * away
        moment += away * (point.price - mean_price)
    slope = moment / spread
    return Line(first, mean_price - slope * mean_row, slope)


def ratio_of(first: float, second: float) -> float:
    """Of the larger price to the smaller; infinite where that is not above 0."""
    low = min(first, second)
    return max(first, second) / low if low > 0.0 else math.inf


def largest_miss(line: Line, points: Sequence[Pivot]) -> float:
    """Of the points from the line, in price."""
    row, price, slope = line.row, line.price, line.slope
    return max([abs(point.price - price - slope * (point.row - row)) for point in points])


def even_in_time(pivots: Sequence[Pivot]) -> bool:
    """Whether no leg is a mere wiggle beside the longest."""
    bars = [after.row - before.row for before, after in pairwise(pivots)]
    return min(bars) >= MIN_TIME_RATIO * max(bars)


def mean_leg(pivots: Sequence[Pivot]) -> float:
    """Mean size of the moves between neighbours, in price."""
    legs = [abs(after.price - before.price) for before, after in pairwise(pivots)]
    return sum(legs) / len(legs)


class ClosesState(Struct, frozen=True, array_like=True):
    first: int
    closes: tuple[float, ...]


class Closes:
    """The last closes by row: at least `keep`, at most twice as many.

    What `roughness` says is divided by `slack`: 1 where the detectors' limits hold as they are.
    """

    __slots__ = ("_closes", "_keep", "_slack", "first")

    def __init__(self, keep: int, slack: float = 1.0) -> None:
        self._keep = keep
        self._slack = slack
        self.first = 0
        self._closes: list[float] = []

    def add(self, close: float) -> None:
        self._closes.append(close)
        if len(self._closes) >= 2 * self._keep:
            del self._closes[: self._keep]
            self.first += self._keep

    def hold(self) -> None:
        """A row without a close: the last one stands."""
        if self._closes:
            self.add(self._closes[-1])
        else:
            self.first += 1

    def begin_anew(self, row: int) -> None:
        """What was held is no measure of what follows, `row` first."""
        self.first = row
        self._closes.clear()

    def entry(self, start: Pivot, top: Pivot, level: float) -> Pivot:
        """Where the move from `start` to `top` left `level` for the last time, at the earliest at `start`."""
        for row in range(top.row, max(start.row, self.first - 1), -1):
            close = self._closes[row - self.first]
            if top.side * (close - level) <= 0.0:
                return Pivot(row, 0, close, start.side, row)
        return start

    def roughness(self, pivots: Sequence[Pivot], grain: float = 0.0) -> float:
        """Root mean square distance of the closes from the straight legs between pivots, in mean legs.

        0 for a figure drawn with a ruler; a random walk has 0.2 and more. Infinite where the closes are
        no longer held or there is no move. What a mean leg travels in `grain` bars is no distance.
        """
        begin, end = pivots[0].row - self.first, pivots[-1].row - self.first + 1
        leg = mean_leg(pivots)
        if begin < 0 or leg <= 0.0:
            return math.inf
        rows = [pivot.row - pivots[0].row for pivot in pivots]
        drawn = np.interp(np.arange(end - begin), rows, [pivot.price for pivot in pivots])
        missed = (np.array(self._closes[begin:end]) - drawn) / leg
        by_grain = grain * (len(pivots) - 1) / (end - begin - 1)
        squares = math.fsum((missed * missed).tolist())  # exact, where a dot product depends on the processor
        return math.sqrt(max(0.0, squares / len(missed) - by_grain**2)) / self._slack

    def snapshot(self) -> ClosesState:
        return ClosesState(self.first, tuple(self._closes))

    def restore(self, state: ClosesState) -> None:
        self.first = state.first
        self._closes = list(state.closes)


def score(parts: Sequence[float]) -> float:
    """Geometric mean of numbers in [0, 1]: one bad part cannot be made up for by the others."""
    product = 1.0
    for part in parts:
        product *= min(1.0, max(0.0, part))
    return float(product ** (1.0 / len(parts)))
