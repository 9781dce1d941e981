"""A figure and its life."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.patterns.events import Anchor, State
from domain.patterns.geometry import Line

TRIGGER_MARGIN = 0.14
STOP_MARGIN = 0.12
FORMING_MARGIN = 0.22
"""Of the height: how far beyond a line a close must be to have broken it: to confirm a figure, to end a
confirmed one, to end a forming one (its lines still move as touches are added)."""
TALL = 1.0 / 3.0
"""Of the price at the break: a figure of that height is measured by ratios, as on a logarithmic chart."""
CONFIRMED_SPANS = 2.0
"""Of the figure's own length: the time a confirmed figure has to reach its target."""


class Candidate(Struct, frozen=True, array_like=True):
    """A figure as a detector sees it.

    A close beyond `trigger` in `direction` confirms it, a close beyond `stop` ends it; both lines lie
    where the figure's own lines are (the margin is added here). Direction 0: `trigger` is the upper and
    `stop` the lower line, and either confirms. `height` in price and `ratio` (of the prices that far apart,
    1 or more) say the target, see `target_from`, unless `objective` says the price; neither (height 0) means
    no target. `unit` (> 0) is what margins are measured in. After `deadline` (row) it is too late to confirm.
    """

    pattern: str
    direction: int
    anchors: tuple[Anchor, ...]
    trigger: Line
    stop: Line
    unit: float
    height: float
    objective: float | None
    deadline: int
    confidence: float
    ratio: float = 1.0
    margin: float = TRIGGER_MARGIN

    @property
    def first(self) -> int:
        return self.anchors[0].row

    @property
    def last(self) -> int:
        return self.anchors[-1].row

    @property
    def span(self) -> int:
        return max(1, self.last - self.first)

    def target_from(self, broken: float, direction: int) -> float | None:
        """A price above 0: the objective, or the figure's height from where the line was broken.

        A tall figure's height is a ratio: a fall by more than there is means nothing.
        """
        if self.objective is not None:
            return self.objective
        if not self.height or not direction:
            return None
        if self.height <= TALL * broken:
            return broken + direction * self.height
        target = broken * self.ratio**direction
        return target if 0.0 < target < math.inf else None


class Figure(Struct, array_like=True):
    """A candidate under watch. `direction` and `target` are set when it is confirmed.

    `until` is the row after which it has expired in its present state.
    """

    number: int
    plan: Candidate
    until: int
    direction: int
    confirmed: bool = False
    stop: Line | None = None
    target: float | None = None
    since: int = 0

    def step(self, row: int, high: float, low: float, close: float) -> tuple[State, str | None] | None:
        """What this bar makes of it, None where nothing."""
        if self.confirmed:
            return self._after(row, high, low, close)
        return self._before(row, close)

    def _before(self, row: int, close: float) -> tuple[State, str | None] | None:
        plan = self.plan
        margin, slack = plan.margin * plan.unit, FORMING_MARGIN * plan.unit
        trigger, stop = plan.trigger.at(row), plan.stop.at(row)
        if plan.direction == 0:
            if close > trigger + margin:
                return self._confirm(1, row, trigger, plan.stop)
            if close < stop - margin:
                return self._confirm(-1, row, stop, plan.trigger)
        else:
            if plan.direction * (close - trigger) > margin:
                return self._confirm(plan.direction, row, trigger, plan.stop)
            if plan.direction * (stop - close) > slack:
                return "invalidated", "stop"
        return ("invalidated", "expired") if row > self.until else None

    def _confirm(self, direction: int, row: int, broken: float, stop: Line) -> tuple[State, None]:
        """From here on the stop stays where it is."""
        plan = self.plan
        self.confirmed, self.direction, self.since = True, direction, row
        self.stop = Line(row, stop.at(row)) if plan.height or plan.objective is not None else stop
        self.until = row + max(10, int(CONFIRMED_SPANS * plan.span))
        self.target = plan.target_from(broken, direction)
        return "confirmed", None

    def _after(self, row: int, high: float, low: float, close: float) -> tuple[State, str | None] | None:
        """A bar that does both is taken for a failure: which came first is unknown."""
        assert self.stop is not None  # noqa: S101 - set by _confirm
        if self.direction * (self.stop.at(row) - close) > STOP_MARGIN * self.plan.unit:
            return "invalidated", "stop"
        if self.target is not None and (high >= self.target if self.direction > 0 else low <= self.target):
            return "target_hit", None
        return ("invalidated", "expired") if row > self.until else None


def overlap(first: Candidate, second: Candidate) -> float:
    """Shared rows as a share of all rows that either covers, [0, 1]."""
    shared = min(first.last, second.last) - max(first.first, second.first)
    whole = max(first.last, second.last) - min(first.first, second.first)
    return max(0, shared) / max(1, whole)
