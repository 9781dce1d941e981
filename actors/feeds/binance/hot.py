"""The common frames the short way: a trade, a best price or a book change that simply continues.

These are nearly all that Binance sends. A run of frames is folded in one flat loop: one decoding chooses
the message by its tag and checks it; what is needed of the instrument is at hand by the venue's letters, for
each channel that the connection carries (`ShortWays`).
Whatever is not that simple is left untouched to the long way (`parse.py`, `subject.py`), which decides,
repairs and explains: both give the same observations for the same frames. The loop is written out, since
calls are most of what a frame costs (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import msgspec
from msgspec import Struct

from actors.feeds.base import Received
from actors.feeds.binance.address import carries_changes
from actors.feeds.binance.context import PROVIDER
from actors.feeds.binance.subject import Subject
from actors.feeds.binance.wire import AggTrade, BookTicker, Depth
from actors.feeds.carriers import BOOK, QUOTES, TRADES
from domain.clock import NS_PER_MS
from domain.market.observations import BookDelta, Observation, Quote, Side, Trade

_BEST_PRICES = "@bookTicker"
_NAME_CHARS = 64
"""A stream's name ends within so many letters of its frame's beginning, but for symbols longer than any."""
MS_BELOW = 10**14
"""Times below are milliseconds: see `wire.to_ns`."""


@final
class HotTrade(AggTrade, gc=False, tag_field="e", tag="aggTrade"):
    """`AggTrade`, told by its tag."""


@final
class HotDepth(Depth, gc=False, tag_field="e", tag="depthUpdate"):
    """`Depth`, told by its tag; a partial-depth stream of the derivatives looks the same."""


class _Tagged(Struct, gc=False):
    """The envelope of `/stream`."""

    stream: str
    data: HotTrade | HotDepth


class _BestPrice(Struct, gc=False):
    stream: str
    data: BookTicker


_tagged = msgspec.json.Decoder(_Tagged, strict=False).decode
_best_price = msgspec.json.Decoder(_BestPrice, strict=False).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError, IndexError)


class ShortWays:
    """What one connection carries of one venue: the venue's letters -> the instrument, by channel.

    `heard`: channel -> when its newest frame came.
    """

    __slots__ = ("_by_channel", "books", "heard", "quotes", "trades")

    def __init__(self, heard: dict[str, int]) -> None:
        self.heard = heard
        self.trades: dict[str, Subject] = {}
        self.books: dict[str, Subject] = {}
        self.quotes: dict[str, Subject] = {}
        self._by_channel = {TRADES: self.trades, BOOK: self.books, QUOTES: self.quotes}

    def open(self, channel: str, subject: Subject) -> None:
        """The long way has taken a frame of this channel over the connection."""
        if channel in self._by_channel:
            self._by_channel[channel][subject.symbol] = subject

    def close(self, channel: str, subject: Subject) -> None:
        """Another connection carries the channel now."""
        if channel in self._by_channel:
            self._by_channel[channel].pop(subject.symbol, None)


def take_run(
    run: Iterator[Received],
    ways: ShortWays,
    overlap_until: int,
    observations: list[Observation],
) -> Received | None:
    """Takes frames that simply continue, up to the first that does not: that one, or None at the end.

    Nothing has changed by the frame that is given back.
    """
    tagged, best_price, is_change, add = _tagged, _best_price, carries_changes, observations.append
    trades, books, quotes, heard = ways.trades, ways.books, ways.quotes, ways.heard
    for frame, now in run:
        if type(frame) is not str:
            return frame, now
        try:
            # The last letter inside `}}`: of a bool or a list of levels, or of a text or a number of either.
            end = frame[-3]
            is_best = end not in "e]" and (end == '"' or _BEST_PRICES in frame[:_NAME_CHARS])
            message: _Tagged | _BestPrice = best_price(frame) if is_best else tagged(frame)
        except _UNREADABLE:
            return frame, now
        data = message.data
        if type(data) is HotTrade:
            subject, trade_id, at = trades.get(data.s), data.a, data.T
            if subject is None or subject.lost or subject.wants_book or subject.trades_from is not None:
                return frame, now
            track, ts = subject.track, at * NS_PER_MS
            if track is None or not track.dense or track.high != trade_id - 1 or not 0 < at < MS_BELOW:
                return frame, now
            if ts < track.newest:
                return frame, now
            track.high, track.newest = trade_id, ts
            side: Side = "sell" if data.m else "buy"
            add(Trade(PROVIDER, subject.instrument, ts, now, data.p, data.q, side, str(trade_id)))
            heard[TRADES] = now
        elif type(data) is HotDepth:
            subject, at = books.get(data.s), data.T or data.E
            if subject is None or subject.lost or subject.wants_book or subject.trades_from is not None:
                return frame, now
            first, last, sync = data.U, data.u, subject.sync
            if not 0 < at < MS_BELOW or now < overlap_until or sync is None or not is_change(message.stream):
                return frame, now
            ts = at * NS_PER_MS
            before = sync.follow(first, last, data.pu, ts)
            if before is None:
                return frame, now
            add(BookDelta(PROVIDER, subject.instrument, ts, now, data.b, data.a, (first, last), before))
            heard[BOOK] = now
        else:
            subject, time, bid, ask = quotes.get(data.s), data.T or data.E, data.b, data.a
            if subject is None or subject.lost or subject.wants_book or subject.trades_from is not None:
                return frame, now
            if (time and time >= MS_BELOW) or not message.stream.endswith(_BEST_PRICES):
                return frame, now
            time = time * NS_PER_MS if time else now
            bid_size, ask_size = data.B if bid else None, data.A if ask else None
            add(Quote(PROVIDER, subject.instrument, time, now, bid or None, bid_size, ask or None, ask_size))
            heard[QUOTES] = now
    return None
