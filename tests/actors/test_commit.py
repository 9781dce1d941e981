"""Lingering: a block waits to grow, but nothing waits longer than that for having come at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from actors.keeper_shard import KeeperShard
from actors.shard_settings import ShardSettings
from domain.clock import ManualClock
from storage.memory import MemoryLog, MemorySnapshots
from tests.actors.shard_bench import PARTITION, START_NS, batch
from tests.simulation.loop import SimLoop

LINGER_S, APPEND_S = 0.020, 0.030


async def _slow_append(operation: str) -> None:
    """Asked for on the way there and on the way back."""
    if operation == "append":
        await asyncio.sleep(APPEND_S / 2)


async def _durable_at(shard: KeeperShard, *payload: tuple[str, bytes]) -> float:
    acks = await shard.observe(payload)
    assert all(ack.durable for ack in acks)
    return asyncio.get_running_loop().time()


def run(test: Callable[[KeeperShard], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """In virtual time, on a shard nobody polls."""

    async def scenario() -> None:
        shard = KeeperShard(
            "keeper-0",
            MemoryLog(delay=_slow_append),
            MemorySnapshots(),
            ManualClock(START_NS),
            ShardSettings(linger_ms=1e3 * LINGER_S),
            instance="1",
            partition_count=1,
            monotonic=lambda: asyncio.get_running_loop().time(),
        )
        await shard.start([PARTITION])
        await test(shard)
        await shard.close()

    def runner() -> None:
        loop = SimLoop(1)
        try:
            loop.run_until_complete(scenario())
        finally:
            loop.bury()
            loop.close()

    runner.__name__, runner.__doc__ = test.__name__, test.__doc__
    return runner


@run
async def test_a_block_waits_to_grow_while_nobody_polls(shard: KeeperShard) -> None:
    began = asyncio.get_running_loop().time()
    first = asyncio.create_task(_durable_at(shard, batch(1, 1)))
    await asyncio.sleep(LINGER_S / 2)
    second = asyncio.create_task(_durable_at(shard, batch(2, 2)))
    assert await first - began >= LINGER_S + APPEND_S
    assert await second == await first
    assert shard.stats()["blocks"] == 1


@run
async def test_what_came_during_an_append_has_lingered_already(shard: KeeperShard) -> None:
    began = asyncio.get_running_loop().time()
    first = asyncio.create_task(_durable_at(shard, batch(1, 1)))
    await asyncio.sleep(1.05 * LINGER_S)
    second = asyncio.create_task(_durable_at(shard, batch(2, 2)))
    assert await second - began < LINGER_S + 2 * APPEND_S + 0.5 * LINGER_S
    assert await second > await first
