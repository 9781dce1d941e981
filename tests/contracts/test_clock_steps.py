"""After a clock that was ahead: times that name no place in the log are refused, over every backend."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable

import pytest

from actors.log_times import LogTimes
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Admitted, Cursor
from domain.errors import Rejected, TimeUnclear
from storage.block import head_after, seal, verify_chain
from storage.event_log import GENESIS_HASH, Block, ClockStep, Head
from storage.memory import MemoryCheckpoints, MemoryLog, MemorySnapshots
from tests.builders import T0, a_trade
from tests.contracts.conftest import Backend

pytestmark = pytest.mark.anyio

DAY_S = 86_400


class Partition:
    """Blocks of one trade, sealed at seconds after T0 as the writer's clock says."""

    def __init__(self, backend: Backend, head: Head) -> None:
        self.backend = backend
        self.head = head

    @classmethod
    async def of(cls, backend: Backend, name: str) -> Partition:
        return cls(backend, await backend.log.claim(name, "me"))

    async def write(self, *seconds: float) -> Partition:
        for second in seconds:
            sealed_ns = T0 + int(second * NS_PER_S)
            event = a_trade(100.0, ts=sealed_ns, trade_id=self.head.offset + 1)
            block = seal(self.head, [Admitted("sim", 1, 1, sealed_ns, 1)], [event], sealed_ns)
            await self.backend.log.append([block])
            self.head = head_after(block, self.head.owner)
        return self

    async def at(self, second: float, now_s: float = 100 * DAY_S) -> int:
        """The offset of a time, by another process."""
        times = LogTimes(self.backend.other_log, ManualClock(T0 + int(now_s * NS_PER_S)), settle_ms=0)
        return await times.offset_of(self.head.partition, T0 + int(second * NS_PER_S))


