"""The backends that one suite of contract tests runs over."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from storage.checkpoints import PostgresCheckpoints
from storage.event_log import EventLog, SnapshotStore
from storage.memory import MemoryCheckpoints, MemoryLog, MemoryRetention, MemorySnapshots
from storage.migrate import Instance, migrate
from storage.pool import MAINTENANCE_ROLE, Pool, close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.postgres_retention import PostgresRetention
from storage.read_models.bars import MemoryBars
from storage.read_models.events import MemoryEvents
from storage.read_models.postgres_bars import PostgresBars
from storage.read_models.postgres_events import PostgresEvents
from storage.settings import StorageSettings
from storage.snapshots import PostgresSnapshots
from tests.services import drop_database, embedded_dsn, fresh_database, timescale_dsn

__all__ = ["embedded_dsn", "timescale_dsn"]

EMBEDDED = pytest.param("embedded", marks=pytest.mark.services)
TIMESCALE = pytest.param("timescale", marks=pytest.mark.timescale)


@dataclass
class Database:
    """A migrated database of its own for a test module."""

    settings: StorageSettings
    instance: Instance


@dataclass
class Backend:
    """One of everything that has a twin. Both logs see the same data; `pool` is None in memory."""

    log: EventLog
    other_log: EventLog
    snapshots: SnapshotStore
    checkpoints: Any
    bars: Any
    events: Any
    pool: Pool | None = None
    retention: Any = None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def _migrated(name: str, server_dsn: str) -> Iterator[Database]:
    dsn = fresh_database(server_dsn)
    settings = StorageSettings(dsn=dsn, append_timeout_s=5.0)
    yield Database(settings, asyncio.run(migrate(settings, time.time_ns())))
    if name != "embedded":  # that one goes as a whole
        drop_database(dsn, server_dsn)


@pytest.fixture(scope="module", params=["memory", EMBEDDED, TIMESCALE])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database | None]:
    if request.param == "memory":
        yield None
    else:
        yield from _migrated(request.param, request.getfixturevalue(f"{request.param}_dsn"))


@pytest.fixture(scope="module", params=[EMBEDDED, TIMESCALE])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    yield from _migrated(request.param, request.getfixturevalue(f"{request.param}_dsn"))


@pytest.fixture
async def backend(any_database: Database | None, anyio_backend: str) -> AsyncIterator[Backend]:
    if any_database is None:
        log, snapshots = MemoryLog(), MemorySnapshots()
        models = MemoryBars(), MemoryEvents()
        retention = MemoryRetention(log, snapshots, models[1])
        yield Backend(log, log, snapshots, MemoryCheckpoints(), *models, retention=retention)
        return
    async for opened in _opened(any_database):
        yield opened


@pytest.fixture
async def stored(database: Database, anyio_backend: str) -> AsyncIterator[Backend]:
    """A backend that is no memory."""
    async for opened in _opened(database):
        yield opened


async def _opened(database: Database) -> AsyncIterator[Backend]:
    pool = await open_pool(database.settings, role=database.instance.service_role)
    logs = PostgresLog(pool, database.settings), PostgresLog(pool, database.settings)
    read_models = PostgresBars(pool), PostgresEvents(pool)
    archive = await open_pool(
        database.settings, role=MAINTENANCE_ROLE if database.instance.service_role else None
    )
    retention = PostgresRetention(archive)
    yield Backend(*logs, PostgresSnapshots(pool), PostgresCheckpoints(pool), *read_models, pool, retention)
    await close_pool(archive)
    await close_pool(pool)


@pytest.fixture
def partition() -> str:
    """A partition that no other test uses."""
    return f"market/{uuid.uuid4().hex[:10]}"
