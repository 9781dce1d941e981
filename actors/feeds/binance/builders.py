"""One decoded message -> one observation, a Reject where it contradicts itself, None where it is empty."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from actors.feeds.base import Reject
from actors.feeds.binance.context import PROVIDER, Context
from actors.feeds.binance.venues import BINANCE_COINM
from actors.feeds.binance.wire import (
    AggTrade,
    BookTicker,
    Depth,
    Filter,
    Kline,
    ListedSymbol,
    RawTrade,
    RestAggTrade,
    RestBookTicker,
    RestDepth,
    RestKline,
    RestPrice,
    RestTicker,
    RestTrade,
    Ticker24,
    to_ns,
)
from domain.clock import NS_PER_S
from domain.market.observations import (
    Bar,
    BookDelta,
    BookSnapshot,
    InstrumentInfo,
    Quote,
    Side,
    Ticker,
    Trade,
)

Built = Trade | Quote | Bar | BookDelta | BookSnapshot | Ticker | InstrumentInfo | Reject | None

_NOT_A_TRADE = "NA"
_ORDINARY = (None, "MARKET")
_TRADING = {"TRADING"}
_CLOSED = {
    "CLOSE",
    "END_OF_DAY",
    "PENDING_TRADING",
    "PRE_DELIVERING",
    "DELIVERING",
    "DELIVERED",
    "PRE_SETTLE",
    "SETTLING",
}


def agg_trade(message: AggTrade, context: Context) -> Built:
    if message.T == 0:
        return Reject("malformed", f"trade {message.a} has no time")
    return Trade(
        provider=PROVIDER,
        instrument=context.instrument(message.s),
        ts_event=to_ns(message.T),
        ts_recv=context.ts_recv,
        price=message.p,
        size=message.q,
        side=_aggressor(buyer_is_maker=message.m),
        trade_id=str(message.a),
    )


def raw_trade(message: RawTrade, context: Context) -> Built:
    if message.X == _NOT_A_TRADE:
        return Reject("unsupported", "trade: an entry of kind NA is no trade")
    return _trade(
        context, message.s, message.t, message.p, message.q, message.T, message.m,
        conditions=() if message.X in _ORDINARY else (str(message.X),),
    )  # fmt: skip


def rest_trade(message: RestTrade, symbol: str, context: Context) -> Built:
    return _trade(
        context, symbol, message.id, message.price, message.qty, message.time, message.is_buyer_maker
    )


def rest_agg_trade(message: RestAggTrade, symbol: str, context: Context) -> Built:
    return _trade(context, symbol, message.a, message.p, message.q, message.T, message.m)


def _trade(
    context: Context,
    symbol: str,
    trade_id: int,
    price: float,
    size: float,
    time: int,
    buyer_is_maker: bool,
    conditions: tuple[str, ...] = (),
) -> Built:
    if price == 0:
        return Reject("malformed", f"trade {trade_id} has the price 0")
    if time == 0:
        return Reject("malformed", f"trade {trade_id} has no time")
    return Trade(
        provider=PROVIDER,
        instrument=context.instrument(symbol),
        ts_event=to_ns(time),
        ts_recv=context.ts_recv,
        price=price,
        size=size,
        side=_aggressor(buyer_is_maker=buyer_is_maker),
        trade_id=str(trade_id),
        conditions=conditions,
    )


def _aggressor(*, buyer_is_maker: bool) -> Side:
    return "sell" if buyer_is_maker else "buy"


def book_ticker(message: BookTicker, context: Context) -> Built:
    return _quote(
        context,
        message.s,
        message.T or message.E,
        (message.b, message.B),
        (message.a, message.A),
    )


def rest_book_ticker(message: RestBookTicker, context: Context) -> Built:
    return _quote(
        context,
        message.symbol,
        message.time,
        (message.bid_price, message.bid_qty),
        (message.ask_price, message.ask_qty),
    )


def _quote(
    context: Context, symbol: str, time: int | None, bid: tuple[float, float], ask: tuple[float, float]
) -> Built:
    """A price of 0 stands for an empty side. The spot stream carries no time."""
    return Quote(
        provider=PROVIDER,
        instrument=context.instrument(symbol),
        ts_event=context.time(time),
        ts_recv=context.ts_recv,
        bid=bid[0] or None,
        bid_size=bid[1] if bid[0] else None,
        ask=ask[0] or None,
        ask_size=ask[1] if ask[0] else None,
    )


def depth_delta(message: Depth, context: Context) -> Built:
    if message.u < message.U:
        return Reject(
            "malformed", f"depthUpdate: last update id u={message.u} is below the first U={message.U}"
        )
    return BookDelta(
        provider=PROVIDER,
        instrument=context.instrument(message.s),
        ts_event=context.time(message.T or message.E),
        ts_recv=context.ts_recv,
        bids=message.b,
        asks=message.a,
        sequence=(message.U, message.u),
        prev_sequence=message.pu,
    )


def partial_depth(message: Depth, depth: int, context: Context) -> Built:
    """The derivatives' `@depth5|10|20`: the form of a diff, the meaning of a snapshot."""
    return BookSnapshot(
        provider=PROVIDER,
        instrument=context.instrument(message.s),
        ts_event=context.time(message.T or message.E),
        ts_recv=context.ts_recv,
        bids=message.b,
        asks=message.a,
        sequence=(message.u, message.u),
        depth=depth,
    )


