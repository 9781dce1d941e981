"""Dense trade ids of one instrument: repeats, holes, and what fills them.

Binance numbers aggregated trades by symbol without holes, so a jump is a loss. An id below the mark is a
repeat, unless its trade is later than all before it: then it waits for another that continues it, and with
the two the numbering begins anew. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.clock import NS_PER_S
from domain.market.observations import Trade
from domain.market.renumbering import Suspect, is_after_all

MAX_BACKFILL = 50_000
"""A hole of more ids is reported and left: 50 pages of REST would cost 200 of 6,000 weight a minute."""
MAX_HOLES = 64
HOLD_NS = 10 * NS_PER_S
"""A trade that may be the first of a new numbering waits so long for a second one; then it counts as that."""
MAX_MISSED_START = 1000
"""A new numbering that is heard of later than this has not certainly begun at 0."""

Range = tuple[int, int]
"""(first, last) trade ids, inclusive."""


class Held(NamedTuple):
    """A trade that may be the first of a new numbering; `high`: the mark when it came, `due` ns."""

    trade: Trade
    high: int | None
    due: int

    @property
    def suspect(self) -> Suspect:
        return Suspect(number_of(self.trade), self.trade.ts_event)


def number_of(trade: Trade) -> int:
    return int(trade.trade_id or 0)


class TradeTrack:
    """High-water mark and missing ranges. With `dense` False only repeats are told.

    `newest`: time of the latest trade taken, ns UTC; `old_until`: the same of the numbering before this one.
    """

    def __init__(self, *, dense: bool = True) -> None:
        self.dense = dense
        self.high: int | None = None
        self.newest = 0
        self.old_until = 0
        self.held: Held | None = None
        self._holes: list[Range] = []
        self._open: list[Range] = []

    def admit(self, trade_id: int) -> tuple[bool, Range | None]:
        """A trade from the stream -> (whether it is new, the range that it shows to be missing)."""
        high = self.high
        if high is None or trade_id == high + 1:
            self.high = trade_id
            return True, None
        if trade_id <= high:
            return self._take(trade_id), None
        self.high = trade_id
        if not self.dense:
            return True, None
        missing = (high + 1, trade_id - 1)
        self._remember(missing)
        return True, missing

    def looks_anew(self, trade: Trade) -> bool:
        """An id at or below the mark, given to a trade that is later than all before it."""
        number = number_of(trade)
        if self.high is None or number > self.high:
            return False
        newest = max(self.newest, self.old_until)
        return is_after_all(trade.ts_event, newest, fills=self.is_missing(number))

    def is_missing(self, trade_id: int) -> bool:
        return any(first <= trade_id <= last for first, last in self._holes)

    def begin_anew(self, first: Trade) -> Range | None:
        """The numbering begins anew with this trade; returns what of it is missing, to be asked for."""
        number = number_of(first)
        self.held = None
        self._holes.clear()
        self._open.clear()
        self.old_until = max(self.newest, self.old_until)
        self.high, self.newest = number, first.ts_event
        if not self.dense or not 0 < number <= MAX_MISSED_START:
            return None
        self._remember((0, number - 1))
        return 0, number - 1

    def admit_page(self, trade_ids: list[int], asked_from: int) -> list[bool]:
        """A page of the venue's own list, ascending from `asked_from` -> which of its trades are new.

        What the page skips does not exist, so it is missing no longer.
        """
        new = [self._admit_listed(trade_id) for trade_id in trade_ids]
        if trade_ids:
            self._settle(asked_from, max(trade_ids))
        return new

    def closed(self) -> list[Range]:
        """The missing ranges, as they were reported, that are complete since the last call."""
        done = [span for span in self._open if not any(_meet(span, hole) for hole in self._holes)]
        if done:
            self._open = [span for span in self._open if span not in done]
        return done

    @property
    def next_missing(self) -> int | None:
        return self._holes[0][0] if self._holes else None

    def abandon(self) -> None:
        """The venue cannot give the first hole: it stays a gap."""
        hole = self._holes.pop(0)
        self._open = [span for span in self._open if not _meet(span, hole)]

    def _admit_listed(self, trade_id: int) -> bool:
        if self.high is None or trade_id > self.high:
            self.high = trade_id
            return True
        return self._take(trade_id)

    def _remember(self, missing: Range) -> None:
        if missing[1] - missing[0] >= MAX_BACKFILL:
            return
        self._holes.append(missing)
        self._open.append(missing)
        if len(self._holes) > MAX_HOLES:
            self.abandon()

    def _take(self, trade_id: int) -> bool:
        """Whether the id was missing; it is missing no longer."""
        if not self.is_missing(trade_id):
            return False
        self._settle(trade_id, trade_id)
        return True

    def _settle(self, first: int, last: int) -> None:
        """Cuts [first, last] out of the holes."""
        if not self._holes:
            return
        left = [(start, min(end, first - 1)) for start, end in self._holes]
        right = [(max(start, last + 1), end) for start, end in self._holes]
        self._holes = sorted({hole for hole in left + right if hole[0] <= hole[1]})


def _meet(one: Range, other: Range) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
