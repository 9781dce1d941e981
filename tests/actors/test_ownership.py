"""Who owns a partition after things went wrong: nobody is given up for another's misfortune."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from actors.keeper_shard import KeeperShard
from actors.recent import EVENT_BYTES
from actors.shard_settings import ShardSettings
from actors.tenure import BROKEN_RETRY_S
from domain.errors import Corrupt, NotOwner, Rejected, Unavailable
from storage.event_log import Block, Head, Snapshot
from storage.memory import Fault, MemoryLog, MemorySnapshots
from storage.settings import WriterSettings
from tests.actors.shard_bench import PARTITION, A, Bench, batch, refusals, run, turns

OTHER = "market/01"
PATIENT = WriterSettings(deadline_s=5.0, max_attempts=5, first_delay_s=0.0, max_delay_s=0.0)


async def settled(reached: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1_000):
        if await reached():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("not within 2 s")


async def owns(shard: KeeperShard, *partitions: str) -> bool:
    return set(await shard.heads()) == set(partitions)


async def owner_of(bench: Bench, partition: str) -> str:
    return next(head.owner for head in await bench.log.heads() if head.partition == partition)


@run
async def test_one_fenced_partition_does_not_cost_the_shard_its_others() -> None:
    bench = Bench()
    old, new = bench.shard("keeper-0"), bench.shard("keeper-1")
    await old.start([PARTITION, OTHER])
    await new.start([PARTITION])
    elsewhere = (OTHER, batch(1, 1)[1])
    first, second = await old.observe([batch(1, 1), elsewhere])
    assert first.refusal is not None
    assert second.refusal is not None
    await settled(lambda: owns(old, OTHER))
    assert refusals(await old.observe([batch(1, 1), elsewhere])) == ["not_owner", None]
    assert await owner_of(bench, PARTITION) == new.owner


@run
async def test_a_claim_of_ours_that_lands_late_does_not_cost_us_the_partition() -> None:
    bench = Bench()
    shard = await bench.started()
    await bench.log.claim(PARTITION, shard.owner)
    await shard.observe([batch(1, 1)])
    await settled(lambda: owns(shard, PARTITION))
    assert refusals(await shard.observe([batch(1, 1)])) == [None]
    assert (await bench.log.heads())[0].offset == 1


@run
async def test_a_lost_answer_to_a_committed_append_leaves_a_quiet_partition_readable() -> None:
    bench = Bench()
    faults = [Fault.LOST_ANSWER]
    bench.fault = lambda operation, _: faults.pop() if operation == "append" and faults else None
    shard = bench.shard(writer_settings=PATIENT)
    await shard.start([PARTITION])
    assert refusals(await shard.observe([batch(1, 1)])) == [None]
    [head] = await bench.log.heads()
    assert shard.stats()["partitions"] == [{"partition": PARTITION, "epoch": head.epoch, "head_offset": 1}]
    bench.now_s += 10 * bench.settings.lease_s
    assert (await shard.last(A)).place == (PARTITION, 1)


class SlowHeads(MemoryLog):
    """Looks at the heads when asked, and tells what it saw when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.tell = asyncio.Event()
        self.tell.set()

    async def heads(self, family: str | None = None) -> list[Head]:
        seen = await super().heads(family)
        await self.tell.wait()
        return seen


@run
async def test_a_look_at_the_heads_from_before_a_claim_takes_nothing_away() -> None:
    log = SlowHeads()
    bench = Bench(log=log)
    old, new = bench.shard("keeper-0"), bench.shard("keeper-1")
    await old.start([PARTITION])
    await new.start([OTHER])
    bench.now_s += bench.settings.lease_s / 2
    log.tell.clear()
    ticking = asyncio.create_task(new.tick())
    await turns()
    await new.adopt(PARTITION)
    log.tell.set()
    await ticking
    assert await owns(new, PARTITION, OTHER)
    assert refusals(await new.observe([batch(1, 1)])) == [None]


@run
async def test_a_log_that_does_not_answer_does_not_hold_a_read_up_for_longer_than_a_lease() -> None:
    log = SlowHeads()
    bench = Bench(ShardSettings(linger_ms=0.0, lease_s=0.05), log=log)
    shard = await bench.started()
    bench.now_s += 1.0
    log.tell.clear()
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable):
            await shard.last(A)
    log.tell.set()
    await shard.close()