def book_snapshot(message: RestDepth, symbol: str, context: Context, depth: int | None = None) -> Built:
    return BookSnapshot(
        provider=PROVIDER,
        instrument=context.instrument(symbol),
        ts_event=context.time(message.T or message.E),
        ts_recv=context.ts_recv,
        bids=message.bids,
        asks=message.asks,
        sequence=(message.lastUpdateId, message.lastUpdateId),
        depth=depth,
    )


def kline(message: Kline, context: Context) -> Built:
    candle = message.k
    return _bar(
        context, message.s, candle.i, candle.t, (candle.o, candle.h, candle.l, candle.c),
        (candle.v, candle.q, candle.n), closed=candle.x,
    )  # fmt: skip


def interval_of(row: RestKline) -> str:
    """The interval that a row's times span, as Binance names it (months have no fixed length)."""
    seconds = -((to_ns(row.open_time) - to_ns(row.close_time)) // NS_PER_S)
    for unit, length in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def rest_kline(row: RestKline, symbol: str, interval: str, context: Context) -> Built:
    """The last row of an answer may still be forming: it is closed once its end lies behind `ts_recv`."""
    return _bar(
        context, symbol, interval, row.open_time, (row.open, row.high, row.low, row.close),
        (row.volume, row.quote_volume, row.trades),
        closed=context.source == "file" or to_ns(row.close_time) < context.ts_recv,
    )  # fmt: skip


def _bar(
    context: Context,
    symbol: str,
    interval: str,
    start: int,
    prices: tuple[float, float, float, float],
    traded: tuple[float, float | None, int | None],
    *,
    closed: bool,
) -> Built:
    """`traded`: volume, the same in quote currency, number of trades."""
    if not all(prices):
        # All of them 0: nothing has traded yet.
        return Reject("malformed", "kline: one price is 0 beside others") if any(prices) else None
    volume, quote_volume, trades = traded
    return Bar(
        provider=PROVIDER,
        instrument=context.instrument(symbol),
        ts_event=to_ns(start),
        ts_recv=context.ts_recv,
        interval=interval,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=volume,
        trades=trades,
        vwap=_vwap(volume, quote_volume, context),
        closed=closed,
    )


def _vwap(volume: float, quote_volume: float | None, context: Context) -> float | None:
    """None without volume, and on COIN-M, whose volume counts contracts."""
    if not volume or quote_volume is None or context.venue is BINANCE_COINM:
        return None
    return quote_volume / volume or None


def ticker(message: Ticker24, context: Context) -> Built:
    if message.c == 0:
        return None  # nothing traded yet
    return Ticker(
        provider=PROVIDER,
        instrument=context.instrument(message.s),
        ts_event=context.time(message.E),
        ts_recv=context.ts_recv,
        last=message.c,
        open=message.o or None,
        high=message.h or None,
        low=message.l or None,
        volume=message.v,
        quote_volume=None if context.venue is BINANCE_COINM else message.q,
        change_pct=message.P,
    )


def rest_ticker(message: RestTicker, context: Context) -> Built:
    if message.last_price == 0:
        return None  # nothing traded yet, or delisted
    return Ticker(
        provider=PROVIDER,
        instrument=context.instrument(message.symbol),
        ts_event=context.time(message.close_time),
        ts_recv=context.ts_recv,
        last=message.last_price,
        open=message.open_price or None,
        high=message.high_price or None,
        low=message.low_price or None,
        volume=message.volume,
        quote_volume=message.quote_volume,
        change_pct=message.price_change_percent,
    )


def rest_price(message: RestPrice, context: Context) -> Built:
    if message.price == 0:
        return None
    return Ticker(
        provider=PROVIDER,
        instrument=context.instrument(message.symbol),
        ts_event=context.time(message.time),
        ts_recv=context.ts_recv,
        last=message.price,
    )


def listed(message: ListedSymbol, context: Context) -> Built:
    """Remembers the symbol's cut in the table, then describes the instrument."""
    instrument, alias = context.symbols.learn(
        context.venue, message.symbol, message.base_asset, message.quote_asset
    )
    tick = _step(message, "PRICE_FILTER")
    lot = _step(message, "LOT_SIZE")
    return InstrumentInfo(
        provider=PROVIDER,
        instrument=instrument,
        ts_event=context.ts_recv,
        ts_recv=context.ts_recv,
        venue_symbol=message.symbol,
        base=message.base_asset or None,
        quote=message.quote_asset or None,
        asset_class="crypto" if context.venue.spot else "future",
        price_precision=_decimals(tick) if tick else message.price_precision,
        size_precision=_decimals(lot) if lot else message.quantity_precision,
        tick_size=float(tick) if tick else None,
        lot_size=float(lot) if lot else None,
        status=_status(message.status or message.contract_status),
        aliases=(alias,) if alias else (),
    )


def _step(message: ListedSymbol, kind: str) -> Decimal | None:
    """A filter's step; None where there is none, where it is 0 (no rule) or no number."""
    for raw in message.filters:
        entry = _filter(raw)
        if entry is None or entry.filter_type != kind:
            continue
        text = entry.tick_size if kind == "PRICE_FILTER" else entry.step_size
        try:
            step = Decimal(str(text))
        except InvalidOperation:
            return None
        return step if step.is_finite() and step > 0 else None
    return None


def _filter(raw: object) -> Filter | None:
    """None for an entry that is none: the symbol is listed all the same."""
    try:
        return msgspec.convert(raw, Filter, strict=False)
    except msgspec.ValidationError:
        return None


def _decimals(step: Decimal) -> int:
    """Digits after the point: 0.0100 -> 2, 10 -> 0."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _status(text: str | None) -> Literal["trading", "halted", "closed"]:
    if text is None or text in _TRADING:
        return "trading"
    return "closed" if text in _CLOSED else "halted"
