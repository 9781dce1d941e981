"""A shell builds its inside when somebody calls, once at a time, and never again after a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from actors.kept_task import TaskHealth
from actors.runtime import Runtime
from actors.shells import Shell
from domain.errors import Unavailable
from tests.actors.shard_bench import run, turns
from tests.actors.shard_bench import until as eventually

RUNTIME = Runtime(dsn="", partition_count=1, shards=1, readers=0, feeds={})


@pytest.fixture(autouse=True)
def a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.shells.node_id", lambda: "here")


class Inside:
    def __init__(self, number: int) -> None:
        self.number = number

    def ask(self) -> int:
        return self.number


class Patient(Shell):
    """Builds and closes while `gate` is open; `build_faults` are what the next builds meet."""

    role: ClassVar[str] = "patient"

    def __init__(self) -> None:
        super().__init__("patient", RUNTIME)
        self.gate = asyncio.Event()
        self.gate.set()
        self.built: list[Inside] = []
        self.closed: list[Inside] = []
        self.taken = 0
        self.build_faults: list[Exception] = []
        self.health = TaskHealth("work")
        self.tick_faults = 0

    async def build(self) -> Inside:
        self.taken += 1
        await self.gate.wait()
        if self.build_faults:
            raise self.build_faults.pop(0)
        self.built.append(Inside(len(self.built) + 1))
        return self.built[-1]

    async def about(self, inside: Any) -> dict[str, Any]:
        return {"number": inside.number}

    def healths(self, inside: Any) -> list[TaskHealth]:
        return [self.health]

    async def tick(self, inside: Any) -> None:
        if self.tick_faults:
            self.tick_faults -= 1
            raise ZeroDivisionError

    async def close(self, inside: Any) -> None:
        await self.gate.wait()
        self.closed.append(inside)
        self.health = TaskHealth("work")
        await self.abandon()

    async def abandon(self) -> None:
        self.taken -= 1


async def until(reached: Callable[[], object]) -> None:
    while not reached():
        await turns(1)


@run
async def test_callers_at_the_same_time_share_one_inside() -> None:
    shell = Patient()
    assert await asyncio.gather(*(shell.call("ask") for _ in range(5))) == [1] * 5


@run
async def test_a_shell_that_is_told_to_stop_builds_nothing_while_it_drains_nor_afterwards() -> None:
    shell = Patient()
    await shell.call("ask")
    shell.gate.clear()
    stopping = asyncio.create_task(shell.stop())
    await turns(3)
    with pytest.raises(Unavailable, match="stopped"):
        await shell.call("ask")
    shell.gate.set()
    await stopping
    with pytest.raises(Unavailable, match="stopped"):
        await shell.call("ask")
    assert (len(shell.built), shell.closed) == (1, shell.built)


@run
async def test_a_stop_during_the_build_closes_what_was_built() -> None:
    shell = Patient()
    shell.gate.clear()
    asking = asyncio.create_task(shell.call("ask"))
    await until(lambda: shell.taken)
    stopping = asyncio.create_task(shell.stop())
    await turns(3)
    shell.gate.set()
    await asyncio.gather(asking, stopping, return_exceptions=True)
    assert (len(shell.built), shell.closed, shell.taken) == (1, shell.built, 0)


@run
async def test_a_build_that_fails_gives_back_what_it_took_and_is_tried_again() -> None:
    shell = Patient()
    shell.build_faults = [Unavailable("no database"), ValueError("a defect")]
    for reason in ("no database", "a defect"):
        with pytest.raises(Unavailable, match=reason):
            await shell.call("ask")
        assert shell.taken == 0
    assert await shell.call("ask") == 1


@run
async def test_an_inside_whose_task_has_ended_is_closed_once_before_another_is_built() -> None:
    shell = Patient()
    await shell.call("ask")
    shell.health.alive = False
    shell.gate.clear()
    reports = [asyncio.create_task(shell.report()) for _ in range(2)]
    await turns(3)
    asking = asyncio.create_task(shell.call("ask"))
    await turns(3)
    assert not asking.done()
    shell.gate.set()
    outcomes = await asyncio.gather(*reports, return_exceptions=True)
    assert isinstance(outcomes[0], Unavailable) and "work had ended" in str(outcomes[0])
    assert (await asking, len(shell.built)) == (2, 2)
    assert shell.closed == shell.built[:1]
    await shell.stop()


@run
async def test_a_tick_that_fails_is_counted_shown_and_followed_by_the_next() -> None:
    shell = Patient()
    shell.tick_faults = 2
    await shell.call("ask")
    ticking = shell._ticking.health
    await eventually(lambda: ticking.failures == 2 and not ticking.failing)
    (line,) = [task for task in (await shell.report())["tasks"] if task["task"] == "tick"]
    assert line == {
        "task": "tick", "alive": True, "failing": False, "failures": 2, "error": "ZeroDivisionError()"
    }  # fmt: skip
    counted = {
        s.attributes["task"]: s.value for s in await shell.samples() if s.name.endswith("task.failures")
    }
    assert counted == {"tick": 2.0}
    await shell.stop()
