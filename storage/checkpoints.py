"""How far a projection has come, moved by compare-and-set in the transaction that writes its output."""

from __future__ import annotations

from domain.errors import Conflict
from storage.event_log import Checkpoint
from storage.pool import Connection, Pool, domain_errors
from storage.projections import Output


class PostgresCheckpoints:
    """CheckpointStore on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, projection: str, partition: str) -> Checkpoint:
        with domain_errors(f"load the checkpoint of {projection}"):
            row = await self._pool.fetchrow(
                'SELECT projection, partition, "offset", version FROM checkpoints'
                " WHERE projection = $1 AND partition = $2",
                projection,
                partition,
            )
        return Checkpoint(*row) if row else Checkpoint(projection, partition, 0, 0)

    async def advance(self, seen: Checkpoint, offset: int, output: Output[Connection]) -> Checkpoint:
        with domain_errors(f"advance {seen.projection}"):
            async with self._pool.acquire() as connection, connection.transaction():
                await _move(connection, seen, offset)  # first: it locks the row against a twin
                await output(connection)
        return Checkpoint(seen.projection, seen.partition, offset, seen.version + 1)

    async def restart(self, projection: str, output: Output[Connection]) -> None:
        with domain_errors(f"restart {projection}"):
            async with self._pool.acquire() as connection, connection.transaction():
                # Also against checkpoints that are not there yet: nobody writes one before this is over.
                await connection.execute("LOCK TABLE checkpoints IN SHARE ROW EXCLUSIVE MODE")
                await connection.execute(
                    'UPDATE checkpoints SET "offset" = 0, version = version + 1, moved_at = now()'
                    " WHERE projection = $1",
                    projection,
                )
                await output(connection)


async def _move(connection: Connection, seen: Checkpoint, offset: int) -> None:
    status = await connection.execute(
        'INSERT INTO checkpoints AS c (projection, partition, "offset", version)'
        " SELECT $1, $2, $3, 1 WHERE $4 = 0"
        " ON CONFLICT DO NOTHING"
        if seen.version == 0
        else 'UPDATE checkpoints SET "offset" = $3, version = version + 1, moved_at = now()'
        " WHERE projection = $1 AND partition = $2 AND version = $4",
        seen.projection,
        seen.partition,
        offset,
        seen.version,
    )
    if not status.endswith(" 1"):
        raise Conflict(f"{seen.projection!r} has moved on in {seen.partition!r}")
