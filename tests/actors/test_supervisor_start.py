"""A start lasts as long as any partition comes nearer to being served, and watches everybody meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.launch import until_started
from actors.patience import Patience
from actors.supervisor import Supervisor, SupervisorSettings
from domain.errors import Unavailable
from tests.actors.shard_bench import until
from tests.actors.supervisor_bench import ALL, RUNTIME, SETTINGS, Actor, rounds, slow_world, started


def test_a_start_waits_for_a_long_log_as_long_as_it_makes_progress() -> None:
    async def scenario() -> None:
        world = slow_world(60)  # four times as long as `stalled_s`
        supervisor = Supervisor(RUNTIME, world.spawn, SETTINGS)
        starting = asyncio.create_task(supervisor.start())
        await until(lambda: len(supervisor.starting()["restoring"]) == 4)
        assert all(shard.restoring for shard in world.shards()), "all shards begin together"
        assert not supervisor.starting()["done"]
        await starting
        assert supervisor.started and world.held() == ALL

    asyncio.run(scenario())


def test_a_start_without_progress_goes_on_with_what_there_is() -> None:
    async def scenario() -> None:
        world = slow_world(5)
        world.shards()[0].stalls = True
        supervisor = Supervisor(RUNTIME, world.spawn, SETTINGS)
        await supervisor.start()
        assert supervisor.started and len(world.held()) == 2
        world.shards()[0].stalls = False
        watching = asyncio.create_task(supervisor.run())
        await until(lambda: world.held() == ALL)
        watching.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("slow", [0, 6])
def test_a_start_beside_running_feeds_goes_on_without_a_partition_that_cannot_be_had(slow: int) -> None:
    """Each attempt claims it with another epoch and ends where the one before ended; the other heads move."""

    async def scenario() -> None:
        world, _ = await started()
        for shard in world.shards():
            shard.busy, shard.slow, shard.fails = True, slow, {"market/00"}
            shard.held = [p for p in shard.held if p != "market/00"]
        again = Supervisor(RUNTIME, world.spawn, SETTINGS)
        async with asyncio.timeout(10.0):
            await again.start()
        assert again.started and world.held() == ALL[1:]
        for shard in world.shards():
            shard.fails = set()
        watching = asyncio.create_task(again.run())
        await until(lambda: world.held() == ALL)
        watching.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("role", ["connections", "reader", "projector", "feed"])
def test_who_dies_while_a_partition_is_restored_is_made_again_meanwhile(role: str) -> None:
    async def scenario() -> None:
        world, _ = await started()
        shard = world.shards()[0]
        shard.held, shard.slow, shard.stalls = [], 5, True
        again = Supervisor(RUNTIME, world.spawn, SupervisorSettings(start_look_s=0.02))
        starting = asyncio.create_task(again.start())
        await until(lambda: shard.restoring)
        name = next(actor.name for actor in world.actors.values() if actor.role == role)
        del world.actors[name]
        await until(lambda: name in world.actors and world.actors[name].reports)
        assert not again.started
        shard.stalls = False
        await starting
        assert world.held() == ALL

    asyncio.run(scenario())


def test_feeds_begin_nothing_before_a_cold_start_has_restored_all_partitions() -> None:
    async def scenario() -> None:
        world = slow_world(10)
        first, second = world.shards()
        second.stalls = True
        supervisor = Supervisor(RUNTIME, world.spawn, SupervisorSettings(start_look_s=0.02))
        starting = asyncio.create_task(supervisor.start())
        await until(lambda: len(first.held) == 2)
        looks = second.reports
        await until(lambda: second.reports > looks + 5)
        (feed,) = [actor for actor in world.actors.values() if actor.role == "feed"]
        assert feed.reports == 0
        second.stalls = False
        await starting
        assert feed.reports == 1

    asyncio.run(scenario())


def test_what_is_restored_is_moved_to_nobody_meanwhile() -> None:
    async def scenario() -> None:
        world = slow_world(30)
        first, second = world.shards()
        second.reachable = False
        supervisor = Supervisor(RUNTIME, world.spawn, SETTINGS)
        starting = asyncio.create_task(supervisor.start())
        await until(lambda: len(first.restoring) == 4)
        second.reachable = True
        await until(lambda: supervisor._members[second.name].state == "running")
        before = supervisor.asking.failures
        await starting
        assert supervisor.asking.failures == before, supervisor.asking.error
        await rounds(supervisor, 0.2)
        assert len(first.held) == 2 and sorted((*first.held, *second.restoring, *second.held)) == ALL

    asyncio.run(scenario())


def test_whoever_waits_for_the_start_is_told_how_far_it_is() -> None:
    async def scenario() -> None:
        world = slow_world(40)
        supervisor = Supervisor(RUNTIME, world.spawn, SETTINGS)
        told: list[str] = []
        supervisor.task.start()
        done = await until_started(Told(supervisor), Patience(5.0), tell=told.append, given_up=lambda: False)
        assert done and told and "of 40 events" in told[0]
        await supervisor.task.stop()

    asyncio.run(scenario())


def test_a_start_that_stands_still_is_given_up_and_so_is_one_that_nobody_wants() -> None:
    async def scenario() -> None:
        world = slow_world(20)
        for shard in world.shards():
            shard.stalls = True
        supervisor = Supervisor(RUNTIME, world.spawn, SupervisorSettings(start_look_s=0.02))
        supervisor.task.start()
        asked = Told(supervisor)
        with pytest.raises(Unavailable, match=r"has not moved for 0\.4 s"):
            await until_started(asked, Patience(0.4), tell=print, given_up=lambda: False)
        assert not await until_started(asked, Patience(0.4), tell=print, given_up=lambda: True)
        await supervisor.task.stop()

    asyncio.run(scenario())


class Told(Actor):
    """The supervisor's actor, as its starter asks it."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__("supervisor", "supervisor")
        self.supervisor = supervisor

    async def report(self, timeout_s: float = 1.0) -> dict[str, Any]:
        return {"start": self.supervisor.starting()}
