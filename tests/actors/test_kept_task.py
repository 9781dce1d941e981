"""A kept task goes on whatever a turn raises, and says how it does."""

from __future__ import annotations

import asyncio

import pytest

from actors.kept_task import KeptTask, TaskHealth, reports
from domain.errors import Unavailable
from observability.metrics import Telemetry
from tests.actors.shard_bench import until

pytestmark = pytest.mark.anyio


class Work:
    """Raises what it was given, one at each turn, and then works."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.done = 0

    async def turn(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.done += 1


def kept(work: Work, **settings: object) -> KeptTask:
    return KeptTask("work", work.turn, **{"retry_s": 0.001, "retry_cap_s": 0.002, **settings})


FAULTS = [Unavailable("no log"), RuntimeError("Ray's control store is away"), KeyError("a defect")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_turn_that_raises_is_counted_and_followed_by_the_next(fault: Exception) -> None:
    work = Work(fault, fault)
    task = kept(work)
    task.start()
    await until(lambda: work.done >= 3)
    (report,) = reports([task.health])
    assert (report.failures, report.failing, report.alive) == (2, False, True)
    assert str(fault.args[0]) in (report.error or "")
    await task.stop()
    assert not task.running and not task.health.alive


async def test_a_cancellation_of_what_a_turn_waits_for_does_not_end_the_task() -> None:
    work = Work(asyncio.CancelledError())
    task = kept(work)
    task.start()
    await until(lambda: work.done)
    assert task.health.failures == 1
    await task.stop()


async def test_the_failures_of_a_row_wait_longer_and_a_success_begins_anew() -> None:
    work = Work(*[Unavailable("away")] * 6)
    told: list[Exception] = []
    task = kept(work, failed=told.append)
    task.start()
    await until(lambda: work.done)
    assert len(told) == 6
    assert task._backoff.attempts == 0
    await task.stop()


async def test_a_turn_that_lasted_for_long_is_no_row_of_failures() -> None:
    class Slow(Work):
        async def turn(self) -> None:
            await asyncio.sleep(0.01)
            await super().turn()

    work = Slow(*[Unavailable("away")] * 3)
    task = kept(work, retry_cap_s=0.001)
    attempts: list[int] = []
    task._failed = lambda _error: attempts.append(task._backoff.attempts)
    task.start()
    await until(lambda: work.done)
    assert attempts == [0, 0, 0]
    await task.stop()


async def test_starting_twice_makes_one_task_and_a_stopped_one_can_begin_again() -> None:
    work = Work()
    task = kept(work)
    task.start()
    first = task._task
    task.start()
    assert task._task is first
    await task.stop()
    before = work.done
    task.start()
    await until(lambda: work.done > before)
    await task.stop()


def test_failures_are_measured_once_and_a_failing_task_is_seen() -> None:
    telemetry, health = Telemetry("test"), TaskHealth("work")
    health.failed(Unavailable("one"))
    health.failed(Unavailable("two"))
    for _ in range(2):
        health.measure(telemetry)
    told = {sample.name: sample.value for sample in telemetry.collect()}
    assert told == {"financehub.task.failures": 2.0, "financehub.task.failing": 1.0}
    health.succeeded()
    health.measure(telemetry)
    told = {sample.name: sample.value for sample in telemetry.collect()}
    assert told == {"financehub.task.failures": 2.0, "financehub.task.failing": 0.0}
