"""The supervisor keeps every partition with exactly one shard that answers."""

from __future__ import annotations

import asyncio

import pytest
from ray.exceptions import RaySystemError

from actors.runtime import Runtime
from actors.supervisor import Supervisor, SupervisorSettings
from domain.errors import Unavailable
from tests.actors.shard_bench import until
from tests.actors.supervisor_bench import ALL, RUNTIME, SETTINGS, rounds, started


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
