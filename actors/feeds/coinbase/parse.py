"""One Coinbase payload -> observations, rejects, and what only the session needs to know.

Pure; never raises on bad input. Rests on the documented frames alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors.feeds.absent import amount, level, moment, price, required_moment, side
from actors.feeds.base import Origin, Reject, RejectClass
from actors.feeds.coinbase import rest
from actors.feeds.coinbase.wire import (
    FRAME_TYPES,
    PROVIDER,
    ErrorFrame,
    Frame,
    Heartbeat,
    L2Snapshot,
    L2Update,
    LastMatch,
    Match,
    StatusFrame,
    Subscriptions,
    TickerFrame,
    frames,
    instrument_of,
)
from domain.errors import Malformed
from domain.market.observations import BookDelta, BookSnapshot, Level, Observation, Quote, Ticker, Trade

Note = Heartbeat | Subscriptions | ErrorFrame
UNREADABLE = (msgspec.MsgspecError, Malformed, UnicodeError, RecursionError, ValueError)
_any = msgspec.json.Decoder()
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class Reading:
    """What a payload says. `lost_books`: instruments whose book frame could not be used."""

    observations: list[Observation] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    lost_books: list[str] = field(default_factory=list)


def read(payload: str | bytes, origin: Origin) -> Reading:
    """A frame, a REST body, or an array of either."""
    if origin.status is not None and not 200 <= origin.status < 400:
        return Reading(rejects=[rest.refusal(payload, origin.status)])
    if rest.HOSTS.foreign(origin.endpoint):
        return Reading(rejects=[Reject("unsupported", f"address {origin.endpoint[:80]!r}")])
    if origin.source == "http" and rest.HOSTS.is_address(origin.endpoint):
        reading = Reading()
        _read_body(payload, origin, reading)
        return reading
    return read_decoded(decode(payload), payload, origin)


def decode(payload: str | bytes) -> Frame | str:
    """A sound frame, or why it is none."""
    try:
        frame: Frame = frames.decode(payload)
    except UNREADABLE as error:
        return str(error)
    return frame


def read_decoded(frame: Frame | str, payload: str | bytes, origin: Origin) -> Reading:
    """What `decode` made of a payload, read."""
    reading = Reading()
    if isinstance(frame, str):
        _read_other(payload, origin, frame, reading)
    else:
        _take(frame, origin, reading)
    return reading


def _take(frame: Any, origin: Origin, reading: Reading) -> None:
    try:
        _HANDLERS[type(frame)](frame, origin, reading)
    except Malformed as error:
        reading.rejects.append(Reject("malformed", str(error)))
        _note_lost_book(frame.product_id if isinstance(frame, L2Snapshot | L2Update) else None, reading)


def _match(frame: Match, origin: Origin, reading: Reading) -> None:
    """Without its time a trade cannot be distinguished from one of another numbering; REST sends it again."""
    reading.observations.append(
        Trade(
            PROVIDER,
            instrument_of(frame.product_id),
            required_moment(frame.time),
            origin.ts_recv,
            frame.price,
            frame.size,
            "sell" if frame.side == "buy" else "buy",
            str(frame.trade_id) if frame.trade_id else None,
        )
    )


def _snapshot(frame: L2Snapshot, origin: Origin, reading: Reading) -> None:
    reading.observations.append(
        BookSnapshot(
            PROVIDER,
            instrument_of(frame.product_id),
            moment(frame.time) or origin.ts_recv,
            origin.ts_recv,
            tuple(sorted((each for each in frame.bids if level(*each) and each[1] > 0), reverse=True)),
            tuple(sorted(each for each in frame.asks if level(*each) and each[1] > 0)),
        )
    )


def _update(frame: L2Update, origin: Origin, reading: Reading) -> None:
    bids: list[Level] = []
    asks: list[Level] = []
    for maker, at, size in frame.changes:
        if level(at, size):
            (bids if maker == "buy" else asks).append((at, size))
    reading.observations.append(
        BookDelta(
            PROVIDER,
            instrument_of(frame.product_id),
            moment(frame.time) or origin.ts_recv,
            origin.ts_recv,
            tuple(bids),
            tuple(asks),
        )
    )


def _ticker(frame: TickerFrame, origin: Origin, reading: Reading) -> None:
    instrument, recv = instrument_of(frame.product_id), origin.ts_recv
    ts_event = moment(frame.time) or recv
    bid, bid_size = side(frame.best_bid, frame.best_bid_size)
    ask, ask_size = side(frame.best_ask, frame.best_ask_size)
    if bid is not None or ask is not None:
        reading.observations.append(Quote(PROVIDER, instrument, ts_event, recv, bid, bid_size, ask, ask_size))
    last = price(frame.price)
    if last is not None:
        first, high, low = price(frame.open_24h), price(frame.high_24h), price(frame.low_24h)
        day = amount(frame.volume_24h)
        reading.observations.append(Ticker(PROVIDER, instrument, ts_event, recv, last, first, high, low, day))


def _error(frame: ErrorFrame, origin: Origin, reading: Reading) -> None:
    reason = f"{frame.message}: {frame.reason}" if frame.reason else frame.message or ""
    reading.rejects.append(Reject(class_of(reason), reason or "error without a message"))
    reading.notes.append(frame)


def _status(frame: StatusFrame, origin: Origin, reading: Reading) -> None:
    rows = rest.read_products([_any.decode(row) for row in frame.products], origin)
    reading.observations += rows.observations
    reading.rejects += rows.rejects


def _heartbeat(frame: Heartbeat, origin: Origin, reading: Reading) -> None:
    instrument_of(frame.product_id)
    moment(frame.time)
    reading.notes.append(frame)


def _subscriptions(frame: Subscriptions, origin: Origin, reading: Reading) -> None:
    reading.notes.append(frame)


_HANDLERS: dict[type, Callable[[Any, Origin, Reading], None]] = {
    Match: _match,
    LastMatch: _match,
    L2Snapshot: _snapshot,
    L2Update: _update,
    TickerFrame: _ticker,
    ErrorFrame: _error,
    StatusFrame: _status,
    Heartbeat: _heartbeat,
    Subscriptions: _subscriptions,
}

_WORDS: tuple[tuple[str, RejectClass], ...] = (
    ("rate limit", "throttled"),
    ("too many", "throttled"),
    ("slow down", "throttled"),
    ("slow consume", "throttled"),
    ("slow read", "throttled"),
    ("authenticat", "auth"),
    ("unauthorized", "auth"),
    ("api key", "auth"),
    ("signature", "auth"),
    ("not a valid product", "not_found"),
    ("notfound", "not_found"),
    ("not found", "not_found"),
    ("internal", "upstream"),
    ("unavailable", "upstream"),
    ("maintenance", "upstream"),
)


def class_of(message: str) -> RejectClass:
    """The class of an error by the venue's words; what they do not say is our fault."""
    lowered = message.lower()
    return next((found for words, found in _WORDS if words in lowered), "bad_request")


