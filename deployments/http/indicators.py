"""Indicators: the catalogue, and values over recorded bars with the newest one still forming."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct, field
from msgspec.structs import replace

from actors.indicators_query import MAX_VALUES, IndicatorsAnswer, IndicatorsAsked, parse_asked
from deployments.http.answering import snapshot
from deployments.http.history import DEFAULT_INTERVAL, Interval
from deployments.http.parameters import (
    DEFAULT_LIMIT,
    Adjusted,
    After,
    At,
    From,
    InstrumentPath,
    PageToken,
    To,
    page_token,
    place_of,
    query,
    read_page_number,
    span,
    within,
)
from deployments.http.problems import BadParameter, row_of
from deployments.http.schemas import SplitBody
from deployments.http.serving import Serving, serving
from domain.clock import format_time
from domain.envelope import Cursor
from domain.errors import FinanceHubError, OverLimit, Retryable
from domain.indicators.bank import first_values
from domain.indicators.catalog import CATALOG, Entry
from domain.indicators.spec import parse_spec

AnyRequest = Request[Any, Any, Any]
MAX_QUESTIONS = 50
"""Instruments in one POST."""
MAX_CELLS = 100_000
"""Values in one POST: instruments x specs x limit."""
MAX_READ = 500_000
"""Bars read for one POST, those before its windows included: 2 us each in a Reader, beside fetching them."""
AT_ONCE = 4
"""Instruments of one POST that Readers work on at the same time."""

Specs = Annotated[
    list[str],
    QueryParameter(
        name="spec",
        description="`sma(50)`, `macd(12,26,9).signal`, `ema(9, rsi(14))@1h`; repeat it for several",
    ),
]
ValuesLimit = Annotated[int | None, query("limit", "most items in the answer", minimum=1, maximum=MAX_VALUES)]
Session = Annotated[
    str | None,
    QueryParameter(
        name="session",
        description="when `vwap` begins anew: `00:00` (UTC, the default) or `17:00@America/New_York`",
    ),
]


class ParameterBody(Struct, frozen=True):
    """`default` null: must be given. Bounds are inclusive; `whole`: an integer, counted in bars."""

    name: str
    least: float
    most: float
    default: float | None
    whole: bool


class IndicatorBody(Struct, frozen=True):
    """One indicator. `first` says for `example` how many bars go before each output's first value."""

    name: str
    title: str
    parameters: list[ParameterBody]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: str
    formula: str
    seeding: str
    range: str
    warmup: str
    first: dict[str, int]
    source: str
    reference: str


class Catalogue(Struct, frozen=True):
    items: list[IndicatorBody]
    next_page: str | None


class SpecBody(Struct, frozen=True):
    """How a spec was computed: from bars of `interval`, the first of them at `since`.

    `settled` false: bars before `since`, on which the values depend, were not read.
    """

    spec: str
    interval: str
    since: str | None
    settled: bool


class ValuesBody(Struct, frozen=True):
    """Values at one bar by spec, null while warming up. `provisional`: the bar still forms."""

    ts_event: str
    values: dict[str, float | None]
    revision: int
    provisional: bool


