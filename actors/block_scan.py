"""A walk through one partition's blocks that decodes only what is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from actors.block_cache import BlockCache, DecodedBlock
from domain.envelope import Recorded
from domain.errors import Corrupt
from storage.block import events_of
from storage.event_log import Block, BlockHeader, EventLog

FIRST_READ = 8
"""Blocks of the first read; each further one asks for twice as many, so that short answers stay cheap."""
LARGEST_READ = 64

Wanted = Callable[[BlockHeader], bool]


def every_block(_: BlockHeader) -> bool:
    return True


def holds(
    *,
    instrument: str | None = None,
    kinds: Sequence[str] = (),
    start: int | None = None,
    end: int | None = None,
) -> Wanted:
    """Whether a block may hold an event of the instrument and of any of the kinds (none named: all kinds)
    with start <= ts_event < end."""
    names = frozenset(kinds)

    def wanted(header: BlockHeader) -> bool:
        return (
            (instrument is None or instrument in header.instruments)
            and (not names or not names.isdisjoint(header.kinds))
            and (start is None or header.max_ts_event >= start)
            and (end is None or header.min_ts_event < end)
        )

    return wanted


class BlockScan:
    """Reads blocks from the log, or from the cache where they are there already."""

    def __init__(self, log: EventLog, cache: BlockCache) -> None:
        self._log = log
        self._cache = cache
        self.decoded = 0
        self.skipped = 0

    async def blocks(
        self, partition: str, after: int, until: int | None, wanted: Wanted = every_block
    ) -> AsyncIterator[tuple[int, Sequence[Recorded]]]:
        """(last offset, events) of each block that holds offsets > `after` and <= `until`, in order.

        Events are those of the whole block, none where its header was not wanted. Raises Corrupt where
        offsets are missing, Rejected below the retained log.
        """
        batch = FIRST_READ
        while until is None or after < until:
            cached = self._cache.covering(partition, after + 1)
            if cached is not None:
                after = cached.last_offset
                yield after, cached.events if wanted(cached.header) else ()
                continue
            found = await self._log.read(partition, after, until=until, max_blocks=batch)
            for block in found:
                _require_next(block, after)
                after = block.last_offset
                yield after, self._events(block) if wanted(block.header) else ()
            if not found:
                return
            batch = min(2 * batch, LARGEST_READ)

    def _events(self, block: Block) -> Sequence[Recorded]:
        known = self._cache.block(block.partition, block.first_offset)
        if known is not None:
            return known.events
        events = events_of(block)
        self.decoded += 1
        self._cache.put(
            DecodedBlock(block.partition, block.first_offset, block.last_offset, block.header, events)
        )
        return events


def _require_next(block: Block, after: int) -> None:
    if not block.first_offset <= after + 1 <= block.last_offset:
        raise Corrupt(
            f"{block.partition!r} lacks offset {after + 1}: the next block begins at {block.first_offset}"
        )
