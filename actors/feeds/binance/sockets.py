"""Of which stream a message is that came over a raw socket, `/ws/...`, where no frame names its stream.

The address names the streams that the socket began with; more may have been subscribed on it since. So a
message that none of the named ones carries is of a later one, and counts if its own fields say what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.feeds.binance.address import DEPTH_UPDATE, Stream, read_stream
from actors.feeds.binance.context import Context

_BEST_PRICES = frozenset("usbBaA")
"""The fields of the best prices of spot venues, which name no event."""


def candidates(value: Mapping[str, Any], context: Context) -> list[str]:
    """Those of the address's streams that a message may be of."""
    symbol = value.get("s")
    return [
        name
        for name in context.address.streams
        if (not isinstance(symbol, str) or name.startswith("!") or _letters(name) == symbol)
        and _may_carry(name, value, context)
    ]


def common_meaning(names: list[str]) -> Stream | None:
    """What all these streams carry alike; None where they differ or one is not used."""
    carried = [read_stream(name) for name in names]
    first = carried[0] if carried else None
    if first is None or any(each is None or not _alike(first, each) for each in carried):
        return None
    return first


def tells_itself(value: Mapping[str, Any], context: Context) -> bool:
    """Whether a message means the same whichever stream it is of.

    A change of the book does so at spot venues alone: the derivatives' partial books and those with hidden
    orders have its form.
    """
    event = value.get("e")
    if event is None:
        return value.keys() >= _BEST_PRICES
    return event != DEPTH_UPDATE or _is_spot_change(value, context)


def doubt(event: str, names: list[str]) -> str:
    """Why a message is not read."""
    if len(names) > 1:
        return f"message {event[:60]!r} may be of each of {len(names)} streams of its socket"
    if names:
        return f"stream {names[0][:60]!r} is not used"
    return f"message {event[:60]!r} is of no stream that its socket's address names"


def _alike(one: Stream, other: Stream) -> bool:
    """A partial book may lack its symbol, which then only its stream tells."""
    return one == other or (one.event == other.event and one.levels is None and other.levels is None)


def _is_spot_change(value: Mapping[str, Any], context: Context) -> bool:
    """The derivatives' changes carry the number before theirs, `pu`."""
    return context.venue.spot and "pu" not in value


def _letters(stream: str) -> str:
    return stream.partition("@")[0].upper()


def _may_carry(name: str, value: Mapping[str, Any], context: Context) -> bool:
    """By the kind of message and a bar's interval."""
    stream, event = read_stream(name), value.get("e")
    if event == "kline" and "@kline_" in name:
        return _interval(name) == _interval_of(value)
    if stream is None:
        return _is_other_book(name, event)
    if event is None:
        return stream.levels is not None if "lastUpdateId" in value else stream.event == "bookTicker"
    if stream.levels is not None and _is_spot_change(value, context):
        return False
    return bool(stream.event == event)


def _is_other_book(name: str, event: object) -> bool:
    """Of the streams that are not used, other books call their messages like the book's."""
    return "depth" in name.lower() and event in (DEPTH_UPDATE, None)


def _interval(name: str) -> str:
    return name.partition("@kline_")[2].partition("@")[0]


def _interval_of(value: Mapping[str, Any]) -> object:
    candle = value.get("k")
    return candle.get("i") if isinstance(candle, dict) else None
