"""The keeper shard: nothing is acknowledged before it is durable, nothing enters it twice."""

from __future__ import annotations

import asyncio

import pytest

from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.errors import NotOwner
from storage.codec import encode_batch
from storage.memory import Fault
from tests.actors.shard_bench import (
    PARTITION,
    START_NS,
    A,
    Bench,
    a_trade,
    batch,
    refusals,
    run,
    turns,
    until,
)


@run
async def test_a_batch_is_acknowledged_only_once_it_is_in_the_log() -> None:
    bench = Bench()
    shard = await bench.started()
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(1, 1, 2)]))
    await turns()
    assert not call.done()
    bench.gate.open.set()
    [ack] = await call
    assert (ack.durable, ack.partition, ack.incarnation, ack.sequence) == (True, PARTITION, 1, 1)
    assert [head.offset for head in await bench.log.heads()] == [2]


@run
async def test_a_repeat_is_acknowledged_after_its_original_and_written_once() -> None:
    bench = Bench()
    shard = await bench.started()
    bench.gate.open.clear()
    calls = [asyncio.create_task(shard.observe([batch(1, 1, 2)])) for _ in range(3)]
    await turns()
    assert not any(call.done() for call in calls)
    bench.gate.open.set()
    assert [refusals(await call) for call in calls] == [[None]] * 3
    assert (await bench.log.heads())[0].offset == 2


@run
async def test_a_jump_is_refused_with_the_sequence_that_is_expected() -> None:
    shard = await Bench().started()
    acks = await shard.observe([batch(1, 1), batch(3, 3), batch(2, 2), batch(3, 3)])
    assert refusals(acks) == [None, "expected", None, None]
    assert acks[1].expected == 2


@run
async def test_an_older_incarnation_is_refused() -> None:
    shard = await Bench().started()
    acks = await shard.observe([batch(1, 1, incarnation=5), batch(1, 2, incarnation=4)])
    assert refusals(acks) == [None, "stale_incarnation"]


@run
async def test_a_batch_of_repeats_only_is_held_until_a_block_carries_its_number() -> None:
    bench = Bench()
    shard = await bench.started()
    assert refusals(await shard.observe([batch(1, 1, 2), batch(2, 1, 2)])) == [None, None]
    assert refusals(await shard.observe([batch(3, 1)])) == ["held"]
    assert refusals(await shard.observe([batch(3, 1), batch(4, 4)])) == [None, None]
    again = await bench.started("keeper-1")
    assert refusals(await again.observe([batch(5, 5)])) == [None]


@run
async def test_batches_that_come_during_an_append_share_the_next_one() -> None:
    bench = Bench()
    shard = await bench.started()
    bench.gate.open.clear()
    calls = [asyncio.create_task(shard.observe([batch(1, 1)]))]
    await turns()
    calls += [asyncio.create_task(shard.observe([batch(n, n)])) for n in (2, 3, 4)]
    await turns()
    bench.gate.open.set()
    await asyncio.gather(*calls)
    blocks = await bench.log.read(PARTITION, 0)
    assert [(block.first_offset, block.last_offset) for block in blocks] == [(1, 1), (2, 4)]


@run
async def test_a_full_intake_is_busy_until_something_is_durable() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, intake_events=2))
    shard = await bench.started()
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(1, 1, 2), batch(2, 3)]))
    await turns()
    assert refusals(await shard.observe([batch(2, 3)])) == ["busy"]
    bench.gate.open.set()
    assert refusals(await call) == [None, "busy"]
    assert refusals(await shard.observe([batch(2, 3)])) == [None]


@run
async def test_an_append_whose_answer_was_lost_is_neither_lost_nor_doubled() -> None:
    for fault in (Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.LATE):
        bench = Bench()
        faults = [fault]
        bench.fault = lambda operation, _, f=faults: f.pop() if operation == "append" and f else None
        shard = bench.shard()
        await shard.start([PARTITION])
        acks = await shard.observe([batch(1, 1, 2)])
        if refusals(acks) != [None]:
            await asyncio.sleep(0.02)
            acks = await shard.observe([batch(1, 1, 2)])
        assert refusals(acks) == [None]
        assert (await bench.log.heads())[0].offset == 2


