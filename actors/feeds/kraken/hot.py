"""The common frames of WebSocket v1 the short way: trades, tickers and book changes of a pair in order.

A frame ends in its channel and pair, `,"book-10","XBT/USD"]`: an ending that the long way has read once
names the pair's state and how to read the body, so one typed decoding does. A run of frames is folded in
one flat loop. Whatever is not that simple is left untouched to the long way (`parse.py`, `v1.py`,
`pair.py`), which decides and explains: both give the same observations for the same frames. The loop is
written out, since calls are most of what a frame costs (docs/performance.md). v2 has `hot_v2.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from actors.feeds.base import Received
from actors.feeds.kraken.checksum import NO_LEVELS, plain_levels
from actors.feeds.kraken.facts import UNREADABLE
from actors.feeds.kraken.names import PROVIDER
from actors.feeds.kraken.pair import Pair
from actors.feeds.kraken.v1 import TickerBody, TradeRow, read_checksum
from actors.feeds.scan import decimal_seconds_ns
from domain.market.observations import BookDelta, Observation, Quote, Side, Ticker, Trade

Kind = Literal["trade", "ticker", "book"]
Rows = tuple[tuple[str, str, str], ...]
Disproved = Callable[[Pair, int], None]
"""Told of a pair whose book the venue's checksum disproves, and when."""


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


def ending(frame: str) -> str:
    """The channel and the pair at the end of a frame, as written."""
    return frame[frame.rfind(',"', 0, frame.rfind(',"')) :]


def kind_of(end: str) -> tuple[Kind, str] | None:
    """How frames with this ending are read, and the venue's name of the pair."""
    try:
        channel, pair = _names("[" + end[1:])
    except msgspec.MsgspecError:
        return None
    match channel.partition("-")[0]:
        case "trade" | "ticker" | "book" as kind:
            return kind, pair
        case _:
            return None


def take_run(
    run: Iterator[Received],
    connection: int,
    known: Mapping[str, tuple[Kind, Pair]],
    observations: list[Observation],
    disproved: Disproved,
) -> Received | None:
    """Takes frames that simply continue, up to the first that does not: that one, or None at the end.

    Nothing has changed by the frame that is given back. `known` are endings.
    """
    trades, ticker, add, seconds_ns = _trade_frame, _ticker_frame, observations.append, decimal_seconds_ns
    for frame, now in run:
        if type(frame) is not str:
            return frame, now
        found = known.get(frame[frame.rfind(',"', 0, frame.rfind(',"')) :])
        if found is None:
            return frame, now
        kind, pair = found
        name = pair.instrument
        try:
            if kind == "trade":
                if pair.trades_on != connection:
                    return frame, now
                made, newest = [], pair.last_trade_at
                for price, size, time, taker, _, misc in trades(frame)[1]:
                    at = seconds_ns(time) or now
                    if at > newest:
                        newest = at
                    side: Side = "buy" if taker == "b" else "sell"
                    more = (misc,) if misc else ()
                    made.append(Trade(PROVIDER, name, at, now, price, size, side, None, more))
                pair.last_trade_at = newest
                observations += made
            elif kind == "ticker":
                if pair.quotes_on != connection:
                    return frame, now
                row = ticker(frame)[1]
                (ask, _, ask_size), (bid, _, bid_size) = row.a, row.b
                last, first, high, low, volume = row.c[0], row.o, row.h, row.l, row.v
                day = volume and volume[1]
                if not bid or not ask or not last or not day:
                    return frame, now
                add(Quote(PROVIDER, name, now, now, bid, bid_size or None, ask, ask_size or None))
                opened, highest = first and (first[1] or None), high and (high[1] or None)
                lowest = low and (low[1] or None)
                add(Ticker(PROVIDER, name, now, now, last, opened, highest, lowest, day))
            elif pair.book_on != connection or not _change(frame, pair, now, observations, disproved):
                return frame, now
        except UNREADABLE:
            return frame, now
    return None


def _change(frame: str, pair: Pair, now: int, observations: list[Observation], disproved: Disproved) -> bool:
    """False, and nothing changed, for what is no mere change of a book. Raises what UNREADABLE lists."""
    body, book = _book_frame(frame)[1], pair.book
    rows_a, rows_b = body.a, body.b
    whole = body.snapshot_asks is not None or body.snapshot_bids is not None
    if book is None or whole or not (rows_a or rows_b):
        return False
    asks, sold, asked_at = plain_levels(rows_a) if rows_a else NO_LEVELS
    bids, bought, bid_at = plain_levels(rows_b) if rows_b else NO_LEVELS
    at = decimal_seconds_ns(asked_at if asked_at > bid_at else bid_at) or now
    checksum = read_checksum(body.c)
    book.apply(bids, asks)
    pair.protocol = 1
    if book.proves(checksum):
        delta = BookDelta(PROVIDER, pair.instrument, at, now, bought, sold, None, None, checksum)
        observations.append(delta)
    else:
        disproved(pair, now)
    return True
