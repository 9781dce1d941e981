"""Folded states of partitions, compressed, in PostgreSQL."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from domain.errors import Corrupt
from storage import codec
from storage.event_log import Snapshot
from storage.ladder import too_many
from storage.pool import Pool, domain_errors

_SAVE = """
INSERT INTO snapshots (partition, "offset", block_hash, fold_version, recorded_ns, state)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (partition, "offset") DO UPDATE SET block_hash = excluded.block_hash,
    fold_version = excluded.fold_version, recorded_ns = excluded.recorded_ns, state = excluded.state
"""
_LATEST = """
SELECT partition, "offset", block_hash, fold_version, recorded_ns, state FROM snapshots
WHERE partition = $1 AND "offset" <= $2 ORDER BY "offset" DESC LIMIT 1
"""
_LADDER = """
SELECT partition, "offset", block_hash, fold_version, recorded_ns, ''::bytea FROM snapshots
WHERE partition = $1 ORDER BY "offset"
"""
_DROP = 'DELETE FROM snapshots WHERE partition = $1 AND "offset" = ANY($2::bigint[])'
_MAX_OFFSET = 2**63 - 1


class PostgresSnapshots:
    """SnapshotStore on PostgreSQL; states are compressed off the event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def save(self, snapshot: Snapshot) -> None:
        state = await asyncio.to_thread(codec.compress, snapshot.state)
        partition = snapshot.partition
        with domain_errors(f"save a snapshot of {partition}"):
            async with self._pool.acquire() as connection, connection.transaction():
                fields = (snapshot.block_hash, snapshot.fold_version, snapshot.recorded_ns, state)
                await connection.execute(_SAVE, partition, snapshot.offset, *fields)
                rows = await connection.fetch(_LADDER, partition)
                drop = too_many([Snapshot(*row) for row in rows], snapshot.recorded_ns)
                if drop:
                    await connection.execute(_DROP, partition, drop)

    async def latest(self, partition: str, *, at_most: int | None = None) -> Snapshot | None:
        limit = _MAX_OFFSET if at_most is None else at_most
        with domain_errors(f"load a snapshot of {partition}"):
            row = await self._pool.fetchrow(_LATEST, partition, limit)
        if row is None:
            return None
        return replace(Snapshot(*row), state=await asyncio.to_thread(_decompressed, row["state"]))

    async def ladder(self, partition: str) -> list[Snapshot]:
        with domain_errors(f"list the snapshots of {partition}"):
            rows = await self._pool.fetch(_LADDER, partition)
        return [Snapshot(*row) for row in rows]


def _decompressed(stored: bytes) -> bytes:
    """Empty where it is damaged: no state either, and an older snapshot or the log has one."""
    try:
        return codec.decompress(stored)
    except Corrupt:
        return b""
