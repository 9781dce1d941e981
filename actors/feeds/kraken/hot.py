"""The common frames of WebSocket v1 the short way: trades, tickers and book changes of a pair in order.

A frame ends in its channel and pair, `,"book-10","XBT/USD"]`: an ending that the long way has read once
names the pair's state and how to read the body, so one typed decoding does. Whatever is not that simple is
left untouched to the long way (`parse.py`, `v1.py`, `pair.py`), which decides and explains: both give the
same observations for the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from actors.feeds.base import Effects
from actors.feeds.kraken.checksum import BookLevel
from actors.feeds.kraken.names import PROVIDER
from actors.feeds.kraken.pair import Pair
from actors.feeds.kraken.v1 import TickerBody, TradeRow, read_checksum
from actors.feeds.scan import decimal_seconds_ns
from domain.errors import Malformed
from domain.market.observations import BookDelta, Observation, Quote, Side, Ticker, Trade

MAX_USUAL_DIGITS = 40
"""Digits of a level's price and size together; the long way knows the true bounds."""
_UNREADABLE = (msgspec.MsgspecError, Malformed, UnicodeError, RecursionError, ValueError)

Rows = tuple[tuple[str, str, str], ...]


class BookChange(Struct, gc=False):
    """The body of an update; `snapshot_*` tell it from a snapshot."""

    c: str
    a: Rows = ()
    b: Rows = ()
    snapshot_asks: Any = msgspec.field(default=None, name="as")
    snapshot_bids: Any = msgspec.field(default=None, name="bs")


_trade_frame = msgspec.json.Decoder(tuple[Any, tuple[TradeRow, ...], str, str], strict=False).decode
_ticker_frame = msgspec.json.Decoder(tuple[Any, TickerBody, str, str], strict=False).decode
_book_frame = msgspec.json.Decoder(tuple[Any, BookChange, str, str]).decode
_names = msgspec.json.Decoder(tuple[str, str]).decode

Taker = Callable[[str, Pair, int], "Effects | bool"]
"""True: taken, but the venue's checksum disproves the book. False: nothing changed, go the long way."""


def ending(frame: str) -> str:
    """The channel and the pair at the end of a frame, as written."""
    return frame[frame.rfind(',"', 0, frame.rfind(',"')) :]


def taker_of(end: str) -> tuple[Taker, str] | None:
    """How frames with this ending are read, and the venue's name of the pair."""
    try:
        channel, pair = _names("[" + end[1:])
    except msgspec.MsgspecError:
        return None
    take = _TAKERS.get(channel.partition("-")[0])
    return None if take is None else (take, pair)


def take_hot(take: Taker, frame: str, pair: Pair, now: int) -> Effects | bool:
    """See `Taker`."""
    try:
        return take(frame, pair, now)
    except _UNREADABLE:
        return False


def _trades(frame: str, pair: Pair, now: int) -> Effects | bool:
    trades: list[Observation] = []
    newest = pair.last_trade_at
    for price, size, time, taker, _, misc in _trade_frame(frame)[1]:
        at = decimal_seconds_ns(time)
        if at > newest:
            newest = at
        side: Side = "buy" if taker == "b" else "sell"
        conditions = (misc,) if misc else ()
        trades.append(Trade(PROVIDER, pair.instrument, at, now, price, size, side, None, conditions))
    pair.last_trade_at = newest
    return Effects(trades)


def _ticker(frame: str, pair: Pair, now: int) -> Effects | bool:
    row = _ticker_frame(frame)[1]
    (ask, _, ask_size), (bid, _, bid_size), instrument = row.a, row.b, pair.instrument
    quote = Quote(
        PROVIDER,
        instrument,
        now,
        now,
        bid or None,
        bid_size if bid else None,
        ask or None,
        ask_size if ask else None,
    )
    first, high, low, volume = row.o, row.h, row.l, row.v
    ticker = Ticker(
        PROVIDER,
        instrument,
        now,
        now,
        row.c[0],
        first and first[1],
        high and high[1],
        low and low[1],
        volume and volume[1],
    )
    return Effects([quote, ticker])


def _book(frame: str, pair: Pair, now: int) -> Effects | bool:
    body, book = _book_frame(frame)[1], pair.book
    rows_a, rows_b = body.a, body.b
    whole = body.snapshot_asks is not None or body.snapshot_bids is not None
    if book is None or whole or not (rows_a or rows_b):
        return False
    newest = max([row[2] for row in rows_a + rows_b])
    ts_event, checksum = decimal_seconds_ns(newest), read_checksum(body.c)
    asks, bids = [_level(row) for row in rows_a], [_level(row) for row in rows_b]
    book.apply(bids, asks)
    pair.protocol = 1
    if not book.proves(checksum):
        return True
    delta = BookDelta(
        PROVIDER,
        pair.instrument,
        ts_event,
        now,
        tuple([level[:2] for level in bids]),
        tuple([level[:2] for level in asks]),
        None,
        None,
        checksum,
    )
    return Effects([delta])


def _level(row: tuple[str, str, str]) -> BookLevel:
    """Raises ValueError for what is not two plain numbers: `text_level` has the rules."""
    price_text, size_text, _ = row
    digits = price_text.replace(".", "", 1) + size_text.replace(".", "", 1)
    if not digits.isdigit() or not digits.isascii() or len(digits) > MAX_USUAL_DIGITS:
        raise ValueError(digits)
    price = float(price_text)
    if price <= 0.0:
        raise ValueError(price_text)
    return price, float(size_text), price_text, size_text


_TAKERS: Mapping[str, Taker] = MappingProxyType({"trade": _trades, "ticker": _ticker, "book": _book})