class ValuesList(Struct, frozen=True):
    """`splits`: by which the bars were adjusted, oldest first."""

    instrument: str
    interval: str
    specs: list[SpecBody]
    items: list[ValuesBody]
    next_page: str | None
    cursor: str
    splits: list[SplitBody] = []


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Several specs over several instruments. Without `from` the newest `limit` intervals."""

    instruments: list[str]
    specs: list[str]
    interval: str = DEFAULT_INTERVAL
    from_: str | None = field(name="from", default=None)
    to: str | None = None
    limit: int = 1
    session: str | None = None
    adjusted: bool = True


class Unanswered(Struct, frozen=True):
    """One instrument that cannot be answered, and why. `retryable`: not now; ask for it again."""

    instrument: str
    detail: str
    retryable: bool = False


class Answers(Struct, frozen=True):
    """One answer per instrument, in the order asked."""

    items: list[ValuesList]
    rejected: list[Unanswered]
    next_page: str | None


@get("/v1/indicators", summary="Catalogue of indicators", tags=["Indicators"])
async def list_indicators(request: AnyRequest) -> Response[Catalogue]:
    """What there is: parameters with bounds and defaults, outputs, formula, seeding, warm-up, source."""
    return snapshot(request, Catalogue([_indicator_body(entry) for entry in CATALOG.values()], None))


@get("/v1/instruments/{instrument:str}/indicators", summary="Indicator values", tags=["Indicators"])
async def get_indicators(
    request: AnyRequest,
    instrument: InstrumentPath,
    spec: Specs,
    interval: Interval = None,
    from_: From = None,
    to: To = None,
    limit: ValuesLimit = None,
    page: PageToken = None,
    session: Session = None,
    adjusted: Adjusted = None,
    at: At = None,
    after: After = None,
) -> Response[ValuesList]:
    """One item per bar, oldest first; of a forming bar, last, with `provisional` true.

    Values do not depend on the window: bars before `from` are read as far back as the spec needs. A spec
    with an interval of its own (`@1h`) tells the last closed bar's value. Without `from`: the `limit`
    intervals up to `to` or the newest bar.
    """
    here = serving(request)
    count = within("limit", limit, DEFAULT_LIMIT, MAX_VALUES)
    place = place_of("at", at, here.now_ns())
    start, end = span(from_, to, here.now_ns())
    if page is not None:
        start = read_page_number("indicators", page)
    asked = _asked(
        interval or DEFAULT_INTERVAL, spec, count, start, end, session, adjusted=adjusted is not False
    )
    await here.wait_for(after)
    name = await here.index.resolve(instrument)
    async with here.turn_at(request, place):
        values = await _values(here, name, asked, place)
    return snapshot(request, values)


@post("/v1/indicators", status_code=200, summary="Indicators of several instruments", tags=["Indicators"])
async def post_indicators(request: AnyRequest, data: JSONBody[Question]) -> Answers:
    """Several specs over several instruments. Those that cannot be answered are listed in `rejected`; where
    that is all of them and one of them is our fault, the answer is that error (503: try again).
    """
    here = serving(request)
    count = within("limit", data.limit, 1, MAX_VALUES)
    start, end = span(data.from_, data.to, here.now_ns())
    _check_size(data, count)
    asked = _asked(data.interval, data.specs, count, start, end, data.session, adjusted=data.adjusted)
    _check_work(data, asked)
    turns = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_answer(here, name, asked, turns) for name in data.instruments))
    answers = [each for each in found if isinstance(each, ValuesList)]
    failures = [each for each in found if not isinstance(each, ValuesList)]
    if not answers:
        _raise_ours(error for _, error in failures)
    return Answers(answers, [_unanswered(name, error) for name, error in failures], None)


def _asked(
    interval: str,
    specs: list[str],
    count: int,
    start: int | None,
    end: int | None,
    session: str | None,
    *,
    adjusted: bool,
) -> IndicatorsAsked:
    """Raises BadParameter, Malformed and OverLimit before any actor is asked."""
    asked = IndicatorsAsked(
        "", interval, tuple(dict.fromkeys(specs)), count, start, end, session or "", adjusted
    )
    parse_asked(asked)
    return asked


def _check_size(data: Question, count: int) -> None:
    if not 1 <= len(data.instruments) <= MAX_QUESTIONS:
        raise BadParameter(f"instruments: from 1 to {MAX_QUESTIONS} of them", "instruments")
    cells = len(data.instruments) * len(data.specs) * count
    if cells > MAX_CELLS:
        raise OverLimit(f"{cells} values; at most {MAX_CELLS} in one answer")


def _check_work(data: Question, asked: IndicatorsAsked) -> None:
    bars = len(data.instruments) * parse_asked(asked).most_bars
    if bars > MAX_READ:
        raise OverLimit(
            f"these specs need {bars} bars, with those before the window; at most {MAX_READ} in one answer"
        )


async def _answer(
    here: Serving, instrument: str, asked: IndicatorsAsked, turns: asyncio.Semaphore
) -> ValuesList | tuple[str, FinanceHubError]:
    try:
        async with turns:
            return await _values(here, await here.index.resolve(instrument), asked, None)
    except FinanceHubError as error:
        return instrument, error


def _unanswered(instrument: str, error: FinanceHubError) -> Unanswered:
    return Unanswered(instrument, str(error), isinstance(error, Retryable))


def _raise_ours(errors: Iterable[FinanceHubError]) -> None:
    """Raises the first that is not the caller's."""
    for error in errors:
        if row_of(error).status >= 500:
            raise error


async def _values(here: Serving, name: str, asked: IndicatorsAsked, place: int | Cursor | None) -> ValuesList:
    answer, reached = await here.directory.indicators(replace(asked, instrument=name), at=place)
    return values_body(answer, reached)


def values_body(answer: IndicatorsAnswer, reached: Cursor) -> ValuesList:
    names = [each.spec for each in answer.specs]
    rows = zip(*answer.values, strict=True)
    return ValuesList(
        instrument=answer.instrument,
        interval=answer.interval,
        specs=[
            SpecBody(
                each.spec,
                each.interval,
                None if each.since is None else format_time(each.since),
                each.settled,
            )
            for each in answer.specs
        ],
        items=[
            ValuesBody(format_time(start), dict(zip(names, row, strict=True)), revision, not closed)
            for start, row, revision, closed in zip(
                answer.starts, rows, answer.revisions, answer.closed, strict=True
            )
        ],
        next_page=None if answer.more is None else page_token("indicators", str(answer.more)),
        cursor=reached.encode(),
        splits=[SplitBody(format_time(each.effective), each.ratio) for each in answer.splits],
    )


def _indicator_body(entry: Entry) -> IndicatorBody:
    about = entry.about
    example = parse_spec(entry.example)
    return IndicatorBody(
        name=about.name,
        title=about.title,
        parameters=[
            ParameterBody(each.name, each.least, each.most, each.default, each.whole)
            for each in about.parameters
        ],
        inputs=about.inputs,
        outputs=about.outputs,
        example=entry.example,
        formula=about.formula,
        seeding=about.seeding,
        range=about.range,
        warmup=about.warmup,
        first=dict(zip(about.outputs, first_values(example), strict=True)),
        source=about.source,
        reference=about.reference,
    )


HANDLERS = [list_indicators, get_indicators, post_indicators]
