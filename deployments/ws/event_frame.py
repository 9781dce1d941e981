"""What every frame about an event begins with, and what a builder of one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, UnsetType

from deployments.ws.protocol import Time
from domain.envelope import Recorded

Previous = int | None
MaybeFrom = int | UnsetType
ToTime = Callable[[int], Time]
"""Ns UTC as the encoding tells it."""
Shared = tuple[str, int | None, Previous, str | None, Time, Time, Time]
"""Instrument, offset, prev, provider, ts_event, ts_recv, recorded_at."""
Builder = Callable[[Shared, Any, MaybeFrom, ToTime], Struct]
"""(shared fields, event, first offset merged, time) -> frame."""


class EventFrame(Struct, frozen=True, gc=False, tag_field="type"):
    """`prev`: the last offset sent or merged before it on the same channel and instrument."""

    instrument: str
    offset: int | None
    prev: int | None
    provider: str | None
    ts_event: Time
    ts_recv: Time
    recorded_at: Time


class Derived(Struct, frozen=True, gc=False):
    """What follows from a recorded event, at that event's place in the log, where it is not itself.

    `event` has the fields that `shared` reads.
    """

    partition: str
    offset: int
    recorded_at: int
    event: Struct


Carried = Recorded | Derived
"""What a chain carries."""


def shared(carried: Carried, prev: Previous, time: ToTime) -> Shared:
    event: Any = carried.event
    return (
        event.instrument,
        carried.offset,
        prev,
        event.provider,
        time(event.ts_event),
        time(event.ts_recv),
        time(carried.recorded_at),
    )
