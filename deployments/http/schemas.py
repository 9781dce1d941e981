"""Bodies of the answers. Times are RFC 3339 UTC with as many fractional digits as they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct

from actors.answers import BookAnswer, FeedStatus, LastAnswer, StateAnswer
from actors.bar_text import BarBody, bar_body
from deployments.http.references import ReferenceBody, reference_body
from domain.clock import format_time
from domain.envelope import Cursor
from domain.ids import venue_of
from domain.market.observations import InstrumentInfo, Level, Quote, Ticker, Trade


class TradeBody(Struct, frozen=True):
    """A trade; `offset` and `recorded_at` null where it lies too far back in the log to be looked for."""

    provider: str
    instrument: str
    ts_event: str
    ts_recv: str
    price: float
    size: float
    side: str | None
    trade_id: str | None
    conditions: tuple[str, ...]
    offset: int | None = None
    recorded_at: str | None = None


class QuoteBody(Struct, frozen=True):
    provider: str
    instrument: str
    ts_event: str
    ts_recv: str
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


class TickerBody(Struct, frozen=True):
    provider: str
    instrument: str
    ts_event: str
    ts_recv: str
    last: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    quote_volume: float | None
    change_pct: float | None
    market_cap: float | None


class LastBody(Struct, frozen=True):
    """Each None before the first. `reference` is of reference instruments (`BTC-USD.CRYPTO`) alone."""

    instrument: str
    trade: TradeBody | None
    quote: QuoteBody | None
    ticker: TickerBody | None
    cursor: str
    reference: ReferenceBody | None = None


class BookBody(Struct, frozen=True):
    """Levels are [price, size], best first; empty while not `usable`."""

    instrument: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int | None
    usable: bool
    ts_event: str
    figures: dict[str, float | None]
    cursor: str


class IndicatorBody(Struct, frozen=True):
    """At the newest closed bar, which starts at `ts_event`; null before the first bar or value."""

    ts_event: str | None
    value: float | None


class SplitBody(Struct, frozen=True):
    """`ratio`: new shares for one old, traded from `effective` on."""

    effective: str
    ratio: float


class StateBody(Struct, frozen=True):
    """Everything known about an instrument at `at`; `indicators` by `spec@interval`, as far as kept up."""

    instrument: str
    at: str
    last: LastBody
    book: BookBody
    forming: list[BarBody]
    bars: list[BarBody]
    flow: dict[str, float | int | str | None]
    gaps_open: tuple[str, ...]
    cursor: str
    indicators: dict[str, IndicatorBody] = {}
    reference: ReferenceBody | None = None
    splits: list[SplitBody] = []


class InstrumentBody(Struct, frozen=True):
    instrument: str
    venue: str
    provider: str
    venue_symbol: str
    base: str | None
    quote: str | None
    asset_class: str
    price_precision: int | None
    size_precision: int | None
    tick_size: float | None
    lot_size: float | None
    status: str
    aliases: tuple[str, ...]
    ts_event: str


class FeedBody(Struct, frozen=True):
    provider: str
    state: str
    instruments: int
    last_frame: str | None
    gaps: int
    incarnation: int
    connections: int
    frames: int
    rejected: int
    buffered: int
    silent: tuple[str, ...]


class ProviderBody(Struct, frozen=True):
    """A provider as its feed shows it. `rejected_ratio` in [0, 1]: frames that could not be used."""

    provider: str
    state: str
    instruments: int
    last_frame: str | None
    gaps: int
    rejected_ratio: float


class InstrumentList(Struct, frozen=True):
    items: list[InstrumentBody]
    next_page: str | None


class TradeList(Struct, frozen=True):
    items: list[TradeBody]
    next_page: str | None
    cursor: str


class BarList(Struct, frozen=True):
    items: list[BarBody]
    next_page: str | None
    cursor: str


class WrittenBars(Struct, frozen=True):
    """A `BarList` whose items are written already."""

    items: Raw
    next_page: str | None
    cursor: str


class FeedList(Struct, frozen=True):
    items: list[FeedBody]
    next_page: str | None


class ProviderList(Struct, frozen=True):
    items: list[ProviderBody]
    next_page: str | None


class TicketBody(Struct, frozen=True):
    """For `/v1/stream?ticket=…`, once."""

    ticket: str
    expires: str


class HealthBody(Struct, frozen=True):
    status: str


def cursor_text(place: tuple[str, int]) -> str:
    return Cursor({place[0]: place[1]}).encode()


def trade_body(trade: Trade, at: tuple[int, int] | None) -> TradeBody:
    """`at`: offset and recorded time in ns."""
    return TradeBody(
        provider=trade.provider,
        instrument=trade.instrument,
        ts_event=format_time(trade.ts_event),
        ts_recv=format_time(trade.ts_recv),
        price=trade.price,
        size=trade.size,
        side=trade.side,
        trade_id=trade.trade_id,
        conditions=trade.conditions,
        offset=None if at is None else at[0],
        recorded_at=None if at is None else format_time(at[1]),
    )


def quote_body(quote: Quote) -> QuoteBody:
    return QuoteBody(
        provider=quote.provider,
        instrument=quote.instrument,
        ts_event=format_time(quote.ts_event),
        ts_recv=format_time(quote.ts_recv),
        bid=quote.bid,
        bid_size=quote.bid_size,
        ask=quote.ask,
        ask_size=quote.ask_size,
    )


def ticker_body(ticker: Ticker) -> TickerBody:
    return TickerBody(
        provider=ticker.provider,
        instrument=ticker.instrument,
        ts_event=format_time(ticker.ts_event),
        ts_recv=format_time(ticker.ts_recv),
        last=ticker.last,
        open=ticker.open,
        high=ticker.high,
        low=ticker.low,
        volume=ticker.volume,
        quote_volume=ticker.quote_volume,
        change_pct=ticker.change_pct,
        market_cap=ticker.market_cap,
    )


def last_body(answer: LastAnswer) -> LastBody:
    return LastBody(
        instrument=answer.instrument,
        trade=None if answer.trade is None else trade_body(answer.trade, answer.recorded),
        quote=None if answer.quote is None else quote_body(answer.quote),
        ticker=None if answer.ticker is None else ticker_body(answer.ticker),
        cursor=cursor_text(answer.place),
        reference=reference_body(answer.reference),
    )


def book_body(answer: BookAnswer, depth: int) -> BookBody:
    return BookBody(
        instrument=answer.instrument,
        bids=answer.bids[:depth],
        asks=answer.asks[:depth],
        sequence=answer.sequence,
        usable=answer.usable,
        ts_event=format_time(answer.ts_event),
        figures=answer.figures,
        cursor=cursor_text(answer.place),
    )


def state_body(answer: StateAnswer, depth: int) -> StateBody:
    return StateBody(
        instrument=answer.instrument,
        at=format_time(answer.at),
        last=last_body(answer.last),
        book=book_body(answer.book, depth),
        forming=[bar_body(row) for row in answer.forming],
        bars=[bar_body(row) for row in answer.bars],
        flow=answer.flow,
        gaps_open=answer.gaps_open,
        cursor=cursor_text(answer.place),
        reference=reference_body(answer.last.reference),
        splits=[SplitBody(format_time(each.effective), each.ratio) for each in answer.splits],
        indicators={
            name: IndicatorBody(None if ts_event is None else format_time(ts_event), value)
            for name, (ts_event, value) in answer.indicators.items()
        },
    )


def instrument_body(info: InstrumentInfo) -> InstrumentBody:
    return InstrumentBody(
        instrument=info.instrument,
        venue=venue_of(info.instrument),
        provider=info.provider,
        venue_symbol=info.venue_symbol,
        base=info.base,
        quote=info.quote,
        asset_class=info.asset_class,
        price_precision=info.price_precision,
        size_precision=info.size_precision,
        tick_size=info.tick_size,
        lot_size=info.lot_size,
        status=info.status,
        aliases=info.aliases,
        ts_event=format_time(info.ts_event),
    )


def feed_body(status: FeedStatus) -> FeedBody:
    return FeedBody(
        provider=status.provider,
        state=status.state,
        instruments=status.instruments,
        last_frame=_maybe_time(status.last_frame),
        gaps=status.gaps,
        incarnation=status.incarnation,
        connections=status.connections,
        frames=status.frames,
        rejected=status.rejected,
        buffered=status.buffered,
        silent=status.silent,
    )


def provider_body(status: FeedStatus) -> ProviderBody:
    return ProviderBody(
        provider=status.provider,
        state=status.state,
        instruments=status.instruments,
        last_frame=_maybe_time(status.last_frame),
        gaps=status.gaps,
        rejected_ratio=status.rejected / status.frames if status.frames else 0.0,
    )


def _maybe_time(ns: int | None) -> str | None:
    return None if ns is None else format_time(ns)


def system_body(system: Mapping[str, Any]) -> dict[str, Any]:
    """What the actors say of themselves, with `last_frame` of each feed as a time."""
    feeds = [{**feed, "last_frame": _maybe_time(feed["last_frame"])} for feed in system.get("feeds", ())]
    return {**system, "feeds": feeds}
