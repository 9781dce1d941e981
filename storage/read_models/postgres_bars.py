"""The `bars` table: see `bars.py` for what a row is and how bars are rolled up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import astuple

from domain.clock import NS_PER_MIN
from domain.envelope import Recorded
from storage.pool import Connection, Pool, domain_errors
from storage.read_models.bars import (
    BASE,
    KINDS,
    MAX_ROWS,
    BarRun,
    Bucket,
    Key,
    ListedRun,
    Source,
    StoredBar,
    buckets_of,
    key_of,
    late,
    newest,
)
from storage.read_models.postgres_bars_run import RUN, SentRun

_COLUMNS = StoredBar.__struct_fields__
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_TYPES = (
    *("text", "text", "bigint", "bigint", "text"),
    *("float8", "float8", "float8", "float8", "float8"),
    *("bigint", "float8", "bool", "bool", "bigint", "bool", "smallint"),
)
_SOURCES = {each.value: each for each in Source}
_ARRAYS = ", ".join(f"${place + 1}::{kind}[]" for place, kind in enumerate(_TYPES))
_SET = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS[3:])

_UPSERT = f"""
INSERT INTO bars AS b ({_NAMES}) SELECT * FROM unnest({_ARRAYS})
ON CONFLICT (instrument, "interval", ts_event) DO UPDATE SET {_SET}
WHERE (excluded.source, excluded.revision) >= (b.source, b.revision)
"""  # noqa: S608 - column names only

_TAINT = f"""
UPDATE bars b SET tainted = true, source = least(b.source, {Source.BUILT_OVER_A_GAP.value}::smallint)
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t(instrument, "interval", ts_event)
WHERE b.instrument = t.instrument AND b."interval" = t."interval" AND b.ts_event = t.ts_event
RETURNING b.instrument, b."interval", b.ts_event
"""  # noqa: S608 - our constants

# `bars.rolled_up` in SQL. Sums run oldest first, so that they come out as in Python. A bucket beside
# which a provider's own bar stands is left to it.
_ROLL_UP = f"""
WITH touched AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
        AS t(instrument, "interval", start, "end")
),
reached AS (
    SELECT instrument, max(newest.ts_event) + {NS_PER_MIN} AS ns
    FROM (SELECT DISTINCT instrument FROM touched) i
    CROSS JOIN LATERAL (
        SELECT ts_event FROM bars b WHERE b.instrument = i.instrument AND b."interval" = '{BASE}'
        ORDER BY ts_event DESC LIMIT 1
    ) newest
    GROUP BY instrument
),
closing AS (
    UPDATE bars b SET closed = true
    FROM (SELECT DISTINCT instrument, "interval", "end" - start AS length FROM touched) t
    JOIN reached r USING (instrument)
    WHERE b.instrument = t.instrument AND b."interval" = t."interval" AND NOT b.closed
        AND b.ts_event + t.length <= r.ns
        AND (b.instrument, b."interval", b.ts_event) NOT IN (
            SELECT instrument, "interval", start FROM touched)
)
INSERT INTO bars AS b ({_NAMES})
SELECT t.instrument, t."interval", t.start, max(m.ts_recv),
    (array_agg(m.provider ORDER BY m.ts_event DESC))[1],
    (array_agg(m.open ORDER BY m.ts_event))[1], max(m.high), min(m.low),
    (array_agg(m.close ORDER BY m.ts_event DESC))[1],
    sum(m.volume ORDER BY m.ts_event),
    CASE WHEN count(m.trades) = count(*) THEN sum(m.trades)::bigint END,
    CASE WHEN sum(m.volume) > 0 AND bool_and(m.vwap IS NOT NULL OR m.volume = 0)
        THEN sum(m.vwap * m.volume ORDER BY m.ts_event) FILTER (WHERE m.volume > 0)
            / sum(m.volume ORDER BY m.ts_event) END,
    r.ns >= t."end", bool_or(m.adjusted), sum(m.revision)::bigint, bool_or(m.tainted),
    {Source.ROLLED_UP.value}
FROM touched t
JOIN reached r USING (instrument)
JOIN bars m ON m.instrument = t.instrument AND m."interval" = '{BASE}'
    AND m.ts_event >= t.start AND m.ts_event < t."end"
GROUP BY t.instrument, t."interval", t.start, t."end", r.ns
ON CONFLICT (instrument, "interval", ts_event) DO UPDATE SET {_SET}
WHERE b.source = {Source.ROLLED_UP.value}
"""  # noqa: S608 - our constants

_QUERY = f"""
SELECT {_NAMES} FROM bars
WHERE instrument = $1 AND "interval" = $2 AND ts_event >= $3 AND ts_event < $4
ORDER BY ts_event LIMIT $5
"""  # noqa: S608 - our constants

_NTH_BEFORE = """
SELECT ts_event FROM bars WHERE instrument = $1 AND "interval" = $2 AND ts_event < $3
ORDER BY ts_event DESC OFFSET $4 LIMIT 1
"""


class PostgresBars:
    """The projection into the `bars` table, and its query."""

    name = "bars"
    kinds = KINDS

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def apply(self, connection: Connection, partition: str, recorded: Sequence[Recorded]) -> None:
        rows = newest(recorded)
        touched = list(map(key_of, rows))
        if rows:
            await connection.execute(_UPSERT, *map(list, zip(*map(astuple, rows), strict=True)))
        if lacking := late(recorded):
            touched += [
                (row[0], row[1], row[2]) for row in await connection.fetch(_TAINT, *_columns_of(lacking))
            ]
        if buckets := buckets_of(touched):
            await connection.execute(_ROLL_UP, *_columns_of(buckets))

    async def clear(self, connection: Connection) -> None:
        """Drop all rows, to be made again; commits nothing itself."""
        await connection.execute("DELETE FROM bars")

    async def bars(
        self, instrument: str, interval: str, start: int, end: int, limit: int = MAX_ROWS
    ) -> list[StoredBar]:
        """start <= ts_event < end, oldest first, the first `limit`."""
        with domain_errors("query bars"):
            rows = await self._pool.fetch(_QUERY, instrument, interval, start, end, limit)
        return [StoredBar(*(*row[:-1], _SOURCES[row[-1]])) for row in rows]

    async def run(self, instrument: str, interval: str, start: int, end: int, limit: int) -> BarRun:
        """The same bars as a run, which costs a tenth of making them."""
        with domain_errors("query bars"):
            sent = await self._pool.fetchval(RUN, instrument, interval, start, end, limit)
        return SentRun(instrument, interval, sent) if sent else ListedRun(())

    async def nth_before(self, instrument: str, interval: str, before: int, count: int) -> int | None:
        """Start of the `count`th bar (from 1) counted back from before a time; None: there are fewer."""
        with domain_errors("query bars"):
            found: int | None = await self._pool.fetchval(
                _NTH_BEFORE, instrument, interval, before, count - 1
            )
        return found


def _columns_of(rows: Sequence[Bucket] | Sequence[Key]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
