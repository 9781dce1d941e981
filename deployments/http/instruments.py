"""`/v1/instruments` and what is known of one instrument now, or at a past place in the log."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from msgspec.structs import replace

from deployments.http import schemas
from deployments.http.answering import snapshot
from deployments.http.last_trade import placed
from deployments.http.one_instrument import OneInstrumentBody, one_instrument_body
from deployments.http.parameters import (
    DEFAULT_DEPTH,
    DEFAULT_LIMIT,
    MAX_DEPTH,
    MAX_LIMIT,
    After,
    At,
    InstrumentPath,
    Limit,
    PageToken,
    page_token,
    place_of,
    query,
    read_page,
    within,
)
from deployments.http.problems import BadParameter
from deployments.http.serving import serving
from domain.ids import venue_of
from domain.market.observations import InstrumentInfo

AnyRequest = Request[Any, Any, Any]
MAX_SEARCH_LENGTH = 64

Search = Annotated[
    str | None,
    query("q", "part of an id, a symbol, a currency or an alias", maxLength=MAX_SEARCH_LENGTH),
]
Venue = Annotated[str | None, query("venue", "`BINANCE`, `XNAS`, `SIM` ...")]
Depth = Annotated[
    int | None, query("depth", f"levels a side, 1 to {MAX_DEPTH}", minimum=1, maximum=MAX_DEPTH)
]


@get("/v1/instruments", summary="Instruments", tags=["Instruments"])
async def list_instruments(
    request: AnyRequest,
    q: Search = None,
    venue: Venue = None,
    limit: Limit = None,
    page: PageToken = None,
    after: After = None,
) -> Response[schemas.InstrumentList]:
    """Every instrument ever seen, by id."""
    count = within("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
    _check_length("q", q)
    _check_length("venue", venue)
    past = "" if page is None else read_page("instruments", page)
    await serving(request).wait_for(after)
    found = [
        info
        for info in sorted(await serving(request).index.all(), key=lambda info: info.instrument)
        if info.instrument > past and _fits(info, q, venue)
    ]
    more = page_token("instruments", found[count - 1].instrument) if len(found) > count else None
    return snapshot(
        request, schemas.InstrumentList([schemas.instrument_body(info) for info in found[:count]], more)
    )


@get("/v1/instruments/{instrument:str}", summary="One instrument", tags=["Instruments"])
async def get_instrument(
    request: AnyRequest, instrument: InstrumentPath, after: After = None
) -> Response[OneInstrumentBody]:
    """What the venue says about it, and whether its market is open now."""
    here = serving(request)
    await here.wait_for(after)
    info = await here.index.info(await here.index.resolve(instrument))
    return snapshot(request, one_instrument_body(info, here.now_ns()))


@get("/v1/instruments/{instrument:str}/last", summary="Last trade, quote and ticker", tags=["Market data"])
async def get_last(
    request: AnyRequest, instrument: InstrumentPath, at: At = None, after: After = None
) -> Response[schemas.LastBody]:
    """Each null before the first. `at` tells it as it was.

    An alias that fits several venues is their reference instrument, whose `reference` is told.
    """
    here = serving(request)
    place = place_of("at", at, here.now_ns())
    cursor = await here.wait_for(after)
    name = await here.index.resolve(instrument, shared=True)
    if place is not None:
        async with here.turn_at(request, place):
            last = (await here.directory.state(name, at=place, after=cursor)).last
    else:
        last = await here.directory.last(name, after=cursor)
    return snapshot(request, schemas.last_body(await placed(here.directory, last)))


@get("/v1/instruments/{instrument:str}/book", summary="Order book", tags=["Market data"])
async def get_book(
    request: AnyRequest,
    instrument: InstrumentPath,
    depth: Depth = None,
    at: At = None,
    after: After = None,
) -> Response[schemas.BookBody]:
    """Best levels first; both sides empty while the book is not usable."""
    here = serving(request)
    levels = within("depth", depth, DEFAULT_DEPTH, MAX_DEPTH)
    place = place_of("at", at, here.now_ns())
    cursor = await here.wait_for(after)
    name = await here.index.resolve(instrument)
    if place is not None:
        async with here.turn_at(request, place):
            answer = (await here.directory.state(name, at=place, after=cursor)).book
    else:
        answer = await here.directory.book(name, levels, after=cursor)
    return snapshot(request, schemas.book_body(answer, levels))


@get("/v1/instruments/{instrument:str}/state", summary="Everything at one moment", tags=["Market data"])
async def get_state(
    request: AnyRequest, instrument: InstrumentPath, at: At = None, after: After = None
) -> Response[schemas.StateBody]:
    """Last values, book, bars, flow and open gaps: now, or exactly as they were at `at`."""
    here = serving(request)
    place = place_of("at", at, here.now_ns())
    cursor = await here.wait_for(after)
    name = await here.index.resolve(instrument, shared=True)
    async with here.turn_at(request, place):
        state = await here.directory.state(name, at=place, after=cursor)
    state = replace(state, last=await placed(here.directory, state.last))
    return snapshot(request, schemas.state_body(state, MAX_DEPTH))


def _fits(info: InstrumentInfo, q: str | None, venue: str | None) -> bool:
    if venue is not None and venue_of(info.instrument) != venue.upper():
        return False
    if q is None:
        return True
    wanted = q.upper().replace("/", "-")
    names = (info.instrument, info.venue_symbol, info.base or "", *info.aliases)
    return any(wanted in name.upper() for name in names)


def _check_length(name: str, text: str | None) -> None:
    if text is not None and not 1 <= len(text) <= MAX_SEARCH_LENGTH:
        raise BadParameter(f"{name} has 1 to {MAX_SEARCH_LENGTH} characters", name)


HANDLERS = [list_instruments, get_instrument, get_last, get_book, get_state]
