"""Snapshots of the shard's seats: one partition at a time, each at a block's end that is durable.

The state is read in slices between which the fold goes on, and is that of the moment it was begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.commit import GroupCommit
from actors.kept_task import TaskHealth
from actors.restore import in_slices
from actors.seat import Seat
from actors.shard_settings import ShardSettings
from actors.tenure import Tenure
from domain.partition import FOLD_VERSION
from storage.event_log import Snapshot, SnapshotStore

RETRY_S = 5.0
"""A snapshot that failed costs a longer replay, while trying again at once would cost the fold."""


class Snapshotter:
    """Takes snapshots that are due; each is written once its block is durable."""

    def __init__(
        self,
        tenure: Tenure,
        store: SnapshotStore,
        commit: GroupCommit,
        monotonic: Callable[[], float],
        settings: ShardSettings,
    ) -> None:
        self.taken = 0
        self.health = TaskHealth("snapshots")
        self._tenure = tenure
        self._store = store
        self._commit = commit
        self._monotonic = monotonic
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._not_before: dict[str, float] = {}

    def start_due(self) -> None:
        """Begin with the partition that has waited longest, unless one is being written."""
        if self._task is not None and not self._task.done():
            return
        due = [seat for seat in self._tenure.seats.values() if self._due(seat)]
        if due:
            longest = min(due, key=lambda seat: self._tenure.snapshot_at(seat.partition)[1])
            self._task = asyncio.get_running_loop().create_task(self._try(longest))

    async def take(self, seat: Seat) -> None:
        """Snapshot the seat as it is now. Raises what the seat is lost of, or Unavailable."""
        offset = seat.folded
        if offset <= self._tenure.snapshot_at(seat.partition)[0]:
            return
        end = seat.block_end()
        exposure = seat.market.expose(seat.places())
        self._commit.nudge(seat)
        try:
            state = await in_slices(exposure)
        finally:
            seat.market.conceal(exposure)
        head = await asyncio.shield(end)
        await self._store.save(
            Snapshot(seat.partition, head.offset, head.hash, FOLD_VERSION, head.recorded_ns, state)
        )
        self._tenure.snapshot_written(seat.partition, offset)
        self.taken += 1
        self.health.succeeded()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _due(self, seat: Seat) -> bool:
        offset, at_s = self._tenure.snapshot_at(seat.partition)
        grown = seat.folded - offset
        if self._monotonic() < self._not_before.get(seat.partition, 0.0):
            return False
        waited_s = self._monotonic() - at_s
        if grown >= self._settings.snapshot_events:
            return waited_s >= self._settings.snapshot_min_s
        return grown > 0 and waited_s >= self._settings.snapshot_s

    async def _try(self, seat: Seat) -> None:
        try:
            await self.take(seat)
        except Exception as error:  # noqa: BLE001 - a state that cannot be put down must not end all snapshots
            self._failed(seat, error)

    def _failed(self, seat: Seat, error: Exception) -> None:
        self._not_before[seat.partition] = self._monotonic() + RETRY_S
        if seat.lost is None:
            self.health.failed(error)
