"""Chart patterns of one instrument: as found live and recorded, or found now in bars of any interval."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct

from actors.patterns_query import CANDLE, MAX_WINDOW, PatternsAsked
from deployments.http.answering import snapshot
from deployments.http.decision_pages import DecisionPage
from deployments.http.parameters import (
    DEFAULT_BARS,
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Adjusted,
    After,
    From,
    InstrumentPath,
    Limit,
    PageToken,
    To,
    page_token,
    query,
    read_page,
    span,
    within,
)
from deployments.http.problems import BadParameter
from deployments.http.serving import Serving, serving
from domain.clock import format_time
from domain.envelope import Recorded
from domain.market.intervals import INTERVAL_NS
from domain.patterns.events import CHART_PATTERNS, PatternEvent, State
from domain.patterns.found import PatternFound

AnyRequest = Request[Any, Any, Any]
STATES = get_args(State)


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
    query(
        "pattern",
        "one pattern, a candlestick as `cdl_engulfing`; every chart pattern without",
        pattern="^[a-z0-9_]+$",
    ),
]
PatternInterval = Annotated[
    str | None,
    query(
        "interval",
        "look through the stored bars of this interval now, at most "
        f"{MAX_WINDOW} of them; without: what was found live, in bars of one minute",
        enum=list(INTERVAL_NS),
    ),
]
Candles = Annotated[
    bool | None, QueryParameter(name="candles", description="candlestick patterns too; with `interval`")
]
StateName = Annotated[
    str | None, query("state", "one of " + ", ".join(STATES) + "; all without", enum=list(STATES))
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
    adjusted: Adjusted = None,
    pattern: PatternName = None,
    state_: StateName = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[PatternList]:
    """Each change of a figure's state, in the order of `ts_event`, with the points to draw.

    With `interval` found for this answer, by the same detectors, in the stored closed bars: without `from`
    the 500 intervals up to `to` or now; in the shares of today unless `adjusted=false`. Without `interval`
    as it was found live and recorded, in bars of one minute: without `from` of the last day. Candlestick
    patterns are TA-Lib's and need `interval`.
    """
    if state_ is not None and state_ not in STATES:
        raise BadParameter(f"state is one of {', '.join(STATES)}", "state")
    here = serving(request)
    if interval is not None:
        sought = Sought(interval, pattern, state_, bool(candles), bool(rough), adjusted is not False)
        found = await sought.answer(here, instrument, from_, to, limit, page, after)
    else:
        if rough:
            raise BadParameter("rough figures are looked for in bars of an `interval`", "interval")
        if adjusted is not None:
            raise BadParameter("what was found live is told in the prices of then", "adjusted")
        if candles or (pattern is not None and pattern.startswith(CANDLE)):
            raise BadParameter("candlestick patterns are looked for in bars of an `interval`", "interval")
        found = await _recorded(
            DecisionPage(here, instrument, from_, to, limit, page, after), pattern, state_
        )
    return snapshot(request, found)


async def _recorded(asked: DecisionPage, pattern: str | None, state: str | None) -> PatternList:
    """What was found live. Raises BadParameter."""
    if pattern is not None and pattern not in CHART_PATTERNS:
        raise BadParameter(f"pattern is one of {', '.join(CHART_PATTERNS)}", "pattern")

    def wanted(event: PatternFound) -> bool:
        return pattern in (None, event.pattern) and state in (None, event.state)

    chosen = None if pattern is None and state is None else wanted
    found, rest, cursor = await asked.decisions(PatternFound, chosen)
    return PatternList([pattern_body(each) for each in found], rest, cursor)


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


class Sought(Struct, frozen=True):
    """What a question about the bars of an interval chooses."""

    interval: str
    pattern: str | None
    state: str | None
    candles: bool
    rough: bool
    adjusted: bool

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
        asked = PatternsAsked(
            name, self.interval, start, end, self.pattern, self.candles, self.rough, self.adjusted
        )
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


HANDLERS = [list_patterns]
