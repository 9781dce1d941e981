"""A shell builds its inside when somebody calls, once at a time, and never again after a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from actors.runtime import Runtime
from actors.shells import FailedForGood, Shell
from domain.errors import Unavailable
from tests.actors.shard_bench import run, turns

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
    """Builds and closes while `gate` is open; `faults` are what the next builds and reports meet."""

    role: ClassVar[str] = "patient"

    def __init__(self) -> None:
        super().__init__("patient", RUNTIME)
        self.gate = asyncio.Event()
        self.gate.set()
        self.built: list[Inside] = []
        self.closed: list[Inside] = []
        self.taken = 0
        self.build_faults: list[Exception] = []
        self.report_faults: list[Exception] = []

    async def build(self) -> Inside:
        self.taken += 1
        await self.gate.wait()
        if self.build_faults:
            raise self.build_faults.pop(0)
        self.built.append(Inside(len(self.built) + 1))
        return self.built[-1]

    async def about(self, inside: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.report_faults:
            raise self.report_faults.pop(0)
        return {"number": inside.number}

    async def close(self, inside: Any) -> None:
        await self.gate.wait()
        self.closed.append(inside)
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
async def test_what_has_failed_for_good_is_closed_once_before_another_is_built() -> None:
    shell = Patient()
    await shell.call("ask")
    shell.report_faults = [FailedForGood("one"), FailedForGood("two")]
    shell.gate.clear()
    reports = [asyncio.create_task(shell.report()) for _ in range(2)]
    await turns(3)
    asking = asyncio.create_task(shell.call("ask"))
    await turns(3)
    assert not asking.done()
    shell.gate.set()
    outcomes = await asyncio.gather(*reports, return_exceptions=True)
    assert [type(each) for each in outcomes] == [Unavailable, Unavailable]
    assert await asking == 2
    assert shell.closed == shell.built[:1]
    await shell.stop()
