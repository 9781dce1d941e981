"""The keeper shard: nothing leaves it before it is durable, nothing enters it twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from actors.keeper_shard import KeeperShard
from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Batch, Cursor
from domain.errors import NotFound, NotOwner, Unavailable
from domain.market.observations import InstrumentInfo, Trade
from storage.codec import encode_batch
from storage.memory import Fault, MemoryLog, MemorySnapshots
from storage.settings import WriterSettings

PARTITION = "market/00"
A = "A.SIM"
START_NS = 1_700_000_000 * NS_PER_S
QUICK = ShardSettings(linger_ms=0.0, linger_polled_ms=0.0, recover_backoff_s=0.001)
IMPATIENT = WriterSettings(deadline_s=0.0, max_attempts=1, first_delay_s=0.0)


def a_trade(number: int, instrument: str = A) -> Trade:
    at = START_NS + number * 1_000_000
    return Trade("sim", instrument, at, at, price=100.0 + number, size=1.0, trade_id=str(number))


def batch(sequence: int, *numbers: int, incarnation: int = 1, sender: str = "sim") -> tuple[str, bytes]:
    trades = tuple(map(a_trade, numbers))
    clock = START_NS + max(numbers, default=0) * 1_000_000
    return PARTITION, encode_batch(Batch(sender, incarnation, sequence, clock, trades))


class Gate:
    """Holds appends up until opened; the rest passes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, operation: str) -> None:
        if operation == "append":
            await self.open.wait()


class Bench:
    """A shard over a memory log whose faults and time the test holds in its hand."""

    def __init__(self, settings: ShardSettings = QUICK, log: MemoryLog | None = None) -> None:
        self.gate = Gate()
        self.fault: Callable[[str, Sequence[str]], Fault | None] = lambda _operation, _partitions: None
        self.log = log or MemoryLog(faults=lambda *call: self.fault(*call), delay=self.gate)
        self.snapshots = MemorySnapshots()
        self.settings = settings
        self.now_s = 0.0
        self.lives = 0

    def shard(self, name: str = "keeper-0", settings: ShardSettings | None = None) -> KeeperShard:
        self.lives += 1
        return KeeperShard(
            name,
            self.log,
            self.snapshots,
            ManualClock(START_NS),
            settings or self.settings,
            instance=str(self.lives),
            partition_count=1,
            writer_settings=IMPATIENT,
            monotonic=lambda: self.now_s,
        )

    async def started(self, name: str = "keeper-0") -> KeeperShard:
        shard = self.shard(name)
        await shard.start([PARTITION])
        return shard


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(test):
    """The whole test on one loop, with a deadline."""

    def runner(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 20))

    runner.__name__, runner.__doc__ = test.__name__, test.__doc__
    return runner


def refusals(acks) -> list[str | None]:
    return [ack.refusal for ack in acks]


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
async def test_a_read_waits_for_what_it_shows_to_be_durable() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(2, 2)]))
    await turns()
    read = asyncio.create_task(shard.last(A))
    await turns()
    assert not read.done()
    bench.gate.open.set()
    answer = await read
    assert (answer.place, answer.trade.price) == ((PARTITION, 2), 102.0)
    await call


@run
async def test_a_read_of_a_failed_append_is_refused_and_shows_the_log_afterwards() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    bench.fault = lambda operation, _: Fault.REFUSED if operation == "append" else None
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(2, 2)]))
    await turns()
    read = asyncio.create_task(shard.last(A))
    await turns()
    bench.gate.open.set()
    assert refusals(await call) == ["unavailable"]
    with pytest.raises(Unavailable):
        await read
    bench.fault = lambda *_: None
    await asyncio.sleep(0.02)
    assert (await shard.last(A)).trade.price == 101.0
    assert refusals(await shard.observe([batch(2, 2)])) == [None]


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
async def test_an_owner_that_slept_past_its_lease_answers_no_read_before_it_has_looked() -> None:
    bench = Bench()
    old = await bench.started("keeper-0")
    await old.observe([batch(1, 1)])
    new = await bench.started("keeper-1")
    await new.observe([batch(2, 2)])
    assert (await old.last(A)).place == (PARTITION, 1)
    bench.now_s += bench.settings.lease_s + 0.1
    with pytest.raises(NotOwner):
        await old.last(A)
    with pytest.raises(NotOwner):
        await old.poll({PARTITION: 1}, 0.0)


