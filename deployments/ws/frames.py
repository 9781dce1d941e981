"""Market events as frames: the fields of INTERFACES.md section 5 plus `offset` and `prev`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from actors.answers import BarRow, BookAnswer, FeedStatus
from deployments.ws.codec import CODECS, Codec
from deployments.ws.derived import IndicatorValue, indicator_frame
from deployments.ws.protocol import Time
from domain.envelope import Recorded
from domain.market.decisions import (
    AnomalyFound,
    BarClosed,
    BarCorrected,
    BookBroken,
    BookRestored,
    PatternFound,
    SourceChanged,
)
from domain.market.observations import (
    Bar,
    BookDelta,
    BookSnapshot,
    Gap,
    InstrumentInfo,
    Level,
    Quote,
    Ticker,
    Trade,
)

Previous = int | None
MaybeFrom = int | UnsetType
Sequence = tuple[int, int] | None
Shared = tuple[str, int | None, Previous, str | None, Time, Time, Time]
"""Instrument, offset, prev, provider, ts_event, ts_recv, recorded_at."""


class _Frame(Struct, frozen=True, gc=False, tag_field="type"):
    """`prev`: the last offset sent or merged before it on the same channel and instrument."""

    instrument: str
    offset: int | None
    prev: int | None
    provider: str | None
    ts_event: Time
    ts_recv: Time
    recorded_at: Time


class TradeFrame(_Frame, frozen=True, gc=False, tag="trade"):
    price: float
    size: float
    side: str | None
    trade_id: str | None
    conditions: tuple[str, ...]


class QuoteFrame(_Frame, frozen=True, gc=False, tag="quote"):
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class TickerFrame(_Frame, frozen=True, gc=False, tag="ticker"):
    last: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    quote_volume: float | None
    change_pct: float | None
    market_cap: float | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class BarFrame(_Frame, frozen=True, gc=False, tag="bar"):
    """`provisional` True: still forming; no offset, never resumed."""

    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None
    vwap: float | None
    closed: bool
    adjusted: bool
    revision: int
    tainted: bool
    provisional: bool


class SnapshotFrame(_Frame, frozen=True, gc=False, tag="book_snapshot"):
    """Replaces the whole book. `depth`: cut the book to so many levels a side after every change."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: Sequence
    prev_sequence: int | None
    checksum: int | None
    depth: int | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class BookFrame(_Frame, frozen=True, gc=False, tag="book"):
    """Changed levels, size 0 deletes. `from`: the first offset of those merged into it."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: Sequence
    prev_sequence: int | None
    checksum: int | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class StatusFrame(_Frame, frozen=True, gc=False, tag="status"):
    """`state`: `trading halted closed gap_opened gap_closed book_broken book_restored
    source_changed`; `channel` of the last one is the kind."""

    state: str
    channel: str | None
    reason: str | None


class AnomalyFrame(_Frame, frozen=True, gc=False, tag="anomaly"):
    """`ts_event`: of what it is about; `about`: its trade id. `severity` in [0, 1]."""

    kind: str
    class_: str = field(name="class")
    severity: float
    evidence: dict[str, float]
    about: str | None
    taints: bool


class AnchorBody(Struct, frozen=True, gc=False):
    """A point of a figure: the start of its bar, the price there, and what it is to the figure."""

    time: Time
    price: float
    role: str


class PatternFrame(_Frame, frozen=True, gc=False, tag="pattern"):
    """A figure's `state` became known with the bar at `ts_event`; `figure` is the same through its life."""

    interval: str
    figure: int
    pattern: str
    state: str
    anchors: tuple[AnchorBody, ...]
    target: float | None
    confidence: float
    direction: int
    reason: str | None


def _shared(recorded: Recorded, prev: Previous, time: Callable[[int], Time]) -> Shared:
    event: Any = recorded.event
    return (
        event.instrument,
        recorded.offset,
        prev,
        event.provider,
        time(event.ts_event),
        time(event.ts_recv),
        time(recorded.recorded_at),
    )


def _trade(shared: Shared, event: Trade, from_: MaybeFrom) -> Struct:
    return TradeFrame(*shared, event.price, event.size, event.side, event.trade_id, event.conditions)


def _quote(shared: Shared, event: Quote, from_: MaybeFrom) -> Struct:
    return QuoteFrame(*shared, event.bid, event.bid_size, event.ask, event.ask_size, from_)


def _ticker(shared: Shared, event: Ticker, from_: MaybeFrom) -> Struct:
    return TickerFrame(
        *shared,
        event.last,
        event.open,
        event.high,
        event.low,
        event.volume,
        event.quote_volume,
        event.change_pct,
        event.market_cap,
        from_,
    )


