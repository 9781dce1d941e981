"""`verify` finds every way in which a log, its chain or its snapshots can lie."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.verify import PartitionVerdict, verify
from domain.access_events import SessionOpened
from domain.clock import ManualClock
from domain.partition import FOLD_VERSION, MarketPartition
from storage.block import seal
from storage.event_log import GENESIS_HASH, Head
from storage.memory import MemoryLog, MemorySnapshots
from storage.writer import LogWriter, Part
from tests.actors.written_log import FOLD, PARTITION, WrittenLog
from tests.builders import T0, a_trade, at

pytestmark = pytest.mark.anyio


async def _written(blocks: int = 20, *, snapshot_every: int = 5) -> WrittenLog:
    written = WrittenLog()
    for second in range(blocks):
        await written.write(a_trade(100.0 + second, ts=at(second), trade_id=second))
        if second % snapshot_every == snapshot_every - 1:
            await written.snapshot()
    return written


async def _verdict(written: WrittenLog) -> PartitionVerdict:
    (verdict,) = await verify(written.log, written.snapshots, FOLD)
    return verdict


async def test_an_honest_log_is_dense_chained_and_equal_to_its_snapshots():
    written = await _written(40)
    (head,) = await written.log.heads()
    assert await _verdict(written) == PartitionVerdict(
        partition=PARTITION,
        head=head.offset,
        blocks=40,
        events=head.offset,
        dense=True,
        hash_ok=True,
        state_equal=True,
        first_divergence=None,
    )


async def test_a_claimed_partition_without_events_is_in_order():
    log = MemoryLog()
    await log.claim("market/00", "somebody")
    (verdict,) = await verify(log, MemorySnapshots(), FOLD)
    assert verdict.ok and verdict.head == verdict.blocks == verdict.events == 0


async def test_other_families_have_a_chain_and_no_state():
    log = MemoryLog()
    writer = LogWriter(log, "w#1", ManualClock(T0))
    await writer.claim("access/00")
    await writer.append([Part("access/00", (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    (verdict,) = await verify(log, MemorySnapshots(), FOLD)
    assert verdict.ok and verdict.state_equal is None and verdict.events == 1


@pytest.mark.parametrize("index", [0, 7, 19])
async def test_a_block_whose_payload_was_changed_is_named_by_its_first_offset(index):
    written = await _written()
    block = written.block(index)
    payload = bytearray(block.payload)
    payload[len(payload) // 2] ^= 1
    written.tamper(index, replace(block, payload=bytes(payload)))
    verdict = await _verdict(written)
    assert not verdict.hash_ok and verdict.dense
    assert verdict.first_divergence == block.first_offset
    assert verdict.blocks == index
    assert not verdict.ok


async def test_a_header_that_was_changed_breaks_the_hash():
    written = await _written()
    block = written.block(4)
    written.tamper(4, replace(block, header=replace(block.header, max_ts_event=0)))
    verdict = await _verdict(written)
    assert not verdict.hash_ok and verdict.first_divergence == block.first_offset


async def test_a_block_sealed_anew_with_other_content_breaks_the_chain_at_the_next_one():
    written = await _written(snapshot_every=99)
    block, following = written.block(4), written.block(5)
    before = Head(PARTITION, block.epoch, "w", block.first_offset - 1, block.prev_hash, 0)
    events = [a_trade(1.0, ts=at(4), trade_id=n) for n in range(block.event_count)]
    admitted = replace(block.header.batches[0], count=len(events))
    written.tamper(4, seal(before, [admitted], events, block.recorded_ns))
    verdict = await _verdict(written)
    assert not verdict.hash_ok and verdict.first_divergence == following.first_offset


@pytest.mark.parametrize("index", [0, 9, 19])
async def test_a_missing_block_leaves_a_hole(index):
    written = await _written()
    block = written.block(index)
    written.tamper(index, None)
    verdict = await _verdict(written)
    assert not verdict.dense and verdict.hash_ok
    assert verdict.first_divergence == block.first_offset


async def test_a_block_slipped_in_behind_the_head_is_seen():
    written = await _written()
    (head,) = await written.log.heads()
    forged = seal(head, [], [a_trade(ts=at(99))], head.recorded_ns)
    written.log._blocks[PARTITION].append(forged)
    verdict = await _verdict(written)
    assert not verdict.dense and verdict.first_divergence == head.offset + 1


async def test_a_head_that_names_another_hash_is_seen():
    written = await _written()
    (head,) = await written.log.heads()
    written.log._heads[PARTITION] = replace(head, hash=GENESIS_HASH)
    verdict = await _verdict(written)
    assert not verdict.hash_ok and verdict.first_divergence == head.offset


@pytest.mark.parametrize("last", [True, False], ids=["newest", "older"])
async def test_a_snapshot_that_says_something_else_than_the_log_is_found(last):
    written = await _written(12)
    other = MarketPartition(PARTITION, FOLD).snapshot()
    spoilt = await written.snapshot(state=other)
    if not last:
        await written.write(a_trade(ts=at(50), trade_id="x"))
        await written.snapshot()
    verdict = await _verdict(written)
    assert verdict.state_equal is False
    assert verdict.dense and verdict.hash_ok
    assert verdict.first_divergence == spoilt.offset


async def test_a_snapshot_tied_to_another_log_is_found():
    written = await _written(3)
    spoilt = await written.snapshot(block_hash=bytes(32))
    verdict = await _verdict(written)
    assert verdict.state_equal is False and verdict.first_divergence == spoilt.offset


async def test_snapshots_of_another_fold_version_are_nobody_s_fault():
    written = await _written(3, snapshot_every=99)
    await written.snapshot(fold_version=FOLD_VERSION + 1, state=b"not for this build")
    verdict = await _verdict(written)
    assert verdict.ok and verdict.state_equal is True


async def test_batches_that_contradict_each_other_are_found_though_the_hashes_are_right():
    written = WrittenLog()
    await written.write(a_trade(ts=at(0)))
    (head,) = await written.log.heads()
    admitted = replace(written.block(0).header.batches[0], sequence=7)
    await written.log.append([seal(head, [admitted], [a_trade(ts=at(1))], head.recorded_ns)])
    verdict = await _verdict(written)
    assert verdict.dense and verdict.hash_ok and verdict.state_equal is False
    assert verdict.first_divergence == 2


async def test_a_fault_in_one_partition_leaves_the_others_judged():
    written = await _written(4)
    writer = LogWriter(written.log, "w#1", ManualClock(T0))
    await writer.claim("access/00")
    await writer.append([Part("access/00", (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    written.tamper(1, None)
    good, bad = await verify(written.log, written.snapshots, FOLD)
    assert (good.partition, good.ok) == ("access/00", True)
    assert (bad.partition, bad.ok) == (PARTITION, False)
