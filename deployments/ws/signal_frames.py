"""What was found in an instrument, as frames: anomalies and chart patterns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct, field

from deployments.ws.event_frame import Builder, EventFrame, MaybeFrom, Shared, ToTime
from deployments.ws.protocol import Time
from domain.market.decisions import AnomalyFound, PatternFound


class AnomalyFrame(EventFrame, frozen=True, gc=False, tag="anomaly"):
    """`ts_event`: of what it is about; `about`: its trade id. `severity` in [0, 1]."""

    kind: str
    class_: str = field(name="class")
    severity: float
    evidence: dict[str, float]
    about: str | None
    taints: bool


class AnchorBody(Struct, frozen=True, gc=False):
    """A point of a figure: the start of its bar, the price there, and what it is to the figure."""

    time: Time
    price: float
    role: str


class PatternFrame(EventFrame, frozen=True, gc=False, tag="pattern"):
    """A figure's `state` became known with the bar at `ts_event`; `figure` is the same through its life."""

    interval: str
    figure: int
    pattern: str
    state: str
    anchors: tuple[AnchorBody, ...]
    target: float | None
    confidence: float
    direction: int
    reason: str | None


def _anomaly(shared: Shared, event: AnomalyFound, from_: MaybeFrom, time: ToTime) -> Struct:
    evidence = dict(event.evidence)
    found = (event.anomaly, event.verdict, event.severity, evidence, event.about, event.taints)
    return AnomalyFrame(*shared, *found)


def _pattern(shared: Shared, event: PatternFound, from_: MaybeFrom, time: ToTime) -> Struct:
    return PatternFrame(
        *shared,
        event.interval,
        event.figure,
        event.pattern,
        event.state,
        tuple(AnchorBody(time(ts), price, role) for ts, price, role in event.anchors),
        event.target,
        event.confidence,
        event.direction,
        event.reason,
    )


SIGNAL_BUILDERS: Mapping[type, Builder] = MappingProxyType({AnomalyFound: _anomaly, PatternFound: _pattern})
