"""Schemas of other builds are named and left alone; a lock that somebody keeps is not waited for for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deployments.cli.__main__ import main
from domain.errors import Rejected, Unavailable
from storage.migrate import _LOCK, inspect, migrate
from storage.settings import StorageSettings
from tests.services import drop_database, embedded_dsn, fresh_database

__all__ = ["embedded_dsn"]

pytestmark = pytest.mark.services


@pytest.fixture
def settings(embedded_dsn: str) -> Iterator[StorageSettings]:
    dsn = fresh_database(embedded_dsn)
    yield StorageSettings(dsn=dsn, migrate_wait_s=0.2)
    drop_database(dsn, embedded_dsn)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def test_what_a_database_is_can_be_told_without_changing_it(settings: StorageSettings) -> None:
    with pytest.raises(Rejected, match="holds no log"):
        asyncio.run(inspect(settings))
    made = asyncio.run(migrate(settings, time.time_ns()))
    told = asyncio.run(inspect(settings))
    assert (told.instance_id, told.market_partitions, told.schema_version) == (
        made.instance_id,
        made.market_partitions,
        made.schema_version,
    )


@pytest.mark.parametrize("verb", [["tail"], ["verify", "--json"]], ids=["tail", "verify"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DELETE FROM schema_versions WHERE number > 1", "older than this build's"),
        ("INSERT INTO schema_versions (number, name) VALUES (9999, 'x')", "newer than this build's"),
        ("DROP TABLE schema_versions", "holds no log"),
    ],
    ids=["older", "newer", "none"],
)
def test_reading_a_schema_of_another_build_fails_in_one_line_and_changes_nothing(
    settings: StorageSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: list[str],
    change: str,
    says: str,
) -> None:
    asyncio.run(migrate(settings, time.time_ns()))
    asyncio.run(_execute(settings.dsn, change))
    for _ in range(2):  # the first has not brought it up to date
        assert main([*verb, "--dsn", settings.dsn, "--data-dir", str(tmp_path)]) == 4
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1
        assert says in err and "financehub" in err.lower()


def test_a_migration_that_another_holds_up_ends_with_who_it_is(settings: StorageSettings) -> None:
    async def held_up() -> str:
        holder = await asyncpg.connect(settings.dsn)
        await holder.execute("SELECT pg_advisory_lock($1)", _LOCK)
        pid = str(await holder.fetchval("SELECT pg_backend_pid()"))
        with pytest.raises(Unavailable, match=pid):
            await migrate(settings, time.time_ns())
        await holder.close()
        return (await migrate(settings, time.time_ns())).instance_id

    assert asyncio.run(held_up())


def test_an_empty_log_is_tailed_and_verified(
    settings: StorageSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(migrate(settings, time.time_ns()))
    for verb in (["tail"], ["verify", "--full"]):
        assert main([*verb, "--dsn", settings.dsn, "--data-dir", str(tmp_path)]) == 0
        assert capsys.readouterr().out == ""
