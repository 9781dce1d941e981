"""Bring a database to this build's schema: numbered SQL, each applied once, under an advisory lock.

Refuses a server that may lose commits and a schema newer than this build. Uses TimescaleDB where the
server offers it. Safe to run by several processes at once and at every start.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from msgspec import Struct

from domain.clock import format_time
from domain.errors import Corrupt, Rejected, Unavailable
from storage.pool import MAINTENANCE_ROLE, SERVICE_ROLE, Connection, domain_errors
from storage.settings import StorageSettings

SCHEMA_DIR = Path(__file__).parent / "schema"
_LOCK = 0x46_49_4E_48_55_42  # "FINHUB": one number for every FinanceHub database
_NUMBERED = re.compile(r"(\d{4})_[a-z_]+\.sql")
_HOLDER = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint = $2
"""
_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_versions (
    number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


class Instance(Struct, frozen=True):
    """What a database is. `service_role` None: the user may not create roles, a trigger guards the log."""

    instance_id: str
    market_partitions: int
    created_at: str
    schema_version: int
    postgres_version: str
    timescaledb_version: str | None
    timescaledb_license: str | None
    service_role: str | None


async def migrate(settings: StorageSettings, now_ns: int) -> Instance:
    """Create or upgrade the schema and return what the database is.

    Raises Rejected (newer schema, unsafe durability, missing rights), Unavailable.
    """
    async with _connected(settings, "migrate") as connection:
        return await _migrate(connection, settings, now_ns)


@asynccontextmanager
async def _connected(settings: StorageSettings, what: str) -> AsyncIterator[Connection]:
    with domain_errors("connect"):
        try:
            connection = await asyncpg.connect(settings.dsn, timeout=settings.connect_timeout_s)
        except asyncpg.InterfaceError:
            raise
        except ValueError as error:  # a port that is no number
            raise Rejected(f"the DSN cannot be read: {error}") from None
    with domain_errors(what):
        try:
            yield connection
        except asyncpg.InsufficientPrivilegeError as error:
            raise Rejected(f"the database user lacks a right: {error}") from error
        finally:
            await connection.close()


async def _take_lock(connection: Connection, wait_s: float) -> None:
    """Held until the connection ends. Raises Unavailable, naming who has it, past the wait."""
    await connection.execute(f"SET lock_timeout = {int(wait_s * 1e3)}")  # of later locks on tables too
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    except asyncpg.LockNotAvailableError:
        holder = await connection.fetchval(_HOLDER, _LOCK >> 32, _LOCK & 0xFFFFFFFF)
        raise Unavailable(
            f"another process (server process {holder or 'unknown'}) has been migrating this database for"
            f" {wait_s:.0f} s: let it end, or end it"
        ) from None


async def inspect(settings: StorageSettings) -> Instance:
    """What a database is; changes nothing. Raises Rejected for a schema of another build, Unavailable."""
    async with _connected(settings, "inspect") as connection:
        known = await connection.fetchval("SELECT to_regclass('schema_versions') IS NOT NULL")
        if not known:
            raise Rejected("it holds no log of FinanceHub: 'financehub up' makes one")
        version = await _version(connection)
        newest = len(_numbered_files())
        if version < newest:
            raise Rejected(
                f"it has schema {version}, older than this build's {newest}:"
                " 'financehub up' of this build brings it up to date"
            )
        _refuse_newer(version, newest)
        timescale = await _timescale_version(connection)
        return await _instance(connection, version, timescale, None)


async def _migrate(connection: Connection, settings: StorageSettings, now_ns: int) -> Instance:
    await _require_durability(connection, allow_unsafe=settings.allow_unsafe_durability)
    await _take_lock(connection, settings.migrate_wait_s)
    timescale = await _ensure_timescale(connection)
    async with connection.transaction():
        await connection.execute(_VERSIONS)
        version = await _apply_numbered(connection)
        await _describe(connection, settings.market_partitions, now_ns)
        if timescale is not None:
            await _ensure_hypertables(connection)
        role = await _guard_log(connection)
    return await _instance(connection, version, timescale, role)


async def _instance(
    connection: Connection, version: int, timescale: str | None, role: str | None
) -> Instance:
    meta = {row["name"]: row["value"] for row in await connection.fetch("SELECT name, value FROM meta")}
    return Instance(
        instance_id=meta["instance_id"],
        market_partitions=int(meta["market_partitions"]),
        created_at=meta["created_at"],
        schema_version=version,
        postgres_version=str(await connection.fetchval("SHOW server_version")),
        timescaledb_version=timescale,
        timescaledb_license=await _license(connection) if timescale else None,
        service_role=role,
    )


async def _require_durability(connection: Connection, *, allow_unsafe: bool) -> None:
    for name in ("fsync", "synchronous_commit"):
        value = await connection.fetchval("SELECT current_setting($1)", name)
        if value == "off" and not allow_unsafe:
            raise Rejected(f"the server has {name} off and may lose committed events; switch it on or force")


async def _ensure_timescale(connection: Connection) -> str | None:
    """The extension's version, created where the server preloads it; None without it."""
    try:
        preloaded = await connection.fetchval(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
            " AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'"
        )
        if preloaded is not None:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except asyncpg.InsufficientPrivilegeError:
        pass  # an administrator may have created it; else plain tables serve as well
    return await _timescale_version(connection)


async def _timescale_version(connection: Connection) -> str | None:
    version: str | None = await connection.fetchval(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    )
    return version


async def _license(connection: Connection) -> str | None:
    name: str | None = await connection.fetchval("SELECT current_setting('timescaledb.license', true)")
    return name


def _numbered_files() -> list[tuple[int, Path]]:
    names = ((_NUMBERED.fullmatch(path.name), path) for path in SCHEMA_DIR.iterdir())
    files = sorted((int(match[1]), path) for match, path in names if match)
    if [number for number, _ in files] != list(range(1, len(files) + 1)):
        raise Corrupt(f"schema files are not numbered 1 to {len(files)}")
    return files


async def _apply_numbered(connection: Connection) -> int:
    files = _numbered_files()
    applied = await _version(connection)
    _refuse_newer(applied, len(files))
    for number, path in files[applied:]:
        await connection.execute(path.read_text())
        await connection.execute(
            "INSERT INTO schema_versions (number, name) VALUES ($1, $2)", number, path.name
        )
    return len(files)


async def _version(connection: Connection) -> int:
    version: int = await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_versions")
    return version


def _refuse_newer(version: int, newest: int) -> None:
    if version > newest:
        raise Rejected(
            f"the database has schema {version}, newer than this build's {newest}:"
            " use the FinanceHub that wrote it, or a newer one"
        )


async def _describe(connection: Connection, market_partitions: int, now_ns: int) -> None:
    facts = {
        "instance_id": uuid.uuid4().hex,
        "market_partitions": str(market_partitions),
        "created_at": format_time(now_ns),
    }
    await connection.executemany(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", list(facts.items())
    )


async def _ensure_hypertables(connection: Connection) -> None:
    done = await connection.fetchval("SELECT 1 FROM meta WHERE name = 'hypertables'")
    if done is not None:
        return
    if await connection.fetchval("SELECT EXISTS (SELECT FROM log_blocks)"):
        return  # the extension came to a database in use: plain tables stay until an explicit move
    await connection.execute((SCHEMA_DIR / "hypertables.sql").read_text())
    await connection.execute("INSERT INTO meta (name, value) VALUES ('hypertables', 'yes')")


async def _guard_log(connection: Connection) -> str | None:
    """The role under which the service runs; None where a trigger stands in for it."""
    for role in (SERVICE_ROLE, MAINTENANCE_ROLE):
        if not await _ensure_role(connection, role):
            await connection.execute((SCHEMA_DIR / "append_only.sql").read_text())
            return None
    await connection.execute((SCHEMA_DIR / "grants.sql").read_text())
    return SERVICE_ROLE


async def _ensure_role(connection: Connection, role: str) -> bool:
    """Roles belong to the whole server: another database's migration may create one meanwhile."""
    try:
        async with connection.transaction():
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {role} NOLOGIN")
    except asyncpg.InsufficientPrivilegeError:
        return False
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass
    try:
        async with connection.transaction():
            await connection.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
            if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
                await connection.execute(f"GRANT {role} TO CURRENT_USER")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True
