"""Which trade ids of a dense sequence have come: a high-water mark and the missing ranges below it."""

from __future__ import annotations

from bisect import bisect_right

Range = tuple[int, int]
"""(first, last), both inclusive."""
MAX_RANGES = 256
"""Missing ranges remembered; beyond it the oldest is given up (its gap stays on record as open)."""


class TradeIds:
    """One instrument's ids, at a venue that numbers trades 1, 2, 3 ... without holes.

    The first id seen only sets the mark: what came before the subscription is not missing.
    """

    def __init__(self) -> None:
        self.high: int | None = None
        self._missing: list[Range] = []
        self.gaps: list[Range] = []
        """Open ones: while there are any, a trade may close one, which has to be told."""

    def take(self, trade_id: int) -> bool:
        """Whether this trade is new. Ask `gap_before` first: taking moves the mark."""
        if self.high is None or trade_id > self.high:
            self._move_to(trade_id, trade_id - 1)
            return True
        return self._fill(trade_id)

    def gap_before(self, trade_id: int) -> Range | None:
        """What would be missing if this were the next trade."""
        if self.high is None or trade_id <= self.high + 1:
            return None
        return self.high + 1, trade_id - 1

    def reveal(self, last_id: int) -> Range | None:
        """The venue says that `last_id` exists: what is missing up to it."""
        gap = self.gap_before(last_id + 1)
        if self.high is None or last_id > self.high:
            self._move_to(last_id, last_id)
        return gap

    def begin(self, first_id: int, missing: Range | None) -> None:
        """The venue's numbering has restarted with `first_id`: the old numbers no longer count."""
        self.high = first_id
        self._missing = [missing] if missing is not None else []
        self.gaps = list(self._missing)

    @property
    def newest(self) -> int | None:
        """The highest id that has come; the mark itself may be only what the venue says exists."""
        if self._missing and self._missing[-1][1] == self.high:
            return self._missing[-1][0] - 1
        return self.high

    def still_missing(self, gap: Range) -> bool:
        return any(first <= gap[1] and last >= gap[0] for first, last in self._missing)

    def closed_gaps(self) -> list[Range]:
        """Gaps that have filled up since the last call."""
        if not self.gaps:
            return []
        closed = [gap for gap in self.gaps if not self.still_missing(gap)]
        if closed:
            self.gaps = [gap for gap in self.gaps if gap not in closed]
        return closed

    def open_gaps(self) -> list[Range]:
        return list(self.gaps)

    def is_missing(self, trade_id: int) -> bool:
        return self._holding(trade_id) is not None

    def _move_to(self, mark: int, missing_up_to: int) -> None:
        if self.high is not None and missing_up_to > self.high:
            gap = (self.high + 1, missing_up_to)
            self._missing.append(gap)
            self.gaps.append(gap)
            self._bound()
        self.high = mark

    def _bound(self) -> None:
        if len(self._missing) > MAX_RANGES:
            self._give_up(self._missing.pop(0))

    def _give_up(self, lost: Range) -> None:
        """The gap that held these ids never closes: it stays on record as open."""
        self.gaps = [gap for gap in self.gaps if gap[1] < lost[0] or lost[1] < gap[0]]

    def _holding(self, trade_id: int) -> int | None:
        """Index of the missing range with this id."""
        if not self._missing:
            return None
        index = bisect_right(self._missing, trade_id, key=lambda each: each[0]) - 1
        return index if index >= 0 and self._missing[index][1] >= trade_id else None

    def _fill(self, trade_id: int) -> bool:
        index = self._holding(trade_id)
        if index is None:
            return False
        first, last = self._missing[index]
        rest = [(first, trade_id - 1), (trade_id + 1, last)]
        self._missing[index : index + 1] = [part for part in rest if part[0] <= part[1]]
        return True
