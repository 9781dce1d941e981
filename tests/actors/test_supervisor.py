"""The supervisor keeps every partition with exactly one shard that answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ray.exceptions import RaySystemError

from actors.feeds.base import FeedSettings
from actors.launch import until_started
from actors.patience import Patience
from actors.runtime import Runtime
from actors.supervisor import Supervisor, SupervisorSettings
from domain.errors import Unavailable
from tests.actors.shard_bench import until

RUNTIME = Runtime(dsn="", partition_count=4, shards=2, readers=1, feeds={"sim": FeedSettings()})
SETTINGS = SupervisorSettings(
    round_s=0.01, report_timeout_s=0.1, silent_s=0.05, stalled_s=0.3, start_look_s=0.02
)


class Actor:
    """An actor that lives in this process and can die, hang and come back empty."""

    def __init__(self, role: str, name: str) -> None:
        self.role, self.name = role, name
        self.held: list[str] = []
        self.reachable = True
        self.stopped = False
        self.restoring: dict[str, int] = {}
        """Partition -> events still to be replayed; each report does one."""
        self.slow = 0
        self.stalls = False

    async def call(self, method: str, *args: Any, timeout_s: float = 1.0, **_: Any) -> Any:
        self._check()
        if method == "begin":
            self.restoring |= {p: self.slow for p in args[0] if p not in self.held}
            self._finish()
        elif method == "adopt":
            if args[0] not in self.held:
                self.held.append(args[0])
        elif method == "release":
            self.held.remove(args[0])

    async def report(self, timeout_s: float = 1.0) -> dict[str, Any]:
        self._check()
        if not self.stalls:
            self.restoring = {p: left - 1 for p, left in self.restoring.items()}
        self._finish()
        partitions = [{"partition": p, "epoch": 1, "head_offset": 0} for p in self.held]
        restoring = [
            {"partition": p, "epoch": 1, "begun_at": 0, "offset": self.slow - left, "head_offset": self.slow}
            for p, left in sorted(self.restoring.items())
        ]
        who = {"name": self.name, "pid": 1, "node": "n"}
        return who | {"partitions": partitions, "restoring": restoring}

    def _finish(self) -> None:
        self.held += [p for p, left in self.restoring.items() if left <= 0]
        self.restoring = {p: left for p, left in self.restoring.items() if left > 0}

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
        assert sorted(await supervisor.topology()) == ALL

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
        before = await supervisor.topology()
        again = Supervisor(RUNTIME, world.spawn, SETTINGS)
        await again.start()
        assert await again.topology() == before and world.held() == ALL

    asyncio.run(scenario())


def test_a_supervisor_that_has_just_begun_tells_of_no_owner_before_it_has_asked() -> None:
    async def scenario() -> None:
        world, _ = await started()
        again = Supervisor(RUNTIME, world.spawn, SETTINGS)
        asking = asyncio.create_task(again.topology())
        await asyncio.sleep(0.02)
        assert not asking.done()
        await again.start()
        assert sorted(await asking) == ALL
        deaf = Supervisor(RUNTIME, world.spawn, SupervisorSettings(topology_wait_s=0.01))
        with pytest.raises(Unavailable, match="has not heard of all actors"):
            await deaf.topology()

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
        partition, owner = next(iter((await supervisor.topology()).items()))
        target = next(shard.name for shard in world.shards() if shard.name != owner)
        await supervisor.move(partition, target)
        assert world.held() == ALL
        assert partition in world.actors[target].held and (await supervisor.topology())[partition] == target

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
        await until(lambda: not supervisor.asking.failing)
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
        await until(lambda: not supervisor.task.health.failing)
        watching.cancel()

    asyncio.run(scenario())


def slow_world(events: int) -> World:
    world = World()
    for name in RUNTIME.shard_names():
        world.spawn("keeper_shard", name).slow = events
    return world


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
