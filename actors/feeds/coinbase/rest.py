"""Coinbase Exchange's REST bodies: recognised by the endpoint they came from, else by their shape.

    /products                      -> InstrumentInfo      /products/{id}/ticker        -> Quote, Ticker
    /products/{id}/trades          -> Trade               /products/{id}/stats         -> Ticker
    /products/{id}/candles         -> Bar                 /products/{id}/book?level=2  -> BookSnapshot
                                                          /products/{id}/book          -> Quote

Where there is an address it decides alone: an unlisted one is unsupported whatever its body looks like.
A body names no product (but /products): it is read from the endpoint, or from a file name that
contains one, like `candles_BTC-USD.json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import msgspec

from actors.feeds.absent import amount, level, moment, price, priced, required_moment
from actors.feeds.addresses import Hosts, parts
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
from actors.feeds.scan import checked_ns
from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.observations import (
    Bar,
    BookSnapshot,
    InstrumentInfo,
    Level,
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
HOSTS = Hosts(
    "coinbase.com",
    frozenset(
        {
            "ws-feed.exchange.coinbase.com",
            "ws-direct.exchange.coinbase.com",
            "api.exchange.coinbase.com",
            "ws-feed-public.sandbox.exchange.coinbase.com",
            "api-public.sandbox.exchange.coinbase.com",
            "ws-feed.pro.coinbase.com",
            "api.pro.coinbase.com",
            "api-public.sandbox.pro.coinbase.com",
            "ws-feed-public.sandbox.pro.coinbase.com",
        }
    ),
)
"""The Exchange, under its names since 2018. Other hosts of Coinbase speak other protocols."""
COLLECTIONS = frozenset({"STATS", "SPARK-LINES", "VOLUME-SUMMARY"})
"""What stands in the place of a product in the paths of bodies over all products."""
TOP_LEVEL, WHOLE_BOOK = "1", "2"
_PATH = re.compile(r"/products(?:/([^/]+)(?:/(\w+))?)?/?$")
_PRODUCT = re.compile(r"(?<![A-Z0-9])[A-Z0-9]{1,12}-[A-Z0-9]{1,12}(?![A-Z0-9])")
_message = msgspec.json.Decoder(dict[str, Any])


def resource(endpoint: str) -> tuple[str | None, str | None]:
    """(product, part) of an address: `/products/BTC-USD/trades` -> (`BTC-USD`, `trades`)."""
    match = _PATH.search(parts(endpoint).path)
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
    if HOSTS.is_address(origin.endpoint):
        part = _part_by_address(product, part, origin.endpoint)
        if part is None:
            return Parsed(rejects=[Reject("unsupported", f"address {origin.endpoint[:MAX_MESSAGE_CHARS]!r}")])
    else:
        part = _part_by_shape(value)
    try:
        if part is None:
            return Parsed(rejects=[_unknown(value)])
        if part == "empty":
            return Parsed()
        if part == "products":
            return read_products(value if isinstance(value, list) else [value], origin)
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


def _part_by_address(product: str | None, part: str | None, endpoint: str) -> str | None:
    """A name of `_PARTS`; None for what is not listed there."""
    if HOSTS.foreign(endpoint) or product in COLLECTIONS:
        return None
    if part == "book":
        level = parse_qs(parts(endpoint).query).get("level", [TOP_LEVEL])[0]
        return {TOP_LEVEL: "top", WHOLE_BOOK: "book"}.get(level)
    return _KNOWN.get(part or "")


def _part_by_shape(value: Any) -> str | None:
    row = value[0] if isinstance(value, list) and value else value
    if isinstance(value, list) and not value:
        return "empty"
    if isinstance(value, list) and isinstance(row, list):
        return "candles" if len(row) == CANDLE_FIELDS else None
    if not isinstance(row, dict):
        return None
    return next((part for part, keys in _SHAPES if keys <= row.keys()), None)


def _rows(rows: list[Any], make: Callable[[Any], Observation | None]) -> Parsed:
    parsed = Parsed()
    for index, row in enumerate(rows):
        try:
            made = make(row)
        except (Malformed, msgspec.MsgspecError) as error:
            parsed.rejects.append(Reject("malformed", f"row {index}: {error}"))
            continue
        if made is not None:
            parsed.observations.append(made)
    return parsed


def _convert(value: Any, shape: Any) -> Any:
    return msgspec.convert(value, shape, strict=False)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Malformed(f"expected an array, got {type(value).__name__}")


def read_products(rows: list[Any], origin: Origin) -> Parsed:
    """Of GET /products and of the `status` channel."""
    return _rows(rows, lambda row: _info(row, origin))


def _info(row: Any, origin: Origin) -> Observation:
    return instrument_info(_convert(row, Product), origin)


def instrument_info(product: Product, origin: Origin) -> InstrumentInfo:
    price_decimals, tick = _increment(product.quote_increment)
    if tick is None:
        raise Malformed("`quote_increment` says that there is none")
    size_decimals, lot = _increment(product.base_increment)
    return InstrumentInfo(
        PROVIDER,
        instrument_of(product.id),
        origin.ts_recv,
        origin.ts_recv,
        product.id,
        product.base_currency or None,
        product.quote_currency or None,
        price_precision=price_decimals,
        size_precision=size_decimals,
        tick_size=tick,
        lot_size=lot,
        status=_status(product),
    )


def _status(product: Product) -> Any:
    """For takers: `post_only` and `cancel_only` match nothing, `limit_only` does."""
    if product.status == "delisted":
        return "closed"
    offline = (product.status or "online") != "online"
    halted = offline or product.trading_disabled or product.cancel_only or product.post_only
    return "halted" if halted else "trading"


def _increment(value: str | float | None) -> tuple[int | None, float | None]:
    """(decimals after the point, the increment): `0.0100` -> (2, 0.01), 0 -> (None, None).

    Raises Malformed.
    """
    if not value:
        return None, None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Malformed(f"increment {str(value)[:40]!r} is not a number") from None
    if number == 0:
        return None, None
    if not number.is_finite() or not 0 < number < 10**18:
        raise Malformed(f"increment {str(value)[:40]!r} is not positive and finite")
    exponent = number.normalize().as_tuple().exponent
    return max(0, -int(exponent)), float(number)


def _trades(value: Any, instrument: str, origin: Origin) -> Parsed:
    return _rows(_list(value), lambda row: _trade(_convert(row, TradeRow), instrument, origin))


def _trade(row: TradeRow, instrument: str, origin: Origin) -> Trade:
    taker: Side = "sell" if row.side == "buy" else "buy"
    ts_event = required_moment(row.time)
    trade_id = str(row.trade_id) if row.trade_id else None
    return Trade(PROVIDER, instrument, ts_event, origin.ts_recv, row.price, row.size, taker, trade_id)


def _candles(value: Any, instrument: str, origin: Origin) -> Parsed:
    rows = _list(value)
    step_s = _granularity_s(origin.endpoint) if "granularity" in origin.endpoint else _spacing_s(rows)
    interval = INTERVALS_S.get(step_s)
    if interval is None:
        raise Malformed(f"granularity {step_s} s is none of {sorted(INTERVALS_S)}")
    return _rows(rows, lambda row: _bar(_convert(row, CandleRow), instrument, interval, step_s, origin))


def _bar(row: CandleRow, instrument: str, interval: str, step_s: int, origin: Origin) -> Bar | None:
    start_s, low, high, first, last, volume = row
    if not priced(low, high, first, last):
        return None
    start = checked_ns(start_s * NS_PER_S)
    if not start:
        raise Malformed("the bar has no time")
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
    text = parse_qs(parts(url).query).get("granularity", [str(DEFAULT_GRANULARITY_S)])[0]
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
        moment(body.time) or origin.ts_recv,
        origin.ts_recv,
        tuple(sorted(_levels(body.bids), reverse=True)),
        tuple(sorted(_levels(body.asks))),
        (body.sequence, body.sequence) if body.sequence else None,
    )
    return Parsed([snapshot])


def _levels(rows: list[tuple[float, float, int]]) -> list[Level]:
    return [row[:2] for row in rows if level(*row[:2]) and row[1] > 0]


def _top(value: Any, instrument: str, origin: Origin) -> Parsed:
    """The book of level 1 holds the best level of each side: a quote, and no book."""
    body: BookBody = _convert(value, BookBody)
    bid, bid_size = max(_levels(body.bids), default=(None, None))
    ask, ask_size = min(_levels(body.asks), default=(None, None))
    if bid is None and ask is None:
        return Parsed()
    ts_event = moment(body.time) or origin.ts_recv
    return Parsed([Quote(PROVIDER, instrument, ts_event, origin.ts_recv, bid, bid_size, ask, ask_size)])


def _ticker(value: Any, instrument: str, origin: Origin) -> Parsed:
    body: TickerBody = _convert(value, TickerBody)
    ts_event = moment(body.time) or origin.ts_recv
    parsed = Parsed()
    bid, ask, last = price(body.bid), price(body.ask), price(body.price)
    if bid is not None or ask is not None:
        quote = Quote(PROVIDER, instrument, ts_event, origin.ts_recv, bid, None, ask, None)
        parsed.observations.append(quote)
    if last is not None:
        ticker = Ticker(PROVIDER, instrument, ts_event, origin.ts_recv, last, volume=amount(body.volume))
        parsed.observations.append(ticker)
    return parsed


def _stats(value: Any, instrument: str, origin: Origin) -> Parsed:
    body: StatsBody = _convert(value, StatsBody)
    last, recv = price(body.last), origin.ts_recv
    if last is None:
        return Parsed()
    first, high, low = price(body.open), price(body.high), price(body.low)
    return Parsed([Ticker(PROVIDER, instrument, recv, recv, last, first, high, low, amount(body.volume))])


_PARTS = {
    "trades": _trades,
    "candles": _candles,
    "book": _book,
    "top": _top,
    "ticker": _ticker,
    "stats": _stats,
}
_KNOWN = {
    **{part: part for part in ("trades", "candles", "ticker", "stats")},
    "products": "products",
    "product": "products",
}
_SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("book", frozenset({"bids", "asks"})),
    ("trades", frozenset({"trade_id", "side"})),
    ("ticker", frozenset({"price", "bid", "ask"})),
    ("products", frozenset({"id", "base_currency"})),
    ("stats", frozenset({"open", "last"})),
)
