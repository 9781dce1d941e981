"""What was decided and what went wrong: a row per decision, gap, split, and event of a feed or a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec
from msgspec import Struct

from domain.access_events import AccessEvent
from domain.envelope import Event, Recorded
from domain.errors import Corrupt
from domain.feed_events import FeedEvent
from domain.market.decisions import Decision
from domain.market.observations import Gap, SplitAnnounced

LISTED: frozenset[type] = frozenset(
    (Gap, SplitAnnounced, *get_args(Decision), *get_args(FeedEvent), *get_args(AccessEvent))
)
_TYPES: dict[str, Any] = {each.kind: each for each in LISTED}  # type: ignore[attr-defined]  # each of them has one
KINDS = frozenset(_TYPES)
MAX_ROWS = 10_000
_ESCAPED_NUL = b"\\u0000"


class StoredEvent(Struct, frozen=True):
    """A row. `instrument` None where the event is about none; `body` is the event's fields as JSON."""

    partition: str
    offset: int
    kind: str
    instrument: str | None
    ts_event: int
    recorded_ns: int
    body: str


def rows_of(recorded: Iterable[Recorded]) -> list[StoredEvent]:
    return [_row(entry) for entry in recorded if type(entry.event) in LISTED]


def _row(entry: Recorded) -> StoredEvent:
    event = entry.event
    return StoredEvent(
        partition=entry.partition,
        offset=entry.offset,
        kind=event.kind,
        instrument=getattr(event, "instrument", None),
        ts_event=event.ts_event,
        recorded_ns=entry.recorded_at,
        body=_body(event),
    )


def event_of(row: StoredEvent) -> Recorded:
    """The event that a row was made of. Raises Corrupt for a kind or a body that this build cannot read."""
    try:
        event: Event = msgspec.json.decode(row.body, type=_TYPES[row.kind])
    except (KeyError, msgspec.MsgspecError) as error:
        raise Corrupt(f"events row {row.partition}/{row.offset} cannot be read: {error}") from None
    return Recorded(row.partition, row.offset, row.recorded_ns, event)


def _body(event: object) -> str:
    """JSON that PostgreSQL accepts: its text cannot hold U+0000, which becomes U+FFFD."""
    data = msgspec.json.encode(event)
    if _ESCAPED_NUL in data:
        data = msgspec.json.encode(_without_nul(msgspec.json.decode(data)))
    return data.decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_nul(item) for name, item in value.items()}
    return value


class MemoryEvents:
    """The projection in memory: `apply` ignores its connection."""

    name = "events"
    kinds = KINDS

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], StoredEvent] = {}

    async def apply(self, connection: None, partition: str, recorded: Sequence[Recorded]) -> None:
        self._rows.update(((row.partition, row.offset), row) for row in rows_of(recorded))

    async def clear(self, connection: None) -> None:
        """Drop all rows, to be made again."""
        self._rows.clear()

    def drop_until(self, partition: str, offset: int) -> None:
        """For `MemoryRetention` alone."""
        self._rows = {
            place: row for place, row in self._rows.items() if place[0] != partition or place[1] > offset
        }

    async def events(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int = MAX_ROWS,
        after_offset: int = 0,
    ) -> list[StoredEvent]:
        """start <= ts_event < end, by (ts_event, offset), the first `limit`; no kinds means all.

        Of those at `start` only what has a larger offset than `after_offset`: where a page goes on.
        """
        fitting = (
            row
            for row in self._rows.values()
            if row.instrument == instrument
            and (not kinds or row.kind in kinds)
            and (start, after_offset) < (row.ts_event, row.offset)
            and row.ts_event < end
        )
        return sorted(fitting, key=lambda row: (row.ts_event, row.offset))[:limit]
