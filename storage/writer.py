"""The writing end of an owner's partitions: seals blocks on the heads it holds and settles lost answers.

append ── ok ───────────────────────────────> heads move, blocks are returned
   ├── NotOwner ────────────────────────────> heads forgotten, raised: the owner reloads its state
   ├── Unavailable (nothing was done) ──────> sealed and appended again, after a delay
   └── OutcomeUnknown ── claim every partition again with our own epoch
                            ├── epoch of somebody else ──> NotOwner
                            ├── head is our block ───────> it was committed
                            └── head is what it was ─────> seal anew under the new epoch, append
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from domain.clock import Clock
from domain.envelope import Admitted, Event
from domain.errors import Corrupt, Malformed, NotOwner, OutcomeUnknown, Unavailable
from storage.block import head_after, seal
from storage.event_log import Block, EventLog, Head
from storage.settings import WriterSettings

SEALED_A_TURN = 2_000
"""Events sealed, in some 2 ms, before others on the event loop get a turn."""


class Part(Struct, frozen=True):
    """What one partition gets in an append: at least one event, and the batches they came of.

    `after`: the (offset, hash) that they were folded on, nothing else may come between; None: on whatever
    the head is when the append begins.
    """

    partition: str
    admitted: Sequence[Admitted]
    events: Sequence[Event]
    after: tuple[int, bytes] | None = None


class _Patience:
    """Attempts left, with capped and jittered delays between them, until a deadline."""

    def __init__(
        self,
        settings: WriterSettings,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        seed: str,
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random.Random(seed)
        self._until_s = monotonic() + settings.deadline_s
        self._attempt = 0

    async def wait_after(self, error: Exception) -> None:
        """Raises the error where patience has run out."""
        self._attempt += 1
        if self._attempt >= self._settings.max_attempts or self._monotonic() >= self._until_s:
            raise error
        delay = min(self._settings.max_delay_s, self._settings.first_delay_s * 2 ** (self._attempt - 1))
        await self._sleep(delay * self._random.uniform(0.5, 1.0))


class LogWriter:
    """Claims partitions for one owner and appends to them, one append at a time.

    `owner` must be unique to this incarnation of the process: a claim whose answer was lost is
    recognised by it. `clock` stamps blocks; deadlines follow `monotonic` (seconds), by default the event
    loop's own time, which no change of the machine's clock touches.
    """

    def __init__(
        self,
        log: EventLog,
        owner: str,
        clock: Clock,
        settings: WriterSettings | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._log = log
        self._owner = owner
        self._clock = clock
        self._settings = settings or WriterSettings()
        self._sleep = sleep
        self._monotonic = monotonic
        self._heads: dict[str, Head] = {}
        self._turn = asyncio.Lock()

    @property
    def heads(self) -> Mapping[str, Head]:
        """Durable heads of the partitions held."""
        return self._heads

    async def claim(self, partition: str) -> Head:
        """Become the partition's writer, whoever was it before. Raises Unavailable."""
        patience = self._patience()
        while True:
            try:
                head = await self._log.claim(partition, self._owner)
            except Unavailable as error:  # claiming twice is harmless: the epoch counts further
                await patience.wait_after(error)
                continue
            self._heads[partition] = head
            return head

    async def reclaim(self, partition: str) -> Head:
        """Become the writer again of a partition that the log says is ours.

        Raises NotOwner where it is somebody else's, Unavailable.
        """
        head = await self._claim_ours(partition, self._patience())
        self._heads[partition] = head
        return head

    def release(self, partition: str) -> None:
        """Forget a partition; its next owner claims it."""
        self._heads.pop(partition, None)

    async def append(self, parts: Sequence[Part]) -> list[Block]:
        """Make events durable: one block for each part, all or none, in the order given.

        Raises NotOwner, Malformed, and past the deadline Unavailable or OutcomeUnknown. After any error
        but Malformed the partitions are no longer held: their state must be loaded again.
        """
        async with self._turn:
            fixed = [replace(part, after=self._place(part)) for part in parts]
            try:
                return await self._settle(fixed, await self._seal(fixed))
            except Malformed:
                raise
            except BaseException:  # cancelled too: nobody knows then whether it was committed
                for part in parts:
                    self.release(part.partition)
                raise

    def _place(self, part: Part) -> tuple[int, bytes]:
        head = self._held(part.partition)
        return part.after or (head.offset, head.hash)

    async def _settle(self, parts: Sequence[Part], blocks: list[Block]) -> list[Block]:
        patience = self._patience()
        while True:
            try:
                await self._log.append(blocks)
            except OutcomeUnknown as error:
                if await self._was_committed(blocks, patience):
                    return blocks
                await patience.wait_after(error)
            except Unavailable as error:
                await patience.wait_after(error)
            else:
                self._advance(blocks)
                return blocks
            blocks = await self._seal(parts)  # on the present heads; and no block lands long after its time

    def _advance(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            held = self._heads.get(block.partition)
            if held is not None and held.epoch == block.epoch:  # else given up or claimed anew meanwhile
                self._heads[block.partition] = head_after(block, self._owner)

    async def _seal(self, parts: Sequence[Part]) -> list[Block]:
        now = self._clock.now_ns()
        blocks: list[Block] = []
        sealed = 0
        for part in parts:
            if sealed >= SEALED_A_TURN:
                sealed = 0
                await asyncio.sleep(0)
            blocks.append(seal(self._head_for(part), part.admitted, part.events, now))
            sealed += len(part.events)
        return blocks

    def _head_for(self, part: Part) -> Head:
        """Somebody else may have had it since, and we again: what was folded before has no place there."""
        head = self._held(part.partition)
        if part.after != (head.offset, head.hash):
            raise NotOwner(f"{part.partition!r} was claimed anew meanwhile: its state must be loaded again")
        return head

    def _held(self, partition: str) -> Head:
        head = self._heads.get(partition)
        if head is None:
            raise NotOwner(f"{partition!r} is not held by this writer")
        return head

    async def _was_committed(self, blocks: Sequence[Block], patience: _Patience) -> bool:
        """Claims every partition again; their heads then tell, and the old append can no longer land."""
        landed = set()
        for block in sorted(blocks, key=lambda block: block.partition):
            self._held(block.partition)
            head = await self._claim_ours(block.partition, patience)
            if head.hash not in (block.hash, block.prev_hash):
                raise NotOwner(f"{block.partition!r} has a block of somebody else")
            landed.add(head.hash == block.hash)
            self._heads[block.partition] = head
        if len(landed) > 1:
            raise Corrupt("an append over several partitions was committed in part")
        return landed.pop()

    async def _claim_ours(self, partition: str, patience: _Patience) -> Head:
        """Claim on the epoch that the log says is ours; a claim whose answer was lost may have counted."""
        while True:
            try:
                epoch = await self._own_epoch(partition)
            except Unavailable as error:
                await patience.wait_after(error)
                continue
            try:
                return await self._log.claim(partition, self._owner, expected_epoch=epoch)
            except Unavailable as error:
                await patience.wait_after(error)
            except NotOwner as error:  # somebody was faster, and may have been an earlier claim of ours
                await patience.wait_after(Unavailable(str(error)))

    async def _own_epoch(self, partition: str) -> int:
        heads = await self._log.heads(partition.split("/", 1)[0])
        for head in heads:
            if head.partition == partition and head.owner == self._owner:
                return head.epoch
        raise NotOwner(f"{partition!r} has another owner than {self._owner!r}")

    def _patience(self) -> _Patience:
        monotonic = self._monotonic or asyncio.get_running_loop().time
        return _Patience(self._settings, monotonic, self._sleep, self._owner)
