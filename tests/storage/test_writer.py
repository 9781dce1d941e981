"""The writer against a log whose answers go missing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from domain.clock import NS_PER_S, ManualClock
from domain.errors import Malformed, NotOwner, OutcomeUnknown, Unavailable
from storage.block import events_of, seal, verify_chain
from storage.event_log import GENESIS_HASH
from storage.memory import Fault, MemoryLog
from storage.settings import WriterSettings
from storage.writer import LogWriter, Part
from tests.builders import T0, a_trade

PARTITIONS = ("market/00", "market/01", "market/02")


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


class Script:
    """Faults given one after the other to calls of one operation."""

    def __init__(self, operation: str, *faults: Fault | None) -> None:
        self._operation = operation
        self._faults = list(faults)

    def __call__(self, operation: str, partitions: Sequence[str]) -> Fault | None:
        return self._faults.pop(0) if operation == self._operation and self._faults else None


def a_writer(log: MemoryLog, owner: str = "me", **limits: float) -> LogWriter:
    return LogWriter(log, owner, ManualClock(T0), WriterSettings(**limits), sleep=no_wait)  # type: ignore[arg-type]


def part(partition: str, *ids: int) -> Part:
    return Part(partition, (), [a_trade(100.0, trade_id=number) for number in ids])


async def ids_in(log: MemoryLog, partition: str) -> list[int]:
    blocks = await log.read(partition, 0, max_blocks=10**6)
    verify_chain(blocks, 0, GENESIS_HASH)
    return [int(entry.event.trade_id) for block in blocks for entry in events_of(block)]  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LATE, Fault.REFUSED])
def test_an_append_is_settled_whatever_became_of_its_answer(fault: Fault) -> None:
    async def scenario() -> None:
        log = MemoryLog(faults=Script("append", fault))
        writer = a_writer(log)
        for partition in PARTITIONS:
            await writer.claim(partition)
        written = await writer.append([part(partition, 1, 2) for partition in PARTITIONS])
        await writer.append([part(partition, 3) for partition in PARTITIONS])
        assert [block.partition for block in written] == list(PARTITIONS)
        for partition in PARTITIONS:
            assert await ids_in(log, partition) == [1, 2, 3]

    asyncio.run(scenario())


def test_a_writer_fenced_while_it_waits_is_told_and_forgets_its_heads() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        writer, other = a_writer(log), a_writer(log, "other")
        await writer.claim("market/00")
        await other.claim("market/00")
        with pytest.raises(NotOwner):
            await writer.append([part("market/00", 1)])
        assert dict(writer.heads) == {}
        with pytest.raises(NotOwner):
            await writer.append([part("market/00", 1)])
        assert await ids_in(log, "market/00") == []

    asyncio.run(scenario())


def test_a_writer_never_takes_a_partition_back_after_a_lost_answer() -> None:
    async def scenario() -> None:
        log = MemoryLog(faults=Script("append", Fault.LOST_REQUEST))
        other = a_writer(log, "other")

        async def taken_meanwhile(operation: str) -> None:
            if operation == "append" and not other.heads:
                await other.claim("market/00")

        log._delay = taken_meanwhile
        writer = a_writer(log)
        await writer.claim("market/00")
        with pytest.raises(NotOwner):
            await writer.append([part("market/00", 1)])
        assert (await log.heads())[0].owner == "other"

    asyncio.run(scenario())


def test_a_lost_answer_to_the_second_claim_is_recognised_as_ours() -> None:
    async def scenario() -> None:
        faults = {"append": [Fault.LOST_ANSWER], "claim": [None, Fault.LOST_ANSWER, Fault.LOST_ANSWER]}

        def script(operation: str, partitions: Sequence[str]) -> Fault | None:
            waiting = faults.get(operation)
            return waiting.pop(0) if waiting else None

        log = MemoryLog(faults=script)
        writer = a_writer(log)
        await writer.claim("market/00")
        await writer.append([part("market/00", 1)])
        assert await ids_in(log, "market/00") == [1]
        assert writer.heads["market/00"].epoch == 4

    asyncio.run(scenario())


def test_a_partition_is_claimed_again_only_while_the_log_says_that_it_is_ours() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        writer = a_writer(log)
        assert (await writer.claim("market/00")).epoch == 1
        await log.claim("market/00", "me")  # one of ours that landed late
        assert (await writer.reclaim("market/00")).epoch == 3
        await a_writer(log, "other").claim("market/00")
        with pytest.raises(NotOwner):
            await writer.reclaim("market/00")

    asyncio.run(scenario())


def test_a_retried_block_bears_the_time_of_its_last_try() -> None:
    """A time resolves to a cursor once no append can land below it: none may land long after its time."""

    async def scenario() -> None:
        log = MemoryLog(faults=Script("append", Fault.REFUSED, Fault.REFUSED))
        clock = ManualClock(T0)

        async def a_second(_: float) -> None:
            clock.advance(NS_PER_S)

        writer = LogWriter(log, "me", clock, sleep=a_second)
        await writer.claim("market/00")
        [block] = await writer.append([part("market/00", 1)])
        assert block.recorded_ns == clock.now_ns() == T0 + 2 * NS_PER_S

    asyncio.run(scenario())


def test_sealing_many_blocks_lets_others_have_their_turns() -> None:
    async def scenario() -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        writer = a_writer(MemoryLog())
        for partition in PARTITIONS:
            await writer.claim(partition)
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        turns = 0
        await writer.append([part(partition, *range(2_000)) for partition in PARTITIONS])
        counting.cancel()
        assert turns >= len(PARTITIONS) - 1

    asyncio.run(scenario())


def test_an_answer_that_comes_late_does_not_undo_a_newer_claim() -> None:
    async def scenario() -> None:
        held = asyncio.Event()

        async def late_answer(operation: str) -> None:
            if operation == "append":
                await held.wait()

        log = MemoryLog()
        writer = a_writer(log)
        await writer.claim("market/00")
        log._delay = late_answer
        appending = asyncio.create_task(writer.append([part("market/00", 1)]))
        await asyncio.sleep(0)
        log._delay = None
        commit, log._commit = log._commit, lambda blocks: None  # it has been in the log for a while
        held.set()
        commit([seal(writer.heads["market/00"], (), part("market/00", 1).events, T0)])
        writer.release("market/00")
        again = await writer.reclaim("market/00")
        await appending
        assert writer.heads["market/00"] == again

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.REFUSED, Unavailable), (Fault.LOST_REQUEST, OutcomeUnknown)]
)
def test_a_writer_gives_up_after_so_many_attempts(fault: Fault, error: type[Exception]) -> None:
    async def scenario() -> None:
        log = MemoryLog(faults=Script("append", *[fault] * 99))
        writer = a_writer(log, max_attempts=4)
        await writer.claim("market/00")
        with pytest.raises(error):
            await writer.append([part("market/00", 1)])
        assert dict(writer.heads) == {}

    asyncio.run(scenario())


@pytest.mark.parametrize("step_s", [0, 3600, -3600])
def test_a_writer_gives_up_at_its_deadline_however_the_machine_s_clock_is_set(step_s: int) -> None:
    async def scenario() -> None:
        clock, elapsed_s = ManualClock(T0), [0.0]

        async def passes(seconds: float) -> None:
            elapsed_s[0] += seconds
            clock.set(T0 + int((elapsed_s[0] + step_s) * NS_PER_S))

        log = MemoryLog(faults=Script("append", *[Fault.REFUSED] * 999))
        settings = WriterSettings(deadline_s=10.0, max_attempts=999)
        writer = LogWriter(log, "me", clock, settings, sleep=passes, monotonic=lambda: elapsed_s[0])
        await writer.claim("market/00")
        with pytest.raises(Unavailable):
            await writer.append([part("market/00", 1)])
        assert 10 <= elapsed_s[0] < 13

    asyncio.run(scenario())


def test_events_that_cannot_be_encoded_cost_no_ownership() -> None:
    async def scenario() -> None:
        writer = a_writer(MemoryLog())
        await writer.claim("market/00")
        with pytest.raises(Malformed):
            await writer.append([Part("market/00", (), [])])
        assert "market/00" in writer.heads

    asyncio.run(scenario())


def test_a_cancelled_append_forgets_the_heads() -> None:
    async def scenario() -> None:
        stuck = asyncio.Event()

        async def hangs(operation: str) -> None:
            if operation == "append":
                await stuck.wait()

        writer = a_writer(MemoryLog(delay=hangs))
        await writer.claim("market/00")
        append = asyncio.create_task(writer.append([part("market/00", 1)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
        assert dict(writer.heads) == {}

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(40))
def test_acknowledged_events_are_neither_lost_nor_doubled_under_random_faults(seed: int) -> None:
    """Two owners fight over partitions while a third of all calls go wrong."""

    async def scenario() -> None:
        dice = random.Random(seed)

        def faults(operation: str, partitions: Sequence[str]) -> Fault | None:
            return dice.choice(list(Fault)) if dice.random() < 0.3 else None

        async def delay(operation: str) -> None:
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)

        log = MemoryLog(faults=faults, delay=delay)
        acknowledged: dict[str, list[int]] = {partition: [] for partition in PARTITIONS}

        async def owner(name: str, first_id: int) -> None:
            writer = a_writer(log, name, max_attempts=30)
            for number in range(first_id, first_id + 25):
                chosen = dice.sample(PARTITIONS, dice.randrange(1, 4))
                try:
                    for partition in chosen:
                        if partition not in writer.heads:
                            await writer.claim(partition)
                    await writer.append([part(partition, number) for partition in chosen])
                except (NotOwner, Unavailable, OutcomeUnknown):
                    continue
                for partition in chosen:
                    acknowledged[partition].append(number)

        await asyncio.gather(owner("one", 0), owner("two", 1000))
        log._faults = log._delay = None
        for partition in PARTITIONS:
            stored = await ids_in(log, partition)
            assert len(stored) == len(set(stored))
            assert set(acknowledged[partition]) <= set(stored)
        assert any(acknowledged.values())

    asyncio.run(scenario())


def test_what_was_folded_before_somebody_else_wrote_is_never_appended_after_it() -> None:
    """The log is out; meanwhile the partition goes to another owner, who appends, and comes back to us."""

    async def scenario() -> None:
        waits = 0
        log = MemoryLog(faults=Script("append", Fault.REFUSED))

        async def others_come_and_go(_: float) -> None:
            nonlocal waits
            waits += 1
            if waits == 1:
                other = a_writer(log, "other")
                await other.claim("market/00")
                await other.append([part("market/00", 7)])
                await writer.claim("market/00")

        writer = LogWriter(log, "me", ManualClock(T0), WriterSettings(), sleep=others_come_and_go)
        await writer.claim("market/00")
        with pytest.raises(NotOwner, match="claimed anew"):
            await writer.append([part("market/00", 1, 2)])
        assert waits == 1
        assert await ids_in(log, "market/00") == [7]
        assert "market/00" not in writer.heads

    asyncio.run(scenario())


def test_a_part_folded_on_another_head_is_refused() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        writer = a_writer(log)
        await writer.claim("market/00")
        stale = Part("market/00", (), [a_trade(100.0, trade_id=2)], (0, GENESIS_HASH))
        await writer.append([part("market/00", 1)])
        with pytest.raises(NotOwner, match="claimed anew"):
            await writer.append([stale])
        assert await ids_in(log, "market/00") == [1]
        assert "market/00" not in writer.heads

    asyncio.run(scenario())
