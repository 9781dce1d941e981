"""One figure over one instrument's closed bars as they come: appended, corrected or put in between."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from domain.errors import OverLimit
from domain.indicators.bars import Bars
from domain.indicators.corrections import CorrectableBank
from domain.indicators.sessions import UTC_DAYS, Sessions
from domain.indicators.spec import Spec

Cells = tuple[float, float, float, float, float]
"""open, high, low, close, volume."""
DEPTH = 120
"""Bars that can be corrected: as many as a keeper holds closed."""
_ROW = np.zeros(1, np.int64)

Changes = list[tuple[int, float]]
"""(start of the bar, value), oldest first; NaN where there is no value."""


class Streaming:
    """Bounded state: the figure's own three times, and the last 2 x `depth` bars.

    What `put` has told equals the history of the bars as they stand, to the bit, as long as nothing
    older than `depth` bars is corrected.
    """

    def __init__(self, spec: Spec, sessions: Sessions = UTC_DAYS, *, depth: int = DEPTH) -> None:
        self.spec = spec
        self._sessions = sessions
        self._bank = CorrectableBank(spec, 1, depth=depth)
        self._keep = 2 * depth + 2
        self._starts: list[int] = []
        self._cells: list[Cells] = []
        self._values: list[float] = []

    @property
    def newest(self) -> int | None:
        """Start of the newest bar, ns UTC."""
        return self._starts[-1] if self._starts else None

    @property
    def known(self) -> Changes:
        """Values at the bars that are held, oldest first."""
        return list(zip(self._starts, self._values, strict=True))

    def put(self, start: int, cells: Cells, *, replace: bool = True) -> Changes:
        """The bar's value, then those of later bars that changed with it.

        Empty where the bar is too old to be corrected, or is there already and not to be replaced.
        """
        place = bisect_left(self._starts, start)
        if place == len(self._starts):
            self._append(start, cells)
            return [(start, self._values[-1])]
        known = self._starts[place] == start
        if known and self._cells[place] == cells:
            return [(start, self._values[place])] if replace else []
        if (known and not replace) or not self._revert(place, known=known):
            return []
        return self._put_again(place, start, cells, known=known)

    def peek(self, start: int, cells: Cells) -> float:
        """The value if the bar that forms closed as it stands, behind the newest."""
        return float(self._bank.bank.peek(_ROW, self._bars(start, cells))[self.spec.place][0])

    def _append(self, start: int, cells: Cells) -> None:
        value = self._feed(start, cells)
        self._starts.append(start)
        self._cells.append(cells)
        self._values.append(value)
        if len(self._starts) > self._keep:
            del self._starts[0], self._cells[0], self._values[0]

    def _feed(self, start: int, cells: Cells) -> float:
        return float(self._bank.update(_ROW, self._bars(start, cells))[self.spec.place][0])

    def _revert(self, place: int, *, known: bool) -> bool:
        """Go back to before the bar at a place; `_again` says how many of the newest bars came after it."""
        behind = len(self._starts) - place - 1
        if not known and place == 0:
            return False
        try:
            self._again = self._bank.revert(0, behind)
        except OverLimit:
            return False
        return True

    def _put_again(self, place: int, start: int, cells: Cells, *, known: bool) -> Changes:
        before = dict(zip(self._starts[place:], self._values[place:], strict=True))
        first = len(self._starts) - self._again
        if known:
            self._cells[place] = cells
        else:
            self._starts.insert(place, start)
            self._cells.insert(place, cells)
        again = list(zip(self._starts[first:], self._cells[first:], strict=True))
        del self._starts[first:], self._cells[first:], self._values[first:]
        for each_start, each_cells in again:
            self._append(each_start, each_cells)
        now = bisect_left(self._starts, start)
        found = list(zip(self._starts[now:], self._values[now:], strict=True))
        return [found[0], *(each for each in found[1:] if not _same(before[each[0]], each[1]))]

    def _bars(self, start: int, cells: Cells) -> Bars:
        opened, high, low, close, volume = (np.array([cell]) for cell in cells)
        session = self._sessions.days(np.array([start], np.int64))
        return Bars(opened, high, low, close, volume, session)


def _same(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)
