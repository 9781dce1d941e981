"""A partition as it was: any offset, with and without snapshots, against a fold that was there."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from actors.history import History, HistorySettings, partition_at, starting_point
from domain.errors import Corrupt, Unavailable
from domain.partition import MarketPartition
from storage.block import events_of
from storage.memory import MemorySnapshots
from tests.actors.written_log import FOLD, PARTITION, WrittenLog
from tests.builders import INSTRUMENT, a_delta, a_quote, a_snapshot, a_trade, at

pytestmark = pytest.mark.anyio


async def _trading(seconds: int, *, snapshot_every: int = 0) -> tuple[WrittenLog, dict[int, bytes]]:
    """A log with one block a second, and the state's hash at the end of each block."""
    written = WrittenLog()
    hashes = {0: MarketPartition(PARTITION, FOLD).state_hash()}
    await written.write(a_snapshot(sequence=1))
    for second in range(seconds):
        offset = await written.write(
            a_trade(100 + second % 7, ts=at(second), trade_id=second),
            a_quote(99.0 + second % 3, 110.0, ts=at(second)),
            a_delta(bids=[(99.0 - second % 5, 1.0 + second)], ts=at(second)),
        )
        hashes[offset] = written.market.state_hash()
        if snapshot_every and second % snapshot_every == 0:
            await written.snapshot()
    return written, hashes


async def test_the_state_at_the_end_of_every_block_is_what_the_writer_had_then():
    written, hashes = await _trading(70, snapshot_every=9)
    for offset, expected in hashes.items():
        market = await partition_at(written.log, written.snapshots, PARTITION, offset, FOLD)
        assert market.state_hash() == expected, offset


async def test_snapshot_and_tail_give_the_same_state_as_the_whole_log_at_every_single_offset():
    written, hashes = await _trading(12, snapshot_every=4)
    for offset in range(max(hashes) + 1):
        resumed = await partition_at(written.log, written.snapshots, PARTITION, offset, FOLD)
        replayed = await partition_at(written.log, MemorySnapshots(), PARTITION, offset, FOLD)
        assert resumed.state_hash() == replayed.state_hash(), offset


async def test_an_offset_inside_a_batch_has_the_events_up_to_it_and_nothing_of_the_rest():
    written = WrittenLog()
    await written.write(*(a_trade(100 + n, ts=at(n / 100), trade_id=n) for n in range(10)))
    market = await partition_at(written.log, written.snapshots, PARTITION, 4, FOLD)
    keeper = market.keeper(INSTRUMENT)
    assert keeper is not None and keeper.last_trade is not None
    assert keeper.last_trade.trade_id == "3"
    assert keeper.builders["1m"].forming()[0].trades == 4


async def test_the_newest_snapshot_at_or_below_the_offset_is_taken():
    written = WrittenLog()
    await written.write(a_trade(ts=at(0)))
    first = await written.snapshot()
    await written.write(a_trade(ts=at(0.1)))
    await written.snapshot()
    position = await starting_point(written.log, written.snapshots, PARTITION, first.offset, FOLD)
    assert (position.offset, position.block_hash) == (first.offset, first.block_hash)


@pytest.mark.parametrize(
    "spoilt", [{"fold_version": 999}, {"block_hash": bytes(32)}, {"state": b"rubbish"}], ids=str
)
async def test_a_snapshot_that_does_not_fit_is_passed_over_for_an_older_one(spoilt):
    written = WrittenLog()
    await written.write(a_trade(ts=at(0)))
    older = await written.snapshot()
    await written.write(a_trade(ts=at(0.1)))
    await written.snapshot(**spoilt)
    head = await written.write(a_trade(ts=at(0.2)))
    position = await starting_point(written.log, written.snapshots, PARTITION, head, FOLD)
    assert position.offset == older.offset
    market = await partition_at(written.log, written.snapshots, PARTITION, head, FOLD)
    assert market.state_hash() == written.market.state_hash()


async def test_a_spoilt_snapshot_at_the_very_head_is_passed_over_too():
    written = WrittenLog()
    head = await written.write(a_trade(ts=at(0)))
    await written.snapshot(block_hash=bytes(32))
    position = await starting_point(written.log, written.snapshots, PARTITION, head, FOLD)
    assert position.offset == 0


async def test_a_changed_block_on_the_way_is_corrupt_and_never_folded():
    written, _ = await _trading(5)
    block = written.block(3)
    forged = replace(block, recorded_ns=block.recorded_ns + 1)
    written.tamper(3, forged)
    with pytest.raises(Corrupt):
        await partition_at(written.log, written.snapshots, PARTITION, block.last_offset, FOLD)
    before = await partition_at(written.log, written.snapshots, PARTITION, block.first_offset - 1, FOLD)
    assert before.keeper(INSTRUMENT) is not None


async def test_an_offset_beyond_the_log_is_corrupt_not_a_guess():
    written, hashes = await _trading(2)
    with pytest.raises(Corrupt):
        await partition_at(written.log, written.snapshots, PARTITION, max(hashes) + 1, FOLD)


async def test_scrubbing_to_and_fro_gives_the_states_that_fresh_resumes_give():
    written, hashes = await _trading(20, snapshot_every=6)
    history = History(written.log, written.snapshots, FOLD)
    for offset in [3, 5, 30, 31, 12, max(hashes), 7, 40]:
        fresh = await partition_at(written.log, written.snapshots, PARTITION, offset, FOLD)
        async with history.at(PARTITION, offset) as position:
            assert position.offset == offset
            assert position.market.state_hash() == fresh.state_hash(), offset


async def test_going_on_from_a_kept_state_reads_only_the_difference():
    written, hashes = await _trading(30)
    history = History(written.log, written.snapshots, FOLD)
    ends = sorted(hashes)
    async with history.at(PARTITION, ends[20]):
        pass
    reads: list[int] = []
    read = written.log.read

    async def counted(partition, after, **bounds):
        blocks = await read(partition, after, **bounds)
        reads.extend(block.first_offset for block in blocks)
        return blocks

    written.log.read = counted
    async with history.at(PARTITION, ends[22]) as position:
        assert position.market.state_hash() == hashes[ends[22]]
    assert reads == [ends[20] + 1, ends[21] + 1]


async def test_a_question_that_failed_leaves_no_half_folded_state_behind():
    written, hashes = await _trading(6)
    history = History(written.log, written.snapshots, FOLD)
    ends = sorted(hashes)
    async with history.at(PARTITION, ends[2]):
        pass
    with pytest.raises(Corrupt):
        async with history.at(PARTITION, max(hashes) + 5):
            pass
    async with history.at(PARTITION, ends[4]) as position:
        assert position.market.state_hash() == hashes[ends[4]]


async def test_one_resume_at_a_time_the_rest_wait_their_turn_or_are_told_to_come_back():
    written, _ = await _trading(3)
    history = History(written.log, written.snapshots, FOLD, HistorySettings(resumes=1, wait_s=0.02))
    async with history.at(PARTITION, 2):
        with pytest.raises(Unavailable):
            async with history.at(PARTITION, 3):
                pass
    async with asyncio.timeout(1), history.at(PARTITION, 3) as position:
        assert position.offset == 3


async def test_the_recorded_time_is_that_of_the_last_block_applied():
    written, _ = await _trading(4)
    block = written.block(2)
    history = History(written.log, written.snapshots, FOLD)
    async with history.at(PARTITION, block.last_offset) as position:
        assert position.recorded_ns == events_of(block)[-1].recorded_at
