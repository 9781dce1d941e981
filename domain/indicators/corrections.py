"""Going back: a bank that keeps two older states of every row, so that corrected bars can be fed again."""

from __future__ import annotations

import numpy as np

from domain.errors import OverLimit
from domain.indicators.bank import Bank, RowState
from domain.indicators.bars import Bars, Floats, Integers
from domain.indicators.spec import Spec


class CorrectableBank:
    """A bank with checkpoints every `depth` bars per row: any of the last `depth` bars can be corrected.

    Costs three times a bank's memory. To correct a bar that `back` bars have followed (0: the newest):
    `revert(row, back)` says how many of the newest bars to feed again, oldest first, the corrected
    one among them; `update` then gives their values anew.
    """

    def __init__(self, spec: Spec, symbols: int = 0, *, depth: int = 16) -> None:
        if depth < 1:
            raise ValueError(f"depth {depth} is less than 1")
        self.depth = depth
        self._now, self._newer, self._older = (Bank(spec, symbols) for _ in range(3))
        self._fed = np.zeros(symbols, np.int64)

    @property
    def bank(self) -> Bank:
        """For reading and peeking; updates must come through here."""
        return self._now

    def resize(self, symbols: int) -> None:
        for each in (self._now, self._newer, self._older):
            each.resize(symbols)
        self._fed = np.concatenate((self._fed, np.zeros(symbols - len(self._fed), np.int64)))

    def clear(self, row: int) -> None:
        """Make a row as new, for another symbol."""
        rows = np.array([row])
        for each in (self._now, self._newer, self._older):
            each.clear(rows)
        self._fed[row] = 0

    def update(self, rows: Integers, bars: Bars) -> tuple[Floats, ...]:
        """As `Bank.update`."""
        outputs = self._now.update(rows, bars)
        self._fed[rows] += 1
        due = rows[self._fed[rows] % self.depth == 0]
        if due.size:
            self._older.copy_rows(self._newer, due)
            self._newer.copy_rows(self._now, due)
        return outputs

    def reaches(self, row: int, back: int) -> bool:
        """Whether a bar that `back` bars have followed can be corrected."""
        fed = int(self._fed[row])
        older = max(0, fed - fed % self.depth - self.depth)
        return 0 <= back < fed and fed - back - 1 >= older

    def revert(self, row: int, back: int) -> int:
        """Go back to a state from before the bar that `back` bars have followed.

        The number of newest bars to be fed again, at least `back` + 1. Raises OverLimit where that bar
        lies beyond what is kept, and changes nothing.
        """
        fed = int(self._fed[row])
        before = fed - back - 1
        newer = fed - fed % self.depth
        older = max(0, newer - self.depth)
        rows = np.array([row])
        if not self.reaches(row, back):
            raise OverLimit(f"bar {back} back of {fed} is beyond the {self.depth} that can be corrected")
        if before >= newer:
            self._now.copy_rows(self._newer, rows)
            self._fed[row] = newer
            return fed - newer
        self._now.copy_rows(self._older, rows)
        self._newer.copy_rows(self._older, rows)
        self._fed[row] = older
        return fed - older

    def snapshot(self, row: int) -> tuple[int, RowState, RowState, RowState]:
        """(bars fed, state now, newer and older checkpoint)."""
        states = (each.snapshot(row) for each in (self._now, self._newer, self._older))
        now, newer, older = states
        return int(self._fed[row]), now, newer, older

    def restore(self, row: int, state: tuple[int, RowState, RowState, RowState]) -> None:
        """Raises Corrupt where a state does not fit."""
        fed, *states = state
        for bank, each in zip((self._now, self._newer, self._older), states, strict=True):
            bank.restore(row, each)
        self._fed[row] = fed