def _read_other(payload: str | bytes, origin: Origin, why: str, reading: Reading) -> None:
    """What is no usable frame: a REST body, an array, or a reject."""
    try:
        value = _any.decode(payload)
        if isinstance(value, list) and _is_array_of_frames(value):
            for part in _raw_list.decode(payload):
                _read_part(bytes(part), origin, reading)
            return
    except UNREADABLE as error:
        reading.rejects.append(Reject("malformed", f"not JSON: {error}"))
        return
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        _reject_frame(value, why, reading)
    elif origin.source == "ws" and value != []:
        reading.rejects.append(Reject("malformed", "a message of the feed without `type`"))
    elif origin.source != "ws":
        _read_body(payload, origin, reading)


def _read_body(payload: str | bytes, origin: Origin, reading: Reading) -> None:
    try:
        body = rest.read_body(_any.decode(payload), origin)
    except UNREADABLE as error:
        reading.rejects.append(Reject("malformed", f"not JSON: {error}"))
        return
    reading.observations += body.observations
    reading.rejects += body.rejects


def _is_array_of_frames(value: list[Any]) -> bool:
    """Products have a `type` of their own (`spot`)."""
    return any(
        isinstance(part, dict) and isinstance(part.get("type"), str) and "base_currency" not in part
        for part in value
    )


def _read_part(part: bytes, origin: Origin, reading: Reading) -> None:
    """An element of an array; arrays inside arrays are nothing this venue sends."""
    try:
        _take(frames.decode(part), origin, reading)
    except UNREADABLE as error:
        value = _any.decode(part)
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            _reject_frame(value, str(error), reading)
        else:
            reading.rejects.append(Reject("malformed", f"element of an array of frames: {error}"))


def _reject_frame(value: dict[str, Any], why: str, reading: Reading) -> None:
    kind = value["type"]
    if kind not in FRAME_TYPES:
        reading.rejects.append(Reject("unsupported", f"message type {kind[:40]!r}"))
        return
    reading.rejects.append(Reject("malformed", f"{kind}: {why}"))
    if kind in ("snapshot", "l2update"):
        _note_lost_book(value.get("product_id"), reading)


def _note_lost_book(product_id: object, reading: Reading) -> None:
    """A book frame that cannot be used leaves a hole in that book."""
    if not isinstance(product_id, str):
        return
    try:
        reading.lost_books.append(instrument_of(product_id))
    except Malformed:
        return
