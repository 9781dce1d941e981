"""Time travel: a market partition as it was at any offset, out of a snapshot and the tail after it.

    newest snapshot at or below the offset that fits  ->  verified blocks after it  ->  the state

A snapshot fits where its fold version is this build's and its block hash is in the log. An offset may lie
inside a block, even inside a batch: then the state has the events up to it and nothing of the rest.
Runs in the Reader pool, never in a shard; gives the event loop a turn after each block.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from actors.restore import decode_market_events, out_of_reach, state_of
from domain.envelope import Admitted, MarketEvent
from domain.errors import Corrupt, Gone, Unavailable
from domain.keeper_state import PartitionSettings
from domain.partition import FOLD_VERSION, MarketPartition
from storage.block import verify_chain
from storage.event_log import GENESIS_HASH, Block, EventLog, Snapshot, SnapshotStore

READ_BLOCKS = 64


class Position:
    """A partition's state on its way through the log.

    `boundary` and `block_hash`: the end of the last block applied whole; `offset`: the last event.
    """

    def __init__(self, market: MarketPartition, boundary: int, block_hash: bytes, recorded_ns: int) -> None:
        self.market = market
        self.boundary = boundary
        self.block_hash = block_hash
        self.offset = boundary
        self.recorded_ns = recorded_ns

    def apply(self, block: Block, until: int) -> None:
        """Verify the next block and fold its events up to `until`. Raises Corrupt."""
        boundary, block_hash = verify_chain([block], self.boundary, self.block_hash)
        for admitted, events in batches_of(block, until):
            self.market.apply(admitted, events)
        if until >= boundary:
            self.boundary, self.block_hash = boundary, block_hash
        self.offset = min(boundary, until)
        self.recorded_ns = block.recorded_ns

    @property
    def whole(self) -> bool:
        """Whether the next block can be applied."""
        return self.offset == self.boundary


def batches_of(block: Block, until: int) -> list[tuple[Admitted, list[MarketEvent]]]:
    """A market block's batches as they were admitted, the last one cut after offset `until`.

    Raises Corrupt where the header's counts and the payload differ.
    """
    events = decode_market_events(block)
    if sum(admitted.count for admitted in block.header.batches) != len(events):
        raise Corrupt(f"block {block.first_offset} of {block.partition!r} has events of no batch")
    wanted = min(len(events), until - block.first_offset + 1)
    batches: list[tuple[Admitted, list[MarketEvent]]] = []
    start = 0
    for admitted in block.header.batches:
        if start == wanted < len(events):
            break
        chosen = events[start : min(start + admitted.count, wanted)]
        batches.append(
            (admitted if len(chosen) == admitted.count else replace(admitted, count=len(chosen)), chosen)
        )
        start += len(chosen)
    return batches


async def starting_point(
    log: EventLog,
    snapshots: SnapshotStore,
    partition: str,
    offset: int,
    settings: PartitionSettings,
    damage: list[Corrupt] | None = None,
) -> Position:
    """The newest fitting snapshot at or below an offset, else the partition before its first event.

    What was found damaged on the way is added to `damage`.
    """
    at_most = offset
    while at_most > 0:
        snapshot = await snapshots.latest(partition, at_most=at_most)
        if snapshot is None:
            break
        market = await _fitting(log, snapshot, settings, damage)
        if market is not None:
            return Position(market, snapshot.offset, snapshot.block_hash, snapshot.recorded_ns)
        at_most = snapshot.offset - 1
    return Position(MarketPartition(partition, settings), 0, GENESIS_HASH, 0)


async def _fitting(
    log: EventLog, snapshot: Snapshot, settings: PartitionSettings, damage: list[Corrupt] | None
) -> MarketPartition | None:
    if snapshot.fold_version != FOLD_VERSION or not await _of_this_log(log, snapshot):
        return None
    return await state_of(snapshot, settings, damage)


async def _of_this_log(log: EventLog, snapshot: Snapshot) -> bool:
    """Whether the block that ends at the snapshot's offset has the snapshot's hash.

    The block after it says so too, and may be all that retention has left.
    """
    partition, offset, block_hash = snapshot.partition, snapshot.offset, snapshot.block_hash
    following = await log.read(partition, offset, until=offset + 1, max_blocks=1)
    if following:
        return (following[0].first_offset, following[0].prev_hash) == (offset + 1, block_hash)
    last = await log.read(partition, offset - 1, until=offset, max_blocks=1)
    return bool(last) and (last[0].last_offset, last[0].hash) == (offset, block_hash)


async def advance(log: EventLog, position: Position, offset: int) -> None:
    """Apply what lies between the position and an offset. Raises Corrupt, Unavailable."""
    name = position.market.name
    while position.offset < offset:
        page = await log.read(name, position.offset, until=offset, max_blocks=READ_BLOCKS)
        if not page:
            raise Corrupt(f"the log of {name!r} has nothing after {position.offset}, {offset} was asked for")
        for block in page:
            position.apply(block, offset)
            await asyncio.sleep(0)


async def partition_at(
    log: EventLog, snapshots: SnapshotStore, partition: str, offset: int, settings: PartitionSettings
) -> MarketPartition:
    """The folded state after exactly the events up to `offset`. Raises as `resumed`."""
    return (await resumed(log, snapshots, partition, offset, settings)).market


async def resumed(
    log: EventLog, snapshots: SnapshotStore, partition: str, offset: int, settings: PartitionSettings
) -> Position:
    """The partition at an offset, from the nearest snapshot.

    Raises Corrupt where what leads there is damaged, Gone where retention has dropped it, Unavailable.
    """
    damage: list[Corrupt] = []
    position = await starting_point(log, snapshots, partition, offset, settings, damage)
    try:
        await advance(log, position, offset)
    except Gone as gone:
        if offset < gone.kept_from - 1:
            raise  # it was asked for what is dropped
        raise await out_of_reach(log, snapshots, partition, gone, damage) from None
    return position


class HistorySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[history]` of financehub.toml."""

    resumes: int = 1
    """States rebuilt at the same time in this process, which has one core."""
    wait_s: float = 10.0
    """How long a question waits for its turn."""
    kept: int = 2
    """Rebuilt partitions kept to go on from: scrubbing forward in time then costs only the difference."""


