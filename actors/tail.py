"""Events of the whole log in the order recorded: what `financehub tail` prints.

Each partition is read a few blocks at a time and all are merged by (recorded time, partition, offset).
Works on a running database and on one that was opened for this alone.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from actors.database import told_which
from domain.envelope import Cursor, Recorded
from domain.ids import market_partition
from storage.block import events_of
from storage.event_log import EventLog
from storage.migrate import inspect
from storage.pool import close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.settings import StorageSettings
from storage.snapshots import PostgresSnapshots

FOLLOW_EVERY_S = 0.2
BLOCKS_A_READ = 16


class Wanted(Struct, frozen=True):
    """What to show. `partition_count` tells which partition an instrument is in."""

    instrument: str | None = None
    kind: str | None = None
    partition_count: int = 0

    def partition(self) -> str | None:
        if self.instrument is None:
            return None
        return market_partition(self.instrument, self.partition_count)

    def fits(self, recorded: Recorded) -> bool:
        event = recorded.event
        if self.kind is not None and event.kind != self.kind:
            return False
        return self.instrument is None or getattr(event, "instrument", None) == self.instrument


class OpenLog:
    """The log of a database, opened for reading. Use as an async context manager.

    Opening it raises Unavailable, FinanceHubError where its schema is not this build's.
    """

    def __init__(self, dsn: str) -> None:
        self._settings = StorageSettings(dsn=dsn)

    async def __aenter__(self) -> OpenLog:
        with told_which(self._settings.dsn):
            await inspect(self._settings)
            self._pool = await open_pool(self._settings)
        self.log = PostgresLog(self._pool, self._settings)
        self.snapshots = PostgresSnapshots(self._pool)
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_pool(self._pool)


async def beginning(log: EventLog) -> Cursor:
    """What lies before it retention has dropped."""
    return Cursor({partition: anchor.offset for partition, anchor in (await log.anchors()).items()})


async def cursor_at(log: EventLog, recorded_ns: int) -> Cursor:
    """The last offsets recorded before a time, over all partitions, appends under way included.

    Raises Gone where retention has dropped what was recorded then.
    """
    offsets: dict[str, int] = {}
    for head in await log.heads():
        await log.settled(head.partition)
        offsets[head.partition] = await log.offset_at(head.partition, recorded_ns - 1)
    return Cursor(offsets)


async def tail(log: EventLog, start: Cursor, wanted: Wanted, *, follow: bool) -> AsyncIterator[Recorded]:
    """Events after `start`; ends at the heads found at the beginning unless `follow`."""
    at = dict(start.offsets)
    while True:
        only = wanted.partition()
        heads = {h.partition: h.offset for h in await log.heads() if only in (None, h.partition)}
        async for recorded in _merged(log, at, heads):
            at[recorded.partition] = recorded.offset
            if wanted.fits(recorded):
                yield recorded
        if not follow:
            return
        await asyncio.sleep(FOLLOW_EVERY_S)


async def _merged(
    log: EventLog, after: Mapping[str, int], until: Mapping[str, int]
) -> AsyncIterator[Recorded]:
    """All partitions up to their heads, merged; holds a few decoded blocks of each."""
    streams = {
        p: _events(log, p, after.get(p, 0), head) for p, head in until.items() if head > after.get(p, 0)
    }
    heap: list[tuple[int, str, int, Recorded]] = []
    for partition, stream in streams.items():
        await _push(heap, partition, stream)
    while heap:
        _, partition, _, recorded = heapq.heappop(heap)
        yield recorded
        await _push(heap, partition, streams[partition])


async def _push(
    heap: list[tuple[int, str, int, Recorded]], partition: str, stream: AsyncIterator[Recorded]
) -> None:
    recorded = await anext(stream, None)
    if recorded is not None:
        heapq.heappush(heap, (recorded.recorded_at, partition, recorded.offset, recorded))


async def _events(log: EventLog, partition: str, after: int, until: int) -> AsyncIterator[Recorded]:
    while after < until:
        blocks = await log.read(partition, after, until=until, max_blocks=BLOCKS_A_READ)
        if not blocks:
            return
        for block in blocks:
            for recorded in events_of(block):
                if after < recorded.offset <= until:
                    yield recorded
        after = blocks[-1].last_offset
