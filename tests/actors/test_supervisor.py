"""The supervisor keeps every partition with exactly one shard that answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ray.exceptions import RaySystemError

from actors.feeds.base import FeedSettings
from actors.runtime import Runtime
from actors.supervisor import Supervisor, SupervisorSettings
from domain.errors import Unavailable
from tests.actors.shard_bench import until

RUNTIME = Runtime(dsn="", partition_count=4, shards=2, readers=1, feeds={"sim": FeedSettings()})
SETTINGS = SupervisorSettings(round_s=0.01, report_timeout_s=0.1, silent_s=0.05)


class Actor:
    """An actor that lives in this process and can die, hang and come back empty."""

    def __init__(self, role: str, name: str) -> None:
        self.role, self.name = role, name
        self.held: list[str] = []
        self.reachable = True
        self.stopped = False

    async def call(self, method: str, *args: Any, timeout_s: float = 1.0, **_: Any) -> Any:
        self._check()
        if method == "start":
            self.held = list(args[0])
        elif method == "adopt":
            self.held.append(args[0])
        elif method == "release":
            self.held.remove(args[0])

    async def report(self, timeout_s: float = 1.0) -> dict[str, Any]:
        self._check()
        partitions = [{"partition": p, "epoch": 1, "head_offset": 0} for p in self.held]
        return {"name": self.name, "pid": 1, "node": "n", "partitions": partitions}

    async def samples(self, timeout_s: float = 1.0) -> list[Any]:
        self._check()
        return [f"sample of {self.name}"]

    async def stop(self, timeout_s: float = 1.0) -> None:
        self.stopped = True

    def kill(self) -> None:
        self.reachable = False

    def _check(self) -> None:
        if not self.reachable:
            raise Unavailable(f"{self.name} is down")


class World:
    """All actors by name; spawning finds or creates. The next `hiccups` calls meet an error of Ray's own."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}
        self.hiccups: list[Exception] = []

    def spawn(self, role: str, name: str) -> Actor:
        if self.hiccups:
            raise self.hiccups.pop(0)
        return self.actors.setdefault(name, Actor(role, name))

    def shards(self) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.role == "keeper_shard"]

    def held(self) -> list[str]:
        return sorted(p for shard in self.shards() if shard.reachable for p in shard.held)


ALL = ["market/00", "market/01", "market/02", "market/03"]


async def started() -> tuple[World, Supervisor]:
    world = World()
    supervisor = Supervisor(RUNTIME, world.spawn, SETTINGS)
    await supervisor.start()
    return world, supervisor


async def rounds(supervisor: Supervisor, seconds: float) -> None:
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(seconds)
    task.cancel()


def test_a_cold_start_places_every_partition_evenly_and_starts_every_role() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        assert world.held() == ALL
        assert [len(shard.held) for shard in world.shards()] == [2, 2]
        assert {actor.role for actor in world.actors.values()} == {
            "connections", "keeper_shard", "reader", "projector", "feed",
        }  # fmt: skip
        assert sorted(supervisor.topology()) == ALL

    asyncio.run(scenario())


def test_a_shard_that_came_back_empty_gets_its_partitions_again() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        world.shards()[0].held = []
        await rounds(supervisor, 0.1)
        assert world.held() == ALL

    asyncio.run(scenario())


def test_partitions_of_a_silent_shard_move_and_come_back_when_it_answers() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        first, second = world.shards()
        first.reachable = False
        await rounds(supervisor, 0.3)
        assert sorted(second.held) == ALL
        first.held, first.reachable = [], True
        await rounds(supervisor, 0.3)
        assert world.held() == ALL and len(second.held) == 2

    asyncio.run(scenario())


def test_a_supervisor_that_was_restarted_leaves_partitions_where_they_are() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        before = supervisor.topology()
        again = Supervisor(RUNTIME, world.spawn, SETTINGS)
        await again.start()
        assert again.topology() == before and world.held() == ALL

    asyncio.run(scenario())


def test_all_shards_down_is_survived() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        for shard in world.shards():
            shard.reachable, shard.held = False, []
        await rounds(supervisor, 0.2)
        for shard in world.shards():
            shard.reachable = True
        await rounds(supervisor, 0.2)
        assert world.held() == ALL

    asyncio.run(scenario())


def test_a_move_releases_before_it_adopts() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        partition, owner = next(iter(supervisor.topology().items()))
        target = next(shard.name for shard in world.shards() if shard.name != owner)
        await supervisor.move(partition, target)
        assert world.held() == ALL
        assert partition in world.actors[target].held and supervisor.topology()[partition] == target

    asyncio.run(scenario())


def test_stopping_drains_every_actor() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        await supervisor.stop()
        assert all(actor.stopped and not actor.reachable for actor in world.actors.values())

    asyncio.run(scenario())


def test_system_tells_of_every_actor_and_samples_skip_the_silent_ones() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        world.actors["projector"].reachable = False
        system = await supervisor.system()
        states = {line["name"]: line["state"] for line in system["actors"]}
        assert states["projector"] == "silent" and states["keeper-shard-0"] == "running"
        assert "projector" not in {process for process, _ in await supervisor.samples()}

    asyncio.run(scenario())


@pytest.mark.parametrize("count", [1, 3])
def test_names_follow_the_runtime(count: int) -> None:
    runtime = Runtime(dsn="postgresql://u:secret@h/d", partition_count=4, shards=count, readers=1, feeds={})
    assert len(runtime.shard_names()) == count
    assert "secret" not in repr(runtime)


@pytest.mark.parametrize(
    "error", [RaySystemError("the control store is away"), RuntimeError("a driver's"), OSError("no route")]
)
def test_supervision_outlives_errors_that_are_not_ours_and_tells_of_them(error: Exception) -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        world.hiccups = [error] * 12
        watching = asyncio.create_task(supervisor.run())
        await until(lambda: not world.hiccups)
        world.shards()[0].held = []
        await until(lambda: world.held() == ALL)
        told = (await supervisor.system())["supervisor"]
        (asking,) = [task for task in told["tasks"] if task["task"] == "questions to actors"]
        assert asking["failures"] >= 12 and asking["error"] == repr(error)
        assert told["round_age_s"] < 5.0
        watching.cancel()

    asyncio.run(scenario())


def test_a_round_that_fails_as_a_whole_is_counted_and_followed_by_the_next() -> None:
    async def scenario() -> None:
        world, supervisor = await started()
        world.shards()[0].held = [None]  # type: ignore[list-item]  # a report that nobody expects
        watching = asyncio.create_task(supervisor.run())
        await until(lambda: supervisor.task.health.failures)
        world.shards()[0].held = []
        await until(lambda: world.held() == ALL)
        assert not supervisor.task.health.failing or supervisor.task.health.alive
        watching.cancel()

    asyncio.run(scenario())
