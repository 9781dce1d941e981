"""One instrument's bars of one interval under the figures that it has armed over them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from domain.indicators.armed import WarmBar
from domain.indicators.rolling import BASE, BUILT, WIDTH, Roll

Outputs = tuple[float | None, ...]
"""A figure's outputs at the newest bar, None where there is no value."""


class Chain:
    """`base`: interval of the bars that come in; `roll` makes this chain's bars of them where that is
    another one. `rows`: of each figure, in its column. The last `keep` bars are held for corrections."""

    __slots__ = ("_cells", "_keep", "base", "interval", "outputs", "roll", "rows", "specs", "starts")

    def __init__(self, interval: str, keep: int) -> None:
        self.interval = interval
        self.base = interval if interval in BUILT else BASE
        self.roll: Roll | None = None
        self.specs: dict[str, tuple[str, int]] = {}
        """spec -> (its figure, the place among the figure's outputs)"""
        self.rows: dict[str, int] = {}
        self.outputs: dict[str, Outputs] = {}
        self.starts = array("q")
        self._cells = array("d")
        self._keep = keep

    @property
    def newest(self) -> int | None:
        """Start of the newest bar, ns UTC; None before the first."""
        return self.starts[-1] if self.starts else None

    def closed_by(self, bar: WarmBar) -> Sequence[WarmBar]:
        """The bars of this chain that a closed bar of its base closes; oldest first."""
        return (bar,) if self.roll is None else self.roll.add(bar)

    def corrected_by(self, bar: WarmBar) -> WarmBar | None:
        """The bar of this chain that a corrected bar of its base changes; None: there is none."""
        return bar if self.roll is None else self.roll.correct(bar)

    def place_of(self, start: int) -> tuple[int, bool]:
        """(place among the kept bars, whether it is there already)"""
        place = bisect_left(self.starts, start)
        return place, place < len(self.starts) and self.starts[place] == start

    def put(self, place: int, bar: WarmBar, *, known: bool) -> None:
        """At its place among the kept bars; the oldest goes where there are too many."""
        at = WIDTH * place
        if known:
            self._cells[at : at + WIDTH] = array("d", bar[1:])
            return
        self.starts.insert(place, bar[0])
        self._cells[at:at] = array("d", bar[1:])
        if len(self.starts) > self._keep:
            del self.starts[0]
            del self._cells[:WIDTH]

    def hold(self, bars: Sequence[WarmBar]) -> None:
        """Keep the newest of these in place of what is kept."""
        self.starts, self._cells = array("q"), array("d")
        for bar in bars[-self._keep :]:
            self.append(bar)

    def append(self, bar: WarmBar) -> None:
        self.put(len(self.starts), bar, known=False)

    def bars(self, count: int) -> list[WarmBar]:
        """The newest `count` of the kept ones, oldest first."""
        found: list[WarmBar] = []
        for place in range(len(self.starts) - count, len(self.starts)):
            opened, high, low, close, volume = self._cells[WIDTH * place : WIDTH * (place + 1)]
            found.append((self.starts[place], opened, high, low, close, volume))
        return found

    def packed(self) -> tuple[bytes, bytes]:
        """(starts int64, cells float64) of the kept bars."""
        return self.starts.tobytes(), self._cells.tobytes()

    def unpack(self, starts: bytes, cells: bytes) -> None:
        """What `packed` gave."""
        self.starts = array("q", starts)
        self._cells = array("d", cells)
