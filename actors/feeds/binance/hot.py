"""The common frames the short way: a trade, a best price or a book change that simply continues.

These are nearly all that Binance sends. A run of frames is folded in one flat loop: one decoding chooses
the message by its tag and checks it; what is needed of the instrument is at hand by the venue's letters.
Whatever is not that simple is left untouched to the long way (`parse.py`, `subject.py`), which decides,
repairs and explains: both give the same observations for the same frames. The loop is written out, since
calls are most of what a frame costs (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import final

import msgspec
from msgspec import Struct

from actors.feeds.base import Received
from actors.feeds.binance.address import carries_changes
from actors.feeds.binance.context import PROVIDER
from actors.feeds.binance.links import Link
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


def take_run(
    run: Iterator[Received],
    link: Link,
    subjects: Mapping[str, Subject],
    heard: dict[str, int],
    observations: list[Observation],
    unknown: Callable[[str], None],
) -> Received | None:
    """Takes frames that simply continue, up to the first that does not: that one, or None at the end.

    Nothing has changed by the frame that is given back. `heard` takes the time of each channel's newest
    frame; `unknown` is told letters without a subject.
    """
    tagged, best_price, is_change, add = _tagged, _best_price, carries_changes, observations.append
    connection, overlap_until = link.connection, link.overlap_until
    for frame, now in run:
        if type(frame) is not str:
            return frame, now
        try:
            # The last letter inside `}}`: of a bool or a list of levels; of a number where `st` comes last.
            is_best = frame[-3] not in "e]" and _BEST_PRICES in frame[:_NAME_CHARS]
            message: _Tagged | _BestPrice = best_price(frame) if is_best else tagged(frame)
        except _UNREADABLE:
            return frame, now
        data = message.data
        subject = subjects.get(data.s)
        if subject is None:
            unknown(data.s)
            return frame, now
        if subject.lost or subject.wants_book or subject.trades_from is not None:
            return frame, now
        if type(data) is HotTrade:
            track, trade_id, at = subject.track, data.a, data.T
            if track is None or not track.dense or track.high != trade_id - 1 or not 0 < at < MS_BELOW:
                return frame, now
            ts = at * NS_PER_MS
            if ts < track.newest:
                return frame, now
            channel, track.high, track.newest = TRADES, trade_id, ts
            side: Side = "sell" if data.m else "buy"
            name = subject.instrument
            add(Trade(PROVIDER, name, ts, now, data.p, data.q, side, str(trade_id)))
        elif type(data) is HotDepth:
            at, sync = data.T or data.E, subject.sync
            first, last = data.U, data.u
            if not 0 < at < MS_BELOW or now < overlap_until or sync is None or not is_change(message.stream):
                return frame, now
            ts = at * NS_PER_MS
            before = sync.follow(first, last, data.pu, ts)
            if before is None:
                return frame, now
            channel, name = BOOK, subject.instrument
            add(BookDelta(PROVIDER, name, ts, now, data.b, data.a, (first, last), before))
        else:
            time, bid, ask = data.T or data.E, data.b, data.a
            if (time and time >= MS_BELOW) or not message.stream.endswith(_BEST_PRICES):
                return frame, now
            time = time * NS_PER_MS if time else now
            bid_size, ask_size = data.B if bid else None, data.A if ask else None
            channel = QUOTES
            add(Quote(PROVIDER, subject.instrument, time, now, bid or None, bid_size, ask or None, ask_size))
        subject.carriers[channel] = connection
        heard[channel] = now
    return None
