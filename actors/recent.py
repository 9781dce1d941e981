"""The newest durable events of a partition, kept for polls: a ring bounded by count and by bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat

from actors.packed import PackedEvents
from domain.envelope import Event, MarketEvent, Recorded
from domain.indicators.armed import IndicatorArmed
from domain.market.observations import BookDelta, BookSnapshot

EVENT_BYTES = 400
"""A trade with its envelope, measured with sys.getsizeof over its parts: 330 to 420 bytes."""
LEVEL_BYTES = 112
"""A (price, size) tuple and its two floats."""
WARM_BAR_BYTES = 240
"""A bar that figures begin with: a tuple and its six numbers."""
BOOKS = (BookDelta, BookSnapshot)
LARGE = frozenset((*BOOKS, IndicatorArmed))
"""Whatever else there is has about the size of a trade."""


def approximate_bytes(event: object) -> int:
    """What an event costs in memory, roughly."""
    if isinstance(event, BOOKS):
        return EVENT_BYTES + LEVEL_BYTES * (len(event.bids) + len(event.asks))
    if isinstance(event, IndicatorArmed):
        return EVENT_BYTES + WARM_BAR_BYTES * (len(event.bars) + len(event.parts))
    return EVENT_BYTES


def approximate_bytes_of(events: Sequence[object]) -> int:
    """The same of many."""
    if LARGE.isdisjoint(map(type, events)):
        return EVENT_BYTES * len(events)
    return sum(map(approximate_bytes, events))


def weight(event: object) -> int:
    """How many trades take as much memory; at least 1."""
    return approximate_bytes(event) // EVENT_BYTES


class _Span:
    """The events of one block, first offset first; wrapped for readers once, when first asked for."""

    __slots__ = ("_events", "_wrapped", "first_offset", "last_offset", "recorded_ns", "size_bytes")

    def __init__(self, first_offset: int, recorded_ns: int, events: Sequence[Event]) -> None:
        self.first_offset = first_offset
        self.last_offset = first_offset + len(events) - 1
        self.recorded_ns = recorded_ns
        self.size_bytes = approximate_bytes_of(events)
        self._events: Sequence[Event] = events
        self._wrapped: list[Recorded] | None = None

    def recorded(self, partition: str) -> list[Recorded]:
        if self._wrapped is None:
            offsets = range(self.first_offset, self.last_offset + 1)
            places = repeat(partition), offsets, repeat(self.recorded_ns)
            self._wrapped = list(map(Recorded, *places, self._events))
            self._events = ()
        return self._wrapped

    def find(self, partition: str, wanted: Event) -> Recorded | None:
        """By identity, the newest first."""
        if self._wrapped is not None:
            return next((each for each in reversed(self._wrapped) if each.event is wanted), None)
        for index in range(len(self._events) - 1, -1, -1):
            if self._events[index] is wanted:
                return Recorded(partition, self.first_offset + index, self.recorded_ns, wanted)
        return None


class RecentEvents:
    """Offsets (`base`, `head`] of one partition. Whole blocks leave at the old end when over a bound."""

    def __init__(self, partition: str, base: int, *, max_events: int, max_bytes: int) -> None:
        self.partition = partition
        self.base = base
        self.head = base
        self.size_bytes = 0
        self._max_events = max_events
        self.max_bytes = max_bytes
        self._spans: deque[_Span] = deque()
        self._found: dict[str, tuple[MarketEvent, Recorded | None]] = {}
        """What `find` was asked for last of an instrument, and its answer."""

    def append(self, recorded_ns: int, events: Sequence[Event]) -> None:
        """Add the next block's events, in offset order from `head` + 1."""
        if not events:
            return
        span = _Span(self.head + 1, recorded_ns, events)
        self._spans.append(span)
        self.head = span.last_offset
        self.size_bytes += span.size_bytes
        while self._over() and len(self._spans) > 1:
            self._drop_oldest()

    def restart(self, base: int) -> None:
        """Forget everything; the next block begins after `base`."""
        self._spans.clear()
        self._found.clear()
        self.base = self.head = base
        self.size_bytes = 0

    def reaches(self, after: int) -> bool:
        """Whether everything after that offset is here."""
        return after >= self.base

    def after(self, after: int, limit: int, max_bytes: int = 1 << 62) -> list[Recorded]:
        """At most `limit` events with offsets > `after`, in order, of about `max_bytes`.

        At least one block's share, however large. `after` must be reached.
        """
        found = PackedEvents()
        if after >= self.head:
            return found
        size_bytes = 0
        for span in self._spans_after(after):
            size_bytes += span.size_bytes
            if found and size_bytes > max_bytes:
                break
            recorded = span.recorded(self.partition)
            start = max(0, after + 1 - span.first_offset)
            found.extend(recorded[start : start + limit - len(found)])
            if len(found) >= limit:
                break
        return found

    def find(self, instrument: str, event: MarketEvent) -> Recorded | None:
        """Where an event of an instrument, the very object, is recorded; None where it is older than this.

        The answer to the newest question of each instrument is kept, so a quiet one costs a search once.
        """
        asked, found = self._found.get(instrument, (None, None))
        if asked is not event:
            found = next(
                (at for span in reversed(self._spans) if (at := span.find(self.partition, event))), None
            )
            self._found[instrument] = (event, found)
        return found

    def _spans_after(self, after: int) -> list[_Span]:
        """A reader is mostly near the head, so the search runs from there."""
        wanted: list[_Span] = []
        for span in reversed(self._spans):
            if span.last_offset <= after:
                break
            wanted.append(span)
        return wanted[::-1]

    def _over(self) -> bool:
        return self.head - self.base > self._max_events or self.size_bytes > self.max_bytes

    def _drop_oldest(self) -> None:
        span = self._spans.popleft()
        self.base = span.last_offset
        self.size_bytes -= span.size_bytes
