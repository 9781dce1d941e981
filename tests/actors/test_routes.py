"""Where shards are found: an actor that is not there now is no thing that does not exist."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from actors import spawn
from actors.direct import DirectServer, Door
from actors.routes import Routes
from actors.runtime import Runtime
from domain.errors import NotFound, Unavailable
from tests.actors.shard_bench import PARTITION, Bench, run, turns

RUNTIME = Runtime(dsn="", partition_count=2, shards=1, readers=0, feeds={})


class Known:
    """What Ray knows by name."""

    def __init__(self) -> None:
        self.actors: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        if name not in self.actors:
            raise NotFound(f"no actor {name!r}")
        return self.actors[name]


class Host:
    """A shard's process as Ray reaches it: it tells where its door is."""

    def __init__(self, door: Door) -> None:
        self.name = "keeper-shard-0"
        self._door = door

    async def door(self, _timeout_s: float) -> Door:
        return self._door

    async def call(self, method: str, *_: Any, timeout_s: float) -> Any:
        raise Unavailable("by the door")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    found = Known()
    monkeypatch.setattr(spawn, "find", found.find)
    return found


@run
async def test_without_a_supervisor_owners_are_unavailable() -> None:
    with pytest.raises(Unavailable, match="supervisor"):
        await Routes(RUNTIME).refresh()


@run
async def test_a_shard_that_is_being_made_anew_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="keeper-shard-0"):
        await Routes(RUNTIME).shard("keeper-shard-0")


def test_routes_that_are_closed_leave_no_connection_behind(known: Known) -> None:
    """A feed that fails for good is built anew in the same process, again and again."""

    @run
    async def scenario() -> None:
        server = DirectServer(await Bench().started())
        known.actors["keeper-shard-0"] = Host(await server.start("127.0.0.1"))
        routes = Routes(RUNTIME)
        shard = await routes.shard("keeper-shard-0")
        with contextlib.suppress(Unavailable):
            await shard.poll({PARTITION: 0}, 0.0)
        while not server.connections:
            await turns(1)
        await routes.close()
        while server.connections:
            await turns(1)
        server.close()

    scenario()
