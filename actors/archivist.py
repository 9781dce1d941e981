"""Archivist: keeps the log within its bounds, by dropping what is oldest.

    count slices ── over a bound? ── oldest first, while nobody needs it:
        verify the slice's chain from the anchor on ── sign the new anchor ── drop, in one transaction

The audit of sessions (`access/`) has a bound of its own: neither its growth nor the market's shortens the
other's history.

Never dropped: the block at a partition's head, what a projection has not applied, and what follows the
older of the two newest usable snapshots of a market partition: one to begin with, one to fall back on.
A slice that is not what was sealed is kept, and everything after it, until somebody has looked; so is all
that follows an anchor which our key has not signed. One log has one key, whoever works on it: while its
anchors are of another one, nothing is dropped. A clock that was set makes nothing old for an hour: so long
has whoever set it wrongly to set it right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from actors.kept_task import KeptTask
from actors.restore import fitting
from actors.steady_clock import ClockSet, SteadyClock
from domain.clock import Clock
from domain.errors import Conflict, Corrupt, Gone, Rejected
from domain.keeper_state import PartitionSettings
from observability.log import get_log
from storage.anchor_key import AnchorKey
from storage.anchors import Anchor, require_key
from storage.block import verify_chain
from storage.event_log import GENESIS_HASH, Checkpoint, EventLog, Head, SnapshotStore
from storage.retention import Retention, Slice

DAY_NS = 86_400 * 10**9
SETTLING_NS = 3_600 * 10**9
SNAPSHOTS_NEEDED = 2
READ_BLOCKS = 64
SMALLEST_SLICE_BYTES, LARGEST_SLICE_BYTES = 4 << 10, 8 << 20
SLICES_OF_THE_BOUND = 1_000
LEAST_SHARE = 4
"""Read models that grow may take all but a quarter of the bound from the log."""
ACCESS = "access"
ACCESS_SHARE = 20
"""The audit never takes more than so much of the bound, a twentieth."""

log = get_log("archivist")


class Checkpoints(Protocol):
    """How far projections have come."""

    async def load(self, projection: str, partition: str) -> Checkpoint: ...


class RetentionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """0 means without bound. `max_bytes`: of the whole database; `max_age_days`: of a block."""

    max_bytes: int = 20_000_000_000
    access_max_bytes: int = 1_000_000_000
    """Of the audit's blocks, and at most a twentieth of `max_bytes`; 0: they count with all others."""
    max_age_days: float = 0.0
    every_s: float = 30.0
    slice_bytes: int = 0
    """What is dropped at a time; 0: a thousandth of the bound, within reason."""

    def bounded(self) -> bool:
        return bool(self.max_bytes or self.access_max_bytes or self.max_age_days)

    def dropped_at_a_time(self) -> int:
        if self.slice_bytes or not self.max_bytes:
            return self.slice_bytes or LARGEST_SLICE_BYTES
        return max(SMALLEST_SLICE_BYTES, min(LARGEST_SLICE_BYTES, self.max_bytes // SLICES_OF_THE_BOUND))

    def log_bytes(self, other_bytes: int) -> int:
        """What the rest of the database leaves to the log."""
        return max(self.max_bytes - other_bytes, self.max_bytes // LEAST_SHARE)

    def access_bytes(self) -> int | None:
        """The audit's own bound; None where it has none."""
        if not self.access_max_bytes:
            return None
        share = self.max_bytes // ACCESS_SHARE if self.max_bytes else self.access_max_bytes
        return min(self.access_max_bytes, share)


class Archivist:
    """`run` until cancelled, or `sweep` once. `projections`: families -> names of those that read them."""

    def __init__(
        self,
        event_log: EventLog,
        snapshots: SnapshotStore,
        checkpoints: Checkpoints,
        retention: Retention,
        key: AnchorKey,
        clock: Clock,
        settings: RetentionSettings,
        *,
        projections: Sequence[str],
        families: Sequence[str],
        fold: PartitionSettings | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.log_bytes = 0
        self.dropped_blocks = 0
        self.stuck: dict[str, str] = {}
        """partition -> why nothing more of it is dropped"""
        self.refused = ""
        """Why nothing is dropped at all."""
        self._log = event_log
        self._snapshots = snapshots
        self._checkpoints = checkpoints
        self._retention = retention
        self._key = key
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._steady = SteadyClock(clock, monotonic_ns)
        self._settled_at = 0
        self._settings = settings
        self._projections = projections
        self._families = families
        self._fold = fold or PartitionSettings()
        self._is_over = False
        self._usable: dict[tuple[str, int], bool] = {}
        self.task = KeptTask(
            "archivist", self.sweep, pause_s=settings.every_s, retry_s=1.0, retry_cap_s=settings.every_s
        )

    async def run(self) -> None:
        """Until cancelled; what cannot be reached now is tried again before long."""
        await self.task.run()

    def troubles(self) -> list[str]:
        """Why less is dropped than should be, one sentence each."""
        found = [f"nothing more of {place} is dropped: {why}" for place, why in self.stuck.items()]
        return [*found, *([f"nothing is dropped: {self.refused}"] if self.refused else [])]

    async def sweep(self) -> int:
        """Drop what is over the bounds; returns the number of blocks. Raises Unavailable."""
        slices = await self._retention.slices(self._settings.dropped_at_a_time())
        self.log_bytes = sum(one.bytes for one in slices)
        over = await self._over(slices)
        anchors = await self._log.anchors()
        if not self._is_ours(anchors.values()):
            return 0
        heads = {head.partition: head for head in await self._log.heads()}
        before, kept = self.dropped_blocks, set(self.stuck)
        for one in slices:
            of = self._bounded_with(one.partition)
            if over[of] <= 0 and not self._is_old(one):
                if max(over.values()) <= 0:
                    break
                continue
            anchor = anchors.get(one.partition)
            if one.partition in kept or (anchor is not None and one.last_offset <= anchor.offset):
                continue
            if not await self._may_go(one, heads[one.partition]):
                kept.add(one.partition)
                continue
            anchor = await self._drop(one, anchor)
            if anchor is None:
                kept.add(one.partition)
                continue
            anchors[one.partition] = anchor
            over[of] -= one.bytes
        self._tell(self.dropped_blocks - before, max(over.values()))
        return self.dropped_blocks - before

    def _is_ours(self, anchors: Iterable[Anchor]) -> bool:
        """Whether nobody else's key has signed; told once where it has."""
        try:
            require_key(self._key.key_id, [anchor.key_id for anchor in anchors])
        except Conflict as error:
            if not self.refused:
                log.error("nothing is dropped", error=str(error))
            self.refused = str(error)
            return False
        self.refused = ""
        return True

    def _bounded_with(self, partition: str) -> str:
        """What has one bound together: the audit, where it has one of its own, or all the rest."""
        own = self._settings.access_bytes() is not None and partition.startswith(f"{ACCESS}/")
        return ACCESS if own else ""

    async def _over(self, slices: Sequence[Slice]) -> dict[str, int]:
        """Bytes beyond their bound, of the audit and of the rest of the log."""
        audit = sum(one.bytes for one in slices if self._bounded_with(one.partition) == ACCESS)
        own = self._settings.access_bytes() or 0
        over = {ACCESS: audit - own, "": 0}
        if self._settings.max_bytes:
            bound = self._settings.log_bytes(await self._retention.other_bytes())
            over[""] = self.log_bytes - audit - (bound - min(audit, own))
        return over

    def _is_old(self, one: Slice) -> bool:
        days = self._settings.max_age_days
        if days <= 0 or not self._knows_the_time():
            return False
        return one.recorded_ns < self._clock.now_ns() - int(days * DAY_NS)

    def _knows_the_time(self) -> bool:
        """Whether nobody has set the clock within the last hour."""
        self._steady.now_ns()
        try:
            self._steady.require()
        except ClockSet as error:
            log.warning("nothing counts as old for an hour", error=str(error))
            self._steady = SteadyClock(self._clock, self._monotonic_ns)
            self._settled_at = self._monotonic_ns() + SETTLING_NS
        return self._monotonic_ns() >= self._settled_at

    def _tell(self, blocks: int, over: int) -> None:
        """That a bound cannot be kept is told once, and again when it was kept meanwhile."""
        if blocks:
            log.info("dropped", blocks=blocks, log_bytes=self.log_bytes)
        if over > 0 and not self._is_over:
            log.warning("over the bound, and nothing more may go", bytes_over=over)
        self._is_over = over > 0

    async def _may_go(self, one: Slice, head: Head) -> bool:
        # Asked anew each time: a read model that is made again needs what it needed once before.
        return one.last_offset <= await self._floor(head)

    async def _floor(self, head: Head) -> int:
        """The last offset that nobody needs any more."""
        floors = [head.offset - 1]
        family = head.partition.partition("/")[0]
        if family in self._families:
            for name in self._projections:
                floors.append((await self._checkpoints.load(name, head.partition)).offset)
        if family == "market":
            floors.append(await self._snapshot_floor(head))
        return min(floors)

    async def _snapshot_floor(self, head: Head) -> int:
        """The offset of the second newest snapshot from which the partition can be restored; 0 without."""
        usable = 0
        for rung in reversed(await self._snapshots.ladder(head.partition)):
            if rung.offset <= head.offset and await self._is_usable(head, rung.offset):
                usable += 1
                if usable == SNAPSHOTS_NEEDED:
                    return rung.offset
        return 0

    async def _is_usable(self, head: Head, offset: int) -> bool:
        place = (head.partition, offset)
        if place not in self._usable:
            snapshot = await self._snapshots.latest(head.partition, at_most=offset)
            found = snapshot is not None and snapshot.offset == offset
            self._usable[place] = bool(
                found and snapshot and await fitting(self._log, head, snapshot, self._fold) is not None
            )
        return self._usable[place]

    async def _drop(self, one: Slice, anchor: Anchor | None) -> Anchor | None:
        """The new anchor; None where the slice stays: it is damaged, or another archivist is at it."""
        offset, block_hash = (anchor.offset, anchor.hash) if anchor else (0, GENESIS_HASH)
        try:
            if anchor is not None and not self._key.has_signed(anchor):
                raise Corrupt(f"the anchor of {one.partition!r} at {offset} is not what our key has signed")
            offset, block_hash = await self._verified(one, offset, block_hash)
        except Gone as gone:
            log.warning("overtaken", partition=one.partition, error=str(gone))
            return None
        except (Corrupt, Rejected) as error:
            self.stuck[one.partition] = str(error)
            log.error("not dropped", partition=one.partition, error=str(error))
            return None
        now = self._clock.now_ns()
        signed = self._key.signed(Anchor(one.partition, offset, block_hash, one.recorded_ns, now))
        await self._retention.drop(signed)
        self._forget_below(one.partition, offset)
        self.dropped_blocks += one.blocks
        self.log_bytes -= one.bytes
        return signed

    async def _verified(self, one: Slice, offset: int, block_hash: bytes) -> tuple[int, bytes]:
        """Follow the chain to the end of the slice: what an anchor stands for was true when it went."""
        while offset < one.last_offset:
            page = await self._log.read(one.partition, offset, until=one.last_offset, max_blocks=READ_BLOCKS)
            if not page:
                raise Corrupt(f"{one.partition!r} lacks offset {offset + 1}")
            for block in page:
                offset, block_hash = verify_chain([block], offset, block_hash)
            await asyncio.sleep(0)
        return offset, block_hash

    def _forget_below(self, partition: str, offset: int) -> None:
        self._usable = {
            place: usable
            for place, usable in self._usable.items()
            if place[0] != partition or place[1] >= offset
        }