async def test_a_clock_that_was_set_right_is_noted_once(backend: Backend, partition: str) -> None:
    ahead = 2 * DAY_S
    await (await Partition.of(backend, partition)).write(0, ahead, 60, 61, 62)
    steps = [step for step in await backend.other_log.clock_steps(T0) if step.partition == partition]
    assert steps == [ClockStep(partition, T0 + ahead * NS_PER_S, T0 + 60 * NS_PER_S)]
    assert await backend.other_log.clock_steps(T0 + ahead * NS_PER_S) == []
    blocks: list[Block] = []
    while page := await backend.other_log.read(partition, len(blocks)):
        blocks += page
    behind_s = [block.header.behind_ns // NS_PER_S for block in blocks]
    assert behind_s == [0, 0, ahead - 60, ahead - 61, ahead - 62]
    assert verify_chain(blocks, 0, GENESIS_HASH)[0] == 5


async def test_a_small_step_back_refuses_no_time(backend: Backend, partition: str) -> None:
    written = await (await Partition.of(backend, partition)).write(0, 10, 5.1, 7, 11)
    assert not [step for step in await backend.log.clock_steps(0) if step.partition == partition]
    assert [await written.at(second) for second in (0, 9, 10, 11)] == [1, 1, 4, 5]


async def test_after_one_block_stamped_two_days_ahead_times_until_then_are_refused(
    backend: Backend, partition: str
) -> None:
    ahead = 2 * DAY_S
    written = await (await Partition.of(backend, partition)).write(0, 10, ahead, 60, 61, 3600)
    assert [await written.at(second, now_s=4000) for second in (0, 5, 10)] == [1, 1, 2]
    for second in (10.1, 59, 60, 61, 3600, 4000):
        with pytest.raises(TimeUnclear, match="a clock was wrong between") as told:
            await written.at(second, now_s=4000)
        assert told.value.known_ns == T0 + 10 * NS_PER_S
    with pytest.raises(TimeUnclear):
        await written.at(ahead - 1)
    await written.write(ahead + 5)
    assert [await written.at(second) for second in (ahead, ahead + 4, ahead + 5)] == [6, 6, 7]


async def test_a_clock_that_was_wrong_for_longer_than_it_was_ahead(backend: Backend, partition: str) -> None:
    """An hour ahead for ten hours: what was stamped meanwhile lies an hour too late."""
    hour = 3600
    wrong = [5 + hour + minute * 60 for minute in range(0, 600, 7)]
    set_right = 5 + 10 * hour
    written = await (await Partition.of(backend, partition)).write(0, 5, *wrong, set_right, set_right + 1)
    assert await written.at(5) == 2
    for second in (6, hour, 5 * hour, set_right, max(wrong) - 1):
        with pytest.raises(TimeUnclear) as told:
            await written.at(second)
        assert told.value.known_ns == T0 + 5 * NS_PER_S
    assert await written.at(max(wrong)) == written.head.offset


async def test_a_clock_that_was_ahead_from_the_first_block_on(backend: Backend, partition: str) -> None:
    written = await (await Partition.of(backend, partition)).write(DAY_S, 60, 61)
    with pytest.raises(TimeUnclear):
        await written.at(70)
    assert await written.at(DAY_S) == 3


SET_RIGHT = 24 * 3600 - 480 + 60
"""A minute after the last of 24 hours' blocks, one every eight minutes."""


def drifted(hours: int, ahead: int) -> list[float]:
    """A block every eight minutes by a clock that comes to be `ahead` s ahead in so many hours."""
    true = range(0, hours * 3600, 480)
    return [second + ahead * second / (hours * 3600) for second in true]


def put_ahead(hours: int, ahead: int) -> list[float]:
    """Two blocks, and one every eight minutes by another clock, which is `ahead` s ahead."""
    return [0, 480, *(second + ahead for second in range(960, hours * 3600, 480))]


@pytest.mark.parametrize("clock", [drifted, put_ahead])
async def test_where_nothing_shows_since_when_the_clock_was_wrong_only_what_is_certainly_unclear_is_refused(
    backend: Backend, partition: str, clock: Callable[[int, int], list[float]]
) -> None:
    stamps = clock(24, 600)
    set_right, ahead_until = SET_RIGHT, stamps[-1]
    written = await (await Partition.of(backend, partition)).write(*stamps, set_right, set_right + 1)
    for second in (0.0, 500.0, 3600.0, 12 * 3600.0, set_right - 1.0, float(set_right)):
        assert await written.at(second) == bisect.bisect_right(stamps, second)
    for between in (set_right + 1, ahead_until - 1):
        with pytest.raises(TimeUnclear, match="a clock was wrong between") as told:
            await written.at(between)
        assert told.value.known_ns == T0 + set_right * NS_PER_S
    assert await written.at(ahead_until) == written.head.offset


async def test_a_step_is_looked_into_a_few_times_and_once(partition: str) -> None:
    asked: Counter[str] = Counter()
    log = MemoryLog(faults=lambda operation, _: asked.update([operation]))
    backend = Backend(log, log, MemorySnapshots(), MemoryCheckpoints(), None, None)
    await (await Partition.of(backend, partition)).write(*drifted(24, 600), SET_RIGHT)
    times = LogTimes(log, ManualClock(T0 + DAY_S * NS_PER_S), settle_ms=0)
    asked.clear()
    await times.cursor_at(T0 + NS_PER_S)
    assert 0 < asked.total() < 64
    asked.clear()
    for second in range(2, 12):
        await times.cursor_at(T0 + second * NS_PER_S)
    assert asked["offset_at"] == 10 and not asked["read"]


async def test_the_newest_known_time_before_several_steps_names_a_place(
    backend: Backend, partition: str
) -> None:
    """Partitions of one clock that was wrong see it at different times, and one may see it twice."""
    await (await Partition.of(backend, partition)).write(0, 10, 5000, 40, 60)
    await (await Partition.of(backend, partition + "-b")).write(0, 7, 60, 20, 5000, 30)
    times = LogTimes(backend.other_log, ManualClock(T0 + 100 * DAY_S * NS_PER_S), settle_ms=0)
    with pytest.raises(TimeUnclear) as told:
        await times.cursor_at(T0 + 65 * NS_PER_S)
    assert told.value.known_ns <= T0 + 7 * NS_PER_S
    known = await times.cursor_at(told.value.known_ns)
    assert known.at(partition + "-b") <= 2 and known.at(partition) <= 1


async def test_other_partitions_are_not_refused(backend: Backend, partition: str) -> None:
    wrong = await (await Partition.of(backend, partition)).write(0, DAY_S, 60)
    right = await (await Partition.of(backend, partition + "-b")).write(0, 60, DAY_S)
    assert await right.at(70) == 2
    with pytest.raises(TimeUnclear):
        await wrong.at(70)
    cursor = Cursor({partition: 2})
    times = LogTimes(backend.log, ManualClock(T0 + 70 * NS_PER_S), settle_ms=0)
    assert await times.offset_of(partition, cursor) == 2
    with pytest.raises(Rejected, match="has not come yet"):
        await wrong.at(80, now_s=70)
