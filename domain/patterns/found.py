"""A pattern's change of state as a recorded decision of a keeper."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from domain.patterns.events import DETECTOR_VERSION, PatternEvent, State

PatternAnchor = tuple[int, float, str]
"""(start of the bar in ns UTC, price, role), as `events.Anchor`."""


class PatternFound(Struct, frozen=True):
    """`ts_event`: start of the bar that made the state known, at its close. For the rest see `PatternEvent`.

    `figure` is the same through one figure's life within an instrument and interval.
    """

    kind: ClassVar[str] = "pattern_found"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    figure: int
    pattern: str
    state: State
    anchors: tuple[PatternAnchor, ...]
    target: float | None
    confidence: float
    direction: int
    reason: str | None = None
    version: int = DETECTOR_VERSION


def found(event: PatternEvent, provider: str, instrument: str, interval: str, ts_recv: int) -> PatternFound:
    return PatternFound(
        provider=provider,
        instrument=instrument,
        ts_event=event.ts,
        ts_recv=ts_recv,
        interval=interval,
        figure=event.figure,
        pattern=event.pattern,
        state=event.state,
        anchors=tuple((anchor.ts, anchor.price, anchor.role) for anchor in event.anchors),
        target=event.target,
        confidence=event.confidence,
        direction=event.direction,
        reason=event.reason,
        version=event.version,
    )
