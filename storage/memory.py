"""The log, snapshots and checkpoints in memory: tests, simulation, dry runs.

Same semantics as PostgreSQL's: compare-and-set heads, fencing, all partitions of an append or none. A
fault hook makes answers go missing the way networks do, so that a simulation meets what production will.
"""

from __future__ import annotations

import bisect
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum

from msgspec.structs import replace

from domain.errors import Conflict, NotOwner, OutcomeUnknown, Unavailable
from storage.anchors import Anchor, require_key
from storage.block import (
    clock_steps_of,
    head_after,
    in_partition_order,
    offset_before_the_log,
    require_retained,
)
from storage.event_log import GENESIS_HASH, Block, Checkpoint, ClockStep, Head, Snapshot
from storage.ladder import too_many
from storage.projections import Output
from storage.read_models.events import MemoryEvents
from storage.retention import SLICE_BLOCKS, SLICE_NS, Slice


class Fault(Enum):
    """What goes wrong with one call."""

    REFUSED = "nothing was done: Unavailable"
    LOST_REQUEST = "an append never arrived: OutcomeUnknown"
    LOST_ANSWER = "an append was committed, its answer went missing: OutcomeUnknown"
    LATE = "an append is still under way: OutcomeUnknown now, committed before the next claim there"


Faults = Callable[[str, Sequence[str]], Fault | None]
"""(operation, partitions) -> fault. Operations: append claim read heads offset_at."""
Delay = Callable[[str], Awaitable[None]]
"""Awaited before an operation takes effect and again before its answer is given."""


class MemoryLog:
    """EventLog in memory; `faults` and `delay` are asked on every call."""

    def __init__(self, *, faults: Faults | None = None, delay: Delay | None = None) -> None:
        self._heads: dict[str, Head] = {}
        self._blocks: dict[str, list[Block]] = {}
        self._late: list[list[Block]] = []
        self._anchors: dict[str, Anchor] = {}
        self._steps: dict[tuple[str, int], ClockStep] = {}
        self._faults = faults
        self._delay = delay

    async def heads(self, family: str | None = None) -> list[Head]:
        await self._enter("heads", ())
        prefix = "" if family is None else f"{family}/"
        return [head for name, head in sorted(self._heads.items()) if name.startswith(prefix)]

    async def claim(self, partition: str, owner: str, *, expected_epoch: int | None = None) -> Head:
        fault = await self._enter("claim", (partition,))
        self._land_late(partition)
        now = self._heads.get(partition, Head(partition, 0, "", 0, GENESIS_HASH))
        if expected_epoch is not None and (now.epoch != expected_epoch or partition not in self._heads):
            raise NotOwner(f"{partition!r} is no longer at epoch {expected_epoch}")
        claimed = replace(now, epoch=now.epoch + 1, owner=owner)
        self._heads[partition] = claimed
        await self._leave("claim")
        if fault is not None:
            raise Unavailable(f"the answer to the claim of {partition!r} went missing")
        return claimed

    async def append(self, blocks: Sequence[Block]) -> None:
        ordered = in_partition_order(blocks)
        fault = await self._enter("append", [block.partition for block in ordered])
        if fault is Fault.LATE:
            self._late.append(ordered)
        elif fault is not Fault.LOST_REQUEST:
            self._commit(ordered)
        await self._leave("append")
        if fault is not None:
            raise OutcomeUnknown(f"no answer to an append: {fault.name}")

    def _commit(self, blocks: Sequence[Block]) -> None:
        unfit = [block.partition for block in blocks if not self._follows(block)]
        if unfit:
            raise NotOwner(f"another writer has moved one of {unfit!r}")
        for block in blocks:
            self._heads[block.partition] = head_after(block, self._heads[block.partition].owner)
            self._blocks.setdefault(block.partition, []).append(block)
        for step in clock_steps_of(blocks):
            self._steps.setdefault((step.partition, step.recorded_ns), step)

    def _follows(self, block: Block) -> bool:
        head = self._heads.get(block.partition)
        return head is not None and (head.epoch, head.offset + 1, head.hash) == (
            block.epoch,
            block.first_offset,
            block.prev_hash,
        )

    def _land_late(self, partition: str) -> None:
        """An append under way holds its row locks: a claim waits for it to end, and then sees it."""
        waiting, self._late = self._late, []
        for blocks in waiting:
            if all(block.partition != partition for block in blocks):
                self._late.append(blocks)
            elif all(map(self._follows, blocks)):
                self._commit(blocks)

    async def read(
        self, partition: str, after: int, *, until: int | None = None, max_blocks: int = 64
    ) -> list[Block]:
        await self._enter("read", (partition,))
        kept = self._blocks.get(partition, [])
        start = bisect.bisect_right(kept, after, key=lambda block: block.last_offset)
        page = kept[start : start + max_blocks]
        require_retained(partition, after, page)
        return [block for block in page if until is None or block.first_offset <= until]

    async def offset_at(self, partition: str, recorded_ns: int) -> int:
        await self._enter("offset_at", (partition,))
        kept = self._blocks.get(partition, [])
        count = bisect.bisect_right(kept, recorded_ns, key=lambda block: block.recorded_ns)
        if count:
            return kept[count - 1].last_offset
        return offset_before_the_log(self._anchors.get(partition), partition, recorded_ns)

    async def clock_steps(self, recorded_ns: int) -> list[ClockStep]:
        await self._enter("heads", ())
        return [step for _, step in sorted(self._steps.items()) if step.recorded_ns > recorded_ns]

    async def settled(self, partition: str) -> Head | None:
        await self._enter("heads", (partition,))
        self._land_late(partition)
        return self._heads.get(partition)

    async def anchors(self) -> dict[str, Anchor]:
        await self._enter("heads", ())
        return dict(self._anchors)

    def blocks(self, partition: str) -> Sequence[Block]:
        return self._blocks.get(partition, [])

    def drop(self, anchor: Anchor) -> None:
        """For `MemoryRetention` alone."""
        kept = self._blocks[anchor.partition]
        self._blocks[anchor.partition] = [block for block in kept if block.last_offset > anchor.offset]
        self._anchors[anchor.partition] = anchor

    async def close(self) -> None:
        """Nothing to give back; what was appended stays."""

    async def _enter(self, operation: str, partitions: Sequence[str]) -> Fault | None:
        if self._delay is not None:
            await self._delay(operation)
        fault = self._faults(operation, partitions) if self._faults is not None else None
        if fault is Fault.REFUSED or (fault is not None and operation not in ("append", "claim")):
            raise Unavailable(f"{operation} was refused by the fault hook")
        return fault

    async def _leave(self, operation: str) -> None:
        if self._delay is not None:
            await self._delay(operation)


