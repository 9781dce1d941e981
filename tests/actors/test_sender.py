"""The feed's side of the hand-over: everything arrives, once and in order, whatever the line does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.intake import Ack, accepted
from actors.keeper_shard import KeeperShard
from actors.outgoing import MAX_BATCH_SPAN_NS, OutgoingStream
from actors.sender import Payload, Sender, SenderSettings
from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_MS, NS_PER_S, ManualClock
from domain.errors import Conflict, Corrupt, OverLimit, Unavailable
from domain.ids import market_partition, market_partitions
from domain.market.observations import BookSnapshot, Quote, Trade
from storage.block import events_of
from storage.codec import decode_batch
from storage.memory import MemoryLog, MemorySnapshots
from tests.simulation.loop import SimLoop

START_NS = 1_700_000_000 * NS_PER_S
PARTITIONS = [str(partition) for partition in market_partitions(2)]
NAMES = [next(f"I{n}.SIM" for n in range(99) if market_partition(f"I{n}.SIM", 2) == p) for p in PARTITIONS]


class Line:
    """A shard at the end of a line that can be cut, slow, or deaf on the way back."""

    def __init__(self, shard: KeeperShard) -> None:
        self.shard = shard
        self.cut = False
        self.deaf = False
        self.out = 0
        self.most_out = 0
        self.sizes: list[int] = []
        self.beats = 0

    async def observe(self, payload: Payload) -> list[Ack]:
        batches = [decode_batch(encoded) for _, encoded in payload]
        self.sizes.append(sum(len(batch.events) for batch in batches))
        self.beats += sum(not batch.events for batch in batches)
        if self.cut:
            raise Unavailable("the line is cut")
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        await asyncio.sleep(0.003)
        acks = await self.shard.observe(payload)
        self.out -= 1
        if self.deaf:
            await asyncio.Event().wait()
        return acks


class Field:
    """Two shards over one log, a line to each, and the map that senders follow."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.snapshots = MemorySnapshots()
        self.lines = [Line(self._shard(name)) for name in ("keeper-0", "keeper-1")]
        self.owners = dict(zip(PARTITIONS, self.lines, strict=True))
        self.routes: dict[str, Line] = dict(self.owners)
        self.refreshes = 0

    def _shard(self, name: str) -> KeeperShard:
        return KeeperShard(
            name,
            self.log,
            self.snapshots,
            ManualClock(START_NS),
            ShardSettings(linger_ms=1.0),
            instance="1",
            partition_count=2,
            monotonic=lambda: asyncio.get_running_loop().time(),
        )

    async def start(self) -> Field:
        for partition, line in self.owners.items():
            await line.shard.start([partition])
        return self

    async def refresh(self) -> None:
        self.refreshes += 1
        self.routes.update(self.owners)

    def sender(self, incarnation: int = 1, **settings: Any) -> Sender:
        return Sender(
            "sim",
            incarnation,
            2,
            self.routes,
            refresh=self.refresh,
            settings=SenderSettings(**{"call_timeout_s": 0.5} | settings),
        )

    async def recorded(self, instrument: str) -> list[float]:
        blocks = await self.log.read(market_partition(instrument, 2), 0)
        events = [one.event for block in blocks for one in events_of(block)]
        return [e.bid for e in events if isinstance(e, Quote) and e.instrument == instrument and e.bid]


def quotes(instrument: str, first: int, count: int) -> list[Quote]:
    return [
        Quote("sim", instrument, START_NS + n, START_NS + n, float(n), 1.0, 10.0**6, 1.0)
        for n in range(first, first + count)
    ]


def trades(*numbers: int) -> list[Trade]:
    return [Trade("sim", NAMES[0], START_NS + n, START_NS + n, 1.0, 1.0, trade_id=str(n)) for n in numbers]


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """In virtual time: a second costs nothing."""

    def runner() -> None:
        loop = SimLoop(1)
        try:
            loop.run_until_complete(asyncio.wait_for(_on_a_field(test), 120))
        finally:
            loop.bury()
            loop.close()

    runner.__name__, runner.__doc__ = test.__name__, test.__doc__
    return runner


