"""What the keepers found in one instrument: anomalies and chart patterns, as recorded, in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args

from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct, field

from actors.answers import MAX_EVENTS
from actors.patterns_query import CANDLE, MAX_WINDOW, PatternsAsked
from deployments.http.answering import snapshot
from deployments.http.parameters import (
    DEFAULT_BARS,
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
from domain.market.intervals import INTERVAL_NS
from domain.patterns.events import CHART_PATTERNS, PatternEvent, State
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
    its life. `direction`: 1 up, -1 down, 0 open; `target` a price; `confidence` in [0, 1]. Of a pattern that
    was found for this answer `ts_recv`, `recorded_at` and `offset` are null, and `figure` counts within the
    pages of one question; a candlestick's is 0."""

    instrument: str
    interval: str
    figure: int
    pattern: str
    state: str
    ts_event: str
    ts_recv: str | None
    recorded_at: str | None
    anchors: list[AnchorBody]
    target: float | None
    confidence: float
    direction: int
    reason: str | None
    offset: int | None


class PatternList(Struct, frozen=True):
    items: list[PatternBody]
    next_page: str | None
    cursor: str


PatternName = Annotated[
    str | None,
    QueryParameter(
        name="pattern",
        description="one pattern, a candlestick as `cdl_engulfing`; every chart pattern without",
    ),
]
PatternInterval = Annotated[
    str | None,
    QueryParameter(
        name="interval",
        description="look through the stored bars of this interval now, at most "
        f"{MAX_WINDOW} of them; without: what was found live, in bars of one minute",
    ),
]
Candles = Annotated[
    bool | None, QueryParameter(name="candles", description="candlestick patterns too; with `interval`")
]
StateName = Annotated[
    str | None, QueryParameter(name="state", description="one of " + ", ".join(STATES) + "; all without")
]
Rough = Annotated[
    bool | None,
    QueryParameter(
        name="rough",
        description="figures as the cited works define them, however roughly prices follow them: more, and "
        "more by chance; with `interval`",
    ),
]


@get("/v1/instruments/{instrument:str}/patterns", summary="Chart patterns", tags=["Signals"])
async def list_patterns(
    request: AnyRequest,
    instrument: InstrumentPath,
    from_: From = None,
    to: To = None,
    interval: PatternInterval = None,
    candles: Candles = None,
    rough: Rough = None,
    pattern: PatternName = None,
    state_: StateName = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[PatternList]:
    """Each change of a figure's state, in the order of `ts_event`, with the points to draw.

    With `interval` found for this answer, by the same detectors, in the stored closed bars: without `from`
    the 500 intervals up to `to` or now. Without `interval` as it was found live and recorded, in bars of one
    minute: without `from` of the last day. Candlestick patterns are TA-Lib's and need `interval`.
    """
    if state_ is not None and state_ not in STATES:
        raise BadParameter(f"state is one of {', '.join(STATES)}", "state")
    if interval is not None:
        shown = Shown(interval, pattern, state_, bool(candles), bool(rough))
        return snapshot(
            request, await shown.answer(serving(request), instrument, from_, to, limit, page, after)
        )
    if rough:
        raise BadParameter("rough figures are looked for in bars of an `interval`", "interval")
    if candles or (pattern is not None and pattern.startswith(CANDLE)):
        raise BadParameter("candlestick patterns are looked for in bars of an `interval`", "interval")
    if pattern is not None and pattern not in CHART_PATTERNS:
        raise BadParameter(f"pattern is one of {', '.join(CHART_PATTERNS)}", "pattern")

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


class Shown(Struct, frozen=True):
    """What a question about the bars of an interval chooses."""

    interval: str
    pattern: str | None
    state: str | None
    candles: bool
    rough: bool

    async def answer(
        self,
        here: Serving,
        instrument: str,
        from_: str | None,
        to: str | None,
        limit: int | None,
        page: str | None,
        after: str | None,
    ) -> PatternList:
        """Raises BadParameter, and what the Reader raises. A page names the window of the first one."""
        if self.interval not in INTERVAL_NS:
            raise BadParameter(f"interval is one of {', '.join(INTERVAL_NS)}", "interval")
        most = within("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
        start, end, told = self._window(from_, to, page, here.now_ns())
        await here.wait_for(after)
        name = await here.index.resolve(instrument)
        asked = PatternsAsked(name, self.interval, start, end, self.pattern, self.candles, self.rough)
        found, reached = await here.directory.patterns(asked)
        events = [each for each in found.events if self.state in (None, each.state)]
        rest = f"{start}-{end}-{told + most}" if len(events) > told + most else None
        return PatternList(
            [_found_body(each, name, self.interval) for each in events[told : told + most]],
            None if rest is None else page_token("patterns", rest),
            reached.encode(),
        )

    def _window(
        self, from_: str | None, to: str | None, page: str | None, now_ns: int
    ) -> tuple[int, int, int]:
        """(start, end, items told before)."""
        start, end = span(from_, to, now_ns)
        if page is not None:
            parts = read_page("patterns", page).split("-")
            if len(parts) != 3 or not all(part.isdecimal() and len(part) < 20 for part in parts):
                raise BadParameter("page is none of this list's `next_page`", "page")
            return int(parts[0]), int(parts[1]), int(parts[2])
        end = now_ns if end is None else end
        return max(0, end - DEFAULT_BARS * INTERVAL_NS[self.interval]) if start is None else start, end, 0


def _found_body(event: PatternEvent, instrument: str, interval: str) -> PatternBody:
    return PatternBody(
        instrument=instrument,
        interval=interval,
        figure=event.figure,
        pattern=event.pattern,
        state=event.state,
        ts_event=format_time(event.ts),
        ts_recv=None,
        recorded_at=None,
        anchors=[AnchorBody(format_time(each.ts), each.price, each.role) for each in event.anchors],
        target=event.target,
        confidence=event.confidence,
        direction=event.direction,
        reason=event.reason,
        offset=None,
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
