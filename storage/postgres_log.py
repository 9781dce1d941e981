"""The log on PostgreSQL or TimescaleDB.

An append is one statement, and so one transaction and one round trip, whatever the number of
partitions: it locks the heads in partition order, moves all of them by compare-and-set or none, and
inserts a block for each head it moved. The number of inserted rows tells whether it happened.

On TimescaleDB the log is cut into chunks by recorded time, and a read by offset alone would have to look
into all of them (400 chunks: 90 ms). Recorded time never decreases in a partition, so the first block of
each day is marked in `log_marks`, and every read names the span of time between two marks.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from domain.clock import NS_PER_US
from domain.errors import NotOwner, OutcomeUnknown, Unavailable
from storage.anchors import Anchor
from storage.block import (
    clock_steps_of,
    decode_header,
    encode_header,
    in_partition_order,
    offset_before_the_log,
    require_retained,
)
from storage.event_log import GENESIS_HASH, Block, ClockStep, Head
from storage.log_marks import DAY_NS, FOR_EVER, LogMarks
from storage.pool import LOST, Connection, Pool, domain_errors
from storage.settings import StorageSettings

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_COLUMNS = (
    "partition, first_offset, last_offset, recorded_at, recorded_ns, epoch,"
    " codec, event_count, header, payload, prev_hash, hash"
)
_TYPES = [
    "text",
    "bigint",
    "bigint",
    "timestamptz",
    "bigint",
    "bigint",
    "smallint",
    "integer",
    "bytea",
    "bytea",
    "bytea",
    "bytea",
]
_HEAD = "partition, epoch, owner, head_offset, head_hash, recorded_ns"
_ANCHOR = 'partition, "offset", hash, recorded_ns, dropped_ns, key_id, signature'

# `held` waits for row locks and then looks at the newest version of each head (READ COMMITTED), so
# `moved` sees either every head fit or touches none.
_APPEND = """
WITH input ({columns}) AS (VALUES {values}),
held AS (
    SELECT h.partition, h.recorded_ns FROM log_heads h JOIN input i ON i.partition = h.partition
    WHERE h.epoch = i.epoch AND h.head_offset = i.first_offset - 1 AND h.head_hash = i.prev_hash
    ORDER BY h.partition FOR UPDATE OF h
),
moved AS (
    UPDATE log_heads h SET head_offset = i.last_offset, head_hash = i.hash, recorded_ns = i.recorded_ns
    FROM input i
    WHERE h.partition = i.partition AND (SELECT count(*) FROM held) = {count}
    RETURNING i.*
),
marked AS (
    INSERT INTO log_marks (partition, first_offset, recorded_at)
    SELECT m.partition, m.first_offset, m.recorded_at FROM moved m JOIN held h USING (partition)
    WHERE m.recorded_ns / {day_ns} > h.recorded_ns / {day_ns}
)
INSERT INTO log_blocks ({columns}) SELECT * FROM moved
"""

_CLAIM = f"""
INSERT INTO log_heads (partition, epoch, owner, head_offset, head_hash, recorded_ns)
VALUES ($1, 1, $2, 0, $3, 0)
ON CONFLICT (partition) DO UPDATE SET epoch = log_heads.epoch + 1, owner = $2, claimed_at = now()
RETURNING {_HEAD}
"""  # noqa: S608 - column names only

_CLAIM_AGAIN = f"""
UPDATE log_heads SET epoch = epoch + 1, owner = $2, claimed_at = now()
WHERE partition = $1 AND epoch = $3
RETURNING {_HEAD}
"""  # noqa: S608 - our constants

# The block that holds `after + 1` begins at or before it: the primary key finds it without a scan.
_READ = f"""
SELECT {_COLUMNS} FROM log_blocks
WHERE partition = $1 AND last_offset > $2 AND first_offset <= $3
    AND recorded_at >= $5 AND recorded_at < $6 AND first_offset >= coalesce((
        SELECT max(first_offset) FROM log_blocks
        WHERE partition = $1 AND first_offset <= $2 + 1 AND recorded_at >= $5 AND recorded_at < $6), 0)
