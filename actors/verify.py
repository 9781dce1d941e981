"""Is the log what was written, and do snapshots say what it says? `financehub verify`.

Each partition is read once from its first block to its head, block by block:

    dense         offsets 1, 2, ... without a hole, as far as the head says and no further
    hash_ok       every block is what was sealed and follows the one before it; the head ends the chain
    state_equal   market partitions: the full replay equals every snapshot of this build at its offset,
                  and the newest one plus its tail equals it at the head

Reading stops at the first fault of a partition; what lies behind it cannot be judged.
"""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec import Struct

from actors.history import batches_of
from domain.errors import Conflict, Corrupt, Rejected
from domain.keeper_state import PartitionSettings
from domain.partition import FOLD_VERSION, MarketPartition
from storage.block import events_of
from storage.block import verify as verify_block
from storage.event_log import GENESIS_HASH, Block, EventLog, Head, Snapshot, SnapshotStore

READ_BLOCKS = 16
"""Blocks in memory at a time: a few MB."""


class PartitionVerdict(Struct, frozen=True):
    """`blocks` and `events` were found good. `state_equal` None: no market partition, or not reached.

    `first_divergence`: the first offset that cannot be trusted; None without a fault.
    """

    partition: str
    head: int
    blocks: int
    events: int
    dense: bool
    hash_ok: bool
    state_equal: bool | None
    first_divergence: int | None

    @property
    def ok(self) -> bool:
        return self.first_divergence is None


async def verify(
    log: EventLog, snapshots: SnapshotStore, settings: PartitionSettings | None = None
) -> list[PartitionVerdict]:
    """A verdict for every partition that was ever claimed, by name. Raises Unavailable.

    `settings` are those of the market partitions' fold. While the system runs, events appended
    meanwhile are left out.
    """
    fold = settings or PartitionSettings()
    return [await _verdict(log, snapshots, head, fold) for head in await log.heads()]


async def _verdict(
    log: EventLog, snapshots: SnapshotStore, head: Head, settings: PartitionSettings
) -> PartitionVerdict:
    chain = _Chain(head)
    state = None
    if head.partition.startswith("market/"):
        state = _States(head, settings, await snapshots.ladder(head.partition), snapshots)
    while chain.fault_at is None and chain.offset < head.offset:
        for block in await _page(log, chain):
            if not chain.follow(block):
                break
            if state is not None:
                await state.follow(block)
            await asyncio.sleep(0)
    if chain.fault_at is None:
        await chain.end(log)
    return _judged(chain, state)


def _judged(chain: _Chain, state: _States | None) -> PartitionVerdict:
    diverged = None if state is None else state.diverged_at
    faults = [offset for offset in (chain.fault_at, diverged) if offset is not None]
    equal: bool | None = None
    if diverged is not None:
        equal = False
    elif state is not None and chain.fault_at is None:
        equal = True
    return PartitionVerdict(
        partition=chain.head.partition,
        head=chain.head.offset,
        blocks=chain.blocks,
        events=chain.offset,
        dense=chain.dense,
        hash_ok=chain.hash_ok,
        state_equal=equal,
        first_divergence=min(faults, default=None),
    )


async def _page(log: EventLog, chain: _Chain) -> list[Block]:
    """The next blocks; a hole ends the chain."""
    try:
        page = await log.read(
            chain.head.partition, chain.offset, until=chain.head.offset, max_blocks=READ_BLOCKS
        )
    except (Rejected, Corrupt):
        page = []
    if not page:
        chain.hole()
    return page


class _Chain:
    """Offsets and hashes of one partition, followed from its first block."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.offset = 0
        self.blocks = 0
        self.dense = True
        self.hash_ok = True
        self.fault_at: int | None = None
        self._hash = GENESIS_HASH

    def follow(self, block: Block) -> bool:
        """Take the next block; False where it does not fit."""
        if block.first_offset != self.offset + 1 or not self.offset < block.last_offset <= self.head.offset:
            self.hole()
            return False
        try:
            verify_block(block, self._hash)
            events_of(block)
        except Corrupt:
            self._broken()
            return False
        self.offset, self._hash = block.last_offset, block.hash
        self.blocks += 1
        return True

    def hole(self) -> None:
        """The next offset is missing, or in the wrong place."""
        self.dense = False
        self.fault_at = self.offset + 1

    async def end(self, log: EventLog) -> None:
        """The head is where the chain ends, and nothing was slipped in behind it."""
        if self._hash != self.head.hash:
            self._broken()
            return
        behind = await log.read(self.head.partition, self.head.offset, max_blocks=1)
        family = self.head.partition.partition("/")[0]
        heads = {head.partition: head.offset for head in await log.heads(family)}
        if behind and heads[self.head.partition] == self.head.offset:
            self.hole()

    def _broken(self) -> None:
        self.hash_ok = False
        self.fault_at = min(self.offset + 1, max(1, self.head.offset))


class _States:
    """The full replay of a market partition beside what its snapshots say."""

    def __init__(
        self, head: Head, settings: PartitionSettings, ladder: list[Snapshot], snapshots: SnapshotStore
    ) -> None:
        self.diverged_at: int | None = None
        self._head = head
        self._settings = settings
        self._snapshots = snapshots
        self._rungs = deque(
            rung.offset for rung in ladder if rung.fold_version == FOLD_VERSION and rung.offset <= head.offset
        )
        self._replayed = MarketPartition(head.partition, settings)
        self._resumed: MarketPartition | None = None

    async def follow(self, block: Block) -> None:
        if self.diverged_at is not None:
            return
        try:
            self._apply(block)
            await self._compare(block)
        except (Corrupt, Conflict):
            self.diverged_at = block.first_offset

    def _apply(self, block: Block) -> None:
        for admitted, events in batches_of(block, block.last_offset):
            self._replayed.apply(admitted, events)
            if self._resumed is not None:
                self._resumed.apply(admitted, events)

    async def _compare(self, block: Block) -> None:
        while self._rungs and self._rungs[0] < block.last_offset:
            self.diverged_at = self._rungs.popleft()  # a snapshot inside a block has no hash of the log
            return
        if self._rungs and self._rungs[0] == block.last_offset:
            self._rungs.popleft()
            await self._compare_rung(block)
        if block.last_offset == self._head.offset and not self._tail_agrees():
            self.diverged_at = block.last_offset

    def _tail_agrees(self) -> bool:
        return self._resumed is None or self._resumed.state_hash() == self._replayed.state_hash()

    async def _compare_rung(self, block: Block) -> None:
        snapshot = await self._snapshots.latest(block.partition, at_most=block.last_offset)
        if snapshot is None or snapshot.offset != block.last_offset:
            return  # thinned out meanwhile
        try:
            resumed = MarketPartition.restore(snapshot.state, self._settings)
        except Conflict:
            return  # of other settings: nobody resumes from it
        if snapshot.block_hash != block.hash or snapshot.state != self._replayed.snapshot():
            self.diverged_at = block.last_offset
        elif not self._rungs:
            self._resumed = resumed