class MemorySnapshots:
    """SnapshotStore in memory, thinned like the stored one."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, Snapshot]] = {}

    async def save(self, snapshot: Snapshot) -> None:
        kept = self._kept.setdefault(snapshot.partition, {})
        kept[snapshot.offset] = snapshot
        for offset in too_many([kept[offset] for offset in sorted(kept)], snapshot.recorded_ns):
            del kept[offset]

    async def latest(self, partition: str, *, at_most: int | None = None) -> Snapshot | None:
        kept = self._kept.get(partition, {})
        fitting = [offset for offset in kept if at_most is None or offset <= at_most]
        return kept[max(fitting)] if fitting else None

    async def ladder(self, partition: str) -> list[Snapshot]:
        kept = self._kept.get(partition, {})
        return [replace(kept[offset], state=b"") for offset in sorted(kept)]

    def drop_below(self, partition: str, offset: int) -> None:
        """For `MemoryRetention` alone."""
        kept = self._kept.get(partition, {})
        self._kept[partition] = {place: one for place, one in kept.items() if place >= offset}


class MemoryRetention:
    """Retention over a log and snapshots in memory."""

    def __init__(
        self, log: MemoryLog, snapshots: MemorySnapshots, events: MemoryEvents | None = None
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._events = events

    async def slices(self, slice_bytes: int) -> list[Slice]:
        found: list[Slice] = []
        for head in await self._log.heads():
            found += _sliced(self._log.blocks(head.partition), slice_bytes)
        return sorted(found, key=lambda one: (one.recorded_ns, one.partition, one.first_offset))

    async def other_bytes(self) -> int:
        return 0

    async def drop(self, anchor: Anchor) -> None:
        head = {head.partition: head.offset for head in await self._log.heads()}.get(anchor.partition, 0)
        ends = {(block.last_offset, block.hash) for block in self._log.blocks(anchor.partition)}
        require_key(anchor.key_id, [each.key_id for each in (await self._log.anchors()).values()])
        if (anchor.offset, anchor.hash) not in ends or head <= anchor.offset:
            raise Conflict(f"no block of {anchor.partition!r} that could be dropped ends at {anchor.offset}")
        self._log.drop(anchor)
        self._snapshots.drop_below(anchor.partition, anchor.offset)
        if self._events is not None and anchor.partition.startswith("access/"):
            self._events.drop_until(anchor.partition, anchor.offset)


def _sliced(blocks: Sequence[Block], slice_bytes: int) -> list[Slice]:
    found: list[Slice] = []
    for block in blocks:
        size = len(block.payload)
        last = found[-1] if found else None
        fits = last is not None and last.blocks < SLICE_BLOCKS and last.bytes + size <= slice_bytes
        if last is not None and fits and last.recorded_ns // SLICE_NS == block.recorded_ns // SLICE_NS:
            first, blocks_so_far, bytes_so_far = last.first_offset, last.blocks, last.bytes
            found.pop()
        else:
            first, blocks_so_far, bytes_so_far = block.first_offset, 0, 0
        place = (block.partition, first, block.last_offset, block.recorded_ns)
        found.append(Slice(*place, blocks_so_far + 1, bytes_so_far + size))
    return found


class MemoryCheckpoints:
    """CheckpointStore in memory; outputs get None for a connection."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Checkpoint] = {}

    async def load(self, projection: str, partition: str) -> Checkpoint:
        nothing = Checkpoint(projection, partition, 0, 0)
        return self._kept.get((projection, partition), nothing)

    async def advance(self, seen: Checkpoint, offset: int, output: Output[None]) -> Checkpoint:
        if await self.load(seen.projection, seen.partition) != seen:
            raise Conflict(f"{seen.projection!r} has moved on in {seen.partition!r}")
        await output(None)
        moved = replace(seen, offset=offset, version=seen.version + 1)
        self._kept[(seen.projection, seen.partition)] = moved
        return moved

    async def restart(self, projection: str, output: Output[None]) -> None:
        await output(None)
        for place, kept in list(self._kept.items()):
            if kept.projection == projection:
                self._kept[place] = replace(kept, offset=0, version=kept.version + 1)
