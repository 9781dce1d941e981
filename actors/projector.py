"""Projector: tails the log into the read models.

    heads ──> per projection and partition behind its head: one step (rows + checkpoint, one transaction)

Exactly once, whoever dies and however many projectors run: a step's checkpoint moves by compare-and-set
in the transaction of its rows, so of two projectors one writes and the other looks again. Wakes about
every 100 ms, and at once when nudged or where a turn has left something over.

What a projection cannot read or write of a partition (`stuck`) stays as it is until a restart or a
rebuild; the other partitions go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from actors.kept_task import KeptTask
from domain.errors import Conflict, Corrupt, FinanceHubError, Gone, NotFound, Rejected
from observability.log import get_log
from storage.event_log import EventLog
from storage.projections import CheckpointStore, Projection, ProjectionRunner

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

FAMILIES = ("market", "provider", "access")

log = get_log("projector")


@runtime_checkable
class Droppable(Protocol[T_contra]):
    """A projection whose rows can be dropped, to be made again from the log."""

    async def clear(self, connection: T_contra) -> None:
        """Drop all rows; commits nothing itself. Rows written again must be the same: upserts by key."""


class ProjectorSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[projector]` of financehub.toml."""

    poll_ms: int = 100
    blocks_a_step: int = 16
    steps_a_turn: int = 8
    """Steps of one partition before the next has its turn, so that one long backlog starves nobody."""
    backoff_base_s: float = 0.1
    backoff_cap_s: float = 5.0


class Projector(Generic[T]):
    """Runs every projection over every partition of the log, in order within a partition."""

    def __init__(
        self,
        log: EventLog,
        checkpoints: CheckpointStore[T],
        projections: Sequence[Projection[T]],
        settings: ProjectorSettings | None = None,
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._projections = {projection.name: projection for projection in projections}
        self._runners = {
            projection.name: ProjectionRunner(log, checkpoints, projection) for projection in projections
        }
        self._settings = settings or ProjectorSettings()
        self._done: dict[tuple[str, str], int] = {}
        self._wake = asyncio.Event()
        self._behind = False
        self.applied = 0
        self.conflicts = 0
        self.task = KeptTask(
            "projector",
            self._turn,
            retry_s=self._settings.backoff_base_s,
            retry_cap_s=self._settings.backoff_cap_s,
        )
        self.stuck: dict[tuple[str, str], str] = {}
        """(projection, partition) -> why it goes no further"""

    def nudge(self) -> None:
        """Something was appended: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; waits longer and longer while the database does not answer."""
        await self.task.run()

    async def _turn(self) -> None:
        await self.step()
        if not self._behind:
            await self._sleep(self._settings.poll_ms / 1e3)

    async def catch_up(self) -> None:
        """Step until every projection has reached the heads, or is stuck. Raises Unavailable."""
        while True:
            moved = await self.step()
            if not moved:
                return
            await asyncio.sleep(0)

    async def step(self) -> int:
        """Move every projection that is behind by a bounded number of blocks; returns events looked at.

        A step in which another projector was first counts as movement: there may be more. A defect of one
        projection keeps no other from its turn; it is raised when all have had theirs.
        """
        moved = 0
        self._behind = False
        defects: list[Exception] = []
        for partition, head in await self._heads():
            for name in self._runners:
                place = (name, partition)
                if place not in self.stuck and self._done.get(place, -1) < head:
                    try:
                        moved += await self._advance(name, partition)
                    except FinanceHubError:
                        raise
                    except Exception as error:  # noqa: BLE001 - raised below, after the others have had their turn
                        defects.append(error)
        if defects:
            raise defects[0]
        return moved

    async def lags(self) -> list[tuple[str, int]]:
        """(projection, events it has still to apply over all partitions), by name."""
        heads = await self._heads()
        return [
            (name, sum([max(0, await runner.lag(partition, head)) for partition, head in heads]))
            for name, runner in sorted(self._runners.items())
        ]

    async def rebuild(self, name: str) -> None:
        """Drop a read model and fold it again from the first retained block; returns when it is whole.

        The rows go in the transaction that sets all checkpoints back: who dies after it leaves work, and no
        hole. What another projector writes meanwhile is written again, the same. Once retention has dropped
        blocks no row goes, for the log cannot make the old ones again: those of what it still holds are
        written over. Raises NotFound; Rejected where the rows cannot be dropped.
        """
        if name not in self._projections:
            raise NotFound(f"no projection {name!r}; there are {', '.join(sorted(self._projections))}")
        projection = self._projections[name]
        if not isinstance(projection, Droppable):
            raise Rejected(f"projection {name!r} does not say how its rows are dropped")
        whole = all([await self._reaches_back(partition) for partition, _ in await self._heads()])
        await self._checkpoints.restart(name, projection.clear if whole else _nothing)
        self._done = {place: offset for place, offset in self._done.items() if place[0] != name}
        self.stuck = {place: reason for place, reason in self.stuck.items() if place[0] != name}
        await self.catch_up()

    async def _reaches_back(self, partition: str) -> bool:
        """Whether the log still holds a partition from its first event on."""
        try:
            await self._log.read(partition, 0, max_blocks=1)
        except Gone:
            return False
        return True

    async def _advance(self, name: str, partition: str) -> int:
        moved = 0
        for _ in range(self._settings.steps_a_turn):
            try:
                count = await self._runners[name].run_once(partition, max_blocks=self._settings.blocks_a_step)
            except Conflict:
                self.conflicts += 1
                self._behind = True
                return moved + 1
            except (Corrupt, Rejected) as error:
                self.stuck[name, partition] = str(error)
                log.error("stuck", projection=name, partition=partition, error=str(error))
                return moved
            if count == 0:
                break
            moved += count
            self.applied += count
        if count == 0:
            self._done[name, partition] = (await self._checkpoints.load(name, partition)).offset
        else:
            self._behind = True
        return moved

    async def _heads(self) -> list[tuple[str, int]]:
        return [
            (head.partition, head.offset)
            for head in await self._log.heads()
            if head.offset and head.partition.partition("/")[0] in FAMILIES
        ]

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for of 3.11 may swallow a cancellation
                await self._wake.wait()
        self._wake.clear()


async def _nothing(_: object) -> None:
    """The output of a step that writes no rows."""