async def _on_a_field(test: Callable[[Field], Coroutine[Any, Any, None]]) -> None:
    await test(await Field().start())


@run
async def test_observations_arrive_in_their_partitions_in_order(field: Field) -> None:
    sender = field.sender()
    for start in range(0, 100, 10):
        sender.add(quotes(NAMES[0], start, 5) + quotes(NAMES[1], start, 10), START_NS + start)
        await asyncio.sleep(0.001)
    await sender.drained()
    assert await field.recorded(NAMES[1]) == [float(n) for n in range(1, 100)]
    assert sender.acknowledged_events == 150
    assert sender.calls < 10


@run
async def test_a_quiet_line_flushes_after_a_few_milliseconds(field: Field) -> None:
    sender = field.sender(flush_ms=5.0)
    began = asyncio.get_running_loop().time()
    sender.add(quotes(NAMES[0], 1, 1), START_NS)
    await sender.drained()
    assert 0.005 <= asyncio.get_running_loop().time() - began < 0.02


@run
async def test_what_waits_for_a_former_owner_goes_to_the_new_one_with_a_heartbeat(field: Field) -> None:
    sender = field.sender(flush_ms=20.0)
    sender.add(quotes(NAMES[0], 1, 3), START_NS)
    await field.lines[0].shard.release(PARTITIONS[0])
    await field.lines[1].shard.start([PARTITIONS[0]])
    field.routes[PARTITIONS[0]] = field.lines[1]
    await asyncio.sleep(0.1)
    assert sender.buffered == 3
    sender.heartbeat(START_NS + 1)
    await sender.drained()
    assert await field.recorded(NAMES[0]) == [1.0, 2.0, 3.0]


@run
async def test_what_joins_while_a_call_is_out_makes_the_next_one(field: Field) -> None:
    sender = field.sender(flush_ms=1.0)
    sender.add(quotes(NAMES[0], 1, 1), START_NS)
    await asyncio.sleep(0.002)
    for number in range(2, 12):
        sender.add(quotes(NAMES[0], number, 1), START_NS)
    await sender.drained()
    assert field.lines[0].sizes == [1, 10]
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 12)]


@run
async def test_a_full_batch_does_not_wait(field: Field) -> None:
    sender = field.sender(flush_ms=10_000.0, batch_events=50)
    sender.add(quotes(NAMES[0], 1, 50), START_NS)
    await sender.drained()
    assert asyncio.get_running_loop().time() < 1.0


@run
async def test_only_one_call_is_out_at_each_shard_and_it_is_bounded(field: Field) -> None:
    sender = field.sender(batch_events=10, call_events=40)
    for start in range(1, 500, 25):
        sender.add(quotes(NAMES[0], start, 25), START_NS + start)
        await asyncio.sleep(0.001)
    await sender.drained()
    line = field.lines[0]
    assert (line.most_out, max(line.sizes)) == (1, 40)
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 501)]


@run
async def test_a_lost_answer_leads_to_a_repeat_and_not_to_a_double(field: Field) -> None:
    sender = field.sender()
    field.lines[0].deaf = True
    sender.add(quotes(NAMES[0], 1, 10), START_NS)
    await asyncio.sleep(0.3)
    field.lines[0].deaf = False
    await sender.drained()
    assert sender.resends == 1
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 11)]


@run
async def test_a_cut_line_is_tried_again_at_a_capped_pace_and_nothing_is_lost(field: Field) -> None:
    sender = field.sender(backoff_base_s=0.1, backoff_cap_s=1.0)
    field.lines[0].cut = True
    sender.add(quotes(NAMES[0], 1, 3), START_NS)
    for start in range(4, 604, 10):
        await asyncio.sleep(0.5)
        sender.add(quotes(NAMES[0], start, 10), START_NS + start * NS_PER_S)
    assert 30 < len(field.lines[0].sizes) < 300
    assert sender.buffered == 603
    field.lines[0].cut = False
    await sender.drained()
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 604)]