@run
async def test_an_owner_that_was_fenced_gives_up_and_takes_nothing_back() -> None:
    bench = Bench()
    old = await bench.started("keeper-0")
    await old.observe([batch(1, 1)])
    new = await bench.started("keeper-1")
    epoch = (await bench.log.heads())[0].epoch
    assert refusals(await old.observe([batch(2, 2)])) == ["not_owner"]
    await turns()
    assert refusals(await old.observe([batch(2, 2)])) == ["not_owner"]
    with pytest.raises(NotOwner):
        await old.last(A)
    assert refusals(await new.observe([batch(2, 2)])) == [None]
    assert (await bench.log.heads())[0].epoch == epoch


@run
async def test_a_moved_partition_goes_on_with_the_same_state() -> None:
    bench = Bench()
    source, target = await bench.started("keeper-0"), bench.shard("keeper-1")
    await source.observe([batch(1, 1, 2), batch(2, 3)])
    before = await source.state(A)
    assert await source.release(PARTITION) == (PARTITION, 3)
    assert refusals(await source.observe([batch(3, 4)])) == ["not_owner"]
    assert await target.adopt(PARTITION) == (PARTITION, 3)
    assert await target.state(A) == before
    assert [kept.offset for kept in await bench.snapshots.ladder(PARTITION)] == [3]
    assert refusals(await target.observe([batch(2, 3), batch(3, 4)])) == [None, None]


@run
async def test_a_snapshot_ends_where_a_block_ends_although_more_is_pending() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=2, snapshot_min_s=0.0))
    shard = await bench.started()
    bench.gate.open.clear()
    calls = [asyncio.create_task(shard.observe([batch(1, 1)]))]
    await turns()
    calls.append(asyncio.create_task(shard.observe([batch(2, 2)])))
    await turns()
    await shard.tick()
    await turns()
    calls.append(asyncio.create_task(shard.observe([batch(3, 3)])))
    await turns()
    bench.gate.open.set()
    await asyncio.gather(*calls)
    await turns()
    [kept] = await bench.snapshots.ladder(PARTITION)
    blocks = {block.last_offset: block.hash for block in await bench.log.read(PARTITION, 0)}
    assert (kept.offset, kept.block_hash) == (2, blocks[2])
    restored = await bench.started("keeper-1")
    assert restored.stats()["restored"] == 1
    assert (await restored.last(A)).place == (PARTITION, 3)


@run
async def test_a_partition_that_hears_only_repeats_keeps_no_other_from_its_snapshot() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1, snapshot_min_s=0.0))
    shard, other = await bench.started(), "market/01"
    await shard.start([other])
    await shard.observe([batch(1, 1)])
    assert refusals(await shard.observe([batch(2, 1)])) == ["held"]
    for sequence in range(1, 4):
        bench.now_s += 60.0
        await shard.observe([(other, batch(sequence, sequence)[1])])
        await shard.tick()
        await turns()
        await shard.tick()
        await turns()
    assert [kept.offset for kept in await bench.snapshots.ladder(PARTITION)] == [1]
    assert (await bench.snapshots.ladder(other))[-1].offset == 3


@run
async def test_a_snapshot_before_what_is_held_is_gone_on_from() -> None:
    """The held batches travel with the next block: the snapshot must not know them yet."""
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1, snapshot_min_s=0.0))
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    assert refusals(await shard.observe([batch(2, 1), batch(3, 1)])) == ["held", "held"]
    await shard.tick()
    await turns()
    assert [kept.offset for kept in await bench.snapshots.ladder(PARTITION)] == [1]
    assert refusals(await shard.observe([batch(4, 2)])) == [None]
    state = shard._seats[PARTITION].market.snapshot()
    after = await bench.started("keeper-1")
    assert after._seats[PARTITION].market.snapshot() == state
    assert refusals(await after.observe([batch(4, 2), batch(5, 3)])) == [None, None]


@run
async def test_snapshots_keep_their_distance_however_many_events_come() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1, snapshot_min_s=3600.0))
    shard = await bench.started()
    for number in range(1, 4):
        await shard.observe([batch(number, number)])
        await shard.tick()
        await turns()
    assert await bench.snapshots.ladder(PARTITION) == []


@run
async def test_a_poll_ends_the_lingering_that_began_while_nobody_polled() -> None:
    bench = Bench(ShardSettings(linger_ms=3_600_000.0))
    shard = await bench.started()
    call = asyncio.create_task(shard.observe([batch(1, 1)]))
    await turns()
    assert not call.done()
    reply = await shard.poll({PARTITION: 0}, 5.0)
    assert [recorded.offset for recorded in reply.events[PARTITION]] == [1]
    assert refusals(await call) == [None]


