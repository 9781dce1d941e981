"""A market partition written block by block, so that a test decides what is in which block."""

from __future__ import annotations

from domain.clock import ManualClock
from domain.envelope import Batch
from domain.market.observations import Observation
from domain.partition import FOLD_VERSION, MarketPartition, PartitionSettings
from storage.event_log import Block, Snapshot
from storage.memory import MemoryLog, MemorySnapshots
from storage.writer import LogWriter, Part
from tests.builders import PROVIDER, T0

PARTITION = "market/00"
FOLD = PartitionSettings()


class WrittenLog:
    """`write` makes one block of one batch; blocks are recorded at their batch's clock."""

    def __init__(self, partition: str = PARTITION) -> None:
        self.partition = partition
        self.log = MemoryLog()
        self.snapshots = MemorySnapshots()
        self.clock = ManualClock(T0)
        self.market = MarketPartition(partition, FOLD)
        self._writer = LogWriter(self.log, "writer#1", self.clock)
        self._sequence = 0

    async def write(self, *events: Observation, clock: int | None = None) -> int:
        """One block; the head's offset after it."""
        if not self._sequence:
            await self._writer.claim(self.partition)
        self._sequence += 1
        newest = max((event.ts_recv for event in events), default=self.clock.now_ns())
        self.clock.set(max(self.clock.now_ns(), newest if clock is None else clock))
        batch = Batch(PROVIDER, 1, self._sequence, self.clock.now_ns(), events)
        admitted, recorded = self.market.observe(batch)
        assert admitted is not None
        blocks = await self._writer.append([Part(self.partition, (admitted,), recorded)])
        return blocks[0].last_offset

    async def snapshot(self, **changes: object) -> Snapshot:
        """Save the state at the head; `changes` spoil it."""
        head = self._writer.heads[self.partition]
        fields = {
            "partition": self.partition,
            "offset": head.offset,
            "block_hash": head.hash,
            "fold_version": FOLD_VERSION,
            "recorded_ns": head.recorded_ns,
            "state": self.market.snapshot(),
        }
        snapshot = Snapshot(**(fields | changes))
        await self.snapshots.save(snapshot)
        return snapshot

    def tamper(self, index: int, block: Block | None) -> None:
        """Put another block in a block's place behind the log's back, or take it out."""
        blocks = self.log._blocks[self.partition]
        blocks[index : index + 1] = [] if block is None else [block]

    def block(self, index: int) -> Block:
        return self.log._blocks[self.partition][index]
