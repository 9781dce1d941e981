"""The slow way of parsing: a decoded JSON value, told by its stream or its address, else by its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from actors.feeds.base import Reject
from actors.feeds.binance import builders, failures, sockets
from actors.feeds.binance.address import Stream
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


def read(value: Json, context: Context, frame: Frame, stream: str | None = None) -> None:
    """Adds what a value says to the frame. Raises RecursionError on absurd nesting."""
    if isinstance(value, list):
        _read_list(value, context, frame, stream)
    elif not isinstance(value, dict):
        frame.rejects.append(Reject("malformed", f"neither object nor list: {str(value)[:80]!r}"))
    elif isinstance(value.get("stream"), str) and "data" in value:
        read(value["data"], context, frame, value["stream"])
    elif "e" not in value and _read_control(value, context, frame):
        return
    elif context.address.refusal is not None:
        frame.rejects.append(Reject("unsupported", context.address.refusal))
    elif stream is not None or context.address.streams:
        _read_streamed(value, context, frame, stream)
    elif "e" in value:
        _read_event(value, context, frame, value["e"])
    else:
        _read_market_data(value, context, frame)


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
    """A row of the list of candles: no other answer that is used has rows."""
    frame.event = "klines"
    if context.address.refusal is not None or context.address.resource not in ("klines", "other"):
        reason = context.address.refusal or f"{context.address.resource} has no rows"
        frame.rejects.append(Reject("unsupported", reason))
        return

    def build() -> builders.Built:
        kline = convert(row, RestKline)
        interval = context.address.interval or builders.interval_of(kline)
        symbol = _symbol(context)
        return builders.rest_kline(kline, symbol, interval, context.of(symbol))

    collect(frame, build)


def _read_streamed(value: Mapping[str, Json], context: Context, frame: Frame, stream: str | None) -> None:
    """A message whose stream is known: the stream says what it is."""
    names = [stream] if stream is not None else sockets.candidates(value, context)
    if not names and sockets.tells_itself(value, context):
        _read_event(value, context, frame, value.get("e", "bookTicker"))
        return
    known = sockets.common_meaning(names)
    event = value.get("e", "" if known is None else known.event)
    if _is_notice(event, frame):
        return
    if known is None:
        frame.rejects.append(Reject("unsupported", sockets.doubt(str(event), names)))
        return
    if event != known.event:
        _reject_event(event, frame)
        return
    frame.event = known.event
    if known.levels is not None:
        collect(frame, partial(_partial_book, value, known, known.levels, context))
    else:
        collect(frame, partial(_event, known.event, value, context))


def _partial_book(value: Mapping[str, Json], stream: Stream, levels: int, context: Context) -> builders.Built:
    """Spot venues send it without a name and a symbol, the others in the form of a change."""
    if "e" in value:
        change = convert(value, Depth)
        return builders.partial_depth(change, levels, context.of(change.s, change.st))
    symbol = stream.symbol or ""
    return builders.book_snapshot(convert(value, RestDepth), symbol, context.of(symbol), levels)


def _event(event: str, value: Mapping[str, Json], context: Context) -> builders.Built:
    """Raises ValidationError and Malformed."""
    shape, build = _EVENTS[event]
    message = convert(value, shape)
    return build(message, context.of(message.s, message.st))


def _read_event(value: Mapping[str, Json], context: Context, frame: Frame, event: Json) -> None:
    """A message that no stream's name came with tells by its own what it is."""
    if _is_notice(event, frame):
        return
    if isinstance(event, str) and event in _EVENTS:
        frame.event = event
        collect(frame, lambda: _event(event, value, context))
    else:
        _reject_event(event, frame)


def _is_notice(event: Json, frame: Frame) -> bool:
    """Of the connection itself, which has no data."""
    if not isinstance(event, str) or event not in _NO_CONTENT:
        return False
    frame.event = event
    return True


def _reject_event(event: Json, frame: Frame) -> None:
    if isinstance(event, str):
        frame.event = event
        frame.rejects.append(Reject("unsupported", f"event {event[:60]!r} is not used"))
    else:
        frame.rejects.append(Reject("malformed", "event name `e` is no text"))