class PickyLog(MemoryLog):
    """One partition cannot be read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error
        self.claims = 0

    async def claim(self, partition: str, owner: str, *, expected_epoch: int | None = None) -> Head:
        self.claims += partition == PARTITION
        return await super().claim(partition, owner, expected_epoch=expected_epoch)

    async def read(self, partition, after, *, until=None, max_blocks=64):
        if partition == PARTITION and self.error is not None:
            raise self.error
        return await super().read(partition, after, until=until, max_blocks=max_blocks)


async def _with_an_unreadable_partition(error: Exception) -> tuple[Bench, PickyLog]:
    log = PickyLog(error)
    log.error = None
    bench = Bench(log=log)
    await (await bench.started()).observe([batch(1, 1)])
    log.error = error
    return bench, log


@run
async def test_a_partition_that_cannot_be_restored_does_not_keep_the_others_down() -> None:
    bench, _ = await _with_an_unreadable_partition(Corrupt("bits fell over"))
    shard = bench.shard("keeper-1")
    with pytest.raises(Corrupt):
        await shard.start([PARTITION, OTHER])
    assert await owns(shard, OTHER)
    with pytest.raises(Unavailable, match="bits fell over"):
        await shard.last(A)


@run
async def test_a_corrupt_partition_is_not_read_again_each_time_it_is_asked_for() -> None:
    bench, log = await _with_an_unreadable_partition(Corrupt("bits fell over"))
    shard = bench.shard("keeper-1")
    for _ in range(5):
        with pytest.raises(Corrupt):
            await shard.adopt(PARTITION)
    assert log.claims == 2
    log.error = None
    bench.now_s += 3600.0
    await shard.adopt(PARTITION)
    assert await owns(shard, PARTITION)
    assert shard.stats()["broken"] == {}


@run
async def test_a_recovery_that_the_log_refuses_is_told_and_not_forgotten() -> None:
    bench = Bench()
    bench.log = log = PickyLog(Rejected("kept from offset 9"))
    log.error = None
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    log.error = Rejected("kept from offset 9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domain.keeper.SymbolKeeper.observe", lambda *_: 1 / 0)
        await shard.observe([batch(2, 2)])
    await asyncio.sleep(0.02)
    with pytest.raises(Unavailable, match="kept from offset 9"):
        await shard.last(A)


class FailingSnapshots(MemorySnapshots):
    """Saves raise what the test says."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = error
        self.saves = 0

    async def save(self, snapshot: Snapshot) -> None:
        self.saves += 1
        if self.error is not None:
            raise self.error
        await super().save(snapshot)


@run
async def test_a_release_that_fails_leaves_a_partition_that_takes_batches() -> None:
    bench = Bench()
    bench.snapshots = FailingSnapshots(asyncio.CancelledError())
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    with pytest.raises(asyncio.CancelledError):
        await shard.release(PARTITION)
    assert refusals(await shard.observe([batch(2, 2)])) == [None]


@run
async def test_a_snapshot_that_cannot_be_stored_does_not_keep_a_partition_from_moving() -> None:
    bench = Bench()
    bench.snapshots = FailingSnapshots(Rejected("no such table"))
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    assert await shard.release(PARTITION) == (PARTITION, 1)
    with pytest.raises(NotOwner):
        await shard.last(A)


@run
async def test_a_failing_snapshot_store_is_not_asked_again_at_every_tick() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1, snapshot_min_s=0.0))
    store = bench.snapshots = FailingSnapshots(Unavailable("disk full"))
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    for _ in range(20):
        await shard.tick()
        await turns(5)
        bench.now_s += 0.1
    assert store.saves <= 5
    store.error = None
    for _ in range(3):
        bench.now_s += 60.0
        await shard.tick()
        await turns(5)
    assert shard.stats()["snapshots"] == 1


@run
async def test_batches_of_repeats_alone_never_shut_the_door() -> None:
    """They hold no event that is not durable, so nothing would ever open it again."""
    bench = Bench(ShardSettings(linger_ms=0.0, intake_bytes=1_000))
    shard = await bench.started()
    assert refusals(await shard.observe([batch(1, 1)])) == [None]
    for sequence in range(2, 60):
        assert refusals(await shard.observe([batch(sequence, 1)])) == ["held"]
    assert refusals(await shard.observe([batch(60, 2)])) == [None]


@run
async def test_an_error_in_the_middle_of_a_fold_costs_the_state_whatever_its_class() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])

    def half_done(*_: object) -> None:
        raise Rejected("thrown after something was changed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domain.keeper.SymbolKeeper.observe", half_done)
        assert refusals(await shard.observe([batch(2, 2)])) == ["malformed"]
    await settled(lambda: owns(shard, PARTITION))
    assert shard.stats()["restored"] == 2


