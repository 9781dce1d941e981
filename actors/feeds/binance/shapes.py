"""The slow way of parsing: a decoded JSON value, told by its event name, its stream or its shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar

import msgspec

from actors.feeds.base import Reject
from actors.feeds.binance import builders, failures
from actors.feeds.binance.context import Context, Frame
from actors.feeds.binance.wire import (
    AggTrade,
    BookTicker,
    Depth,
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
)
from domain.errors import Malformed

T = TypeVar("T")
Json = Any
"""What msgspec decodes without a type; it ends in this module."""

_PARTIAL = re.compile(r"[^@]*@depth(\d{1,4})(?:@.*)?")
_ERROR_CODE_OK = 0

_EVENTS: dict[str, tuple[type[Any], Callable[[Any, Context], builders.Built]]] = {
    "aggTrade": (AggTrade, builders.agg_trade),
    "trade": (RawTrade, builders.raw_trade),
    "bookTicker": (BookTicker, builders.book_ticker),
    "depthUpdate": (Depth, builders.depth_delta),
    "kline": (Kline, builders.kline),
    "24hrTicker": (Ticker24, builders.ticker),
    "24hrMiniTicker": (Ticker24, builders.ticker),
}
_NO_CONTENT = {"serverShutdown"}
_ARRAY_STREAMS = {"ticker": "24hrTicker", "miniTicker": "24hrMiniTicker"}


@lru_cache(maxsize=16_384)
def depth_of(stream: str) -> int | None:
    """Levels of a partial-depth stream (`btcusdt@depth5@100ms` -> 5); None for any other."""
    match = _PARTIAL.fullmatch(stream)
    return int(match[1]) if match else None


def read(value: Json, context: Context, frame: Frame, stream: str | None = None) -> None:
    """Adds what a value says to the frame. Raises RecursionError on absurd nesting."""
    stream = stream or context.address.stream
    if isinstance(value, list):
        _read_list(value, context, frame, stream)
    elif not isinstance(value, dict):
        frame.rejects.append(Reject("malformed", f"neither object nor list: {str(value)[:80]!r}"))
    elif isinstance(value.get("stream"), str) and "data" in value:
        read(value["data"], context, frame, value["stream"])
    elif "e" in value:
        _read_event(value, context, frame, stream)
    else:
        _read_object(value, context, frame, stream)


def collect(frame: Frame, build: Callable[[], builders.Built]) -> None:
    """Adds what `build` makes; what it cannot make becomes a reject of this entry alone."""
    try:
        built = build()
    except (msgspec.ValidationError, Malformed) as error:
        built = Reject("malformed", f"{frame.event}: {error}"[: failures.MAX_REASON])
    if isinstance(built, Reject):
        frame.rejects.append(built)
    elif built is not None:
        frame.observations.append(built)


def _read_list(values: list[Json], context: Context, frame: Frame, stream: str | None) -> None:
    for value in values:
        if isinstance(value, list):
            _read_row(value, context, frame)
        elif isinstance(value, dict):
            read(value, context, frame, stream)
        else:
            frame.rejects.append(Reject("malformed", f"entry is no object: {str(value)[:80]!r}"))


def _read_row(row: list[Json], context: Context, frame: Frame) -> None:
    frame.event = "klines"

    def build() -> builders.Built:
        kline = convert(row, RestKline)
        interval = context.address.interval or builders.interval_of(kline)
        return builders.rest_kline(kline, _symbol(context, None), interval, context)

    collect(frame, build)


def _read_event(value: Mapping[str, Json], context: Context, frame: Frame, stream: str | None) -> None:
    event = value["e"]
    if not isinstance(event, str):
        frame.rejects.append(Reject("malformed", "event name `e` is no text"))
        return
    frame.event = event
    known = _EVENTS.get(event)
    levels = depth_of(stream) if stream else None
    if event == "depthUpdate" and levels is not None:
        collect(frame, lambda: builders.partial_depth(convert(value, Depth), levels, context))
    elif known is not None:
        message, build = known
        collect(frame, lambda: build(convert(value, message), context))
    elif event not in _NO_CONTENT:
        frame.rejects.append(Reject("unsupported", f"event {event[:60]!r} is not used"))


def _read_object(value: Mapping[str, Json], context: Context, frame: Frame, stream: str | None) -> None:
    """An object without event name. The order of the questions is from the most telling key on."""
    if "code" in value and "msg" in value:
        _read_failure(value, context, frame)
    elif isinstance(value.get("error"), dict):
        _read_failure(value["error"], context, frame)
    elif "result" in value:
        _read_result(value["result"], frame)
    elif not value or set(value) == {"serverTime"}:
        frame.event = "pong"
    elif "symbols" in value or context.address.resource == "exchangeInfo":
        _read_listing(value.get("symbols"), context, frame)
    else:
        _read_market_data(value, context, frame, stream)


def _read_failure(value: Mapping[str, Json], context: Context, frame: Frame) -> None:
    frame.event = "error"
    code, message = value.get("code"), str(value.get("msg", ""))
    if isinstance(code, bool) or not isinstance(code, int):
        frame.rejects.append(Reject("malformed", f"error code {str(code)[:40]!r} is no integer"))
    elif code == _ERROR_CODE_OK and "data" in value:
        frame.rejects.append(Reject("unsupported", "an answer in Binance TR's own envelope"))
    else:
        frame.rejects.append(failures.by_code(code, message, context.status))


def _read_result(result: Json, frame: Frame) -> None:
    """`null` acknowledges a subscription, a list names the subscriptions."""
    frame.event = "ack"
    if result is not None and not isinstance(result, list):
        frame.rejects.append(Reject("unsupported", "an answer of the WebSocket API"))


def _read_listing(entries: Json, context: Context, frame: Frame) -> None:
    frame.event = "exchangeInfo"
    if not isinstance(entries, list):
        frame.rejects.append(Reject("malformed", "exchangeInfo: `symbols` is no list"))
        return
    for entry in entries:
        collect(frame, partial(_listed, entry, context))


def _listed(entry: Json, context: Context) -> builders.Built:
    return builders.listed(convert(entry, ListedSymbol), context)


def _read_market_data(value: Mapping[str, Json], context: Context, frame: Frame, stream: str | None) -> None:
    shape = _shape(value, context, stream)
    if shape is None:
        keys = ", ".join(list(value)[:8])
        frame.rejects.append(Reject("unsupported", f"no known message has the fields {keys}"[:200]))
        return
    frame.event = shape
    collect(frame, lambda: _build(shape, value, context, stream))


def _shape(value: Mapping[str, Json], context: Context, stream: str | None) -> str | None:
    """A name of `_build`; what the stream or the request promises counts where the keys do not tell."""
    keys = value.keys()
    if "lastUpdateId" in keys and "bids" in keys:
        return "depth"
    if "lastPrice" in keys:
        return "ticker"
    if "bidPrice" in keys or "askPrice" in keys:
        return "rest_book_ticker"
    if "isBuyerMaker" in keys:
        return "trades"
    if "u" in keys and ("B" in keys or "A" in keys):
        return "bookTicker"
    if {"a", "p", "q"} <= keys and "s" not in keys:
        return "aggTrades"
    if "mins" in keys:
        return "avgPrice"
    if {"symbol", "price"} <= keys:
        return "price"
    return _promised(context, stream)


_OF_RESOURCE = {
    "depth": "depth",
    "trades": "trades",
    "aggTrades": "aggTrades",
    "ticker/24hr": "ticker",
    "ticker/price": "price",
    "ticker/bookTicker": "rest_book_ticker",
}


def _promised(context: Context, stream: str | None) -> str | None:
    if stream is None:
        return _OF_RESOURCE.get(context.address.resource)
    if depth_of(stream) is not None:
        return "depth"
    channel = stream.partition("@")[2]
    if channel in _EVENTS:
        return channel
    if channel.startswith("kline_"):
        return "kline"
    return "depthUpdate" if channel.startswith("depth") else _ARRAY_STREAMS.get(channel)


def _build(shape: str, value: Mapping[str, Json], context: Context, stream: str | None) -> builders.Built:
    """Raises ValidationError and Malformed."""
    if shape in _EVENTS:
        message, build = _EVENTS[shape]
        return build(convert(value, message), context)
    match shape:
        case "depth":
            symbol = _symbol(context, stream)
            levels = depth_of(stream) if stream else None
            return builders.book_snapshot(convert(value, RestDepth), symbol, context, levels)
        case "trades":
            return builders.rest_trade(convert(value, RestTrade), _symbol(context, stream), context)
        case "aggTrades":
            return builders.rest_agg_trade(convert(value, RestAggTrade), _symbol(context, stream), context)
        case "ticker":
            return builders.rest_ticker(convert(value, RestTicker), context)
        case "rest_book_ticker":
            return builders.rest_book_ticker(convert(value, RestBookTicker), context)
        case "price":
            return builders.rest_price(convert(value, RestPrice), context)
        case _:
            return Reject("unsupported", f"{shape} is not used: an average is not a last price")


def _symbol(context: Context, stream: str | None) -> str:
    """The symbol that the message itself does not name. Raises Malformed."""
    if stream and "@" in stream:
        return stream.partition("@")[0].upper()
    if context.address.symbol:
        return context.address.symbol
    if context.source == "file":
        return UNKNOWN
    raise Malformed("the symbol is not in the message, and no stream name or symbol= of a request tells it")


UNKNOWN = "UNKNOWN"
"""A saved answer alone does not say what it is about; who parses the file knows."""
_LEVEL_KEYS = ("b", "a", "bids", "asks")


def convert(value: Json, message: type[T]) -> T:
    """Raises ValidationError, which names the field. Levels of three entries (old recordings) are cut."""
    try:
        return msgspec.convert(value, message, strict=False)
    except msgspec.ValidationError:
        cut = _with_short_levels(value)
        if cut is None:
            raise
        return msgspec.convert(cut, message, strict=False)


def _with_short_levels(value: Json) -> dict[str, Json] | None:
    """The same object with levels cut to price and size; None where no level was longer."""
    if not isinstance(value, dict):
        return None
    cut = dict(value)
    longer = False
    for key in _LEVEL_KEYS:
        levels = value.get(key)
        if isinstance(levels, list) and any(isinstance(level, list) and len(level) > 2 for level in levels):
            cut[key] = [level[:2] if isinstance(level, list) else level for level in levels]
            longer = True
    return cut if longer else None
