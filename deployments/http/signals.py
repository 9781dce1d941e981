"""What the keepers found in one instrument: anomalies and chart patterns, as recorded, in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args

from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct, field

from actors.answers import MAX_EVENTS
from deployments.http.answering import snapshot
from deployments.http.parameters import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    After,
    From,
    InstrumentPath,
    Limit,
    PageToken,
    To,
    page_token,
    read_page,
    span,
    within,
)
from deployments.http.problems import BadParameter
from deployments.http.serving import Serving, serving
from domain.anomalies.found import AnomalyClass, AnomalyFound
from domain.clock import MAX_NS, NS_PER_MIN, format_time
from domain.envelope import Recorded
from domain.patterns.events import CHART_PATTERNS, State
from domain.patterns.found import PatternFound

AnyRequest = Request[Any, Any, Any]
DEFAULT_SPAN_NS = 24 * 60 * NS_PER_MIN
"""Without `from`: the last day."""
SCANNED = MAX_EVENTS
"""Decisions looked at per answer where a filter leaves most of them out."""
STATES = get_args(State)
CLASSES = get_args(AnomalyClass)


class AnomalyBody(Struct, frozen=True):
    """`ts_event`: of what it is about; `about`: its trade id. `severity` in [0, 1]. `taints`: what derives
    from that observation cannot be relied on. `offset`: its own place in the log."""

    instrument: str
    kind: str
    class_: str = field(name="class")
    severity: float
    ts_event: str
    ts_recv: str
    recorded_at: str
    provider: str
    evidence: dict[str, float]
    about: str | None
    taints: bool
    offset: int


class AnomalyList(Struct, frozen=True):
    items: list[AnomalyBody]
    next_page: str | None
    cursor: str


Class = Annotated[
    str | None, QueryParameter(name="class", description="one of " + ", ".join(CLASSES) + "; all without")
]
Kind = Annotated[str | None, QueryParameter(name="kind", description="one kind; all without")]


@get("/v1/instruments/{instrument:str}/anomalies", summary="Anomalies", tags=["Signals"])
async def list_anomalies(
    request: AnyRequest,
    instrument: InstrumentPath,
    from_: From = None,
    to: To = None,
    kind: Kind = None,
    class_: Class = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[AnomalyList]:
    """In the order of `ts_event`. Without `from`: of the last day."""
    if class_ is not None and class_ not in CLASSES:
        raise BadParameter(f"class is one of {', '.join(CLASSES)}", "class")

    def wanted(event: AnomalyFound) -> bool:
        return kind in (None, event.anomaly) and class_ in (None, event.verdict)

    asked = Asked(serving(request), instrument, from_, to, limit, page, after)
    chosen = None if kind is None and class_ is None else wanted
    found, rest, cursor = await asked.decisions(AnomalyFound, chosen)
    return snapshot(request, AnomalyList([anomaly_body(each) for each in found], rest, cursor))


def anomaly_body(recorded: Recorded) -> AnomalyBody:
    event = recorded.event
    assert isinstance(event, AnomalyFound)  # noqa: S101 - only these are asked for
    return AnomalyBody(
        instrument=event.instrument,
        kind=event.anomaly,
        class_=event.verdict,
        severity=event.severity,
        ts_event=format_time(event.ts_event),
        ts_recv=format_time(event.ts_recv),
        recorded_at=format_time(recorded.recorded_at),
        provider=event.provider,
        evidence=dict(event.evidence),
        about=event.about,
        taints=event.taints,
        offset=recorded.offset,
    )


class AnchorBody(Struct, frozen=True):
    """A point to draw: the start of its bar, the price there, and what it is to the figure."""

    time: str
    price: float
    role: str


class PatternBody(Struct, frozen=True):
    """A figure's `state` became known with the bar at `ts_event`, at its close; `figure` is the same through
    its life. `direction`: 1 up, -1 down, 0 open; `target` a price; `confidence` in [0, 1]."""

    instrument: str
    interval: str
    figure: int
    pattern: str
    state: str
    ts_event: str
    ts_recv: str
    recorded_at: str
    anchors: list[AnchorBody]
    target: float | None
    confidence: float
    direction: int
    reason: str | None
    offset: int


class PatternList(Struct, frozen=True):
    items: list[PatternBody]
    next_page: str | None
    cursor: str


PatternName = Annotated[str | None, QueryParameter(name="pattern", description="one pattern; all without")]
StateName = Annotated[
    str | None, QueryParameter(name="state", description="one of " + ", ".join(STATES) + "; all without")
]


@get("/v1/instruments/{instrument:str}/patterns", summary="Chart patterns", tags=["Signals"])
async def list_patterns(
    request: AnyRequest,
    instrument: InstrumentPath,
    from_: From = None,
    to: To = None,
    pattern: PatternName = None,
    state_: StateName = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[PatternList]:
    """Each change of a figure's state, in the order of `ts_event`, found live in bars of one minute.

    Without `from`: of the last day.
    """
    if pattern is not None and pattern not in CHART_PATTERNS:
        raise BadParameter(f"pattern is one of {', '.join(CHART_PATTERNS)}", "pattern")
    if state_ is not None and state_ not in STATES:
        raise BadParameter(f"state is one of {', '.join(STATES)}", "state")

    def wanted(event: PatternFound) -> bool:
        return pattern in (None, event.pattern) and state_ in (None, event.state)

    asked = Asked(serving(request), instrument, from_, to, limit, page, after)
    chosen = None if pattern is None and state_ is None else wanted
    found, rest, cursor = await asked.decisions(PatternFound, chosen)
    return snapshot(request, PatternList([pattern_body(each) for each in found], rest, cursor))


def pattern_body(recorded: Recorded) -> PatternBody:
    event = recorded.event
    assert isinstance(event, PatternFound)  # noqa: S101 - only these are asked for
    return PatternBody(
        instrument=event.instrument,
        interval=event.interval,
        figure=event.figure,
        pattern=event.pattern,
        state=event.state,
        ts_event=format_time(event.ts_event),
        ts_recv=format_time(event.ts_recv),
        recorded_at=format_time(recorded.recorded_at),
        anchors=[AnchorBody(format_time(ts), price, role) for ts, price, role in event.anchors],
        target=event.target,
        confidence=event.confidence,
        direction=event.direction,
        reason=event.reason,
        offset=recorded.offset,
    )


class Asked:
    """A page of one kind of decision."""

    def __init__(
        self,
        here: Serving,
        instrument: str,
        from_: str | None,
        to: str | None,
        limit: int | None,
        page: str | None,
        after: str | None,
    ) -> None:
        """Raises BadParameter."""
        now = here.now_ns()
        start, end = span(from_, to, now)
        self._here = here
        self._instrument = instrument
        self._after = after
        self._limit = within("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
        self._end = MAX_NS if end is None else end
        self._start = max(0, min(now, self._end) - DEFAULT_SPAN_NS) if start is None else start
        self._offset = 0
        if page is not None:
            self._start, self._offset = _place(page)

    async def decisions(
        self, kind: type[Any], wanted: Callable[[Any], bool] | None
    ) -> tuple[Sequence[Recorded], str | None, str]:
        """(items, next page, cursor). `wanted` None: all of them.

        An answer to a filter may hold fewer than `limit` and still have a next page.
        """
        most = SCANNED if wanted is not None else self._limit + 1
        await self._here.wait_for(self._after)
        name = await self._here.index.resolve(self._instrument)
        seen, cursor = await self._here.directory.decisions(
            name, [kind.kind], self._start, self._end, most, self._offset
        )
        found = [each for each in seen if wanted is None or wanted(each.event)]
        last = found[self._limit - 1] if len(found) > self._limit else None
        if last is None and len(seen) == most:
            last = seen[-1]
        rest = None if last is None else page_token("signals", f"{last.event.ts_event}-{last.offset}")
        return found[: self._limit], rest, cursor.encode()


def _place(page: str) -> tuple[int, int]:
    """(ts_event, offset) of the last item of the page before. Raises BadParameter."""
    ts, _, offset = read_page("signals", page).partition("-")
    if not (ts.isdecimal() and offset.isdecimal() and len(ts) < 20 and len(offset) < 20):
        raise BadParameter("page is none of this list's `next_page`", "page")
    return int(ts), int(offset)


HANDLERS = [list_anomalies, list_patterns]
