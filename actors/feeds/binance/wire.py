"""Binance's messages as msgspec structs: names as on the wire, only the fields that we read.

Numbers may be texts (`strict=False`); prices and sizes that are negative, infinite or not a number do
not decode. Times are integers in ms, or in us where the socket was opened with `timeUnit`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from domain.clock import MAX_NS, NS_PER_MS, NS_PER_US
from domain.errors import Malformed

MAX_NUMBER = 1e300
"""Above it a number counts as infinite."""

Price = Annotated[float, Meta(gt=0, le=MAX_NUMBER)]
Amount = Annotated[float, Meta(ge=0, le=MAX_NUMBER)]
Signed = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Time = Annotated[int, Meta(ge=0, le=MAX_NS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=40)]
SymbolType = int | None
"""`st` of the derivatives: 1 = USD-M, 2 = COIN-M, whichever of their hosts sends it."""
Levels = tuple[tuple[Price, Amount], ...]


def to_ns(value: int) -> int:
    """Milliseconds, microseconds or nanoseconds, told apart by magnitude -> ns.

    Unlike `domain.clock.from_epoch` it knows no seconds: Binance never sends them. Raises Malformed
    past the year 2100, where another unit must be meant, and for 0, which is no time.
    """
    unit = NS_PER_MS if value < 10**14 else NS_PER_US if value < 10**17 else 1
    ns = value * unit
    if ns > MAX_NS:
        raise Malformed(f"time {value} lies beyond the year 2100")
    if not ns:
        raise Malformed("time 0 says that there is none")
    return ns


class AggTrade(Struct, gc=False):
    s: Symbol
    a: Id
    p: Price
    q: Amount
    T: Time
    m: bool
    st: SymbolType = None


class RawTrade(Struct, gc=False):
    s: Symbol
    t: Id
    p: Amount
    q: Amount
    T: Time
    m: bool
    X: str | None = None
    """Derivatives: MARKET, INSURANCE_FUND, ADL, or NA for an entry that is no trade."""
    st: SymbolType = None


class BookTicker(Struct, gc=False):
    s: Symbol
    b: Amount
    B: Amount
    a: Amount
    A: Amount
    T: Time | None = None
    E: Time | None = None
    st: SymbolType = None


class Depth(Struct, gc=False):
    s: Symbol
    U: Id
    u: Id
    b: Levels
    a: Levels
    E: Time
    T: Time | None = None
    pu: Annotated[int, Meta(ge=-1, le=2**63 - 1)] | None = None
    st: SymbolType = None


class Candle(Struct, gc=False):
    t: Time
    i: Annotated[str, Meta(min_length=1, max_length=8)]
    o: Amount
    h: Amount
    l: Amount  # noqa: E741  the wire's name
    c: Amount
    v: Amount
    x: bool
    q: Amount | None = None
    n: Id | None = None


class Kline(Struct, gc=False):
    s: Symbol
    k: Candle
    st: SymbolType = None


class Ticker24(Struct, gc=False):
    """`24hrTicker` and `24hrMiniTicker`; the latter has no P."""

    s: Symbol
    E: Time
    c: Amount
    o: Amount | None = None
    h: Amount | None = None
    l: Amount | None = None  # noqa: E741  the wire's name
    v: Amount | None = None
    q: Amount | None = None
    P: Signed | None = None
    st: SymbolType = None


class RestDepth(Struct, gc=False):
    """REST snapshot, and the whole message of a spot partial-depth stream."""

    lastUpdateId: Id
    bids: Levels
    asks: Levels
    E: Time | None = None
    T: Time | None = None


class RestTrade(Struct, gc=False, rename="camel"):
    id: Id
    price: Amount
    qty: Amount
    time: Time
    is_buyer_maker: bool


class RestAggTrade(Struct, gc=False):
    a: Id
    p: Price
    q: Amount
    T: Time
    m: bool


class RestKline(Struct, gc=False, array_like=True):
    open_time: Time
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount
    close_time: Time
    quote_volume: Amount | None = None
    trades: Id | None = None


class RestTicker(Struct, gc=False, rename="camel"):
    symbol: Symbol
    last_price: Amount
    close_time: Time | None = None
    open_price: Amount | None = None
    high_price: Amount | None = None
    low_price: Amount | None = None
    volume: Amount | None = None
    quote_volume: Amount | None = None
    price_change_percent: Signed | None = None


class RestPrice(Struct, gc=False):
    symbol: Symbol
    price: Amount
    time: Time | None = None


class RestBookTicker(Struct, gc=False, rename="camel"):
    symbol: Symbol
    bid_price: Amount
    bid_qty: Amount
    ask_price: Amount
    ask_qty: Amount
    time: Time | None = None


class Filter(Struct, gc=False, rename="camel"):
    filter_type: str = ""
    tick_size: str | float | None = None
    step_size: str | float | None = None


class ListedSymbol(Struct, gc=False, rename="camel"):
    """One symbol of exchangeInfo. Derivatives state precisions; COIN-M calls its status otherwise."""

    symbol: Symbol
    base_asset: str = ""
    quote_asset: str = ""
    status: str | None = None
    contract_status: str | None = None
    filters: list[Any] = []
    """Of `Filter`, each read by itself."""
    price_precision: int | None = None
    quantity_precision: int | None = None


class ExchangeInfo(Struct, gc=False):
    symbols: list[msgspec.Raw]


class Combined(Struct, gc=False):
    """The envelope of `/stream` sockets."""

    stream: str
    data: msgspec.Raw
