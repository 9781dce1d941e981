"""One keeper shard over the embedded PostgreSQL (fsync on), fed at a steady rate in this process.

The shard is the production class with its production settings; only Ray is left out, so that what is
measured is the fold and the log. A poll stands open as a gateway's would, unless said otherwise.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from actors.database import Database, open_database
from actors.keeper_shard import KeeperShard
from actors.runtime import WallClock
from actors.shard_settings import ShardSettings
from domain.envelope import Batch
from domain.ids import market_partition
from domain.market.observations import Observation
from storage.codec import encode_batch
from storage.pool import Pool, close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.settings import StorageSettings
from storage.snapshots import PostgresSnapshots

LIMIT_S = 60.0
FLUSH_S = 0.005
"""As a feed's sender flushes."""
ROOT_BASE = Path("/var/lib")
"""As root the embedded server runs as another user: every parent must be passable."""


@dataclass
class Outcome:
    """What one run gave; times in ms. `log_bytes`: rows, TOAST and index of the blocks it wrote."""

    events: int
    blocks: int
    log_bytes: int
    append_p99_ms: float = 0.0
    """Of the last 1,024 appends, from sealing to the acknowledgement, by the shard's own measure."""
    ack_ms: list[float] = field(default_factory=list)
    took_s: float = 0.0


def data_dir() -> Path:
    """A new directory for one instance; short, since socket paths are bounded."""
    base = ROOT_BASE if os.geteuid() == 0 and ROOT_BASE.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="fhb-", dir=base))


@contextmanager
def database() -> Iterator[Database]:
    """An embedded server of its own, gone afterwards."""
    folder = data_dir()
    opened = open_database(folder)
    try:
        yield opened
    finally:
        opened.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def run_load(
    opened: Database, events: Sequence[Observation], per_s: float, *, polled: bool = True
) -> Outcome:
    """Feed the events at a rate, five milliseconds' worth at a time, and wait until all are durable."""
    settings = StorageSettings(dsn=opened.dsn)
    pool = await open_pool(settings, role=opened.service_role)
    try:
        await pool.execute("SELECT 1")
        before = await _stored(pool)
        shard = KeeperShard(
            "bench",
            PostgresLog(pool, settings),
            PostgresSnapshots(pool),
            WallClock(),
            ShardSettings(),
            instance=str(time.time_ns()),
            partition_count=opened.partition_count,
        )
        await shard.start([f"market/{n:02d}" for n in range(opened.partition_count)])
        outcome = await _fed(shard, events, per_s, opened.partition_count, polled=polled)
        await shard.close()
        blocks, size = await _stored(pool)
        outcome.blocks, outcome.log_bytes = blocks - before[0], size - before[1]
        return outcome
    finally:
        await close_pool(pool)


async def _stored(pool: Pool) -> tuple[int, int]:
    """(blocks, bytes on disk) of the log."""
    row = await pool.fetchrow(
        "SELECT count(*) AS blocks, pg_total_relation_size('log_blocks') AS size FROM log_blocks"
    )
    assert row is not None
    return int(row["blocks"]), int(row["size"])


async def _fed(
    shard: KeeperShard, events: Sequence[Observation], per_s: float, partitions: int, *, polled: bool
) -> Outcome:
    loop = asyncio.get_running_loop()
    outcome = Outcome(len(events), 0, 0)
    turns = _turns(events, max(1, round(per_s * FLUSH_S)), partitions)
    beat_s = len(events) / per_s / max(1, len(turns))
    helpers = [loop.create_task(_ticks(shard))]
    if polled:
        helpers.append(loop.create_task(_follow(shard)))
    calls: list[asyncio.Task[None]] = []
    began = loop.time()
    for number, payload in enumerate(turns):
        await asyncio.sleep(max(0.0, began + number * beat_s - loop.time()))
        calls.append(loop.create_task(_handed_over(shard, payload, outcome)))
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*calls)
    outcome.took_s = loop.time() - began
    outcome.append_p99_ms = float(str(shard.stats()["append_p99_ms"]))
    for task in helpers:
        task.cancel()
    await asyncio.wait(helpers, timeout=5.0)
    return outcome


def _turns(events: Sequence[Observation], per_turn: int, partitions: int) -> list[list[tuple[str, bytes]]]:
    """Payloads of `observe`, encoded beforehand: one batch per partition that has something."""
    sequences: dict[str, int] = {}
    turns = []
    for start in range(0, len(events), per_turn):
        parts: dict[str, list[Observation]] = {}
        for event in events[start : start + per_turn]:
            parts.setdefault(market_partition(event.instrument, partitions), []).append(event)
        turns.append([_encoded(name, part, sequences) for name, part in parts.items()])
    return turns


def _encoded(partition: str, events: list[Observation], sequences: dict[str, int]) -> tuple[str, bytes]:
    sequences[partition] = sequences.get(partition, 0) + 1
    batch = Batch("bench", 1, sequences[partition], events[-1].ts_recv, tuple(events))
    return partition, encode_batch(batch)


async def _handed_over(shard: KeeperShard, payload: list[tuple[str, bytes]], outcome: Outcome) -> None:
    began = time.perf_counter()
    acks = await shard.observe(payload)
    outcome.ack_ms.append(1e3 * (time.perf_counter() - began))
    refused = [ack for ack in acks if not ack.durable]
    if refused:
        raise ValueError(f"refused: {refused[0]!r}")


async def _ticks(shard: KeeperShard) -> None:
    """As the actor's shell does: leases and snapshots."""
    while True:
        await asyncio.sleep(0.1)
        await shard.tick()


async def _follow(shard: KeeperShard) -> None:
    """A gateway: asks for what comes after what it has."""
    after: dict[str, int] = dict(await shard.heads())
    while True:
        reply = await shard.poll(after, 1.0)
        after.update({name: found[-1].offset for name, found in reply.events.items() if found})
        after.update(reply.behind)
        await asyncio.sleep(0.002)
