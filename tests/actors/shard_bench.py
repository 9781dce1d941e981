"""A keeper shard over a memory log whose faults and time a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actors.keeper_shard import KeeperShard
from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Batch
from domain.market.observations import Trade
from storage.codec import encode_batch
from storage.memory import Fault, MemoryLog, MemorySnapshots
from storage.settings import WriterSettings

PARTITION = "market/00"
A = "A.SIM"
START_NS = 1_700_000_000 * NS_PER_S
QUICK = ShardSettings(linger_ms=0.0, linger_polled_ms=0.0, recover_backoff_s=0.001)
IMPATIENT = WriterSettings(deadline_s=0.0, max_attempts=1, first_delay_s=0.0)


def a_trade(number: int, instrument: str = A) -> Trade:
    at = START_NS + number * 1_000_000
    return Trade("sim", instrument, at, at, price=100.0 + number, size=1.0, trade_id=str(number))


def batch(sequence: int, *numbers: int, incarnation: int = 1, sender: str = "sim") -> tuple[str, bytes]:
    trades = tuple(map(a_trade, numbers))
    clock = START_NS + max(numbers, default=0) * 1_000_000
    return PARTITION, encode_batch(Batch(sender, incarnation, sequence, clock, trades))


class Gate:
    """Holds appends up until opened; the rest passes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, operation: str) -> None:
        if operation == "append":
            await self.open.wait()


class Bench:
    """A shard over a memory log whose faults and time the test holds in its hand."""

    def __init__(self, settings: ShardSettings = QUICK, log: MemoryLog | None = None) -> None:
        self.gate = Gate()
        self.fault: Callable[[str, Sequence[str]], Fault | None] = lambda _operation, _partitions: None
        self.log = log or MemoryLog(faults=lambda *call: self.fault(*call), delay=self.gate)
        self.snapshots = MemorySnapshots()
        self.settings = settings
        self.now_s = 0.0
        self.lives = 0

    def shard(
        self,
        name: str = "keeper-0",
        settings: ShardSettings | None = None,
        writer_settings: WriterSettings = IMPATIENT,
    ) -> KeeperShard:
        self.lives += 1
        return KeeperShard(
            name,
            self.log,
            self.snapshots,
            ManualClock(START_NS),
            settings or self.settings,
            instance=str(self.lives),
            partition_count=1,
            writer_settings=writer_settings,
            monotonic=lambda: self.now_s,
        )

    async def started(self, name: str = "keeper-0") -> KeeperShard:
        shard = self.shard(name)
        await shard.start([PARTITION])
        return shard


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(reached: Callable[[], object]) -> None:
    """Wait for what other tasks do in their own time."""
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.002)


def run(test):
    """The whole test on one loop, with a deadline."""

    def runner(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 20))

    runner.__name__, runner.__doc__ = test.__name__, test.__doc__
    return runner


def refusals(acks) -> list[str | None]:
    return [ack.refusal for ack in acks]
