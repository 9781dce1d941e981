"""How a shard comes by its seats and loses them: claim, restore, recover, give up.

A lost seat is made anew from the log, unless the log names another owner: then it is given up. Claiming
again is by compare-and-set on one's own epoch, so two owners never pull at a partition in turns. `owner`
names one life of one process; a restarted process has another name and takes over by a plain claim.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable

from actors.backoff import Backoff
from actors.intake import IntakeBound
from actors.kept_task import TaskHealth
from actors.recent import RecentEvents
from actors.replay_progress import Replay, Restoring
from actors.restore import restore
from actors.seat import Seat
from actors.shard_settings import ShardSettings
from domain.errors import Corrupt, FinanceHubError, NotOwner, Retryable, Unavailable
from domain.keeper_state import PartitionSettings
from storage.event_log import EventLog, Head, SnapshotStore
from storage.writer import LogWriter

TAKEN_AT_ONCE = 4
"""Partitions claimed and restored at the same time: as many as the pool has connections."""
BROKEN_RETRY_S = 60.0
"""A partition whose log contradicts itself is read again no more often than this: it takes all of it."""


class Tenure:
    """The seats of one shard by partition; at most one at a time for each."""

    def __init__(
        self,
        owner: str,
        log: EventLog,
        writer: LogWriter,
        snapshots: SnapshotStore,
        monotonic: Callable[[], float],
        settings: ShardSettings,
        fold_settings: PartitionSettings,
    ) -> None:
        self.owner = owner
        self.seats: dict[str, Seat] = {}
        self.bound = IntakeBound(settings.intake_events, settings.intake_bytes)
        self.broken: dict[str, FinanceHubError] = {}
        self.restored = 0
        self.health = TaskHealth("restoring")
        self._log = log
        self._writer = writer
        self._snapshots = snapshots
        self._monotonic = monotonic
        self._settings = settings
        self._fold_settings = fold_settings
        self._broken_at: dict[str, float] = {}
        self._snapshot_at: dict[str, tuple[int, float]] = {}
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._recovering: dict[str, asyncio.Task[None]] = {}
        self._beginning: dict[str, asyncio.Task[None]] = {}
        self._replays: dict[str, Replay] = {}
        self._places = asyncio.Semaphore(TAKEN_AT_ONCE)

    def seat(self, partition: str) -> Seat:
        """Raises Unavailable while it is being restored, NotOwner where it is not ours."""
        seat = self.seats.get(partition)
        if seat is not None:
            return seat
        if partition in self._recovering or partition in self._beginning or partition in self._replays:
            raise Unavailable(f"{partition!r} is being restored")
        if partition in self.broken:
            raise Unavailable(f"{partition!r} cannot be restored: {self.broken[partition]}")
        raise NotOwner(f"{partition!r} is not owned by {self.owner!r}")

    async def take_all(self, partitions: Iterable[str]) -> None:
        """A few at a time. Raises what one could not be had for, after the others have been taken."""
        outcomes = await asyncio.gather(*map(self._take_in_turn, partitions), return_exceptions=True)
        for error in filter(None, outcomes):
            raise error

    def begin(self, partition: str) -> None:
        """Take a partition over beside everything else; `restoring` shows how far that is.

        One that is `broken` is tried again once its time has come; until then nothing happens.
        """
        if partition not in self.seats and partition not in self._beginning and self._may_hope(partition):
            task = asyncio.get_running_loop().create_task(self._begin(partition))
            self._beginning[partition] = task
            task.add_done_callback(lambda _done: self._beginning.pop(partition, None))

    def restoring(self) -> list[Restoring]:
        """What is on its way to a seat; epoch 0 of what still waits for its turn."""
        begun = {partition: replay.report() for partition, replay in self._replays.items()}
        waiting = {partition: Restoring(partition, 0, 0, 0, 0) for partition in self._beginning}
        return [each for _, each in sorted((waiting | begun).items())]

    def on_their_way(self) -> list[str]:
        """Partitions that will have a seat here before long, also those that have just lost theirs."""
        return sorted({*self._recovering, *self._beginning, *self._replays} - self.seats.keys())

    async def _begin(self, partition: str) -> None:
        """The supervisor sees what comes of it, and orders what is missing again."""
        with contextlib.suppress(Exception):  # it was counted, and one must not keep the others away
            await self._take_in_turn(partition)

    async def _take_in_turn(self, partition: str) -> None:
        async with self._places:
            await self.take(partition)

    async def take(self, partition: str) -> Seat:
        """Take over a partition, whoever had it. Raises Unavailable, Corrupt; may be called again."""
        async with self._changing[partition]:
            if partition not in self.seats:
                self._require_hope(partition)
                self._stop_recovering(partition)
                began_s = self._monotonic()
                await self._sit(await self._claimed(partition), began_s)
            return self.seats[partition]

    async def _claimed(self, partition: str) -> Head:
        try:
            return await self._writer.claim(partition)
        except Exception as error:
            self.health.failed(error)
            raise

    def _require_hope(self, partition: str) -> None:
        if not self._may_hope(partition):
            raise Corrupt(str(self.broken[partition]))

    def _may_hope(self, partition: str) -> bool:
        """Whether it is not broken, or was found so a while ago: somebody may have mended it."""
        return (
            partition not in self.broken or self._monotonic() - self._broken_at[partition] >= BROKEN_RETRY_S
        )

    def leave(self, seat: Seat, error: FinanceHubError) -> None:
        """Give a seat up for good: it was released, or somebody else has it."""
        if self.seats.get(seat.partition) is seat:
            del self.seats[seat.partition]
            self._share_recent()
            self._writer.release(seat.partition)
        seat.lose(error)

    def lose(self, seat: Seat, error: FinanceHubError) -> None:
        """The seat's fold may differ from the log: drop it and make it anew."""
        self.leave(seat, error)
        partition = seat.partition
        recovering = self._recovering.get(partition)
        if (recovering is None or recovering.done()) and partition not in self.seats:
            task = asyncio.get_running_loop().create_task(self._recover(partition))
            self._recovering[partition] = task
            task.add_done_callback(lambda done: self._forget(partition, done))

    async def close(self) -> None:
        """Leave every seat at once, without draining."""
        tasks = [*self._recovering.values(), *self._beginning.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for seat in list(self.seats.values()):
            self.leave(seat, Unavailable(f"{self.owner!r} has stopped"))

    def snapshot_at(self, partition: str) -> tuple[int, float]:
        """(offset, monotonic time) of the newest snapshot this owner wrote or began with."""
        return self._snapshot_at.get(partition, (0, 0.0))

    def snapshot_written(self, partition: str, offset: int) -> None:
        self._snapshot_at[partition] = (offset, self._monotonic())

    async def _sit(self, head: Head, began_s: float) -> None:
        recent = RecentEvents(
            head.partition,
            head.offset,
            max_events=self._settings.recent_events,
            max_bytes=self._settings.recent_bytes // (len(self.seats) + 1),
        )
        replay = Replay(head.partition, head.epoch, head.offset, self._monotonic)
        self._replays[head.partition] = replay
        try:
            market, offset = await restore(
                self._log, self._snapshots, head, self._fold_settings, recent, replay
            )
        except Exception as error:
            self.health.failed(error)
            if not isinstance(error, Retryable):
                raise self._break(head.partition, error) from None
            raise
        finally:
            del self._replays[head.partition]
        self.health.succeeded()
        self.broken.pop(head.partition, None)
        self.snapshot_written(head.partition, offset)
        self.restored += 1
        self.seats[head.partition] = Seat(head, market, recent, self.bound, began_s)
        self._share_recent()

    def _break(self, partition: str, error: Exception) -> FinanceHubError:
        """Corrupt, Rejected, or a defect of the fold: the next attempt would read all of it again."""
        known = error if isinstance(error, FinanceHubError) else Corrupt(f"the fold has failed: {error!r}")
        self.broken[partition] = known
        self._broken_at[partition] = self._monotonic()
        return known

    def _share_recent(self) -> None:
        for seat in self.seats.values():
            seat.recent.max_bytes = self._settings.recent_bytes // len(self.seats)

    def _stop_recovering(self, partition: str) -> None:
        task = self._recovering.pop(partition, None)
        if task is not None:
            task.cancel()

    async def _recover(self, partition: str) -> None:
        settings = self._settings
        backoff = Backoff(settings.recover_backoff_s, settings.recover_backoff_cap_s, self.owner)
        while True:
            if await self._recovered(partition):
                return
            await asyncio.sleep(backoff.next_s())

    def _forget(self, partition: str, task: asyncio.Task[None]) -> None:
        if self._recovering.get(partition) is task:
            del self._recovering[partition]

    async def _recovered(self, partition: str) -> bool:
        """One attempt. True where the partition has a seat again, or is not ours to have."""
        async with self._changing[partition]:
            if partition in self.seats:
                return True
            began_s = self._monotonic()
            try:
                await self._sit(await self._writer.reclaim(partition), began_s)
            except Retryable:
                return False
            except FinanceHubError:
                return True
        return True
