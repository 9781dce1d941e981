"""The `events` table: see `events.py` for what a row is."""

from __future__ import annotations

from collections.abc import Sequence

from domain.envelope import Recorded
from storage.pool import Connection, Pool, domain_errors
from storage.postgres_log import recorded_at
from storage.read_models.events import KINDS, MAX_ROWS, StoredEvent, rows_of

_INSERT = """
INSERT INTO events (partition, "offset", kind, instrument, ts_event, recorded_at, body)
SELECT partition, "offset", kind, instrument, ts_event, recorded_at, body::jsonb
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[])
    AS t(partition, "offset", kind, instrument, ts_event, recorded_at, body)
ON CONFLICT DO NOTHING
"""
_QUERY = """
SELECT partition, "offset", kind, instrument, ts_event,
    (extract(epoch FROM recorded_at) * 1000000)::bigint * 1000, body::text FROM events
WHERE instrument = $1 AND (cardinality($2::text[]) = 0 OR kind = ANY($2))
    AND ts_event >= $3 AND ts_event < $4 AND (ts_event > $3 OR "offset" > $6)
ORDER BY ts_event, "offset" LIMIT $5
"""


class PostgresEvents:
    """The projection into the `events` table, and its query."""

    name = "events"
    kinds = KINDS

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def apply(self, connection: Connection, partition: str, recorded: Sequence[Recorded]) -> None:
        rows = rows_of(recorded)
        if not rows:
            return
        await connection.execute(
            _INSERT,
            [row.partition for row in rows],
            [row.offset for row in rows],
            [row.kind for row in rows],
            [row.instrument for row in rows],
            [row.ts_event for row in rows],
            [recorded_at(row.recorded_ns) for row in rows],
            [row.body for row in rows],
        )

    async def clear(self, connection: Connection) -> None:
        """Drop all rows, to be made again; commits nothing itself."""
        await connection.execute("DELETE FROM events")

    async def events(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int = MAX_ROWS,
        after_offset: int = 0,
    ) -> list[StoredEvent]:
        """start <= ts_event < end, by (ts_event, offset), the first `limit`; no kinds means all.

        Of those at `start` only what has a larger offset than `after_offset`: where a page goes on.
        `recorded_ns` is cut to the microsecond here; the log has it in full.
        """
        with domain_errors("query events"):
            rows = await self._pool.fetch(_QUERY, instrument, list(kinds), start, end, limit, after_offset)
        return [StoredEvent(*row) for row in rows]
