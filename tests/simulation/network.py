"""A network that delays, reorders, duplicates and loses calls and answers, and a log behind it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from domain.errors import FinanceHubError, OutcomeUnknown, Unavailable
from storage.anchors import Anchor
from storage.event_log import Block, ClockStep, Head, Snapshot
from storage.memory import MemoryLog, MemorySnapshots
from tests.simulation.loop import Process, SimLoop

FAST_S = (0.0002, 0.004)
SLOW_S = (0.05, 1.2)
LOG_TIMEOUT_S = 0.5


class Network:
    """Carries calls between processes. `trouble` in [0, 1] is the share of calls that something befalls."""

    def __init__(self, loop: SimLoop, seed: int) -> None:
        self.loop = loop
        self.trouble = 0.0
        self.log_is_out = False
        self.lost = 0
        self.unknown = 0
        self.duplicated = 0
        self._random = random.Random(f"network-{seed}")
        self._wire = Process("wire")

    def goes_wrong(self, share: float) -> bool:
        return self.trouble > 0 and self._random.random() < self.trouble * share

    async def call(self, target: Callable[[], Process], work: Callable[[], Awaitable[Any]]) -> Any:
        """Run `work` in the target's process; the caller gets its answer, an error, or nothing ever."""
        answer = self._future()
        copies = 2 if self.goes_wrong(0.4) else 1
        self.duplicated += copies - 1
        for _ in range(copies):
            self._later(self._deliver, target, work, answer)
        return await answer

    async def to_log(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """A call to the log's server, which never dies but may be out; raises TimeoutError."""
        if self.log_is_out:
            raise Unavailable("the log is out")
        answer = self._future()
        self._later(self._deliver, lambda: self._wire, work, answer)
        return await asyncio.wait_for(answer, LOG_TIMEOUT_S)

    def _future(self) -> asyncio.Future[Any]:
        """Whoever waits may be dead or gone: an answer that nobody takes is no defect."""
        answer: asyncio.Future[Any] = self.loop.create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answer

    def _later(self, step: Callable[..., None], *args: Any) -> None:
        if self.goes_wrong(0.3):
            self.lost += 1
            return
        delay_s = self._random.uniform(*(SLOW_S if self.goes_wrong(0.5) else FAST_S))
        self.loop.call_later(delay_s, step, *args, context=self._wire.context)

    def _deliver(
        self, target: Callable[[], Process], work: Callable[[], Awaitable[Any]], answer: asyncio.Future[Any]
    ) -> None:
        process = target()
        if process.dead:
            self._reply(answer, None, Unavailable(f"{process.name} is down"))
        else:
            process.spawn(self.loop, self._serve(work, answer))

    async def _serve(self, work: Callable[[], Awaitable[Any]], answer: asyncio.Future[Any]) -> None:
        try:
            value, error = await work(), None
        except FinanceHubError as raised:
            value, error = None, raised
        self._later(self._reply, answer, value, error)

    def _reply(self, answer: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
        """Only the first answer counts."""
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)


class SimLog:
    """EventLog as one process sees it. A call may be lost, its answer may be, or it may land late."""

    def __init__(self, network: Network, memory: MemoryLog, claimed: Callable[[Head], None]) -> None:
        self._network = network
        self._memory = memory
        self._claimed = claimed

    async def heads(self, family: str | None = None) -> list[Head]:
        return await self._call(lambda: self._memory.heads(family))

    async def claim(self, partition: str, owner: str, *, expected_epoch: int | None = None) -> Head:
        async def work() -> Head:
            head = await self._memory.claim(partition, owner, expected_epoch=expected_epoch)
            self._claimed(head)
            return head

        return await self._call(work)

    async def append(self, blocks: Sequence[Block]) -> None:
        try:
            await self._network.to_log(lambda: self._memory.append(blocks))
        except TimeoutError:
            self._network.unknown += 1
            raise OutcomeUnknown("no answer to an append") from None

    async def read(
        self, partition: str, after: int, *, until: int | None = None, max_blocks: int = 64
    ) -> list[Block]:
        return await self._call(
            lambda: self._memory.read(partition, after, until=until, max_blocks=max_blocks)
        )

    async def clock_steps(self, recorded_ns: int) -> list[ClockStep]:
        return await self._call(lambda: self._memory.clock_steps(recorded_ns))

    async def offset_at(self, partition: str, recorded_ns: int) -> int:
        return await self._call(lambda: self._memory.offset_at(partition, recorded_ns))

    async def settled(self, partition: str) -> Head | None:
        return await self._call(lambda: self._memory.settled(partition))

    async def anchors(self) -> dict[str, Anchor]:
        return await self._call(self._memory.anchors)

    async def close(self) -> None:
        """Nothing is held."""

    async def _call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await self._network.to_log(work)
        except TimeoutError:
            raise Unavailable("no answer from the log") from None


class SimSnapshots:
    """SnapshotStore as one process sees it."""

    def __init__(self, network: Network, memory: MemorySnapshots) -> None:
        self._network = network
        self._memory = memory

    async def save(self, snapshot: Snapshot) -> None:
        await self._call(lambda: self._memory.save(snapshot))

    async def latest(self, partition: str, *, at_most: int | None = None) -> Snapshot | None:
        return await self._call(lambda: self._memory.latest(partition, at_most=at_most))

    async def ladder(self, partition: str) -> list[Snapshot]:
        return await self._call(lambda: self._memory.ladder(partition))

    async def _call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await self._network.to_log(work)
        except TimeoutError:
            raise Unavailable("no answer from the snapshot store") from None
