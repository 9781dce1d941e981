"""Kraken's WebSocket v1: `[channelID, body, ..., channelName, pair]` arrays and `event` objects.

    book-N   {"as", "bs"} snapshot; {"a"}, {"b"}, both in one body or two, the last with "c", the checksum;
             a level is [price, size, time] or [price, size, time, "r"] when republished
    trade    [[price, size, time, "b"|"s" (taker), "l"|"m", misc], ...]
    ticker   {"a": [price, whole lots, size], "b": ..., "c": [last, size], "v": [today, 24 h], ...}
    spread   [bid, ask, time, bid size, ask size]
    ohlc-N   [time, end, open, high, low, close, vwap, volume, count]

Source: docs.kraken.com/api/docs/websocket-v1; proven on a recording of 2021 (trade, ticker
and book). Nothing needs a map of channel ids: name and pair end each array.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from actors.feeds.absent import Maybe, amount, blank, moment, price, priced, required_moment, side
from actors.feeds.base import Origin
from actors.feeds.kraken.checksum import TextLevel, text_level
from actors.feeds.kraken.facts import UNREADABLE, Ack, BookText, Reading, class_of
from actors.feeds.kraken.names import PROVIDER, instrument_of
from actors.feeds.scan import Amount, Price, decimal_seconds_ns
from domain.clock import NS_PER_MIN
from domain.errors import Malformed
from domain.market.observations import Bar, Quote, Side, Ticker, Trade

DEFAULT_DEPTH = 10
INTERVALS_MIN = {
    1: "1m",
    5: "5m",
    15: "15m",
    30: "30m",
    60: "1h",
    240: "4h",
    1440: "1d",
    10080: "1w",
    21600: "15d",
}
ENVELOPE_ENDS = 2
"""channelName and pair."""


class BookBody(Struct):
    """One part of a book frame: `as`/`bs` of a snapshot or `a`/`b` of an update. Texts throughout."""

    asks: list[list[str]] | None = msgspec.field(default=None, name="as")
    bids: list[list[str]] | None = msgspec.field(default=None, name="bs")
    a: list[list[str]] | None = None
    b: list[list[str]] | None = None
    c: str | None = None


class TickerBody(Struct, gc=False):
    a: tuple[Maybe, Maybe, Maybe]
    b: tuple[Maybe, Maybe, Maybe]
    c: tuple[Maybe, Maybe]
    v: tuple[Maybe, Maybe] | None = None
    l: tuple[Maybe, Maybe] | None = None  # noqa: E741 - the venue's own name
    h: tuple[Maybe, Maybe] | None = None
    o: tuple[Maybe, Maybe] | None = None


class Subscription(Struct):
    name: str = ""
    depth: int | None = None


class Event(Struct):
    """systemStatus, heartbeat, pong, subscriptionStatus, error."""

    event: str
    status: str = ""
    pair: str | None = None
    error_message: str | None = msgspec.field(default=None, name="errorMessage")
    subscription: Subscription | None = None


TradeRow = tuple[Price, Amount, str, Literal["b", "s"], str, str]
SpreadRow = tuple[Maybe, Maybe, str | None, Maybe, Maybe]
OhlcRow = tuple[str, str, Amount, Amount, Amount, Amount, Maybe, Amount, int]
_parts = msgspec.json.Decoder(list[Raw])
_book = msgspec.json.Decoder(BookBody)
_trade_rows = msgspec.json.Decoder(list[Raw])
_trade = msgspec.json.Decoder(TradeRow, strict=False)
_ticker = msgspec.json.Decoder(TickerBody, strict=False)
_spread = msgspec.json.Decoder(SpreadRow, strict=False)
_ohlc = msgspec.json.Decoder(OhlcRow, strict=False)
_text = msgspec.json.Decoder(str)
_event = msgspec.json.Decoder(Event, strict=False)
_any_list = msgspec.json.Decoder(list[Any])


def read_array(payload: str | bytes, origin: Origin, reading: Reading) -> bool:
    """Whether the payload is an array of this protocol; then the reading says what is in it."""
    try:
        parts = _parts.decode(payload)
        if len(parts) <= ENVELOPE_ENDS + 1:
            return _read_own(payload, reading)
        channel, pair = _text.decode(parts[-2]), _text.decode(parts[-1])
    except UNREADABLE:
        return False
    reading.protocol = 1
    name, _, argument = channel.partition("-")
    bodies = parts[1:-ENVELOPE_ENDS]
    if name == "book":
        _read_book(bodies, pair, argument, origin, reading)
    elif name == "trade":
        _read_trades(bodies[0], pair, origin, reading)
    elif name == "ticker":
        _read_ticker(bodies[0], pair, origin, reading)
    elif name == "spread":
        reading.attempt(lambda: _quote(bodies[0], pair, origin), f"spread {pair}")
    elif name == "ohlc":
        reading.attempt(lambda: _bar(bodies[0], pair, argument, origin), f"ohlc {pair}")
    else:
        reading.reject("unsupported", f"channel {channel[:40]!r}")
    return True


def _read_own(payload: str | bytes, reading: Reading) -> bool:
    """Channels of an account end in an object: `[[...], "openOrders", {"sequence": 1}]`."""
    try:
        _, channel, state = _any_list.decode(payload)
    except UNREADABLE:
        return False
    if not isinstance(channel, str) or not isinstance(state, dict) or "sequence" not in state:
        return False
    reading.reject("unsupported", f"channel {channel[:40]!r}")
    return True


def _read_book(bodies: list[Raw], pair: str, argument: str, origin: Origin, reading: Reading) -> None:
    try:
        instrument = instrument_of(pair)
    except Malformed as error:
        reading.reject("malformed", f"book: {error}")
        return
    try:
        depth = (int(argument) if argument.isascii() and argument.isdigit() else 0) or DEFAULT_DEPTH
        reading.facts.append(_book_text([_book.decode(body) for body in bodies], instrument, depth, origin))
    except UNREADABLE as error:
        reading.reject("malformed", f"book {pair}: {error}")
        reading.lost_books.append(instrument)


def _book_text(bodies: list[BookBody], instrument: str, depth: int, origin: Origin) -> BookText:
    snapshot = any(body.asks is not None or body.bids is not None for body in bodies)
    bids: list[TextLevel] = []
    asks: list[TextLevel] = []
    newest = republished = ""
    for body in bodies:
        for rows, levels in ((body.asks, asks), (body.a, asks), (body.bids, bids), (body.b, bids)):
            for row in rows or ():
                if len(row) == 3:
                    newest = max(newest, row[2])
                elif len(row) == 4:
                    republished = max(republished, row[2])
                else:
                    raise Malformed(f"a level has {len(row)} fields, expected price, size, time")
                if not (blank(row[0]) and blank(row[1])):
                    levels.append(text_level(row[0], row[1]))
    if not snapshot and not any(body.a is not None or body.b is not None for body in bodies):
        raise Malformed("missing field `a` or `b`")
    checksum = next((body.c for body in reversed(bodies) if body.c is not None), None)
    return BookText(
        instrument,
        # Texts of one length compare like the numbers they are. A republished level carries its old time.
        moment(newest or republished, decimal_seconds_ns) or origin.ts_recv,
        origin.ts_recv,
        snapshot,
        bids,
        asks,
        None if checksum is None else read_checksum(checksum),
        depth,
        1,
    )


def read_checksum(text: str) -> int:
    """Raises Malformed for what is no 32-bit number."""
    if not text.isdigit() or not text.isascii() or int(text[:11]) >= 1 << 32:
        raise Malformed(f"checksum {text[:20]!r} is no 32-bit number")
    return int(text)


def _read_trades(body: Raw, pair: str, origin: Origin, reading: Reading) -> None:
    """A bad trade rejects itself alone."""
    try:
        rows = _trade_rows.decode(body)
    except UNREADABLE as error:
        reading.reject("malformed", f"trade {pair}: {error}")
        return
    for row in rows:
        try:
            reading.facts.append(_make_trade(_trade.decode(row), pair, origin))
        except UNREADABLE as error:
            reading.reject("malformed", f"trade {pair}: {error}")


def _make_trade(row: TradeRow, pair: str, origin: Origin) -> Trade:
    at, size, time, taker, _, misc = row
    aggressor: Side = "buy" if taker == "b" else "sell"
    conditions = (misc,) if misc else ()
    ts_event, recv = moment(time, decimal_seconds_ns) or origin.ts_recv, origin.ts_recv
    return Trade(PROVIDER, instrument_of(pair), ts_event, recv, at, size, aggressor, None, conditions)


def _read_ticker(body: Raw, pair: str, origin: Origin, reading: Reading) -> None:
    try:
        row, instrument = _ticker.decode(body), instrument_of(pair)
    except UNREADABLE as error:
        reading.reject("malformed", f"ticker {pair}: {error}")
        return
    recv, last = origin.ts_recv, price(row.c[0])
    (bid, bid_size), (ask, ask_size) = side(row.b[0], row.b[2]), side(row.a[0], row.a[2])
    if bid is not None or ask is not None:
        reading.facts.append(Quote(PROVIDER, instrument, recv, recv, bid, bid_size, ask, ask_size))
    if last is not None:
        first, high, low = [price(each[1]) if each is not None else None for each in (row.o, row.h, row.l)]
        day = amount(row.v[1]) if row.v is not None else None
        reading.facts.append(Ticker(PROVIDER, instrument, recv, recv, last, first, high, low, day))


def _quote(body: Raw, pair: str, origin: Origin) -> Quote | None:
    best_bid, best_ask, time, bid_lots, ask_lots = _spread.decode(body)
    (bid, bid_size), (ask, ask_size) = side(best_bid, bid_lots), side(best_ask, ask_lots)
    instrument, recv = instrument_of(pair), origin.ts_recv
    ts_event = moment(time, decimal_seconds_ns) or recv
    if bid is None and ask is None:
        return None
    return Quote(PROVIDER, instrument, ts_event, recv, bid, bid_size, ask, ask_size)


def _bar(body: Raw, pair: str, argument: str, origin: Origin) -> Bar | None:
    _, end, first, high, low, last, vwap, volume, trades = _ohlc.decode(body)
    minutes = int(argument) if argument.isascii() and argument.isdigit() else 1
    if minutes not in INTERVALS_MIN:
        raise Malformed(f"interval {minutes} min is none of {sorted(INTERVALS_MIN)}")
    if not priced(first, high, low, last):
        return None
    return Bar(
        PROVIDER,
        instrument_of(pair),
        required_moment(end, decimal_seconds_ns) - minutes * NS_PER_MIN,
        origin.ts_recv,
        INTERVALS_MIN[minutes],
        first,
        high,
        low,
        last,
        volume,
        trades,
        price(vwap) if trades else None,
        closed=False,
    )


def read_event(payload: str | bytes, reading: Reading) -> None:
    """An object with `event`. Raises what UNREADABLE lists."""
    event = _event.decode(payload)
    reading.protocol = 1
    if event.error_message is None:
        if event.event == "subscriptionStatus" and event.status == "subscribed":
            reading.acks.append(_ack(event, None))
        return
    reading.reject(class_of(event.error_message), event.error_message[:200])
    reading.acks.append(_ack(event, event.error_message))


def _ack(event: Event, error: str | None) -> Ack:
    subscription = event.subscription or Subscription()
    try:
        instrument = instrument_of(event.pair) if event.pair else None
    except Malformed:
        instrument = None
    kind = class_of(error) if error else "bad_request"
    return Ack(subscription.name, instrument, subscription.depth, error, kind)
