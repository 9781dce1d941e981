"""Decisions of one instrument in the order of event time: the read model, and what it has not yet reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from actors.packed import PackedEvents
from domain.envelope import Recorded
from storage.read_models.events import StoredEvent, event_of


class EventsModel(Protocol):
    """The `events` read model."""

    async def events(
        self, instrument: str, kinds: Sequence[str], start: int, end: int, limit: int, after_offset: int
    ) -> list[StoredEvent]: ...


Unprojected = Callable[[], Awaitable[Sequence[Recorded]]]
"""Wanted events that the projection has not come to yet."""


class DecisionsQuery:
    """Stateless. A page goes on after (event time, offset) of the last item of the one before."""

    def __init__(self, model: EventsModel) -> None:
        self._model = model

    async def answer(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        after_offset: int,
        unprojected: Unprojected,
    ) -> PackedEvents:
        """start <= ts_event < end by (ts_event, offset), the first `limit`; at `start` only those with a
        larger offset than `after_offset`."""
        newest = await unprojected()  # before the model: what it takes up meanwhile is found twice, not never
        stored = await self._model.events(instrument, kinds, start, end, limit, after_offset)
        found = {row.offset: event_of(row) for row in stored}
        found.update((each.offset, each) for each in newest)
        ordered = sorted(found.values(), key=_position)
        return PackedEvents([each for each in ordered if _position(each) > (start, after_offset)][:limit])


def _position(recorded: Recorded) -> tuple[int, int]:
    return recorded.event.ts_event, recorded.offset
