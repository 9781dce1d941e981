"""Trades and bars of one instrument, in pages."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Raw

from actors.directory import Directory
from deployments.http import schemas
from deployments.http.answering import snapshot, written
from deployments.http.parameters import (
    DEFAULT_BARS,
    DEFAULT_LIMIT,
    MAX_BARS,
    MAX_LIMIT,
    After,
    At,
    BarsLimit,
    From,
    InstrumentPath,
    Limit,
    PageToken,
    To,
    page_token,
    place_of,
    query,
    read_page_number,
    span,
    within,
)
from deployments.http.problems import BadParameter
from deployments.http.serving import Serving, serving
from deployments.http.trades_page import newest_trades, trades_from
from domain.clock import MAX_NS, NS_PER_S
from domain.envelope import Cursor
from domain.errors import NotFound, TimeUnclear
from domain.market.intervals import INTERVAL_NS

AnyRequest = Request[Any, Any, Any]
Place = int | Cursor
"""A recorded time or a cursor."""
DEFAULT_INTERVAL = "1m"
CLOCK_TOLERANCE_NS = 60 * NS_PER_S
"""A venue's clock may run ahead of ours by so much: trades of a time are looked for from before it."""

Interval = Annotated[
    str | None, query("interval", "one of " + ", ".join(INTERVAL_NS), enum=list(INTERVAL_NS))
]

AdjustedBars = Annotated[
    bool | None,
    QueryParameter(
        name="adjusted",
        description="in the shares of today, as if each split had always been in force; as recorded without",
    ),
]


@get("/v1/instruments/{instrument:str}/trades", summary="Trades", tags=["Market data"])
async def list_trades(
    request: AnyRequest,
    instrument: InstrumentPath,
    from_: From = None,
    to: To = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[schemas.TradeList]:
    """With `from`: in the order recorded, pages forwards. Without: the newest, pages backwards.

    Inside a page the oldest recorded comes first. `from` and `to` are compared with `ts_event`. A page
    may hold fewer than `limit` and still have a next one.
    """
    here = serving(request)
    count = within("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
    start, end = span(from_, to, here.now_ns())
    mark = "newest" if start is None else "forward"
    at = None if page is None else read_page_number(mark, page)
    await here.wait_for(after)
    name = await here.index.resolve(instrument)
    partition = here.directory.partition_of(name)
    heads = await here.directory.heads()
    head = heads.at(partition)
    if start is None:
        found, rest = await newest_trades(here.directory, name, head if at is None else at, end, count)
    else:
        first = at if at is not None else await _offset_before(here.directory, partition, start)
        found, rest = await trades_from(here.directory, name, first, head, start, end or MAX_NS, count)
    more = None if rest is None else page_token(mark, str(rest))
    return snapshot(request, schemas.TradeList(found, more, heads.encode()))


@get("/v1/instruments/{instrument:str}/bars", summary="Bars", tags=["Market data"])
async def list_bars(
    request: AnyRequest,
    instrument: InstrumentPath,
    interval: Interval = None,
    from_: From = None,
    to: To = None,
    limit: BarsLimit = None,
    page: PageToken = None,
    adjusted: AdjustedBars = None,
    at: At = None,
    after: After = None,
) -> Response[schemas.BarList]:
    """Oldest first, at their newest revision; the forming bar is last with `closed` false.

    Without `from`: the `limit` intervals up to `to` or the last trade.
    """
    here = serving(request)
    count = within("limit", limit, DEFAULT_BARS, MAX_BARS)
    spec = DEFAULT_INTERVAL if interval is None else interval
    length = _length(spec)
    place = place_of("at", at, here.now_ns())
    start, end = span(from_, to, here.now_ns())
    resumed = None if page is None else read_page_number("bars", page)
    cursor = await here.wait_for(after)
    name = await here.index.resolve(instrument)
    async with here.turn_at(request, place):
        if end is None:
            newest = await _end_of_trading(here, name, place, cursor) - 1
            end = newest - newest % length + length  # the bar of the newest trade is the last
        if start is None:
            start = max(0, end - count * length)
        first = max(start, resumed or 0)
        page_, reached = await here.directory.bars_page(
            name, spec, first, end, count, at=place, adjusted=bool(adjusted)
        )
    more = None if page_.following is None else page_token("bars", str(page_.following))
    answer = schemas.WrittenBars(Raw(page_.items), more, reached.encode())
    return written(request, answer, page_.tag + (more or "").encode())


def _length(interval: str) -> int:
    if interval not in INTERVAL_NS:
        raise BadParameter(f"interval is one of {', '.join(INTERVAL_NS)}", "interval")
    return INTERVAL_NS[interval]


async def _end_of_trading(here: Serving, name: str, at: Place | None, after: Cursor | None) -> int:
    """The newest trade's time, as known at `at`; in a replayed capture that is not today."""
    if at is None:
        last = await here.directory.last(name, after=after)
    else:
        try:
            last = (await here.directory.state(name, at=at, after=after)).last
        except NotFound:  # nothing was known of it yet: then no bar was either
            return at if isinstance(at, int) else here.now_ns()
    return here.now_ns() if last.trade is None else last.trade.ts_event + 1


async def _offset_before(directory: Directory, partition: str, start: int) -> int:
    """An offset before everything with ts_event >= start: nothing is recorded before it happens."""
    try:
        cursor = await directory.cursor_at(max(0, start - CLOCK_TOLERANCE_NS))
    except TimeUnclear as unclear:  # then from before the clock was wrong
        cursor = await directory.cursor_at(unclear.known_ns)
    return cursor.at(partition)


HANDLERS = [list_trades, list_bars]
