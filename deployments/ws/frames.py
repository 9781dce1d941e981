"""From an event to the bytes that a client gets, and frames of what is no event."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import UNSET, Struct

from actors.answers import BarRow, BookAnswer, FeedStatus
from deployments.ws.codec import CODECS, Codec
from deployments.ws.derived import INDICATOR_BUILDERS
from deployments.ws.event_frame import Builder, Carried, MaybeFrom, Previous, shared
from deployments.ws.market_frames import MARKET_BUILDERS, BarFrame, BookFrame, SnapshotFrame
from deployments.ws.protocol import Time
from deployments.ws.signal_frames import SIGNAL_BUILDERS
from domain.market.observations import BookDelta

_BUILDERS: Mapping[type, Builder] = MappingProxyType(
    {**MARKET_BUILDERS, **SIGNAL_BUILDERS, **INDICATOR_BUILDERS}
)


class SharedFrame:
    """A recorded event on its way to many sockets: encoded once per encoding, the bytes shared.

    `prev` is the chain's; a socket whose chain differs (its first frame, a merged one) pays for its own.
    """

    __slots__ = ("_encoded", "offset", "prev", "recorded")

    def __init__(self, recorded: Carried, prev: Previous) -> None:
        self.recorded = recorded
        self.offset = recorded.offset
        self.prev = prev
        self._encoded: list[bytes | None] = [None] * len(CODECS)

    def encoded(self, codec: Codec) -> bytes:
        known = self._encoded[codec.slot]
        if known is None:
            known = self._encoded[codec.slot] = encode(self.recorded, self.prev, codec)
        return known


def encode(carried: Carried, prev: Previous, codec: Codec, from_: MaybeFrom = UNSET) -> bytes:
    """One event as a frame. The event's type must be one that a channel carries."""
    event: object = carried.event
    frame = _BUILDERS[type(event)](shared(carried, prev, codec.time), event, from_, codec.time)
    return codec.encode(frame)


def encode_merged(recorded: Carried, prev: Previous, codec: Codec, merged: Any) -> bytes:
    """The newest of several book deltas, carrying the levels of all (`merged`: a `MergedBook`)."""
    event = recorded.event
    assert isinstance(event, BookDelta)  # noqa: S101 - only deltas are merged
    bids, asks = merged.levels()
    # A merged frame covers several venue updates: their common range, and no checksum in between.
    sequence = merged.sequence(event.sequence)
    at = shared(recorded, prev, codec.time)
    frame = BookFrame(*at, bids, asks, sequence, merged.prev_sequence, event.checksum, merged.first)
    return codec.encode(frame)


def book_answer_frame(answer: BookAnswer, prev: Previous, codec: Codec, depth: int | None) -> bytes:
    """The book as its owner tells it, at its own place in the log."""
    sequence = None if answer.sequence is None else (answer.sequence, answer.sequence)
    at = codec.time(answer.ts_event)
    frame = SnapshotFrame(
        answer.instrument,
        answer.place[1],
        prev,
        answer.provider,
        at,
        at,
        at,
        answer.bids,
        answer.asks,
        sequence,
        None,
        None,
        depth,
    )
    return codec.encode(frame)


def forming_bar_frame(row: BarRow, codec: Codec) -> bytes:
    """A bar that has not closed."""
    frame = BarFrame(
        row.instrument,
        None,
        None,
        row.provider,
        codec.time(row.ts_event),
        codec.time(row.ts_recv),
        codec.time(row.ts_recv),
        row.interval,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        row.trades,
        row.vwap,
        closed=False,
        adjusted=row.adjusted,
        revision=row.revision,
        tainted=row.tainted,
        provisional=True,
    )
    return codec.encode(frame)


class FeedFrame(Struct, frozen=True, tag_field="type", tag="status"):
    """A feed's state on the `status` channel: fields of `GET /v1/feeds`, no instrument, no offset."""

    provider: str
    state: str
    instruments: int
    last_frame: Time | None
    gaps: int
    incarnation: int
    connections: int
    frames: int
    rejected: int
    buffered: int
    silent: tuple[str, ...]
    instrument: None = None
    offset: None = None
    prev: None = None


def feed_frame(status: FeedStatus, codec: Codec) -> bytes:
    last = None if status.last_frame is None else codec.time(status.last_frame)
    return codec.encode(
        FeedFrame(
            status.provider,
            status.state,
            status.instruments,
            last,
            status.gaps,
            status.incarnation,
            status.connections,
            status.frames,
            status.rejected,
            status.buffered,
            status.silent,
        )
    )
