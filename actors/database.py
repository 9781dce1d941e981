"""The database of an instance: embedded or by DSN, at this build's schema.

`deployments` comes here instead of naming `storage`. Synchronous: used while starting and stopping.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import FinanceHubError, Rejected, Unavailable
from observability.log import redact
from storage import embedded
from storage.migrate import Instance, inspect, migrate
from storage.settings import CLUSTER_MARKET_PARTITIONS, EMBEDDED_MARKET_PARTITIONS, StorageSettings


class Database:
    """An open database. `dsn` holds a password."""

    def __init__(self, data_dir: Path, dsn: str, server: embedded.EmbeddedPostgres | None, about: Instance):
        self._data_dir = data_dir
        self._server = server
        self._about = about
        self.dsn = dsn

    @property
    def partition_count(self) -> int:
        return self._about.market_partitions

    @property
    def service_role(self) -> str | None:
        return self._about.service_role

    @property
    def postgres_version(self) -> str:
        return self._about.postgres_version

    @property
    def timescaledb_version(self) -> str | None:
        return self._about.timescaledb_version

    @property
    def timescaledb_license(self) -> str | None:
        return self._about.timescaledb_license

    @property
    def redacted_dsn(self) -> str:
        return redact(self.dsn)

    @property
    def pid(self) -> int | None:
        """Of the embedded server; None where the server is somebody else's."""
        return self._server.pid if self._server is not None else None

    @property
    def summary(self) -> str:
        """As `embedded PostgreSQL 18.6` or `PostgreSQL 17.4 with TimescaleDB 2.19 at host`."""
        name = f"PostgreSQL {self.postgres_version}"
        if self.timescaledb_version:
            name += f" with TimescaleDB {self.timescaledb_version}"
        return f"embedded {name}" if self._server is not None else f"{name} at {self.redacted_dsn}"

    def ensure_running(self) -> bool:
        """Start the embedded server again where it has died; True where that was needed."""
        if self._server is None or self._server.is_running():
            return False
        self._server = embedded.start(self._data_dir)
        return True

    def stop(self) -> None:
        """Stop the embedded server; an outside one is left alone."""
        if self._server is not None:
            self._server.stop()


def open_database(
    data_dir: Path, dsn: str = "", *, partitions: int = 0, allow_unsafe_durability: bool = False
) -> Database:
    """Start the embedded server where no DSN is given, and migrate.

    Raises Unavailable where the server cannot be reached, FinanceHubError where it cannot be used.
    """
    server = None if dsn else embedded.start(data_dir)
    default = CLUSTER_MARKET_PARTITIONS if dsn else EMBEDDED_MARKET_PARTITIONS
    settings = StorageSettings(
        dsn=dsn or (server.dsn if server else ""),
        market_partitions=partitions or default,
        allow_unsafe_durability=allow_unsafe_durability,
    )
    try:
        with told_which(settings.dsn):
            about = asyncio.run(migrate(settings, time.time_ns()))
        _check_partitions(partitions, about)
    except BaseException:
        if server is not None:
            server.stop()
        raise
    return Database(data_dir, settings.dsn, server, about)


def open_to_read(data_dir: Path, dsn: str = "") -> Database:
    """The database as it is, for commands that only read; the embedded server is started for them.

    Raises Unavailable where it cannot be reached, FinanceHubError where its schema is not this build's.
    """
    server = None if dsn else embedded.start(data_dir)
    settings = StorageSettings(dsn=dsn or (server.dsn if server else ""))
    try:
        with told_which(settings.dsn):
            about = asyncio.run(inspect(settings))
    except BaseException:
        if server is not None:
            server.stop()
        raise
    return Database(data_dir, settings.dsn, server, about)


def _check_partitions(wanted: int, about: Instance) -> None:
    """Raises Rejected where the settings ask for another number than the database was created with."""
    if wanted and wanted != about.market_partitions:
        raise Rejected(
            f"the database has {about.market_partitions} market partitions for life, not {wanted}:"
            " take [database] partitions out of the settings, or use a new database"
        )


@contextmanager
def told_which(dsn: str) -> Iterator[None]:
    """Errors in one line that names the database. A refusal is the environment's fault, no wrong usage."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"the database {redact(dsn)} cannot be reached: {error}") from error
    except Rejected as error:
        raise FinanceHubError(f"the database {redact(dsn)} cannot be used: {error}") from error