@run
async def test_past_the_lease_nothing_is_told_while_the_log_is_away() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    bench.now_s += bench.settings.lease_s + 0.1
    bench.fault = lambda operation, _: Fault.REFUSED if operation == "heads" else None
    with pytest.raises(Unavailable):
        await shard.last(A)
    bench.fault = lambda *_: None
    assert (await shard.last(A)).place == (PARTITION, 1)


@run
async def test_an_idle_owner_renews_its_lease_by_ticks() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    for _ in range(10):
        bench.now_s += bench.settings.lease_s / 2
        await shard.tick()
    bench.fault = lambda operation, _: Fault.REFUSED if operation == "heads" else None
    assert (await shard.last(A)).place == (PARTITION, 1)


@run
async def test_a_poll_wakes_when_its_events_are_durable() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    poll = asyncio.create_task(shard.poll({PARTITION: 1}, 5.0))
    await turns()
    assert not poll.done()
    await shard.observe([batch(2, 2, 3)])
    reply = await poll
    assert [recorded.offset for recorded in reply.events[PARTITION]] == [2, 3]
    assert (reply.behind, reply.epochs) == ({}, {PARTITION: 1})


@run
async def test_a_poll_from_before_the_ring_is_sent_to_the_log() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, recent_events=2))
    shard = await bench.started()
    for number in range(1, 7):
        await shard.observe([batch(number, number)])
    assert (await shard.poll({PARTITION: 3}, 0.0)).behind == {PARTITION: 4}
    assert (await shard.poll({PARTITION: 4}, 0.0)).behind == {}


@run
async def test_a_poll_is_cut_to_its_bound_and_goes_on_from_there() -> None:
    shard = await Bench().started()
    await shard.observe([batch(1, *range(1, 11))])
    first = await shard.poll({PARTITION: 0}, 0.0, max_events=4)
    second = await shard.poll({PARTITION: 4}, 0.0, max_events=100)
    offsets = [one.offset for reply in (first, second) for one in reply.events[PARTITION]]
    assert offsets == list(range(1, 11))


@run
async def test_a_poll_of_somebody_elses_partition_says_so() -> None:
    shard = await Bench().started()
    with pytest.raises(NotOwner):
        await shard.poll({"market/07": 0}, 1.0)


@run
async def test_a_caller_that_knows_more_than_the_owner_makes_it_look_at_the_log() -> None:
    bench = Bench()
    old = await bench.started("keeper-0")
    new = await bench.started("keeper-1")
    await new.observe([batch(1, 1)])
    with pytest.raises(NotOwner):
        await old.poll({PARTITION: 1}, 0.0)


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
async def test_a_release_drains_what_is_under_way_and_lets_nothing_in() -> None:
    bench = Bench()
    shard = await bench.started()
    bench.gate.open.clear()
    call = asyncio.create_task(shard.observe([batch(1, 1)]))
    await turns()
    release = asyncio.create_task(shard.release(PARTITION))
    await turns()
    assert refusals(await shard.observe([batch(2, 2)])) == ["busy"]
    bench.gate.open.set()
    assert await release == (PARTITION, 1)
    assert refusals(await call) == [None]


@run
async def test_a_snapshot_ends_where_a_block_ends_although_more_is_pending() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=2))
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
async def test_a_snapshot_of_another_log_is_not_believed() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, snapshot_events=1))
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
async def test_own_writes_are_read_by_cursor_within_a_bounded_wait() -> None:
    bench = Bench(ShardSettings(linger_ms=0.0, read_wait_s=0.02))
    bench.now_s = 0.0
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    assert (await shard.last(A, after=Cursor({PARTITION: 1}))).place == (PARTITION, 1)
    with pytest.raises(Unavailable):
        await shard.last(A, after=Cursor({PARTITION: 2}))


@run
async def test_unknown_instruments_are_not_found_and_known_ones_are_listed() -> None:
    shard = await Bench().started()
    info = InstrumentInfo("sim", A, START_NS, START_NS, venue_symbol="A", base="A", quote="USD")
    payload = encode_batch(Batch("sim", 1, 1, START_NS, (info,)))
    await shard.observe([(PARTITION, payload)])
    assert await shard.instruments() == [info]
    with pytest.raises(NotFound):
        await shard.last("B.SIM")


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
    rows, _ = await shard.bars(A, "1s")
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
        await asyncio.sleep(0.02)
        with pytest.raises(Unavailable):
            await shard.tick()
    assert refusals(await call) == ["unavailable"]
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