def _bar(shared: Shared, event: BarClosed | BarCorrected | Bar, from_: MaybeFrom) -> Struct:
    # What a provider built has no revision; what we built is never adjusted.
    adjusted = event.adjusted if isinstance(event, Bar) else False
    revision, tainted = (0, False) if isinstance(event, Bar) else (event.revision, event.tainted)
    return BarFrame(
        *shared,
        event.interval,
        event.open,
        event.high,
        event.low,
        event.close,
        event.volume,
        event.trades,
        event.vwap,
        True,
        adjusted,
        revision,
        tainted,
        False,
    )


def _snapshot(shared: Shared, event: BookSnapshot, from_: MaybeFrom) -> Struct:
    return SnapshotFrame(
        *shared,
        event.bids,
        event.asks,
        event.sequence,
        event.prev_sequence,
        event.checksum,
        event.depth,
        from_,
    )


def _delta(shared: Shared, event: BookDelta, from_: MaybeFrom) -> Struct:
    return BookFrame(
        *shared, event.bids, event.asks, event.sequence, event.prev_sequence, event.checksum, from_
    )


def _info(shared: Shared, event: InstrumentInfo, from_: MaybeFrom) -> Struct:
    return StatusFrame(*shared, event.status, None, None)


def _gap(shared: Shared, event: Gap, from_: MaybeFrom) -> Struct:
    return StatusFrame(*shared, "gap_opened" if event.opened else "gap_closed", event.channel, event.reason)


def _broken(shared: Shared, event: BookBroken, from_: MaybeFrom) -> Struct:
    return StatusFrame(*shared, "book_broken", "book", event.reason)


def _source(shared: Shared, event: SourceChanged, from_: MaybeFrom) -> Struct:
    return StatusFrame(*shared, "source_changed", event.of, f"{event.before} had fallen silent")


def _restored(shared: Shared, event: BookRestored, from_: MaybeFrom) -> Struct:
    return StatusFrame(*shared, "book_restored", "book", None)


def _anomaly(shared: Shared, event: AnomalyFound, from_: MaybeFrom) -> Struct:
    evidence = dict(event.evidence)
    found = (event.anomaly, event.verdict, event.severity, evidence, event.about, event.taints)
    return AnomalyFrame(*shared, *found)


def pattern_frame(shared: Shared, event: PatternFound, time: Callable[[int], Time]) -> Struct:
    return PatternFrame(
        *shared,
        event.interval,
        event.figure,
        event.pattern,
        event.state,
        tuple(AnchorBody(time(ts), price, role) for ts, price, role in event.anchors),
        event.target,
        event.confidence,
        event.direction,
        event.reason,
    )


_BUILDERS: Mapping[type, Callable[[Shared, Any, MaybeFrom], Struct]] = MappingProxyType(
    {
        Trade: _trade,
        Quote: _quote,
        Ticker: _ticker,
        Bar: _bar,
        BarClosed: _bar,
        BarCorrected: _bar,
        BookSnapshot: _snapshot,
        BookDelta: _delta,
        InstrumentInfo: _info,
        Gap: _gap,
        BookBroken: _broken,
        BookRestored: _restored,
        SourceChanged: _source,
        AnomalyFound: _anomaly,
    }
)


class SharedFrame:
    """A recorded event on its way to many sockets: encoded once per encoding, the bytes shared.

    `prev` is the chain's; a socket whose chain differs (its first frame, a merged one) pays for its own.
    """

    __slots__ = ("_encoded", "offset", "prev", "recorded")

    def __init__(self, recorded: Recorded, prev: Previous) -> None:
        self.recorded = recorded
        self.offset = recorded.offset
        self.prev = prev
        self._encoded: list[bytes | None] = [None] * len(CODECS)

    def encoded(self, codec: Codec) -> bytes:
        known = self._encoded[codec.slot]
        if known is None:
            known = self._encoded[codec.slot] = encode(self.recorded, self.prev, codec)
        return known


def encode(recorded: Recorded, prev: Previous, codec: Codec, from_: MaybeFrom = UNSET) -> bytes:
    """One event as a frame. The event's type must be one that a channel carries."""
    event: object = recorded.event
    if type(event) is IndicatorValue:
        frame = indicator_frame(event, recorded.offset, prev, recorded.recorded_at, codec.time)
        return codec.encode(frame)
    shared = _shared(recorded, prev, codec.time)
    if isinstance(event, PatternFound):
        return codec.encode(pattern_frame(shared, event, codec.time))  # times inside
    return codec.encode(_BUILDERS[type(event)](shared, event, from_))


def encode_merged(recorded: Recorded, prev: Previous, codec: Codec, merged: Any) -> bytes:
    """The newest of several book deltas, carrying the levels of all (`merged`: a `MergedBook`)."""
    event = recorded.event
    assert isinstance(event, BookDelta)  # noqa: S101 - only deltas are merged
    bids, asks = merged.levels()
    shared = _shared(recorded, prev, codec.time)
    # A merged frame covers several venue updates: their common range, and no checksum in between.
    sequence = merged.sequence(event.sequence)
    frame = BookFrame(*shared, bids, asks, sequence, merged.prev_sequence, event.checksum, merged.first)
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
        )
    )
