"""The projector's process hosts the archivist, which may delete what the service may not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import asyncpg
import pytest
from msgspec.structs import replace

from actors.roles import ProjectorActor
from actors.runtime import Runtime
from actors.stores import postgres_stores
from domain.errors import Conflict
from storage.migrate import SCHEMA_DIR, Instance, migrate
from storage.pool import close_pool, open_pool
from storage.settings import StorageSettings
from tests.contracts.conftest import EMBEDDED, TIMESCALE, Backend
from tests.contracts.test_retention import Kept
from tests.services import drop_database, embedded_dsn, fresh_database, timescale_dsn

__all__ = ["embedded_dsn", "timescale_dsn"]

pytestmark = pytest.mark.anyio

SEED = bytes(range(32))
PARTITION = "market/00"


@pytest.fixture(params=[EMBEDDED, TIMESCALE])
def settings(request: pytest.FixtureRequest) -> Iterator[StorageSettings]:
    server_dsn = request.getfixturevalue(f"{request.param}_dsn")
    dsn = fresh_database(server_dsn)
    yield StorageSettings(dsn=dsn)
    drop_database(dsn, server_dsn)


def _runtime(settings: StorageSettings, instance: Instance, **bounds: float) -> Runtime:
    return Runtime(
        dsn=settings.dsn,
        partition_count=1,
        shards=1,
        readers=0,
        feeds={},
        service_role=instance.service_role,
        anchor_seed=SEED,
        **bounds,
    )


async def _write(settings: StorageSettings, instance: Instance) -> None:
    """More than a slice, with two snapshots behind it."""
    pool = await open_pool(settings, role=instance.service_role)
    stores = postgres_stores(pool, settings)
    backend = Backend(stores.log, stores.log, stores.snapshots, stores.checkpoints, None, None, pool)
    kept = await Kept(backend, PARTITION).write(30, step_ns=10**9, size=400)
    for _ in range(2):
        await kept.snapshot()
        await kept.write(1, step_ns=10**9)
    await close_pool(pool)


@pytest.mark.parametrize("guard", ["role", "trigger"])
async def test_the_projector_s_process_cuts_the_log_once_it_has_applied_it(
    settings: StorageSettings, guard: str
) -> None:
    instance = await migrate(settings, time.time_ns())
    if guard == "trigger":
        await _guard_by_trigger(settings)
        instance = replace(instance, service_role=None)
    await _write(settings, instance)
    actor = ProjectorActor("projector", _runtime(settings, instance, log_max_bytes=1))
    projector = await actor.build()
    try:
        await projector.catch_up()
        assert actor._archivist is not None
        async with asyncio.timeout(30):
            while not actor._archivist.dropped_blocks:
                with contextlib.suppress(Conflict):  # its own round may be under way
                    await actor._archivist.sweep()
                await asyncio.sleep(0.02)
        assert (await actor.about(projector))["projections"]
    finally:
        await actor.close(projector)


async def test_without_bounds_nobody_sweeps(settings: StorageSettings) -> None:
    instance = await migrate(settings, time.time_ns())
    actor = ProjectorActor("projector", _runtime(settings, instance))
    projector = await actor.build()
    assert actor._archivist is None
    await actor.close(projector)


async def _guard_by_trigger(settings: StorageSettings) -> None:
    """As for a user who may create no roles."""
    connection = await asyncpg.connect(settings.dsn)
    await connection.execute((SCHEMA_DIR / "append_only.sql").read_text())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DELETE FROM log_blocks")
    await connection.close()
