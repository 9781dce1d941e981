"""One instrument's 1m bars as they close, as bars of a coarser interval.

A coarser bar closes when a 1m bar reaches its end or begins after it: the same rule by which stored bars
are rolled up on read. The last 1m bars are kept one by one, as many as a keeper can still correct; what
came before them in their coarser bar is summed up, in the same order, so that the sums are the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct

from domain.clock import NS_PER_MIN
from domain.indicators.armed import WarmBar
from domain.market.intervals import bar_start, interval_ns

BUILT = ("1s", "1m")
"""Intervals whose bars keepers build; bars of all others are made of 1m bars."""
BASE = "1m"
KEEP = 120
"""1m bars that can be corrected: as many as a keeper holds closed."""
WIDTH = 5
_NONE_CLOSED = -1


class RollState(Struct, frozen=True, array_like=True):
    """`starts` int64 and `cells` float64 of the 1m bars kept, oldest first; `closed`: start of the newest
    coarser bar that has closed, -1 before the first."""

    begun: WarmBar | None
    starts: bytes
    cells: bytes
    closed: int


class Roll:
    """Bounded: `KEEP` 1m bars and one sum."""

    def __init__(self, interval: str, begun: WarmBar | None = None) -> None:
        self._length = interval_ns(interval)
        self._begun = begun
        self._starts = array("q")
        self._cells = array("d")
        self._closed = _NONE_CLOSED

    def add(self, bar: WarmBar) -> list[WarmBar]:
        """A 1m bar newer than all before. The coarser bars that it closes: none, one or two."""
        done: list[WarmBar] = []
        bucket = bar_start(bar[0], self._length)
        forming = bar_start(self._starts[-1], self._length) if self._starts else bucket
        if self._closed < forming < bucket:
            done.append(self._close(forming))
        self._put(len(self._starts), bar)
        if bar[0] + NS_PER_MIN >= bucket + self._length:
            done.append(self._close(bucket))
        return done

    def correct(self, bar: WarmBar) -> WarmBar | None:
        """A 1m bar changed, or was put in between. The closed coarser bar as it is now; None where it
        still forms, or where the 1m bar is older than what is kept."""
        place = bisect_left(self._starts, bar[0])
        known = place < len(self._starts) and self._starts[place] == bar[0]
        if place == 0 and not known:
            return None
        if known:
            self._cells[WIDTH * place : WIDTH * (place + 1)] = array("d", bar[1:])
        else:
            self._put(place, bar)
        bucket = bar_start(bar[0], self._length)
        return self._rolled(bucket) if bucket <= self._closed else None

    @property
    def newest(self) -> int:
        """Start of the newest 1m bar; -1 before the first."""
        return self._starts[-1] if self._starts else _NONE_CLOSED

    def snapshot(self) -> RollState:
        return RollState(self._begun, self._starts.tobytes(), self._cells.tobytes(), self._closed)

    @classmethod
    def restored(cls, interval: str, state: RollState) -> Roll:
        roll = cls(interval, state.begun)
        roll._starts = array("q", state.starts)
        roll._cells = array("d", state.cells)
        roll._closed = state.closed
        return roll

    def _close(self, bucket: int) -> WarmBar:
        self._closed = bucket
        return self._rolled(bucket)

    def _put(self, place: int, bar: WarmBar) -> None:
        at = WIDTH * place
        self._starts.insert(place, bar[0])
        self._cells[at:at] = array("d", bar[1:])
        if len(self._starts) > KEEP:
            self._begun = self._summed(bar_start(self._starts[0], self._length), self._begun, [self._part(0)])
            del self._starts[0]
            del self._cells[:WIDTH]

    def _part(self, place: int) -> WarmBar:
        opened, high, low, close, volume = self._cells[WIDTH * place : WIDTH * (place + 1)]
        return self._starts[place], opened, high, low, close, volume

    def _rolled(self, bucket: int) -> WarmBar:
        first = bisect_left(self._starts, bucket)
        last = bisect_left(self._starts, bucket + self._length)
        return self._summed(bucket, self._begun, (self._part(place) for place in range(first, last)))

    @staticmethod
    def _summed(bucket: int, begun: WarmBar | None, parts: list[WarmBar] | Iterator[WarmBar]) -> WarmBar:
        return summed(bucket, begun if begun is not None and begun[0] == bucket else None, parts)


def summed(bucket: int, begun: WarmBar | None, parts: list[WarmBar] | Iterator[WarmBar]) -> WarmBar:
    """The coarser bar of `begun` and the parts after it, oldest first; there must be one of them."""
    for part in parts:
        if begun is None:
            begun = (bucket, *part[1:])
        else:
            _, opened, high, low, _, volume = begun
            begun = (bucket, opened, max(high, part[2]), min(low, part[3]), part[4], volume + part[5])
    assert begun is not None  # noqa: S101 - a bar is rolled up where a part of it has come
    return begun