@run
async def test_a_moved_partition_is_followed_to_its_new_owner(field: Field) -> None:
    sender = field.sender()
    sender.add(quotes(NAMES[0], 1, 5), START_NS)
    await sender.drained()
    source, target = field.lines
    await source.shard.release(PARTITIONS[0])
    await target.shard.adopt(PARTITIONS[0])
    field.owners[PARTITIONS[0]] = target
    sender.add(quotes(NAMES[0], 6, 5), START_NS + 1)
    await sender.drained()
    assert field.refreshes == 1
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 11)]


@run
async def test_a_partition_without_an_owner_waits_until_there_is_one(field: Field) -> None:
    field.routes.clear()
    sender = field.sender()
    sender.add(quotes(NAMES[0], 1, 5), START_NS)
    await sender.drained()
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 6)]


@run
async def test_a_full_buffer_refuses_more_and_says_when_there_is_room(field: Field) -> None:
    sender = field.sender(buffer_events=20, backoff_cap_s=0.1)
    field.lines[0].cut = True
    sender.add(quotes(NAMES[0], 1, 19), START_NS)
    assert not sender.full
    sender.add(quotes(NAMES[0], 20, 2), START_NS)
    assert sender.full
    with pytest.raises(OverLimit):
        sender.add(quotes(NAMES[0], 22, 1), START_NS)
    room = asyncio.create_task(sender.room())
    await asyncio.sleep(1.0)
    assert not room.done()
    field.lines[0].cut = False
    await room
    assert not sender.full
    await sender.drained()
    assert await field.recorded(NAMES[0]) == [float(n) for n in range(1, 22)]


@run
async def test_heartbeats_go_to_watched_partitions_that_are_idle(field: Field) -> None:
    sender = field.sender()
    sender.watch(NAMES)
    sender.add(quotes(NAMES[0], 1, 1), START_NS)
    sender.heartbeat(START_NS + NS_PER_S)
    await asyncio.sleep(0.1)
    assert [line.beats for line in field.lines] == [0, 1]
    sender.heartbeat(START_NS + 2 * NS_PER_S)
    await asyncio.sleep(0.1)
    assert [line.beats for line in field.lines] == [1, 2]


@run
async def test_a_newer_incarnation_stops_the_older_sender(field: Field) -> None:
    old, new = field.sender(incarnation=1), field.sender(incarnation=2)
    new.add(quotes(NAMES[0], 1, 1), START_NS)
    await new.drained()
    old.add(quotes(NAMES[0], 2, 1), START_NS)
    with pytest.raises(Conflict):
        await old.drained()
    with pytest.raises(Conflict):
        old.add(quotes(NAMES[0], 3, 1), START_NS)


@run
async def test_repeats_held_by_a_shard_do_not_block_and_survive_its_fall(field: Field) -> None:
    sender = field.sender()
    for numbers in ((1, 2), (1,), (2,), (1, 2)):
        sender.add(trades(*numbers), START_NS)
        await sender.drained()
    fallen, heir = field.lines
    field.owners[PARTITIONS[0]] = heir
    await heir.shard.adopt(PARTITIONS[0])
    fallen.cut = True
    sender.add(trades(3), START_NS)
    await sender.drained()
    [first, second] = await field.log.read(PARTITIONS[0], 0)
    assert [batch.sequence for batch in first.header.batches] == [1]
    assert [batch.sequence for batch in second.header.batches] == [2, 3, 4, 5]


@run
async def test_a_log_that_has_lost_acknowledged_batches_stops_the_sender(field: Field) -> None:
    sender = field.sender(backoff_base_s=0.001, backoff_cap_s=0.002)
    sender.add(quotes(NAMES[0], 1, 1), START_NS)
    await sender.drained()
    emptied = await Field().start()
    field.owners.update(emptied.owners)
    field.lines[0].cut = True
    sender.add(quotes(NAMES[0], 2, 1), START_NS)
    with pytest.raises(Corrupt):
        await sender.drained()