@run
async def test_a_snapshot_of_another_log_is_not_believed() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1, snapshot_min_s=0.0))
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    await shard.tick()
    await turns()
    other = Bench()
    other.snapshots = bench.snapshots
    stranger = await other.started()
    assert (await stranger.heads()) == {PARTITION: 0}
    await stranger.observe([batch(1, 9)])
    again = await other.started("keeper-1")
    assert (await again.last(A)).trade.price == 109.0


@run
async def test_bytes_that_are_no_batch_are_refused() -> None:
    shard = await Bench().started()
    assert refusals(await shard.observe([(PARTITION, b"\x00nonsense"), batch(1, 1)])) == ["malformed", None]


@run
async def test_a_heartbeat_closes_bars_and_costs_nothing_when_none_is_due() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])

    def beat(seconds: int) -> tuple[str, bytes]:
        return PARTITION, encode_batch(Batch("sim", 1, 1, START_NS + seconds * NS_PER_S, ()))

    assert refusals(await shard.observe([beat(1)])) == [None]
    assert (await bench.log.heads())[0].offset == 1
    assert refusals(await shard.observe([beat(10)])) == [None]
    kinds = [block.header.kinds for block in await bench.log.read(PARTITION, 1)]
    assert kinds == [("bar_closed",)]
    rows = (await shard.held(A, ["1s"])).bars["1s"]
    assert [(row.ts_event, row.closed) for row in rows] == [(START_NS, True)]


@run
async def test_stats_tell_what_happened() -> None:
    shard = await Bench().started()
    await shard.observe([batch(1, 1, 2), batch(3, 3)])
    stats = shard.stats()
    assert (stats["events"], stats["blocks"], stats["pending_events"]) == (2, 1, 0)
    assert stats["refusals"] == {"expected": 1}
    assert stats["partitions"] == [{"partition": PARTITION, "epoch": 1, "head_offset": 2}]


@run
async def test_a_defect_of_the_fold_costs_its_batch_and_the_state_comes_from_the_log() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domain.keeper.SymbolKeeper.observe", lambda *_: 1 / 0)
        assert refusals(await shard.observe([batch(2, 2)])) == ["malformed"]
    await asyncio.sleep(0.02)
    assert (await shard.last(A)).place == (PARTITION, 1)
    assert refusals(await shard.observe([batch(2, 2)])) == [None]


@run
async def test_a_commit_loop_that_fell_over_is_begun_again_from_the_log() -> None:
    bench = Bench()
    shard = await bench.started()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.commit.GroupCommit._landed", lambda *_: 1 / 0)
        call = asyncio.create_task(shard.observe([batch(1, 1)]))
        await until(lambda: shard.defects)
    assert refusals(await call) == ["unavailable"]
    (commits,) = [health for health in shard.healths() if health.name == "commits"]
    assert (commits.failures, commits.alive) == (1, True)
    await asyncio.sleep(0.02)
    assert refusals(await shard.observe([batch(1, 1), batch(2, 2)])) == [None, None]
    assert (await bench.log.heads())[0].offset == 2


@run
async def test_a_closed_shard_refuses_and_leaves_nobody_waiting() -> None:
    bench = Bench()
    shard = await bench.started()
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(1, 1)]))
    await turns()
    await shard.close()
    assert refusals(await call) == ["unavailable"]
    assert refusals(await shard.observe([batch(1, 1)])) == ["not_owner"]


@run
async def test_what_a_jump_of_time_makes_due_leaves_turns_to_others() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, timer_slice=5))
    shard = await bench.started()
    trades = tuple(a_trade(number, f"C{number:03}.SIM") for number in range(100))
    await shard.observe([(PARTITION, encode_batch(Batch("sim", 1, 1, START_NS, trades)))])
    before = (await bench.log.heads())[0].offset
    beat = encode_batch(Batch("sim", 1, 1, START_NS + 2 * 86_400 * NS_PER_S, ()))
    call = asyncio.create_task(shard.observe([(PARTITION, beat)]))
    given = 0
    while not call.done():
        await asyncio.sleep(0)
        given += 1
    assert given >= 200 // 5, "each slice leaves a turn"
    assert refusals(await call) == [None]
    await turns()
    assert (await bench.log.heads())[0].offset == before + 200, "a 1s and a 1m bar each"
    again = await bench.started("keeper-1")
    assert (await again.state("C099.SIM")).last is not None
