"""Counting and dropping old blocks on PostgreSQL and TimescaleDB, as the maintenance role.

Blocks are deleted on both: a hypertable's chunks hold all partitions, each of which is kept from another
offset. Vacuum makes the room free for new blocks, so files stop growing; they do not shrink.
"""

from __future__ import annotations

from domain.errors import Conflict
from storage.anchors import Anchor, require_key
from storage.pool import Connection, Pool, domain_errors
from storage.postgres_log import recorded_at
from storage.retention import SLICE_BLOCKS, SLICE_NS, Slice

ROW_BYTES = 300
"""A row and its two index entries, beside header and payload: measured over blocks of two events."""

_SLICE = "partition, first_offset, last_offset, recorded_ns, blocks, bytes"

# Blocks after what is counted, as many of one day as fit into one slice; at least one.
_NEXT = f"""
WITH following AS (
    SELECT first_offset, last_offset, recorded_ns,
        {ROW_BYTES} + octet_length(header) + octet_length(payload) AS bytes
    FROM log_blocks WHERE partition = $1 AND first_offset > $2 AND recorded_at >= $3
    ORDER BY first_offset LIMIT $4
), summed AS (
    SELECT *, sum(bytes) OVER in_order AS so_far, row_number() OVER in_order AS nth,
        recorded_ns / {SLICE_NS} - first_value(recorded_ns / {SLICE_NS}) OVER in_order AS days
    FROM following WINDOW in_order AS (ORDER BY first_offset)
)
SELECT min(first_offset), max(last_offset), max(recorded_ns), count(*)::integer, sum(bytes)::bigint
FROM summed WHERE nth = 1 OR (so_far <= $5 AND days = 0)
"""  # noqa: S608 - numbers
_KEEP = f"""
INSERT INTO log_slices ({_SLICE}) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (partition, first_offset) DO UPDATE SET last_offset = excluded.last_offset,
    recorded_ns = excluded.recorded_ns, blocks = excluded.blocks, bytes = excluded.bytes
"""  # noqa: S608 - column names
_OTHERS = """
SELECT pg_database_size(current_database()) - coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
FROM pg_class WHERE oid = 'log_blocks'::regclass
    OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'log_blocks'::regclass)
"""
_ANCHOR = """
INSERT INTO log_anchors (partition, "offset", hash, recorded_ns, dropped_ns, key_id, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (partition) DO UPDATE SET "offset" = excluded."offset", hash = excluded.hash,
    recorded_ns = excluded.recorded_ns, dropped_ns = excluded.dropped_ns, key_id = excluded.key_id,
    signature = excluded.signature
WHERE log_anchors."offset" < excluded."offset"
"""
_OLD_MARKS = """
DELETE FROM log_marks WHERE partition = $1 AND first_offset < (
    SELECT max(first_offset) FROM log_marks WHERE partition = $1 AND first_offset <= $2 + 1)
"""
_OLD_ROWS = 'DELETE FROM events WHERE partition = $1 AND "offset" <= $2'


