"""Several book deltas as one: the last write per price wins, size 0 still deletes.

Right for books that a venue keeps whole. Where it keeps a fixed depth the client must cut its book after
every single change, so such deltas are never merged (see `Lane.cut`).
"""

from __future__ import annotations

from domain.market.observations import BookDelta, Level


class MergedBook:
    """Deltas of one instrument from offset `first` on."""

    __slots__ = ("_asks", "_bids", "_first_sequence", "first", "prev_sequence")

    def __init__(self, first: int, delta: BookDelta) -> None:
        self.first = first
        self.prev_sequence = delta.prev_sequence
        self._first_sequence = delta.sequence
        self._bids: dict[float, float] = dict(delta.bids)
        self._asks: dict[float, float] = dict(delta.asks)

    def add(self, delta: BookDelta) -> None:
        self._bids.update(delta.bids)
        self._asks.update(delta.asks)

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks, each in the order a price was first written."""
        return tuple(self._bids.items()), tuple(self._asks.items())

    def sequence(self, last: tuple[int, int] | None) -> tuple[int, int] | None:
        """The venue's range from the first delta to the last; None where it has none."""
        if last is None or self._first_sequence is None:
            return last
        return self._first_sequence[0], last[1]

    def __len__(self) -> int:
        return len(self._bids) + len(self._asks)
