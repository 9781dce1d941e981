"""The replay of a market partition beside what its snapshots say; see `verify.py`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from actors.history import batches_of
from domain.errors import Conflict, Corrupt
from domain.keeper_state import PartitionSettings
from domain.partition import FOLD_VERSION, MarketPartition
from storage.event_log import Block, Head, Snapshot, SnapshotStore

REPLAYED_EVENTS = 200_000
"""A few seconds of folding in each partition."""


class States:
    """Follows the blocks of one partition. `diverged_at`: where replay and snapshots first differ.

    `begun`: there was something to replay from.
    """

    def __init__(
        self,
        head: Head,
        settings: PartitionSettings,
        rungs: Sequence[Snapshot],
        snapshots: SnapshotStore,
        start: int | None,
    ) -> None:
        self.diverged_at: int | None = None
        self._head = head
        self._settings = settings
        self._snapshots = snapshots
        self._rungs = deque(rungs)
        self._start = start
        self._replayed: MarketPartition | None = None
        if start == 0:
            self._replayed = MarketPartition(head.partition, settings)
        self._resumed: MarketPartition | None = None

    @classmethod
    async def over(
        cls,
        snapshots: SnapshotStore,
        head: Head,
        settings: PartitionSettings,
        begun_at: int,
        begun_hash: bytes,
        *,
        full: bool,
    ) -> States:
        """`begun_at`: the offset after which the log is kept, `begun_hash` of the block that ended there."""
        rungs = [
            rung
            for rung in await snapshots.ladder(head.partition)
            if rung.fold_version == FOLD_VERSION and begun_at <= rung.offset <= head.offset
        ]
        start = _start([rung.offset for rung in rungs], head.offset, begun_at, full=full)
        states = cls(head, settings, rungs, snapshots, start)
        if rungs and rungs[0].offset == begun_at > 0:
            await states._pass(begun_at, begun_hash)
        return states

    @property
    def begun(self) -> bool:
        return self._replayed is not None

    def folds(self, block: Block) -> bool:
        """Whether the replay takes this block, and so decodes it."""
        return self._replayed is not None and self.diverged_at is None

    async def follow(self, block: Block) -> None:
        if self.diverged_at is not None:
            return
        try:
            self._apply(block)
            await self._compare(block)
        except (Corrupt, Conflict):
            self.diverged_at = block.first_offset

    def _apply(self, block: Block) -> None:
        if self._replayed is None:
            return
        for admitted, events in batches_of(block, block.last_offset):
            self._replayed.apply(admitted, events)
            if self._resumed is not None:
                self._resumed.apply(admitted, events)

    async def _compare(self, block: Block) -> None:
        if self._rungs and self._rungs[0].offset < block.last_offset:
            self.diverged_at = self._rungs.popleft().offset  # inside a block it has no hash of the log
            return
        if self._rungs and self._rungs[0].offset == block.last_offset:
            await self._pass(block.last_offset, block.hash)
        if block.last_offset == self._head.offset and not self._tail_agrees():
            self.diverged_at = block.last_offset

    def _tail_agrees(self) -> bool:
        if self._resumed is None or self._replayed is None:
            return True
        return self._resumed.state_hash() == self._replayed.state_hash()

    async def _pass(self, offset: int, block_hash: bytes) -> None:
        """A snapshot at the end of a block, which has that hash."""
        if self._rungs.popleft().block_hash != block_hash:
            self.diverged_at = offset
        elif self._replayed is not None:
            await self._check(offset)
        elif self._start is not None and offset >= self._start:
            self._replayed, _ = await self._restored(offset)

    async def _restored(self, offset: int) -> tuple[MarketPartition | None, bytes]:
        """A snapshot's state and its bytes; None where it is of other settings, or thinned out meanwhile."""
        snapshot = await self._snapshots.latest(self._head.partition, at_most=offset)
        if snapshot is None or snapshot.offset != offset:
            return None, b""
        try:
            return MarketPartition.restore(snapshot.state, self._settings), snapshot.state
        except Conflict:
            return None, b""
        except Corrupt:
            self.diverged_at = offset
            return None, b""

    async def _check(self, offset: int) -> None:
        """The snapshot says what the replay says; from the newest one a second fold goes on."""
        resumed, state = await self._restored(offset)
        if resumed is None or self._replayed is None:
            return
        if state != self._replayed.snapshot():
            self.diverged_at = offset
        elif not self._rungs:
            self._resumed = resumed


def _start(rungs: Sequence[int], head: int, begun_at: int, *, full: bool) -> int | None:
    """Where the replay begins: a snapshot's offset, 0 for the very beginning; None: nothing to begin with."""
    far_enough = [] if full else [each for each in rungs[:-1] if head - each >= REPLAYED_EVENTS]
    if far_enough:
        return far_enough[-1]
    if begun_at == 0:
        return 0
    return rungs[0] if rungs else None
