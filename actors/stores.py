"""What one instance keeps: the log, snapshots, checkpoints and read models, all in one kind of place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from actors.bars_query import BarsModel
from actors.decisions_query import EventsModel
from storage.checkpoints import PostgresCheckpoints
from storage.event_log import EventLog, SnapshotStore
from storage.memory import MemoryCheckpoints, MemoryLog, MemorySnapshots
from storage.pool import Connection, Pool
from storage.postgres_log import PostgresLog
from storage.projections import CheckpointStore, Projection
from storage.read_models.bars import MemoryBars
from storage.read_models.events import MemoryEvents
from storage.read_models.postgres_bars import PostgresBars
from storage.read_models.postgres_events import PostgresEvents
from storage.settings import StorageSettings
from storage.snapshots import PostgresSnapshots

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class BarsProjection(BarsModel, Projection[T_contra], Protocol[T_contra]):
    """Stored bars that can be both written by the projector and asked by readers."""


class EventsProjection(EventsModel, Projection[T_contra], Protocol[T_contra]):
    """Listed decisions, likewise."""


@dataclass(frozen=True, slots=True)
class Stores(Generic[T]):
    """`T` is what projections write through: a connection, or None in memory."""

    log: EventLog
    snapshots: SnapshotStore
    checkpoints: CheckpointStore[T]
    bars: BarsProjection[T]
    events: EventsProjection[T]

    @property
    def projections(self) -> list[Projection[T]]:
        return [self.bars, self.events]


def memory_stores(log: EventLog | None = None) -> Stores[None]:
    """Everything in this process, gone with it. `log`: one with faults, for simulations."""
    return Stores(
        log=log or MemoryLog(),
        snapshots=MemorySnapshots(),
        checkpoints=MemoryCheckpoints(),
        bars=MemoryBars(),
        events=MemoryEvents(),
    )


def postgres_stores(pool: Pool, settings: StorageSettings) -> Stores[Connection]:
    """Over an open pool, which stays the caller's to close."""
    return Stores(
        log=PostgresLog(pool, settings),
        snapshots=PostgresSnapshots(pool),
        checkpoints=PostgresCheckpoints(pool),
        bars=PostgresBars(pool),
        events=PostgresEvents(pool),
    )