@run
async def test_a_seat_lost_just_after_its_recovery_is_recovered_again() -> None:
    bench = Bench()
    shard = await bench.started()
    tenure = shard._tenure
    tenure.lose(tenure.seat(PARTITION), Unavailable("first"))
    while PARTITION not in tenure.seats:  # noqa: ASYNC110 - the very next step counts
        await asyncio.sleep(0)
    tenure.lose(tenure.seat(PARTITION), Unavailable("at once again"))
    await settled(lambda: owns(shard, PARTITION))


@run
async def test_a_shard_that_is_closed_while_its_commit_begins_ends() -> None:
    """`asyncio.wait_for` of Python 3.11 loses a cancellation that comes with the event it waits for."""
    bench = Bench(ShardSettings(linger_ms=1_000.0))
    shard = await bench.started()
    call = asyncio.create_task(shard.observe([batch(1, 1)]))
    await turns()
    shard._commit.hurry()
    async with asyncio.timeout(2):
        await shard.close()
    assert refusals(await call) in ([None], ["unavailable"])


@run
async def test_many_partitions_keep_no_more_recent_events_in_memory_than_few() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, recent_bytes=20 * EVENT_BYTES))
    shard = bench.shard()
    partitions = [f"market/{number:02d}" for number in range(5)]
    await shard.start(partitions[:1])
    for sequence in range(1, 30):
        if sequence == 10:
            await shard.start(partitions)
        held = sorted(await shard.heads())
        encoded = batch(sequence if sequence < 10 else sequence - 9, sequence, incarnation=1 + (sequence > 9))
        await shard.observe([(partition, encoded[1]) for partition in held])
    assert 0 < shard.stats()["recent_bytes"] <= 20 * EVENT_BYTES


@run
async def test_a_shard_that_restores_a_long_log_answers_meanwhile_and_tells_how_far_it_is() -> None:
    bench = Bench()
    writer = await bench.started("keeper-0")
    for number in range(1, 9):
        await writer.observe([batch(number, number)])
    slow = SlowReads(bench.log)
    bench.log = slow  # type: ignore[assignment]
    heir = bench.shard("keeper-1")
    await heir.begin([PARTITION])
    await settled(lambda: told(heir, begun_at=0))
    assert heir.stats()["partitions"] == []
    with pytest.raises(Unavailable, match="is being restored"):
        await heir.last(A)
    assert refusals(await heir.observe([batch(9, 9)])) == ["unavailable"]
    with pytest.raises(Unavailable, match=f"{PARTITION} are being restored"):
        await heir.instruments()
    for reached in range(1, 8):
        slow.allowed.set()
        await settled(lambda reached=reached: told(heir, offset=reached))
    slow.allowed.set()
    await settled(lambda: owns(heir, PARTITION))
    assert heir.stats()["restoring"] == []
    assert (await heir.last(A)).place == (PARTITION, 8)
    assert isinstance(await heir.instruments(), list)
    await heir.close()


@run
async def test_a_broken_partition_is_read_again_after_a_while_and_not_at_every_order() -> None:
    bench = Bench()
    writer = await bench.started("keeper-0")
    await writer.observe([batch(1, 1)])
    blocks = bench.log._blocks[PARTITION]
    sound, blocks[0] = blocks[0], replace(blocks[0], hash=bytes(32))
    heir = bench.shard("keeper-1")
    await heir.begin([PARTITION])
    await settled(lambda: broken(heir))
    for _ in range(5):
        await heir.begin([PARTITION])
        await turns()
    (restoring,) = [health for health in heir.healths() if health.name == "restoring"]
    assert restoring.failures == 1
    (trouble,) = heir.troubles()
    assert trouble.startswith(f"{PARTITION} cannot be restored: block 1 of")
    blocks[0] = sound
    bench.now_s += BROKEN_RETRY_S
    await heir.begin([PARTITION])
    await settled(lambda: owns(heir, PARTITION))
    assert heir.troubles() == [] and not restoring.failing
    await heir.close()


async def broken(shard: KeeperShard) -> bool:
    return bool(shard.troubles())


class SlowReads:
    """A log that gives one block at a time, and that only when it is allowed to."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.allowed = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def read(self, partition: str, after: int, **_: object) -> list[Block]:
        await self.allowed.wait()
        self.allowed.clear()
        return await self._log.read(partition, after, max_blocks=1)


async def told(shard: KeeperShard, **wanted: int) -> bool:
    lines = shard.stats()["restoring"]
    begun = bool(lines) and lines[0]["epoch"] > 0
    return begun and all(lines[0][name] == value for name, value in wanted.items())
