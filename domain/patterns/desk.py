"""The figures under watch: each place on the chart is told once."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from domain.patterns.events import PatternEvent
from domain.patterns.figures import Candidate, Figure, overlap

MAX_LIVE = 48
"""Figures under watch at once; a further candidate is not taken up."""
REMEMBERED = 64
"""Ended figures that are remembered, so that another scale does not tell them again."""
SAME_PLACE = 0.35
"""Overlap from which two figures of one family are one."""
FAMILIES = {
    "head_and_shoulders": "top",
    "triple_top": "top",
    "double_top": "top",
    "inverse_head_and_shoulders": "bottom",
    "triple_bottom": "bottom",
    "double_bottom": "bottom",
    "support": "support",
    "resistance": "resistance",
    "trend_line": "trend_line",
    "channel": "channel",
}
LINES = ("support", "resistance", "trend_line", "channel")
"""Of one family a place holds one figure; all with two boundary lines are one family."""


class DeskState(Struct, frozen=True, array_like=True):
    opened: int
    live: tuple[Figure, ...]
    ended: tuple[Candidate, ...]


class Desk:
    """Figures by age. Events of one bar come in order: what ended or moved first, then what is new."""

    __slots__ = ("_ended", "_live", "_opened", "_settled")

    def __init__(self) -> None:
        self._opened = 0
        self._live: list[Figure] = []
        self._ended: list[Candidate] = []
        self._settled: set[int] = set()

    def step(self, row: int, ts: int, high: float, low: float, close: float) -> list[PatternEvent]:
        events: list[PatternEvent] = []
        for figure in self._live:
            if figure.number in self._settled:
                continue
            change = figure.step(row, high, low, close)
            if change is not None:
                events.append(_event(figure, change[0], row, ts, change[1]))
        if events:
            self._drop({event.figure for event in events if event.state in ("target_hit", "invalidated")})
        self._settled.clear()
        return events

    def offer(self, plan: Candidate, row: int, ts: int, close: float) -> list[PatternEvent]:
        """Take a candidate up where its place is free or it outdoes what is there."""
        if row > plan.deadline or _too_late(plan, row, close):
            return []
        family = family_of(plan.pattern)
        rivals = [each for each in self._live if _in_the_way(each.plan, plan, family)]
        contained = [each for each in self._live if not each.confirmed and _is_part(each.plan, plan)]
        if any(_in_the_way(each, plan, family) for each in self._ended if each.pattern == plan.pattern):
            return []
        if any(_is_part(plan, each.plan) for each in self._live):
            return []
        if any(not (_has_failed(each, plan) if each.confirmed else _outdone(each, plan)) for each in rivals):
            return []
        same = next((each for each in rivals if each.plan.pattern == plan.pattern), None)
        if same is not None:
            same.plan, same.until = plan, plan.deadline
            return self._settle(same, row, ts, close)
        if len(self._live) - len(rivals) >= MAX_LIVE:
            return []
        return [
            *self._supersede([*rivals, *(each for each in contained if each not in rivals)], row, ts),
            *self._open(plan, row, ts, close),
        ]

    def end_all(self, row: int, ts: int, reason: str) -> list[PatternEvent]:
        """Every figure ends with this bar, and none is remembered: prices begin anew."""
        events = [_event(figure, "invalidated", row, ts, reason) for figure in self._live]
        self._live.clear()
        self._ended.clear()
        return events

    def _supersede(self, rivals: list[Figure], row: int, ts: int) -> Iterator[PatternEvent]:
        self._drop({each.number for each in rivals}, remember=False)
        return (_event(each, "invalidated", row, ts, "superseded") for each in rivals)

    def _open(self, plan: Candidate, row: int, ts: int, close: float) -> list[PatternEvent]:
        self._opened += 1
        figure = Figure(self._opened, plan, plan.deadline, plan.direction)
        self._live.append(figure)
        return [_event(figure, "forming", row, ts, None), *self._settle(figure, row, ts, close)]

    def _settle(self, figure: Figure, row: int, ts: int, close: float) -> list[PatternEvent]:
        """The bar that made the last pivot known may confirm the figure or end it as well."""
        self._settled.add(figure.number)
        change = figure.step(row, close, close, close)
        if change is None:
            return []
        if change[0] == "invalidated":
            self._drop({figure.number})
        return [_event(figure, change[0], row, ts, change[1])]

    def _drop(self, numbers: set[int], *, remember: bool = True) -> None:
        if not numbers:
            return
        if remember:
            gone = [each.plan for each in self._live if each.number in numbers]
            self._ended = (self._ended + gone)[-REMEMBERED:]
        self._live = [each for each in self._live if each.number not in numbers]

    def snapshot(self) -> DeskState:
        return DeskState(self._opened, tuple(map(structs.replace, self._live)), tuple(self._ended))

    def restore(self, state: DeskState) -> None:
        self._opened = state.opened
        self._live = list(map(structs.replace, state.live))
        self._ended = list(state.ended)


def family_of(pattern: str) -> str:
    return FAMILIES.get(pattern, "bounded")


def _in_the_way(there: Candidate, plan: Candidate, family: str) -> bool:
    if family_of(there.pattern) != family:
        return False
    if overlap(there, plan) >= SAME_PLACE:
        return True
    if family not in LINES[:3]:
        return False
    return abs(there.stop.at(plan.last) - plan.stop.at(plan.last)) < 0.25 * max(there.unit, plan.unit)


def _is_part(there: Candidate, plan: Candidate) -> bool:
    """Whether two tops, or a channel, are touches of a larger figure of another family."""
    if there.pattern == "channel":
        return plan.pattern.endswith(("_flag", "_pennant")) and overlap(there, plan) >= SAME_PLACE
    if not there.pattern.startswith("double") or family_of(plan.pattern) in LINES:
        return False
    if plan.pattern.startswith("double"):
        return False
    return plan.first <= there.first <= plan.anchors[-2].row


def _outdone(figure: Figure, plan: Candidate) -> bool:
    """Whether a forming figure gives way: to itself with more swings or clearer ones, or to a larger one."""
    there = figure.plan
    if there.pattern == plan.pattern:
        return plan.last > there.last and (plan.first <= there.first or plan.confidence > there.confidence)
    return plan.last > there.last and len(plan.anchors) >= len(there.anchors)


def _has_failed(figure: Figure, plan: Candidate) -> bool:
    """Whether price came back after the break, to touch a line of a triangle with as many touches."""
    there = figure.plan
    if family_of(there.pattern) != "bounded" or there.pattern == plan.pattern:
        return False
    return (
        plan.last > figure.since
        and len(plan.anchors) >= len(there.anchors)
        and plan.pattern.endswith("triangle")
    )


def _too_late(plan: Candidate, row: int, close: float) -> bool:
    """Whether price is already further beyond the trigger than half the way to the target."""
    if plan.direction == 0:
        return False
    beyond = plan.direction * (close - plan.trigger.at(row))
    return beyond > 0.75 * plan.unit


def _event(figure: Figure, state: str, row: int, ts: int, reason: str | None) -> PatternEvent:
    plan = figure.plan
    return PatternEvent(
        figure.number,
        plan.pattern,
        state,  # type: ignore[arg-type]
        row,
        ts,
        plan.anchors,
        figure.target if figure.confirmed else _expected_target(plan, row),
        round(plan.confidence, 4),
        figure.direction,
        reason,
    )


def _expected_target(plan: Candidate, row: int) -> float | None:
    """Where the target would be if price broke out on this bar."""
    return plan.target_from(plan.trigger.at(row), plan.direction)
