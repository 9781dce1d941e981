"""Actors in this process for a supervisor to watch: they die, hang, stall and come back empty."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.feeds.base import FeedSettings
from actors.runtime import Runtime
from actors.supervisor import Supervisor, SupervisorSettings
from domain.errors import Unavailable

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
        self.fails: set[str] = set()
        """Partitions whose replay ends in an error half-way, each time."""
        self.epoch = 1
        self.heads = 0
        self.busy = False
        """Whether feeds run: then heads move from report to report."""
        self.reports = 0

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
        self.reports += 1
        self.heads += self.busy
        if not self.stalls:
            self.restoring = {p: left - 1 for p, left in self.restoring.items()}
        self._finish()
        partitions = [{"partition": p, "epoch": 1, "head_offset": self.heads} for p in self.held]
        replay = {"epoch": self.epoch, "begun_at": 0, "head_offset": self.slow}
        restoring = [
            {"partition": p, "offset": self.slow - left, **replay}
            for p, left in sorted(self.restoring.items())
        ]
        who = {"name": self.name, "pid": 1, "node": "n"}
        return who | {"partitions": partitions, "restoring": restoring}

    def _finish(self) -> None:
        for partition in self.fails & {p for p, left in self.restoring.items() if left <= self.slow // 2}:
            del self.restoring[partition]
            self.epoch += 1
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


def slow_world(events: int) -> World:
    world = World()
    for name in RUNTIME.shard_names():
        world.spawn("keeper_shard", name).slow = events
    return world