ORDER BY first_offset LIMIT $4
"""  # noqa: S608 - our constants

_OFFSET_AT = """
SELECT last_offset FROM log_blocks
WHERE partition = $1 AND recorded_ns <= $2 AND recorded_at >= $3 AND recorded_at <= $4
ORDER BY recorded_ns DESC, first_offset DESC LIMIT 1
"""

_NOTE_STEP = """
INSERT INTO log_clock_steps (partition, recorded_ns, sealed_ns) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_STEPS = """
SELECT partition, recorded_ns, sealed_ns FROM log_clock_steps WHERE recorded_ns > $1 ORDER BY 1, 2
"""

_MAX_OFFSET = 2**63 - 2

SEND_WITHIN_S = 0.5
"""Readers take it that a block is sent so soon after it was stamped; then the head's lock tells of it."""


class PostgresLog:
    """EventLog over a pool. Several may share a database: the heads decide who writes."""

    def __init__(self, pool: Pool, settings: StorageSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._marks = LogMarks(pool)

    async def heads(self, family: str | None = None) -> list[Head]:
        pattern = "%" if family is None else f"{family}/%"
        with domain_errors("read the heads"):
            rows = await self._pool.fetch(
                f"SELECT {_HEAD} FROM log_heads WHERE partition LIKE $1 ORDER BY partition",  # noqa: S608 - our constants
                pattern,
            )
        return [Head(*row) for row in rows]

    async def claim(self, partition: str, owner: str, *, expected_epoch: int | None = None) -> Head:
        timeout_s = self._settings.append_timeout_s
        with domain_errors(f"claim {partition}"):
            if expected_epoch is None:
                row = await self._pool.fetchrow(_CLAIM, partition, owner, GENESIS_HASH, timeout=timeout_s)
            else:
                row = await self._pool.fetchrow(
                    _CLAIM_AGAIN, partition, owner, expected_epoch, timeout=timeout_s
                )
        if row is None:
            raise NotOwner(f"{partition!r} is no longer at epoch {expected_epoch}")
        return Head(*row)

    async def append(self, blocks: Sequence[Block]) -> None:
        ordered = in_partition_order(blocks)
        asked_s = time.monotonic()
        with domain_errors("connect for an append"):
            connection = await self._pool.acquire(timeout=self._settings.connect_timeout_s)
        try:
            if time.monotonic() - asked_s > SEND_WITHIN_S:
                raise Unavailable(f"the blocks are {SEND_WITHIN_S} s old before they are sent: seal anew")
            if steps := clock_steps_of(ordered):
                await self._note(connection, steps)
            status = await self._execute_append(connection, ordered)
        finally:
            await self._pool.release(connection)
        if status != f"INSERT 0 {len(ordered)}":
            names = ", ".join(repr(block.partition) for block in ordered)
            raise NotOwner(f"another writer has moved one of {names}")

    async def _note(self, connection: Connection, steps: Sequence[ClockStep]) -> None:
        """Before the append: one that is noted in vain does no harm, one that is missed would."""
        with domain_errors("note that the clock was set"):
            rows = [(step.partition, step.recorded_ns, step.sealed_ns) for step in steps]
            await connection.executemany(_NOTE_STEP, rows, timeout=self._settings.append_timeout_s)

    async def _execute_append(self, connection: Connection, blocks: Sequence[Block]) -> str:
        arguments = [value for block in blocks for value in _row_of(block)]
        try:
            return await connection.execute(
                _append_statement(len(blocks)), *arguments, timeout=self._settings.append_timeout_s
            )
        except (TimeoutError, *LOST) as error:
            _cut(connection)
            raise OutcomeUnknown(f"no answer to an append: {error!r}") from error
        except asyncio.CancelledError:
            _cut(connection)
            raise
        except asyncpg.UniqueViolationError as error:
            raise NotOwner(f"the log holds that block already: {error}") from error
        except asyncpg.PostgresError as error:  # an error answer: the transaction is rolled back
            raise Unavailable(f"append refused: {error}") from error

    async def read(
        self, partition: str, after: int, *, until: int | None = None, max_blocks: int = 64
    ) -> list[Block]:
        last = _MAX_OFFSET if until is None else until
        with domain_errors(f"read {partition}"):
            since, before = await self._marks.span(partition, after + 1)
            rows = await self._pool.fetch(_READ, partition, after, last, max_blocks, since, before)
            if not rows and (until is not None or before != FOR_EVER):  # maybe it has been dropped
                rows = await self._pool.fetch(_READ, partition, after, _MAX_OFFSET, 1, since, FOR_EVER)
                require_retained(partition, after, [_block_of(row) for row in rows])
                return []
        blocks = [_block_of(row) for row in rows]
        require_retained(partition, after, blocks)
        if blocks:
            self._marks.read(partition, blocks[-1].recorded_ns)
        return blocks

    async def offset_at(self, partition: str, recorded_ns: int) -> int:
        until = recorded_at(recorded_ns)
        with domain_errors(f"look up a time in {partition}"):
            since = await self._marks.at_or_before(partition, until)
            offset: int | None = await self._pool.fetchval(_OFFSET_AT, partition, recorded_ns, since, until)
            if offset is not None:
                return offset
            anchor = (await self.anchors()).get(partition)
        return offset_before_the_log(anchor, partition, recorded_ns)

    async def clock_steps(self, recorded_ns: int) -> list[ClockStep]:
        with domain_errors("read when clocks were set"):
            rows = await self._pool.fetch(_STEPS, recorded_ns)
        return [ClockStep(*row) for row in rows]

    async def settled(self, partition: str) -> Head | None:
        # An append locks the heads that it moves until it has committed: this waits for that.
        with domain_errors(f"wait for an append to {partition}"):
            row = await self._pool.fetchrow(
                f"SELECT {_HEAD} FROM log_heads WHERE partition = $1 FOR SHARE",  # noqa: S608 - our constants
                partition,
            )
        return Head(*row) if row else None

    async def anchors(self) -> dict[str, Anchor]:
        with domain_errors("read the anchors"):
            rows = await self._pool.fetch(f"SELECT {_ANCHOR} FROM log_anchors ORDER BY partition")  # noqa: S608 - our constants
        return {row["partition"]: Anchor(*row) for row in rows}

    async def close(self) -> None:
        """The pool belongs to whoever opened it."""


def _cut(connection: Connection) -> None:
    """Drop a connection whose state is unknown; a lost one has left the pool by itself."""
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


def _append_statement(count: int) -> str:
    width = len(_TYPES)
    rows = (
        ", ".join(f"${row * width + place + 1}::{kind}" for place, kind in enumerate(_TYPES))
        for row in range(count)
    )
    values = ", ".join(f"({row})" for row in rows)
    return _APPEND.format(columns=_COLUMNS, values=values, count=count, day_ns=DAY_NS)


def _row_of(block: Block) -> tuple[Any, ...]:
    return (
        block.partition,
        block.first_offset,
        block.last_offset,
        recorded_at(block.recorded_ns),
        block.recorded_ns,
        block.epoch,
        block.codec,
        block.event_count,
        encode_header(block.header),
        block.payload,
        block.prev_hash,
        block.hash,
    )


def recorded_at(recorded_ns: int) -> dt.datetime:
    """The same time for SQL users, cut to the microsecond."""
    return _EPOCH + dt.timedelta(microseconds=recorded_ns // NS_PER_US)


def _block_of(row: asyncpg.Record) -> Block:
    return Block(
        partition=row["partition"],
        first_offset=row["first_offset"],
        last_offset=row["last_offset"],
        recorded_ns=row["recorded_ns"],
        epoch=row["epoch"],
        codec=row["codec"],
        header=decode_header(row["header"]),
        payload=row["payload"],
        prev_hash=row["prev_hash"],
        hash=row["hash"],
    )
