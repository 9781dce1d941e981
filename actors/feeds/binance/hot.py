"""The common frames the short way: a trade, a best price or a book change that simply continues.

These are nearly all that Binance sends. One decoding chooses the message by its tag and checks it; what
is needed of the instrument is at hand by the venue's letters. Whatever is not that simple is left
untouched to the long way (`parse.py`, `subject.py`), which decides, repairs and explains: both give the
same observations for the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from actors.feeds.base import Effects
from actors.feeds.binance.context import PROVIDER
from actors.feeds.binance.shapes import depth_of
from actors.feeds.binance.subject import Subject
from actors.feeds.binance.wire import AggTrade, BookTicker, Depth
from domain.clock import NS_PER_MS
from domain.market.observations import BookDelta, Quote, Side, Trade

ENVELOPE = '{"stream":"'
_BEST_PRICES = '@bookTicker"'
_NAME_END = 80
"""Where a stream's name has ended at the latest."""
MS_BELOW = 10**14
"""Times below are milliseconds: see `wire.to_ns`."""


class HotTrade(AggTrade, gc=False, tag_field="e", tag="aggTrade"):
    """`AggTrade`, told by its tag."""


class HotDepth(Depth, gc=False, tag_field="e", tag="depthUpdate"):
    """`Depth`, told by its tag; a partial-depth stream of the derivatives looks the same."""


class _Tagged(Struct, gc=False):
    stream: str
    data: HotTrade | HotDepth


class _BestPrice(Struct, gc=False):
    stream: str
    data: BookTicker


_tagged = msgspec.json.Decoder(_Tagged, strict=False).decode
_best_price = msgspec.json.Decoder(_BestPrice, strict=False).decode

HotMessage = HotTrade | HotDepth | BookTicker


def read_hot(frame: str) -> HotMessage | None:
    """A hot message inside the envelope of `/stream`; None for anything else, damaged ones included."""
    if not frame.startswith(ENVELOPE):
        return None
    try:
        if frame.find(_BEST_PRICES, len(ENVELOPE), _NAME_END) > 0:
            return _best_price(frame).data
        read = _tagged(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    message = read.data
    if type(message) is HotDepth and depth_of(read.stream):
        return None
    return message


def take(message: HotMessage, subject: Subject, now: int, *, overlapping: bool) -> Effects | None:
    """What a message that simply continues leads to; None, and nothing changed, where it does not."""
    if subject.is_lost:
        return None
    return _TAKERS[type(message)](message, subject, now, overlapping)


def _trade(message: HotTrade, subject: Subject, now: int, overlapping: bool) -> Effects | None:
    if message.T >= MS_BELOW or not subject.follow_trade(message.a):
        return None
    side: Side = "sell" if message.m else "buy"
    time = message.T * NS_PER_MS
    trade = Trade(PROVIDER, subject.instrument, time, now, message.p, message.q, side, str(message.a))
    return Effects([trade])


def _quote(message: BookTicker, subject: Subject, now: int, overlapping: bool) -> Effects | None:
    time = message.T if message.T is not None else message.E
    if time is not None and time >= MS_BELOW:
        return None
    bid, ask = message.b, message.a
    quote = Quote(
        PROVIDER,
        subject.instrument,
        now if time is None else time * NS_PER_MS,
        now,
        bid or None,
        message.B if bid else None,
        ask or None,
        message.A if ask else None,
    )
    return Effects([quote])


def _delta(message: HotDepth, subject: Subject, now: int, overlapping: bool) -> Effects | None:
    time = message.E if message.T is None else message.T
    if overlapping or time >= MS_BELOW:
        return None
    before = subject.follow_book(message.U, message.u, message.pu)
    if before is None:
        return None
    delta = BookDelta(
        PROVIDER,
        subject.instrument,
        time * NS_PER_MS,
        now,
        message.b,
        message.a,
        (message.U, message.u),
        before,
    )
    return Effects([delta])


_TAKERS: Mapping[type, Callable[[Any, Subject, int, bool], Effects | None]] = MappingProxyType(
    {HotTrade: _trade, BookTicker: _quote, HotDepth: _delta}
)
