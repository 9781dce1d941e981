"""Coinbase Exchange's REST bodies: recognised by the endpoint they came from, else by their shape.

    /products                      -> InstrumentInfo      /products/{id}/ticker  -> Quote, Ticker
    /products/{id}/trades          -> Trade               /products/{id}/stats   -> Ticker
    /products/{id}/candles         -> Bar                 /products/{id}/book    -> BookSnapshot

A body names no product (but /products): it is read from the endpoint, or from a file name that
contains one, like `candles_BTC-USD.json`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from actors.feeds.base import Origin, Parsed, Reject
from actors.feeds.coinbase.wire import (
    PROVIDER,
    BookBody,
    CandleRow,
    Product,
    StatsBody,
    TickerBody,
    TradeRow,
    instrument_of,
)
from actors.feeds.rest_calls import NO_ANSWER, reject_class
from actors.feeds.scan import checked_ns, rfc3339_ns
from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.observations import (
    Bar,
    BookSnapshot,
    InstrumentInfo,
    Observation,
    Quote,
    Side,
    Ticker,
    Trade,
)

INTERVALS_S = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 21600: "6h", 86400: "1d"}
DEFAULT_GRANULARITY_S = 60
CANDLE_FIELDS = 6
MAX_MESSAGE_CHARS = 200
_PATH = re.compile(r"/products(?:/([^/]+)(?:/(\w+))?)?/?$")
_PRODUCT = re.compile(r"(?<![A-Z0-9])[A-Z0-9]{1,12}-[A-Z0-9]{1,12}(?![A-Z0-9])")
_message = msgspec.json.Decoder(dict[str, Any])


def resource(endpoint: str) -> tuple[str | None, str | None]:
    """(product, part) of an address: `/products/BTC-USD/trades` -> (`BTC-USD`, `trades`)."""
    match = _PATH.search(urlsplit(endpoint).path)
    if match is not None:
        product, part = match.groups()
        return product and product.upper(), part or ("product" if product else "products")
    found = _PRODUCT.search(endpoint)
    return (found.group() if found else None), None


def same_resource(url: str, endpoint: str) -> bool:
    """Same product and part, whatever host; candles of another granularity are another resource."""
    if resource(url) != resource(endpoint) or resource(url)[1] is None:
        return False
    return resource(url)[1] != "candles" or _granularity_s(url) == _granularity_s(endpoint)


def refusal(payload: str | bytes, status: int) -> Reject:
    """An HTTP error with the venue's own words, where it gave some. Status 0: no answer came."""
    if status == NO_ANSWER:
        return Reject("upstream", "no answer")
    try:
        message = str(_message.decode(payload).get("message", ""))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        message = ""
    return Reject(reject_class(status), f"HTTP {status} {message[:MAX_MESSAGE_CHARS]}".rstrip())


def read_body(value: Any, origin: Origin) -> Parsed:
    """A decoded body. Never raises on bad input; a bad row rejects itself alone."""
    product, part = resource(origin.endpoint)
    product = product or origin.symbol
    part = _KNOWN.get(part or "") or _part_by_shape(value)
    try:
        if part is None:
            return Parsed(rejects=[_unknown(value)])
        if part == "empty":
            return Parsed()
        if part == "products":
            return _rows(value if isinstance(value, list) else [value], lambda row: _info(row, origin))
        if product is None:
            raise Malformed(f"{part}: the endpoint, which names the product, is unknown")
        return _PARTS[part](value, instrument_of(product), origin)
    except (Malformed, msgspec.MsgspecError) as error:
        return Parsed(rejects=[Reject("malformed", f"{part}: {error}")])


def _unknown(value: Any) -> Reject:
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return Reject("bad_request", value["message"][:MAX_MESSAGE_CHARS])
    if isinstance(value, dict):
        keys = ", ".join(sorted(value)[:8])
        return Reject(
            "malformed", f"missing field `type`; an object with {keys[:MAX_MESSAGE_CHARS] or 'no fields'}"
        )
    return Reject("malformed", f"a {type(value).__name__} is no message of this venue")


def _part_by_shape(value: Any) -> str | None:
    row = value[0] if isinstance(value, list) and value else value
    if isinstance(value, list) and not value:
        return "empty"
    if isinstance(value, list) and isinstance(row, list):
        return "candles" if len(row) == CANDLE_FIELDS else None
    if not isinstance(row, dict):
        return None
    return next((part for part, keys in _SHAPES if keys <= row.keys()), None)


def _rows(rows: list[Any], make: Any) -> Parsed:
    parsed = Parsed()
    for index, row in enumerate(rows):
        try:
            parsed.observations.append(make(row))
        except (Malformed, msgspec.MsgspecError) as error:
            parsed.rejects.append(Reject("malformed", f"row {index}: {error}"))
    return parsed


def _convert(value: Any, shape: Any) -> Any:
    return msgspec.convert(value, shape, strict=False)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Malformed(f"expected an array, got {type(value).__name__}")


def _info(row: Any, origin: Origin) -> Observation:
    return instrument_info(_convert(row, Product), origin)


