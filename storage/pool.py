"""Connections to PostgreSQL, and the one place where its errors become ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from domain.errors import Corrupt, Rejected, Unavailable
from storage.settings import StorageSettings

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool, Connection = asyncpg.Pool, asyncpg.Connection

SERVICE_ROLE = "financehub_service"
"""May append to the log and read it, and never change or delete a block."""
MAINTENANCE_ROLE = "financehub_maintenance"
"""May merge and drop cold blocks; the archivist's."""

LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""The connection is gone, was closed by the server, or could not be made.

asyncpg's InternalClientError among them: a statement on a connection whose server has just died ends so,
where the server's last words have been read and the end of the stream has not.
"""
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.exceptions.ClientConfigurationError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
"""The same statement would be refused again."""
_DAMAGED = (asyncpg.DataCorruptedError, asyncpg.IndexCorruptedError)


@contextmanager
def domain_errors(what: str) -> Iterator[None]:
    """Driver errors of a statement that changed nothing (or may be repeated) -> ours.

    Rejected where the statement itself is at fault, Corrupt where the server found damage, Unavailable
    for all that may pass.
    """
    try:
        yield
    except TimeoutError:
        raise Unavailable(f"{what}: the database did not answer in time") from None
    except _REFUSED as error:
        raise Rejected(f"{what}: {error}") from error
    except _DAMAGED as error:
        raise Corrupt(f"{what}: {error}") from error
    except (*LOST, asyncpg.PostgresError) as error:
        if isinstance(error, ValueError):  # asyncpg's own: a value that its column's type cannot hold
            raise Rejected(f"{what}: {error}") from error
        raise Unavailable(f"{what}: {error}") from error


async def open_pool(settings: StorageSettings, *, role: str | None = None) -> Pool:
    """A pool whose connections act as `role` (see `migrate.Instance.service_role`). Raises Unavailable."""
    session = {"application_name": "financehub", "jit": "off", **({"role": role} if role else {})}
    with domain_errors("connect"):
        return await asyncpg.create_pool(
            settings.dsn,
            min_size=0,  # asyncpg reports each failure to keep a floor with a traceback, also while all stops
            init_size=settings.pool_min,
            max_size=settings.pool_max,
            timeout=settings.connect_timeout_s,
            command_timeout=settings.read_timeout_s,
            server_settings=session,
            reset=_keep_session,
        )


async def _keep_session(_: object) -> None:
    """Nothing here changes a session, and asyncpg's reset would cost every append a second round trip."""


async def close_pool(pool: Pool, timeout_s: float = 5.0) -> None:
    """Close politely; past the deadline cut what is left."""
    try:
        await asyncio.wait_for(pool.close(), timeout_s)
    except TimeoutError:
        pool.terminate()
