"""Anomalies of one instrument, as found live and recorded."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from litestar import Request, Response, get
from msgspec import Struct, field

from deployments.http.answering import snapshot
from deployments.http.decision_pages import DecisionPage
from deployments.http.parameters import After, From, InstrumentPath, Limit, PageToken, To, query
from deployments.http.problems import BadParameter
from deployments.http.serving import serving
from domain.anomalies.found import AnomalyClass, AnomalyFound, AnomalyKind
from domain.clock import format_time
from domain.envelope import Recorded

AnyRequest = Request[Any, Any, Any]
CLASSES = get_args(AnomalyClass)
KINDS = get_args(AnomalyKind)


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
    str | None, query("class", "one of " + ", ".join(CLASSES) + "; all without", enum=list(CLASSES))
]
Kind = Annotated[str | None, query("kind", "one kind; all without", enum=list(KINDS))]


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
    if kind is not None and kind not in KINDS:
        raise BadParameter(f"kind is one of {', '.join(KINDS)}", "kind")
    if class_ is not None and class_ not in CLASSES:
        raise BadParameter(f"class is one of {', '.join(CLASSES)}", "class")

    def wanted(event: AnomalyFound) -> bool:
        return kind in (None, event.anomaly) and class_ in (None, event.verdict)

    asked = DecisionPage(serving(request), instrument, from_, to, limit, page, after)
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


HANDLERS = [list_anomalies]
