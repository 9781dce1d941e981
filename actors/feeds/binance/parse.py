"""Bytes from Binance -> observations. Pure but for the symbol table, which only ever learns.

Hot frames (trades, best prices, diffs, candles) are recognised by their first characters and decoded
straight into a typed struct. Everything else, and every hot frame that does not fit its struct, takes
the slow way: decode generically, tell the message by its stream or address (`address.py`), where there is
none by its event name or shape, convert, explain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

import msgspec

from actors.feeds.base import Origin, Reject
from actors.feeds.binance import builders, failures, shapes
from actors.feeds.binance.address import read_address, read_stream
from actors.feeds.binance.assumed import completed
from actors.feeds.binance.context import Context, Frame
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import BINANCE, VENUES
from actors.feeds.binance.wire import AggTrade, BookTicker, Depth, ExchangeInfo, Kline, ListedSymbol, RawTrade
from domain.errors import Malformed

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

_COMBINED = '{"stream":"'
_EVENT = '{"e":"'
_NAME = '"e":"'
_SPOT_BOOK_TICKER = '{"u":'
_EXCHANGE_INFO = '{"timezone":'


class Hot(NamedTuple):
    """How a frequent message is read, raw and inside the envelope of `/stream`."""

    event: str
    named: str
    raw: msgspec.json.Decoder[Any]
    combined: msgspec.json.Decoder[Any]
    build: Callable[[Any, Context], builders.Built]


def _hot(event: str, message: type, build: Callable[[Any, Context], builders.Built]) -> Hot:
    envelope = msgspec.defstruct(f"Combined{message.__name__}", [("data", message)], gc=False)
    raw: msgspec.json.Decoder[Any] = msgspec.json.Decoder(message, strict=False)
    return Hot(event, f'{_NAME}{event}"', raw, msgspec.json.Decoder(envelope, strict=False), build)


_HOT = {
    "aggTrade": _hot("aggTrade", AggTrade, builders.agg_trade),
    "trade": _hot("trade", RawTrade, builders.raw_trade),
    "bookTicker": _hot("bookTicker", BookTicker, builders.book_ticker),
    "depthUpdate": _hot("depthUpdate", Depth, builders.depth_delta),
    "kline": _hot("kline", Kline, builders.kline),
}
_INFO = msgspec.json.Decoder(ExchangeInfo)
_LISTED = msgspec.json.Decoder(ListedSymbol, strict=False)


def parse_payload(payload: str | bytes, origin: Origin, symbols: SymbolTable) -> Frame:
    """One payload of REST, of a socket or of a file. Never raises on bad input."""
    address = read_address(origin.endpoint)
    venue = address.venue or VENUES.get(origin.venue or "") or BINANCE
    context = Context(symbols, venue, origin.ts_recv, address, origin.source, origin.status)
    return parse_in(payload, completed(context, origin.symbol))


def parse_in(payload: str | bytes, context: Context) -> Frame:
    """The same, its origin already known. Never raises on bad input."""
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        return _fast(text, context) or _slow(text, context)
    except Malformed as error:
        return rejected("malformed", str(error))
    except UNREADABLE as error:
        return _unreadable(error, context)


def _fast(text: str, context: Context) -> Frame | None:
    """None where the message is not a hot one or does not fit: the slow way decides and explains."""
    if context.address.refusal is not None:
        return None
    combined = text.startswith(_COMBINED)
    if combined:
        hot = hot_of_stream(text[len(_COMBINED) : text.find('"', len(_COMBINED))])
    elif context.address.streams:
        return None
    elif text.startswith(_EVENT):
        hot = _HOT.get(text[len(_EVENT) : text.find('"', len(_EVENT))])
    elif text.startswith(_SPOT_BOOK_TICKER):
        hot = _HOT["bookTicker"]
    else:
        return _exchange_info(text, context) if text.startswith(_EXCHANGE_INFO) else None
    if hot is None or (combined and _NAME in text and hot.named not in text):
        return None
    try:
        message = hot.combined.decode(text).data if combined else hot.raw.decode(text)
    except msgspec.ValidationError:
        return None
    built = hot.build(message, context.of(message.s, message.st))
    if isinstance(built, Reject):
        return Frame(rejects=[built], event=hot.event)
    return Frame([built] if built is not None else [], event=hot.event)


@lru_cache(maxsize=16_384)
def hot_of_stream(stream: str) -> Hot | None:
    """`btcusdt@depth@100ms` -> how its messages are read; None for streams that are not hot."""
    carried = read_stream(stream)
    return None if carried is None or carried.levels is not None else _HOT.get(carried.event)


def _exchange_info(text: str, context: Context) -> Frame | None:
    """Typed, because the list of the main venue has 12 MB."""
    try:
        entries = _INFO.decode(text).symbols
    except msgspec.ValidationError:
        return None
    frame = Frame(event="exchangeInfo")
    for raw in entries:
        shapes.collect(frame, partial(_listed, raw, context))
    return frame


def _listed(raw: msgspec.Raw, context: Context) -> builders.Built:
    message = _LISTED.decode(raw)
    return builders.listed(message, context.of(message.symbol))


def _slow(text: str, context: Context) -> Frame:
    value = msgspec.json.decode(text)
    frame = Frame(event="")
    shapes.read(value, context, frame)
    return frame


def _unreadable(error: BaseException, context: Context) -> Frame:
    """Bytes that are no JSON: an error page if the status says so, else damage."""
    refused = failures.class_of_status(context.status)
    if refused is not None:
        return rejected(refused, f"HTTP status {context.status} with a body that is not JSON")
    reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return rejected("malformed", reason[: failures.MAX_REASON])


def rejected(reject_class: str, reason: str) -> Frame:
    return Frame(rejects=[Reject(cast(Any, reject_class), reason)], event="error")
