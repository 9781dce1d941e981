"""The folded order book by price level (L2).

    unsynced ──snapshot──> usable ──gap, crossed, locked──> broken ──snapshot──> usable (restored)

A book is shown only while usable, and is never crossed: a best bid above the best ask (crossed) or at it
(locked) means that a change was missed. A matching engine lets no two such orders rest, and a message is
judged as a whole, so neither is a passing state; DECISIONS.md has the evidence. The venue's own rules
(update ids against a REST snapshot, checksums) are the feed session's; it hands over continuous deltas
and says where it could not.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from domain.market.levels import MAX_LEVELS, Levels
from domain.market.observations import BookDelta, BookSnapshot, Level

Status = Literal["unsynced", "usable", "broken"]


class Broken(Struct, frozen=True):
    """The change that was just folded made the book unusable."""

    reason: Literal["gap", "crossed", "locked", "overflow", "source"]
    expected: int | None = None
    got: int | None = None


class Restored(Struct, frozen=True):
    """The snapshot that was just folded made a broken book usable."""

    sequence: int | None


def overlapping(bid: float, ask: float) -> Broken:
    """What a best bid at or above the best ask is called."""
    return Broken("crossed" if bid > ask else "locked")


BookChange = Broken | Restored
"""What a fold has to say beyond having been done."""


class BookState(Struct, frozen=True, array_like=True):
    status: Status
    sequence: int | None
    ts_event: int
    depth: int | None
    at_snapshot: bool
    bids: bytes
    asks: bytes


class OrderBook:
    """L2 book of one instrument. `sequence`: the venue's last update id in it, None while unusable.

    `ts_event` of a fold is the event's unless it is given, clamped to the feed clock.
    """

    __slots__ = ("_asks", "_at_snapshot", "_bids", "_depth", "_status", "sequence", "ts_event")

    def __init__(self) -> None:
        self._bids = Levels(1)
        self._asks = Levels(-1)
        self._status: Status = "unsynced"
        self._depth: int | None = None
        self._at_snapshot = False
        self.sequence: int | None = None
        self.ts_event = 0

    @property
    def usable(self) -> bool:
        return self._status == "usable"

    @property
    def synchronised(self) -> bool:
        """Whether there ever was a snapshot."""
        return self._status != "unsynced"

    @property
    def depth(self) -> int | None:
        """Levels a side that the venue keeps; None where it names no depth."""
        return self._depth

    @property
    def best_bid(self) -> float | None:
        return self._bids.best

    @property
    def best_ask(self) -> float | None:
        return self._asks.best

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """(bids, asks), best first; both empty while not usable."""
        return self._bids.top(depth), self._asks.top(depth)

    def repeats(self, delta: BookDelta) -> bool:
        """Whether everything in a delta is in the book already, by the venue's sequence."""
        if self.sequence is None or delta.sequence is None:
            return False
        return delta.sequence[1] <= self.sequence

    def apply_snapshot(self, snapshot: BookSnapshot, ts_event: int | None = None) -> BookChange | None:
        """Replace the book. A crossed or locked snapshot is refused."""
        was_broken = self._status == "broken"
        self._bids.load(snapshot.bids)
        self._asks.load(snapshot.asks)
        self._depth = snapshot.depth
        self._at_snapshot = True
        self._status = "usable"
        self.sequence = None if snapshot.sequence is None else snapshot.sequence[1]
        self.ts_event = snapshot.ts_event if ts_event is None else ts_event
        depth = self._depth or MAX_LEVELS
        self._bids.cut(depth)
        self._asks.cut(depth)
        if self._bids.crosses(self._asks):
            return self._uncross()
        return Restored(self.sequence) if was_broken else None

    def apply_delta(self, delta: BookDelta, ts_event: int | None = None) -> BookChange | None:
        """Change levels. Without effect while not usable, and for a repeat."""
        if self._status != "usable":
            return None
        sequence, applied = delta.sequence, self.sequence
        if sequence is not None and applied is not None and sequence[1] <= applied:
            return None
        previous = delta.prev_sequence
        if previous != applied and not self._continues(previous):
            self.break_()
            return Broken("gap", applied, previous)
        depth = self._depth or MAX_LEVELS
        bids, asks = delta.bids, delta.asks
        if bids:
            self._bids.change(bids, depth)
        if asks:
            self._asks.change(asks, depth)
        self._at_snapshot = False
        if sequence is not None:
            self.sequence = sequence[1]
        at = delta.ts_event if ts_event is None else ts_event
        if at > self.ts_event:
            self.ts_event = at
        return self._uncross() if self._bids.crosses(self._asks) else None

    def _continues(self, previous: int | None) -> bool:
        """A delta begins where the book ends; the first after a snapshot may begin before it."""
        if previous is None or self.sequence is None:
            return True
        if self._at_snapshot:
            return previous <= self.sequence
        return previous == self.sequence

    def _uncross(self) -> Broken | None:
        """Break a book whose sides meet."""
        bid, ask = self._bids.best, self._asks.best
        self.break_()
        return None if bid is None or ask is None else overlapping(bid, ask)

    def break_(self) -> None:
        """Unusable until the next snapshot. Without effect on a book that never had one."""
        if self._status == "usable":
            self._status = "broken"
        self._bids.clear()
        self._asks.clear()
        self.sequence = None

    def snapshot(self) -> BookState:
        return BookState(
            self._status,
            self.sequence,
            self.ts_event,
            self._depth,
            self._at_snapshot,
            self._bids.pack(),
            self._asks.pack(),
        )

    @classmethod
    def restored(cls, state: BookState) -> OrderBook:
        book = cls()
        book._status = state.status
        book.sequence = state.sequence
        book.ts_event = state.ts_event
        book._depth = state.depth
        book._at_snapshot = state.at_snapshot
        book._bids.unpack(state.bids)
        book._asks.unpack(state.asks)
        return book
