"""Projections: what people query, made from the log and rebuilt from it at will.

A projection is a fold into rows. Its checkpoint moves in the transaction that writes its rows, so every
event is applied exactly once, whatever dies and however many runners there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from domain.envelope import Recorded
from domain.errors import Gone
from storage.block import events_of
from storage.event_log import Block, Checkpoint, EventLog

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
Output = Callable[[T], Awaitable[None]]
"""Writes what a projection made of some events; gets the connection of the transaction, or None."""


class CheckpointStore(Protocol[T_co]):
    """`T_co` is what outputs are given: a connection, or None in memory."""

    async def load(self, projection: str, partition: str) -> Checkpoint:
        """Offset and version 0 where the projection has not begun."""

    async def advance(self, seen: Checkpoint, offset: int, output: Output[T_co]) -> Checkpoint:
        """Run `output` and move the checkpoint from what was `seen` to `offset`: both or neither.

        Raises Conflict where somebody else has moved it, Unavailable (then it may be repeated after
        loading again: the version tells whether it happened).
        """

    async def restart(self, projection: str, output: Output[T_co]) -> None:
        """Run `output` and set every checkpoint of the projection back to 0: all of it or nothing.

        Whoever has seen one before is told Conflict. Raises Unavailable (then it may be repeated).
        """


T_contra = TypeVar("T_contra", contravariant=True)

BLOCKS_A_STEP = 16


class Projection(Protocol[T_contra]):
    """One read model. `name` is for ever: it names the checkpoint."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of the events that it is given; blocks without any of them are not even decoded."""

    async def apply(self, connection: T_contra, partition: str, recorded: Sequence[Recorded]) -> None:
        """Write the rows for these events of its kinds, in log order, each given once; commits nothing."""


class ProjectionRunner(Generic[T]):
    """Moves one projection along the log, a few blocks a step."""

    def __init__(self, log: EventLog, checkpoints: CheckpointStore[T], projection: Projection[T]) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._projection = projection

    async def run_once(self, partition: str, *, max_blocks: int = BLOCKS_A_STEP) -> int:
        """Apply what follows the checkpoint, at most `max_blocks` blocks. Returns the number of events.

        0 means that the projection has caught up. Raises Conflict where another runner was first (call
        again), Unavailable (call again later), Corrupt, Gone where events that it needs were dropped.
        """
        seen = await self._checkpoints.load(self._projection.name, partition)
        blocks = await self._following(partition, seen.offset, max_blocks)
        if not blocks:
            return 0
        wanted = self._projection.kinds
        recorded = [
            event
            for block in blocks
            if not wanted.isdisjoint(block.header.kinds)
            for event in events_of(block)
            if event.offset > seen.offset and event.event.kind in wanted
        ]

        async def write(connection: T) -> None:
            if recorded:
                await self._projection.apply(connection, partition, recorded)

        await self._checkpoints.advance(seen, blocks[-1].last_offset, write)
        return blocks[-1].last_offset - seen.offset

    async def _following(self, partition: str, after: int, max_blocks: int) -> list[Block]:
        """A projection that begins does so where the log does. Raises Gone where it lacks what it needs."""
        try:
            return await self._log.read(partition, after, max_blocks=max_blocks)
        except Gone as error:
            if after > 0:
                raise
            return await self._log.read(partition, error.kept_from - 1, max_blocks=max_blocks)

    async def lag(self, partition: str, head_offset: int) -> int:
        """Events between the checkpoint and a head."""
        seen = await self._checkpoints.load(self._projection.name, partition)
        return head_offset - seen.offset
