"""One Coinbase payload -> observations, rejects, and what only the session needs to know.

Pure; never raises on bad input. Rests on the documented frames alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

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
from actors.feeds.scan import rfc3339_ns
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
    reading.observations.append(
        Trade(
            PROVIDER,
            instrument_of(frame.product_id),
            rfc3339_ns(frame.time),
            origin.ts_recv,
            frame.price,
            frame.size,
            "sell" if frame.side == "buy" else "buy",
            str(frame.trade_id),
        )
    )


def _snapshot(frame: L2Snapshot, origin: Origin, reading: Reading) -> None:
    reading.observations.append(
        BookSnapshot(
            PROVIDER,
            instrument_of(frame.product_id),
            origin.ts_recv if frame.time is None else rfc3339_ns(frame.time),
            origin.ts_recv,
            tuple(sorted((level for level in frame.bids if level[1] > 0), reverse=True)),
            tuple(sorted(level for level in frame.asks if level[1] > 0)),
        )
    )


def _update(frame: L2Update, origin: Origin, reading: Reading) -> None:
    bids: list[Level] = []
    asks: list[Level] = []
    for side, price, size in frame.changes:
        (bids if side == "buy" else asks).append((price, size))
    reading.observations.append(
        BookDelta(
            PROVIDER,
            instrument_of(frame.product_id),
            rfc3339_ns(frame.time),
            origin.ts_recv,
            tuple(bids),
            tuple(asks),
        )
    )


def _ticker(frame: TickerFrame, origin: Origin, reading: Reading) -> None:
    """A price of 0 says that there is none."""
    instrument = instrument_of(frame.product_id)
    ts_event = origin.ts_recv if frame.time is None else rfc3339_ns(frame.time)
    bid, ask = frame.best_bid or None, frame.best_ask or None
    if bid is not None or ask is not None:
        bid_size = frame.best_bid_size if bid else None
        ask_size = frame.best_ask_size if ask else None
        reading.observations.append(
            Quote(PROVIDER, instrument, ts_event, origin.ts_recv, bid, bid_size, ask, ask_size)
        )
    reading.observations.append(
        Ticker(
            PROVIDER,
            instrument,
            ts_event,
            origin.ts_recv,
            frame.price,
            frame.open_24h,
            frame.high_24h,
            frame.low_24h,
            frame.volume_24h,
        )
    )


def _error(frame: ErrorFrame, origin: Origin, reading: Reading) -> None:
    reason = f"{frame.message}: {frame.reason}" if frame.reason else frame.message
    reading.rejects.append(Reject(class_of(reason), reason or "error without a message"))
    reading.notes.append(frame)


def _status(frame: StatusFrame, origin: Origin, reading: Reading) -> None:
    reading.observations += [rest.instrument_info(product, origin) for product in frame.products]


def _heartbeat(frame: Heartbeat, origin: Origin, reading: Reading) -> None:
    instrument_of(frame.product_id)
    rfc3339_ns(frame.time)
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
    else:
        body = rest.read_body(value, origin)
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
