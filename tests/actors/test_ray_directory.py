"""A gateway's directory over several shards: those that answer are heard, whatever the others do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import spawn
from actors.answers import PollReply
from actors.ray_directory import RayDirectory
from actors.runtime import SUPERVISOR, Runtime
from domain.errors import NotFound, NotOwner, Unavailable
from tests.actors.shard_bench import run, turns

RUNTIME = Runtime(dsn="", partition_count=2, shards=2, readers=0, feeds={})
ZERO, ONE = "market/00", "market/01"
AFTER = {ZERO: 0, ONE: 0}


class Shard:
    """An actor as Ray reaches it: answers polls with what `holds` says, or fails."""

    def __init__(self, name: str, *partitions: str) -> None:
        self.name = name
        self.holds = list(partitions)
        self.fault: Exception | None = None
        self.speaks = asyncio.Event()
        self.asked = asyncio.Event()

    async def door(self, _timeout_s: float) -> None:
        return None

    async def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        assert method == "poll"
        self.asked.set()
        if self.fault is not None:
            raise self.fault
        after, _wait_s = args
        await self.speaks.wait()
        epochs = {partition: 1 for partition in after if partition in self.holds}
        return PollReply(events={each: [self.name] for each in epochs}, behind={}, epochs=epochs)


class Supervisor:
    def __init__(self, topology: dict[str, str]) -> None:
        self.topology = topology
        self.asked = 0

    async def call(self, method: str, *, timeout_s: float) -> dict[str, str]:
        assert method == "topology"
        self.asked += 1
        return dict(self.topology)


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first, self.second = Shard("first", ZERO), Shard("second", ONE)
        self.supervisor = Supervisor({ZERO: "first", ONE: "second"})
        self.directory = RayDirectory(RUNTIME, {})
        known = {"first": self.first, "second": self.second, SUPERVISOR: self.supervisor}

        def find(name: str) -> Any:
            if name not in known:
                raise NotFound(f"no actor {name!r}")
            return known[name]

        monkeypatch.setattr(spawn, "find", find)

    async def poll(self, wait_s: float = 5.0) -> dict[str, Any]:
        return dict((await self.directory.poll(AFTER, wait_s=wait_s)).events)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def on_a_loop(world: World, scenario: Any) -> None:
    run(scenario)(world)


@pytest.mark.parametrize("fault", [Unavailable("down"), NotOwner("elsewhere")])
def test_a_shard_that_fails_keeps_nobody_waiting_for_the_others(world: World, fault: Exception) -> None:
    async def scenario(world: World) -> None:
        world.first.fault = fault
        polling = asyncio.create_task(world.poll())
        await world.first.asked.wait()
        await world.second.asked.wait()
        await turns(50)
        assert not polling.done()
        world.second.speaks.set()
        assert await polling == {ONE: ["second"]}

    on_a_loop(world, scenario)


def test_without_any_shard_that_answers_the_poll_fails(world: World) -> None:
    async def scenario(world: World) -> None:
        world.first.fault = world.second.fault = Unavailable("down")
        with pytest.raises(Unavailable, match="down"):
            await world.poll()

    on_a_loop(world, scenario)


def test_partitions_that_nobody_owns_keep_nobody_waiting_for_the_others(world: World) -> None:
    async def scenario(world: World) -> None:
        del world.supervisor.topology[ZERO]
        world.second.speaks.set()
        for _ in range(50):
            assert await world.poll() == {ONE: ["second"]}
        assert world.supervisor.asked < 50, "not at every poll"

    on_a_loop(world, scenario)


def test_a_partition_that_has_an_owner_again_is_polled_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.ray_directory.DOUBT_AGAIN_S", 0.0)

    async def scenario(world: World) -> None:
        world.second.speaks.set()
        world.first.speaks.set()
        world.supervisor.topology.pop(ZERO)
        assert set(await world.poll()) == {ONE}
        world.supervisor.topology[ZERO] = "first"
        assert {name for _ in range(2) for name in await world.poll()} == {ZERO, ONE}

    on_a_loop(world, scenario)


def test_where_nobody_owns_anything_the_poll_fails(world: World) -> None:
    async def scenario(world: World) -> None:
        world.supervisor.topology.clear()
        with pytest.raises(Unavailable, match="nobody owns"):
            await world.poll()

    on_a_loop(world, scenario)


def test_where_nobody_owns_anything_a_list_of_instruments_is_not_empty_but_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that took it for empty would let clients resume without what came before."""
    monkeypatch.setattr("actors.ray_directory.SEARCH_S", 0.1)

    async def scenario(world: World) -> None:
        world.supervisor.topology.clear()
        with pytest.raises(Unavailable, match="nobody owns any partition"):
            await world.directory.instruments()

    on_a_loop(world, scenario)
