"""What surrounds an event: the batch it came in, its place in the log, and the cursor of a reader."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from domain.access_events import AccessEvent
from domain.errors import Malformed
from domain.feed_events import FeedEvent
from domain.indicators.armed import Arming
from domain.market.decisions import Decision
from domain.market.observations import Observation

MarketEvent = Observation | Decision | Arming
Event = MarketEvent | FeedEvent | AccessEvent

CURSOR_PREFIX = "c1."
MAX_CURSOR_LENGTH = 16_384


class Batch(Struct, frozen=True):
    """Observations of one feed for one partition, in the order received.

    `incarnation` is the epoch of the feed's own claim; `sequence` counts 1, 2, ... per (incarnation,
    partition). A heartbeat has no events and repeats the last sequence: it only moves the clock.
    `clock` is the feed's monotone time, ns UTC (wall time live, `ts_recv` in a replay). `wall`: it is wall
    time, so where a new incarnation's lies before the old one's, the old one's was wrong.
    """

    sender: str
    incarnation: int
    sequence: int
    clock: int
    events: tuple[Observation, ...]
    wall: bool = False


class Admitted(Struct, frozen=True, array_like=True):
    """The trace of an admitted batch in a block header; `count` events of the block came of it."""

    sender: str
    incarnation: int
    sequence: int
    clock: int
    count: int


class Recorded(Struct, frozen=True):
    """An event at its place in the log."""

    partition: str
    offset: int
    recorded_at: int
    event: Event


class Cursor(Struct, frozen=True):
    """partition -> offset of the last event consumed. Opaque to clients as `c1.…`."""

    offsets: Mapping[str, int]

    def encode(self) -> str:
        packed = msgspec.msgpack.encode(sorted(self.offsets.items()))
        return CURSOR_PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def at(self, partition: str) -> int:
        return self.offsets.get(partition, 0)

    def merged(self, later: Mapping[str, int]) -> Cursor:
        return Cursor({**self.offsets, **later})


def parse_cursor(text: str) -> Cursor:
    """Raises Malformed. Offsets are positive; unknown partitions are the reader's business."""
    if not text.startswith(CURSOR_PREFIX) or len(text) > MAX_CURSOR_LENGTH:
        raise Malformed(f"cursor {text[:40]!r} does not begin with {CURSOR_PREFIX!r}")
    body = text[len(CURSOR_PREFIX) :]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        pairs = msgspec.msgpack.decode(packed, type=list[tuple[str, int]])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Malformed(f"cursor {text[:40]!r} is damaged") from None
    if any(offset < 0 for _, offset in pairs):
        raise Malformed(f"cursor {text[:40]!r} has a negative offset")
    return Cursor(dict(pairs))
