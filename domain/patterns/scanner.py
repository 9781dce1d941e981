"""PatternScanner: one bar in, the events that it makes known out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from domain.patterns.bar import is_usable
from domain.patterns.continuations import continuations
from domain.patterns.desk import Desk, DeskState
from domain.patterns.events import PatternEvent
from domain.patterns.geometry import Closes, ClosesState
from domain.patterns.levels import levels
from domain.patterns.reversals import reversals
from domain.patterns.swings import AverageRange, Pivot, RangeState, Zigzag, ZigzagState

SCALES = (1.5, 2.1, 2.9, 4.1, 5.7, 8.0)
"""Zigzag thresholds in average true ranges, by a factor of 1.4."""
KEEP_CLOSES = 600
"""Bars; a figure cannot be longer."""
ROUGH_SLACK = 4.0
"""Times the limits on roughness: no figure that the cited definitions admit is rougher than that."""
DETECTORS = (reversals, continuations, levels)


class ScannerState(Struct, frozen=True, array_like=True):
    """Everything: a scanner restored from it goes on as if it had never stopped."""

    row: int
    left_out: int
    range: RangeState
    closes: ClosesState
    zigzags: tuple[ZigzagState, ...]
    desk: DeskState
    cut: str = ""


class PatternScanner:
    """Chart patterns of one series of bars. Pure and bounded: a snapshot stays under 60 kB.

    A bar that `is_usable` refuses is left out: its row counts, `left_out` too, and nothing else changes.
    `rough`: figures are taken however far closes stray from their legs, as the cited definitions do, which
    know pivots only; more is found in real prices and in random walks alike.
    """

    __slots__ = ("_closes", "_cut", "_desk", "_range", "_zigzags", "left_out", "row")

    def __init__(self, *, rough: bool = False) -> None:
        self.row = 0
        self.left_out = 0
        self._range = AverageRange()
        self._closes = Closes(KEEP_CLOSES, ROUGH_SLACK if rough else 1.0)
        self._zigzags = tuple(Zigzag() for _ in SCALES)
        self._desk = Desk()
        self._cut = ""

    def cut(self, reason: str) -> None:
        """The next bars do not go on where those before ended, as after a split: figures end with the next
        bar for that `reason`, and swings begin anew. Rows and the numbers of figures go on."""
        self._cut = reason

    def observe(self, ts: int, opened: float, high: float, low: float, close: float) -> list[PatternEvent]:
        """The next bar (`ts` its start, ns UTC) as it closed. Most bars say nothing."""
        row = self.row
        self.row = row + 1
        if not is_usable(opened, high, low, close):
            self.left_out += 1
            self._closes.hold()
            return []
        events = self._begin_anew(row, ts) if self._cut else []
        average = self._range.update(high, low, close)
        self._closes.add(close)
        for scale, zigzag in zip(SCALES, self._zigzags, strict=True):
            if zigzag.update(row, ts, high, low, scale * average) and len(zigzag.pivots) >= 4:
                self._judge(zigzag.pivots, row, ts, close, events)
        events += self._desk.step(row, ts, high, low, close)
        return events

    def _begin_anew(self, row: int, ts: int) -> list[PatternEvent]:
        reason, self._cut = self._cut, ""
        self._range = AverageRange()
        self._closes.begin_anew(row)
        self._zigzags = tuple(Zigzag() for _ in SCALES)
        return self._desk.end_all(row, ts, reason)

    def _judge(
        self, pivots: Sequence[Pivot], row: int, ts: int, close: float, events: list[PatternEvent]
    ) -> None:
        """What the pivots of one scale make, now that there is a new one."""
        for detector in DETECTORS:
            for plan in detector(pivots, self._closes):
                events += self._desk.offer(plan, row, ts, close)

    def snapshot(self) -> ScannerState:
        return ScannerState(
            self.row,
            self.left_out,
            self._range.snapshot(),
            self._closes.snapshot(),
            tuple(each.snapshot() for each in self._zigzags),
            self._desk.snapshot(),
            self._cut,
        )

    def restore(self, state: ScannerState) -> None:
        self.row, self.left_out = state.row, state.left_out
        self._range.restore(state.range)
        self._closes.restore(state.closes)
        for zigzag, each in zip(self._zigzags, state.zigzags, strict=True):
            zigzag.restore(each)
        self._desk.restore(state.desk)
        self._cut = state.cut
