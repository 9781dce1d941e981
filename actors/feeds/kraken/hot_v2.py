"""The common frames of WebSocket v2 the short way: trades, tickers and proven book changes in order.

As `hot.py` is for v1. What is not that simple (snapshots, several pairs in one frame, numbers with an
exponent, jumps in trade ids) is left untouched to the long way (`parse.py`, `pair.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from actors.feeds.base import Received
from actors.feeds.kraken.checksum import BookLevel, plain_levels
from actors.feeds.kraken.facts import UNREADABLE
from actors.feeds.kraken.hot import Disproved
from actors.feeds.kraken.names import PROVIDER
from actors.feeds.kraken.pair import Pair
from actors.feeds.kraken.wire import (
    BookFrame,
    BookRow,
    RawLevel,
    TickerFrame,
    TickerRow,
    TradeFrame,
    TradeRow,
)
from actors.feeds.scan import rfc3339_ns
from domain.market.observations import BookDelta, Level, Observation, Quote, Ticker, Trade

MAX_CHECKSUM = 1 << 32
_decode = msgspec.json.Decoder(BookFrame | TradeFrame | TickerFrame, strict=False).decode


def take_run(
    run: Iterator[Received],
    connection: int,
    known: Mapping[str, Pair],
    observations: list[Observation],
    disproved: Disproved,
) -> Received | None:
    """Takes frames that simply continue, up to the first that does not: that one, or None at the end.

    Nothing has changed by the frame that is given back. `known` are pairs by the venue's names.
    """
    decode = _decode
    for frame, now in run:
        if type(frame) is not str:
            return frame, now
        try:
            message = decode(frame)
            rows = message.data
            if message.type != "update" or not rows:
                return frame, now
            symbol = rows[0].symbol
            pair = known.get(symbol)
            if pair is None:
                return frame, now
            if len(rows) > 1 and len({row.symbol for row in rows}) > 1:
                return frame, now
            if type(message) is TradeFrame:
                done = pair.trades_on == connection and _trades(message.data, pair, now, observations)
            elif type(message) is TickerFrame:
                done = pair.quotes_on == connection and _tickers(message.data, pair, now, observations)
            else:
                done = pair.book_on == connection and len(rows) == 1
                done = done and _change(rows[0], pair, now, observations, disproved)
        except UNREADABLE:
            return frame, now
        if not done:
            return frame, now
    return None


def _trades(rows: Sequence[TradeRow], pair: Pair, now: int, observations: list[Observation]) -> bool:
    """False, and nothing changed, where an id is not the very next one."""
    ids, instrument, newest = pair.ids, pair.instrument, pair.last_trade_at
    high, made = ids.high, []
    if high is None or ids.gaps:
        return False
    for row in rows:
        trade_id = row.trade_id
        if trade_id != high + 1 or not row.timestamp or not (at := rfc3339_ns(row.timestamp)):
            return False
        high += 1
        if at > newest:
            newest = at
        made.append(Trade(PROVIDER, instrument, at, now, row.price, row.qty, row.side, str(trade_id)))
    ids.high, pair.last_trade_at = high, newest
    observations += made
    return True


def _tickers(rows: Sequence[TickerRow], pair: Pair, now: int, observations: list[Observation]) -> bool:
    instrument = pair.instrument
    made: list[Observation] = []
    for row in rows:
        at = (rfc3339_ns(row.timestamp) if row.timestamp else now) or now
        last, bid, ask, volume, moved = row.last, row.bid, row.ask, row.volume, row.change_pct
        if not last or not bid or not ask or not volume or moved == "":
            return False
        bid_size, ask_size = row.bid_qty or None, row.ask_qty or None
        made.append(Quote(PROVIDER, instrument, at, now, bid, bid_size, ask, ask_size))
        high, low = row.high or None, row.low or None
        made.append(Ticker(PROVIDER, instrument, at, now, last, None, high, low, volume, None, moved))
    observations += made
    return True


def _change(
    row: BookRow, pair: Pair, now: int, observations: list[Observation], disproved: Disproved
) -> bool:
    """False, and nothing changed, for what is no mere change of a book. Raises what UNREADABLE lists."""
    book, checksum = pair.book, row.checksum
    if book is None or (row.bids is None and row.asks is None):
        return False
    if checksum is not None and not 0 <= checksum < MAX_CHECKSUM:
        return False
    at = (rfc3339_ns(row.timestamp) if row.timestamp else now) or now
    (bids, bought, _), (asks, sold, _) = _levels(row.bids or ()), _levels(row.asks or ())
    book.apply(bids, asks)
    pair.protocol = 2
    if checksum is not None and not book.proves(checksum):
        disproved(pair, now)
        return True
    delta = BookDelta(PROVIDER, pair.instrument, at, now, bought, sold, None, None, checksum)
    observations.append(delta)
    return True


def _levels(levels: Sequence[RawLevel]) -> tuple[list[BookLevel], tuple[Level, ...], str]:
    """Raises ValueError for a number that is not in plain digits."""
    return plain_levels(
        [(str(level.price, "utf-8").strip('"'), str(level.qty, "utf-8").strip('"'), "") for level in levels]
    )