@run
async def test_a_closed_sender_sends_nothing_more(field: Field) -> None:
    sender = field.sender(flush_ms=50.0)
    sender.add(quotes(NAMES[0], 1, 1), START_NS)
    await sender.close()
    await asyncio.sleep(1.0)
    assert field.lines[0].sizes == []


def test_a_batch_spans_a_tenth_of_a_second_at_most() -> None:
    stream = OutgoingStream("market/00", max_batch_weight=1_000)
    for step in range(0, 300, 10):
        stream.add(quotes(NAMES[0], step + 1, 1)[0], START_NS + step * NS_PER_MS)
    spans = [batch.clock - batch.first_clock for batch in stream.unacknowledged(10**6)]
    assert len(spans) == 3
    assert max(spans) <= MAX_BATCH_SPAN_NS


def test_a_batch_that_was_sent_never_changes() -> None:
    stream = OutgoingStream("market/00", max_batch_weight=1_000)
    stream.add(quotes(NAMES[0], 1, 1)[0], START_NS)
    [first] = stream.unacknowledged(100)
    sent = first.encoded("sim", 1)
    stream.add(quotes(NAMES[0], 2, 1)[0], START_NS)
    assert [batch.sequence for batch in stream.unacknowledged(100)] == [1, 2]
    assert first.encoded("sim", 1) == sent


@pytest.mark.parametrize("turns", range(4))
def test_a_sender_closes_even_in_the_moment_of_an_answer(turns: int) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    class Slow:
        async def observe(self, payload: Payload) -> list[Ack]:
            asked.set()
            await answered.wait()
            return [accepted(partition, decode_batch(encoded)) for partition, encoded in payload]

    async def no_refresh() -> None:
        return

    async def scenario() -> None:
        sender = Sender("sim", 1, 1, {"market/00": Slow()}, refresh=no_refresh)
        sender.add(trades(1), START_NS)
        await asked.wait()
        answered.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(sender.close(), 2)

    asyncio.run(scenario())


def deep_books(count: int, levels: int = 1_000) -> list[BookSnapshot]:
    bids = tuple((100.0 - n / 1e3, 1.0) for n in range(levels))
    asks = tuple((101.0 + n / 1e3, 1.0) for n in range(levels))
    return [BookSnapshot("sim", NAMES[0], START_NS + n, START_NS, bids, asks) for n in range(count)]


@run
async def test_deep_books_fill_the_buffer_as_the_trades_would_that_take_as_much_memory(field: Field) -> None:
    sender = field.sender(buffer_events=1_000)
    field.lines[0].cut = field.lines[1].cut = True
    taken = 0
    with pytest.raises(OverLimit):
        for book in deep_books(50):
            sender.add([book], START_NS)
            taken += 1
    assert taken < 4
    field.lines[0].cut = field.lines[1].cut = False
    await sender.drained()
    assert not sender.full
    await sender.room()
    assert sender.acknowledged_events == taken


@run
async def test_calls_and_batches_of_deep_books_stay_small(field: Field) -> None:
    sender = field.sender(batch_events=2_000, call_events=10_000)
    sender.add(deep_books(100), START_NS)
    await sender.drained()
    assert sum(field.lines[0].sizes) + sum(field.lines[1].sizes) == 100
    assert max(field.lines[0].sizes + field.lines[1].sizes) <= 24


def test_what_was_encoded_is_not_kept_twice() -> None:
    stream = OutgoingStream("market/00", max_batch_weight=1_000)
    for quote in quotes(NAMES[0], 1, 3):
        stream.add(quote, START_NS)
    [batch] = stream.unacknowledged(100)
    sent = batch.encoded("sim", 1)
    assert (len(batch.events), batch.count, batch.filler) == (0, 3, False)
    assert batch.encoded("sim", 1) == sent
    assert [one.count for one in stream.acknowledge(1)] == [3]