class History:
    """Answers what a partition was, a bounded number of questions at a time."""

    def __init__(
        self,
        log: EventLog,
        snapshots: SnapshotStore,
        fold: PartitionSettings | None = None,
        settings: HistorySettings | None = None,
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._fold = fold or PartitionSettings()
        self._settings = settings or HistorySettings()
        self._turns = asyncio.Semaphore(self._settings.resumes)
        self._kept: OrderedDict[str, Position] = OrderedDict()

    @asynccontextmanager
    async def at(self, partition: str, offset: int) -> AsyncIterator[Position]:
        """The partition at an offset, to be read while the context lasts.

        Raises Unavailable where no turn came in time, Corrupt, Rejected below the retained log.
        """
        await self._turn(partition)
        try:
            position = await self._resume(partition, offset)
            yield position
            self._keep(partition, position)
        finally:
            self._turns.release()

    async def _turn(self, partition: str) -> None:
        try:
            async with asyncio.timeout(self._settings.wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable(
                f"too many ask for the past of {partition!r} and others; come back later"
            ) from None

    async def _resume(self, partition: str, offset: int) -> Position:
        """From the kept position where no snapshot is nearer."""
        kept = self._kept.pop(partition, None)
        if kept is not None and kept.whole and kept.boundary <= offset:
            rungs = await self._snapshots.ladder(partition)
            if not any(kept.boundary < rung.offset <= offset for rung in rungs):
                await advance(self._log, kept, offset)
                return kept
        return await resumed(self._log, self._snapshots, partition, offset, self._fold)

    def _keep(self, partition: str, position: Position) -> None:
        self._kept[partition] = position
        while len(self._kept) > self._settings.kept:
            self._kept.popitem(last=False)