class PostgresRetention:
    """Retention over a pool of the maintenance role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def slices(self, slice_bytes: int) -> list[Slice]:
        with domain_errors("count the log"):
            heads = await self._pool.fetch("SELECT partition, head_offset FROM log_heads")
            for partition, head in heads:
                await self._count(partition, head, slice_bytes)
            rows = await self._pool.fetch(
                f"SELECT {_SLICE} FROM log_slices ORDER BY recorded_ns, partition, first_offset"  # noqa: S608 - our constants
            )
        return [Slice(*row) for row in rows]

    async def _count(self, partition: str, head: int, slice_bytes: int) -> None:
        """Take what was appended since into the last slice while it has room, then into new ones."""
        row = await self._pool.fetchrow(
            f"SELECT {_SLICE} FROM log_slices WHERE partition = $1 ORDER BY first_offset DESC LIMIT 1",  # noqa: S608 - our constants
            partition,
        )
        last = Slice(*row) if row else await self._nothing(partition)
        while last.last_offset < head:
            found = await self._following(last, slice_bytes)
            if found is None:
                return
            fits = last.blocks + found.blocks <= SLICE_BLOCKS and last.bytes + found.bytes <= slice_bytes
            same_day = last.recorded_ns // SLICE_NS == found.recorded_ns // SLICE_NS
            last = _joined(last, found) if last.blocks and fits and same_day else found
            await self._pool.execute(_KEEP, *_fields(last))

    async def _nothing(self, partition: str) -> Slice:
        dropped = await self._pool.fetchval(
            'SELECT "offset" FROM log_anchors WHERE partition = $1', partition
        )
        return Slice(partition, 0, dropped or 0, 0, 0, 0)

    async def _following(self, last: Slice, slice_bytes: int) -> Slice | None:
        since = recorded_at(last.recorded_ns)
        room = slice_bytes - last.bytes if last.bytes < slice_bytes else slice_bytes
        row = await self._pool.fetchrow(_NEXT, last.partition, last.last_offset, since, SLICE_BLOCKS, room)
        return Slice(last.partition, *row) if row is not None and row[0] is not None else None

    async def other_bytes(self) -> int:
        with domain_errors("measure the database"):
            size: int = await self._pool.fetchval(_OTHERS)
        return size

    async def drop(self, anchor: Anchor) -> None:
        with domain_errors(f"drop old blocks of {anchor.partition}"):
            async with self._pool.acquire() as connection, connection.transaction():
                await _require_key(connection, anchor)
                await _require_end(connection, anchor)
                await _delete(connection, anchor)
                await _keep(connection, anchor)


async def _require_key(connection: Connection, anchor: Anchor) -> None:
    """Of two instances that begin at once one is first: whoever drops waits for who is at it."""
    await connection.execute("LOCK TABLE log_anchors IN SHARE ROW EXCLUSIVE MODE")
    rows = await connection.fetch("SELECT DISTINCT key_id FROM log_anchors")
    require_key(anchor.key_id, [row["key_id"] for row in rows])


async def _require_end(connection: Connection, anchor: Anchor) -> None:
    """A block ends where the anchor says, and the one after it is there too: the head's is never dropped."""
    hashes = await connection.fetch(
        "SELECT hash FROM log_blocks WHERE partition = $1 AND last_offset = $2 AND recorded_at = $3"
        " AND first_offset <= $2",
        anchor.partition,
        anchor.offset,
        recorded_at(anchor.recorded_ns),
    )
    head = await connection.fetchval(
        "SELECT head_offset FROM log_heads WHERE partition = $1", anchor.partition
    )
    if [row["hash"] for row in hashes] != [anchor.hash] or head <= anchor.offset:
        raise Conflict(f"no block of {anchor.partition!r} that could be dropped ends at {anchor.offset}")


async def _delete(connection: Connection, anchor: Anchor) -> None:
    # Where a trigger stands in for the role, it lets the archivist through by this.
    await connection.execute("SELECT set_config('financehub.archivist', 'on', true)")
    await connection.execute(
        "DELETE FROM log_blocks WHERE partition = $1 AND first_offset <= $2 AND recorded_at <= $3",
        anchor.partition,
        anchor.offset,
        recorded_at(anchor.recorded_ns),
    )
    below = [
        "DELETE FROM log_slices WHERE partition = $1 AND last_offset <= $2",
        'DELETE FROM snapshots WHERE partition = $1 AND "offset" < $2',
        _OLD_MARKS,
    ]
    if anchor.partition.startswith("access/"):
        below.append(_OLD_ROWS)  # as a condition in SQL it would fail: TimescaleDB cannot plan it
    for statement in below:
        await connection.execute(statement, anchor.partition, anchor.offset)


async def _keep(connection: Connection, anchor: Anchor) -> None:
    """Raises Conflict where another archivist has meanwhile gone further: an anchor never goes back."""
    status = await connection.execute(
        _ANCHOR,
        anchor.partition,
        anchor.offset,
        anchor.hash,
        anchor.recorded_ns,
        anchor.dropped_ns,
        anchor.key_id,
        anchor.signature,
    )
    if status != "INSERT 0 1":
        raise Conflict(f"{anchor.partition!r} was dropped beyond {anchor.offset} by somebody else")


def _joined(first: Slice, second: Slice) -> Slice:
    return Slice(
        first.partition,
        first.first_offset,
        second.last_offset,
        second.recorded_ns,
        first.blocks + second.blocks,
        first.bytes + second.bytes,
    )


def _fields(one: Slice) -> tuple[object, ...]:
    return (one.partition, one.first_offset, one.last_offset, one.recorded_ns, one.blocks, one.bytes)