def instrument_info(product: Product, origin: Origin) -> InstrumentInfo:
    price_decimals, tick = _increment(product.quote_increment)
    size_decimals, lot = _increment(product.base_increment)
    return InstrumentInfo(
        PROVIDER,
        instrument_of(product.id),
        origin.ts_recv,
        origin.ts_recv,
        product.id,
        product.base_currency,
        product.quote_currency,
        price_precision=price_decimals,
        size_precision=size_decimals,
        tick_size=tick,
        lot_size=lot,
        status=_status(product),
    )


def _status(product: Product) -> Any:
    if product.status == "delisted":
        return "closed"
    halted = product.status != "online" or product.trading_disabled or product.cancel_only
    return "halted" if halted else "trading"


def _increment(value: str | float | None) -> tuple[int | None, float | None]:
    """(decimals after the point, the increment): `0.0100` -> (2, 0.01). Raises Malformed."""
    if value is None:
        return None, None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Malformed(f"increment {str(value)[:40]!r} is not a number") from None
    if not number.is_finite() or not 0 < number < 10**18:
        raise Malformed(f"increment {str(value)[:40]!r} is not positive and finite")
    exponent = number.normalize().as_tuple().exponent
    return max(0, -int(exponent)), float(number)


def _trades(value: Any, instrument: str, origin: Origin) -> Parsed:
    return _rows(_list(value), lambda row: _trade(_convert(row, TradeRow), instrument, origin))


def _trade(row: TradeRow, instrument: str, origin: Origin) -> Trade:
    side: Side = "sell" if row.side == "buy" else "buy"
    ts_event = rfc3339_ns(row.time)
    return Trade(PROVIDER, instrument, ts_event, origin.ts_recv, row.price, row.size, side, str(row.trade_id))


def _candles(value: Any, instrument: str, origin: Origin) -> Parsed:
    rows = _list(value)
    step_s = _granularity_s(origin.endpoint) if "granularity" in origin.endpoint else _spacing_s(rows)
    interval = INTERVALS_S.get(step_s)
    if interval is None:
        raise Malformed(f"granularity {step_s} s is none of {sorted(INTERVALS_S)}")
    return _rows(rows, lambda row: _bar(_convert(row, CandleRow), instrument, interval, step_s, origin))


def _bar(row: CandleRow, instrument: str, interval: str, step_s: int, origin: Origin) -> Bar:
    start_s, low, high, first, last, volume = row
    start = checked_ns(start_s * NS_PER_S)
    closed = origin.ts_recv <= 0 or start + step_s * NS_PER_S <= origin.ts_recv
    return Bar(
        PROVIDER,
        instrument,
        start,
        origin.ts_recv,
        interval,
        first,
        high,
        low,
        last,
        volume,
        closed=closed,
    )


def _granularity_s(url: str) -> int:
    text = parse_qs(urlsplit(url).query).get("granularity", [str(DEFAULT_GRANULARITY_S)])[0]
    return int(text[:9]) if text.isascii() and text.isdigit() else DEFAULT_GRANULARITY_S


def _spacing_s(rows: list[Any]) -> int:
    """The granularity of a body without its endpoint: the least distance between two rows."""
    starts = sorted({row[0] for row in rows if isinstance(row, list) and row and isinstance(row[0], int)})
    steps = [later - earlier for earlier, later in pairwise(starts)]
    return min(steps, default=DEFAULT_GRANULARITY_S)


def _book(value: Any, instrument: str, origin: Origin) -> Parsed:
    body: BookBody = _convert(value, BookBody)
    snapshot = BookSnapshot(
        PROVIDER,
        instrument,
        origin.ts_recv if body.time is None else rfc3339_ns(body.time),
        origin.ts_recv,
        tuple(sorted(((price, size) for price, size, _ in body.bids if size > 0), reverse=True)),
        tuple(sorted((price, size) for price, size, _ in body.asks if size > 0)),
        None if body.sequence is None else (body.sequence, body.sequence),
    )
    return Parsed([snapshot])


def _ticker(value: Any, instrument: str, origin: Origin) -> Parsed:
    body: TickerBody = _convert(value, TickerBody)
    ts_event = rfc3339_ns(body.time)
    parsed = Parsed()
    if body.bid or body.ask:
        quote = Quote(
            PROVIDER, instrument, ts_event, origin.ts_recv, body.bid or None, None, body.ask or None, None
        )
        parsed.observations.append(quote)
    ticker = Ticker(PROVIDER, instrument, ts_event, origin.ts_recv, body.price, volume=body.volume)
    parsed.observations.append(ticker)
    return parsed


def _stats(value: Any, instrument: str, origin: Origin) -> Parsed:
    body: StatsBody = _convert(value, StatsBody)
    recv = origin.ts_recv
    ticker = Ticker(PROVIDER, instrument, recv, recv, body.last, body.open, body.high, body.low, body.volume)
    return Parsed([ticker])


_PARTS = {
    "trades": _trades,
    "candles": _candles,
    "book": _book,
    "ticker": _ticker,
    "stats": _stats,
}
_KNOWN = {**{part: part for part in _PARTS}, "products": "products", "product": "products"}
_SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("book", frozenset({"bids", "asks"})),
    ("trades", frozenset({"trade_id", "side"})),
    ("ticker", frozenset({"price", "bid", "ask"})),
    ("products", frozenset({"id", "base_currency"})),
    ("stats", frozenset({"open", "last"})),
)
