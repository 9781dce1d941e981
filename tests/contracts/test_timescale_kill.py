"""kill -9 of TimescaleDB's postmaster while writers append: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from storage.block import events_of, verify_chain
from storage.event_log import GENESIS_HASH
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.settings import StorageSettings, WriterSettings
from storage.writer import LogWriter, Part
from tests.builders import T0, a_trade
from tests.services import TIMESCALE_SWITCH, timescale_script

pytestmark = [pytest.mark.anyio, pytest.mark.timescale]

KILLS = 4
APPENDS_BETWEEN = 30
EVENTS_A_PART = 7
PATIENT = WriterSettings(deadline_s=60.0, max_attempts=200, max_delay_s=0.3)
DEADLINE_S = 100.0


class Server:
    """TimescaleDB of this test alone: its death disturbs nobody else."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self._where = {"FINANCEHUB_TIMESCALE_NAME": "financehub-kill", "FINANCEHUB_TIMESCALE_PORT": port}

    def start(self) -> str:
        """Its DSN."""
        started = timescale_script("start", **self._where)
        if started.returncode != 0:
            pytest.skip(f"no TimescaleDB to kill: {started.stderr.strip().splitlines()[-1]}")
        return started.stdout.strip()

    def drop(self) -> None:
        timescale_script("drop", **self._where)


@pytest.fixture
def server() -> Iterator[Server]:
    if os.environ.get(TIMESCALE_SWITCH) == "off":
        pytest.skip(f"no TimescaleDB to kill: {TIMESCALE_SWITCH} is off")
    made = Server()
    yield made
    made.drop()


async def postmaster_of(dsn: str) -> int:
    """The parent of whatever process answers."""
    connection = await asyncpg.connect(dsn)
    try:
        return parent_of(await connection.fetchval("SELECT pg_backend_pid()"))
    finally:
        await connection.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Load:
    """One owner that appends to its partitions without a pause and remembers what was acknowledged."""

    def __init__(self, log: PostgresLog, name: str, partitions: list[str]) -> None:
        self.partitions = partitions
        self.acknowledged = 0
        self._writer = LogWriter(log, name, _Clock(), PATIENT)
        self._stopping = False

    async def run(self) -> None:
        for name in self.partitions:
            await self._writer.claim(name)
        while not self._stopping:
            first = self.acknowledged
            trades = [a_trade(100.0, trade_id=first + n) for n in range(EVENTS_A_PART)]
            await self._writer.append([Part(name, (), trades) for name in self.partitions])
            self.acknowledged += EVENTS_A_PART

    def stop(self) -> None:
        self._stopping = True

    @property
    def epochs(self) -> list[int]:
        return [self._writer.heads[name].epoch for name in self.partitions]


class _Clock:
    def now_ns(self) -> int:
        return time.time_ns()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def killed_and_started_again(server: Server, dsn: str, *, with_backends: bool) -> None:
    """A postmaster that dies alone leaves backends that answer once more; with them answers are lost."""
    postmaster = await postmaster_of(dsn)
    for pid in [postmaster, *(children_of(postmaster) if with_backends else [])]:
        with contextlib.suppress(ProcessLookupError):  # a backend whose postmaster is gone may end by itself
            os.kill(pid, signal.SIGKILL)
    assert await asyncio.to_thread(server.start) == dsn


async def appended_by_all(loads: list[Load], running: list[asyncio.Task[None]]) -> None:
    """Until every load has had some more appends acknowledged."""
    goals = [load.acknowledged + APPENDS_BETWEEN * EVENTS_A_PART for load in loads]
    while any(load.acknowledged < goal for load, goal in zip(loads, goals, strict=True)):
        for task in running:
            if task.done():
                task.result()
        await asyncio.sleep(0.01)


async def test_acknowledged_appends_survive_the_death_of_the_postmaster(server: Server) -> None:
    dsn = await asyncio.to_thread(server.start)
    settings = StorageSettings(dsn=dsn)
    instance = await migrate(settings, T0)
    assert instance.timescaledb_version is not None
    pool = await open_pool(settings, role=instance.service_role)
    log = PostgresLog(pool, settings)
    loads = [Load(log, "one", ["market/00", "market/01", "market/02"]), Load(log, "two", ["market/03"])]
    running = [asyncio.create_task(load.run()) for load in loads]
    async with asyncio.timeout(DEADLINE_S):
        for kill in range(KILLS):
            await appended_by_all(loads, running)
            await killed_and_started_again(server, dsn, with_backends=kill % 2 == 1)
        await appended_by_all(loads, running)
        for load in loads:
            load.stop()
        await asyncio.gather(*running)
    assert any(max(load.epochs) > 1 for load in loads), "no answer was ever lost: the kills have hit nothing"
    for load in loads:
        for partition in load.partitions:
            await every_trade_is_there_once(log, partition, load.acknowledged)
    await close_pool(pool)


async def every_trade_is_there_once(log: PostgresLog, partition: str, count: int) -> None:
    head = next(head for head in await log.heads() if head.partition == partition)
    offset, block_hash, ids = 0, GENESIS_HASH, []
    while blocks := await log.read(partition, offset):
        offset, block_hash = verify_chain(blocks, offset, block_hash)
        ids += [int(entry.event.trade_id) for block in blocks for entry in events_of(block)]
    assert (offset, block_hash) == (head.offset, head.hash)
    assert ids == list(range(count))
