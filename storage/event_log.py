"""The append-only log: one row (block) per append and partition, one writer per partition.

A writer claims a partition (epoch + 1), then appends blocks. The head row moves by compare-and-set in
the same statement that inserts the block, so a stale writer is fenced, offsets are dense from 1, and
each block's hash covers the one before it. Backends: `memory.py`, `postgres_log.py` (PostgreSQL and
TimescaleDB); one contract suite in tests/contracts proves them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from domain.envelope import Admitted
from storage.anchors import Anchor

GENESIS_HASH = bytes(32)


class Head(Struct, frozen=True):
    """Where a partition stands. `offset` 0 and GENESIS_HASH before the first block."""

    partition: str
    epoch: int
    owner: str
    offset: int
    hash: bytes
    recorded_ns: int = 0


class BlockHeader(Struct, frozen=True, array_like=True):
    """What can be known of a block without decoding its payload."""

    batches: tuple[Admitted, ...] = ()
    instruments: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_ts_event: int = 0
    max_ts_event: int = 0
    behind_ns: int = 0
    """How far the writer's clock was behind `recorded_ns`, where that is more than a small step back."""


class Block(Struct, frozen=True):
    """Events first_offset..last_offset of a partition. `payload` is as stored (maybe compressed)."""

    partition: str
    first_offset: int
    last_offset: int
    recorded_ns: int
    epoch: int
    codec: int
    header: BlockHeader
    payload: bytes
    prev_hash: bytes
    hash: bytes

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


class ClockStep(Struct, frozen=True):
    """The clock of a partition's writers had been ahead, and was set right.

    From the block that its writer sealed at `sealed_ns` on, blocks were recorded at `recorded_ns`, until that
    time had come.
    """

    partition: str
    recorded_ns: int
    sealed_ns: int


class EventLog(Protocol):
    """Durable when a call returns. Every method may raise Unavailable."""

    async def heads(self, family: str | None = None) -> list[Head]:
        """Heads of all claimed partitions (of `family/` where given), by partition."""

    async def claim(self, partition: str, owner: str, *, expected_epoch: int | None = None) -> Head:
        """Become the writer: epoch + 1, from now on older epochs are refused. Returns the new head.

        Waits for an append in flight to end. With `expected_epoch` (claiming again after an unknown
        outcome) raises NotOwner where another epoch is found there.
        """

    async def append(self, blocks: Sequence[Block]) -> None:
        """Append one block to each of several partitions in one transaction, or to none.

        Raises NotOwner where an epoch, head offset or head hash no longer fits; OutcomeUnknown where
        the answer was lost: the caller then claims again with its own epoch and reads the head.
        """

    async def read(
        self, partition: str, after: int, *, until: int | None = None, max_blocks: int = 64
    ) -> list[Block]:
        """Blocks that hold offsets > `after` (and <= `until`), in order, at most `max_blocks`.

        Fewer than there are may come; none only where there is none. The first block may begin at or
        before `after`. Raises Gone where `after` lies below the retained log.
        """

    async def offset_at(self, partition: str, recorded_ns: int) -> int:
        """The last offset recorded at or before a time; 0 before the first.

        Raises Gone where what was recorded then has been dropped.
        """

    async def clock_steps(self, recorded_ns: int) -> list[ClockStep]:
        """Of all partitions, those that held recorded time beyond a time. Mostly there is none."""

    async def settled(self, partition: str) -> Head | None:
        """The head once an append that is under way there has ended; None of an unclaimed partition.

        Waits for it (Unavailable past the deadline). What has not reached the log yet is not waited for.
        """

    async def anchors(self) -> dict[str, Anchor]:
        """Where the retained log begins, of each partition of which something was dropped."""

    async def close(self) -> None:
        """Give back connections. Claims stay as they are."""


class Snapshot(Struct, frozen=True):
    """A partition's folded state at a committed offset. `block_hash` ties it to that very log."""

    partition: str
    offset: int
    block_hash: bytes
    fold_version: int
    recorded_ns: int
    state: bytes


class SnapshotStore(Protocol):
    """A thinning ladder of snapshots per partition."""

    async def save(self, snapshot: Snapshot) -> None:
        """Store; thin the ladder. Saving the same offset again replaces it."""

    async def latest(self, partition: str, *, at_most: int | None = None) -> Snapshot | None:
        """The newest snapshot at or below an offset, whatever its version; `state` empty if damaged."""

    async def ladder(self, partition: str) -> list[Snapshot]:
        """All kept snapshots, oldest first, with empty `state`."""


class Checkpoint(Struct, frozen=True):
    """How far a projection has durably come in a partition; `version` for compare-and-set."""

    projection: str
    partition: str
    offset: int
    version: int