def _read_control(value: Mapping[str, Json], context: Context, frame: Frame) -> bool:
    """Errors, acknowledgements and lists of instruments, which come from any address. False for others."""
    if "code" in value and "msg" in value:
        _read_failure(value, context, frame)
    elif isinstance(value.get("error"), dict):
        _read_failure(value["error"], context, frame)
    elif "result" in value:
        _read_result(value["result"], frame)
    elif not value or set(value) == {"serverTime"}:
        frame.event = "pong"
    elif context.address.refusal is None and (
        "symbols" in value or context.address.resource == "exchangeInfo"
    ):
        _read_listing(value.get("symbols"), context, frame)
    else:
        return False
    return True


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
    message = convert(entry, ListedSymbol)
    return builders.listed(message, context.of(message.symbol))


def _read_market_data(value: Mapping[str, Json], context: Context, frame: Frame) -> None:
    """An object without an event's name: an answer of REST, or the best prices of spot venues."""
    shape = _OF_RESOURCE.get(context.address.resource) or _shape(value)
    if shape is None:
        keys = ", ".join(list(value)[:8])
        frame.rejects.append(Reject("unsupported", f"no known message has the fields {keys}"[:200]))
        return
    frame.event = shape
    collect(frame, lambda: _build(shape, value, context))


_OF_RESOURCE = {
    "depth": "depth",
    "trades": "trades",
    "aggTrades": "aggTrades",
    "ticker/24hr": "ticker",
    "ticker/price": "price",
    "ticker/bookTicker": "rest_book_ticker",
}


def _shape(value: Mapping[str, Json]) -> str | None:
    """A name of `_build`, from the most telling key on; where no address promises anything."""
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
    return "price" if {"symbol", "price"} <= keys else None


def _build(shape: str, value: Mapping[str, Json], context: Context) -> builders.Built:
    """Raises ValidationError and Malformed."""
    match shape:
        case "bookTicker":
            return _event(shape, value, context)
        case "depth":
            message, symbol = convert(value, RestDepth), _symbol(context)
            return builders.book_snapshot(message, symbol, context.of(symbol))
        case "trades":
            symbol = _symbol(context)
            return builders.rest_trade(convert(value, RestTrade), symbol, context.of(symbol))
        case "aggTrades":
            symbol = _symbol(context)
            return builders.rest_agg_trade(convert(value, RestAggTrade), symbol, context.of(symbol))
        case "ticker":
            ticker = convert(value, RestTicker)
            return builders.rest_ticker(ticker, context.of(ticker.symbol))
        case "rest_book_ticker":
            best = convert(value, RestBookTicker)
            return builders.rest_book_ticker(best, context.of(best.symbol))
        case "price":
            price = convert(value, RestPrice)
            return builders.rest_price(price, context.of(price.symbol))
        case _:
            return Reject("unsupported", f"{shape} is not used: an average is not a last price")


def _symbol(context: Context) -> str:
    """The symbol that the message itself does not name. Raises Malformed."""
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
        mended = _with_short_levels(value) or _without_blanks(value, message)
        if mended is None:
            raise
        return msgspec.convert(mended, message, strict=False)


_BLANKS = ("", None)
_BLANK_IS_0: dict[type[Any], set[str]] = {
    BookTicker: {"b", "B", "a", "A"},
    Ticker24: {"c"},
    RestTicker: {"lastPrice"},
    RestPrice: {"price"},
    RestBookTicker: {"bidPrice", "bidQty", "askPrice", "askQty"},
}
"""Messages of which a part may be nothing, and the fields that they must have."""


def _without_blanks(value: Json, message: type[Any]) -> dict[str, Json] | None:
    """The same object with nothing in place of empty texts and nulls; None where there are none."""
    needed = _BLANK_IS_0.get(message)
    if needed is None or not isinstance(value, dict) or all(each not in _BLANKS for each in value.values()):
        return None
    kept = {key: each for key, each in value.items() if each not in _BLANKS}
    return kept | {key: 0 for key in needed & value.keys() if value[key] in _BLANKS}


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
