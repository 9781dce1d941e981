"""What a keeper shard tells: only what is durable, and only while the partition is its own."""

from __future__ import annotations

import asyncio

import pytest

from actors.shard_settings import ShardSettings
from domain.envelope import Batch, Cursor
from domain.errors import NotFound, NotOwner, Unavailable
from domain.market.observations import InstrumentInfo
from storage.codec import encode_batch
from storage.memory import Fault
from tests.actors.shard_bench import PARTITION, START_NS, A, Bench, batch, refusals, run, turns


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
async def test_the_last_trade_is_told_with_its_place_in_the_log() -> None:
    bench = Bench()
    shard = await bench.started()
    await shard.observe([batch(1, 1)])
    await shard.observe([batch(2, 2)])
    answer = await shard.last(A)
    offset = answer.place[1]
    recorded = {event.offset: event for event in (await shard.poll({PARTITION: 0}, 0.0)).events[PARTITION]}
    assert answer.recorded == (offset, recorded[offset].recorded_at)
    assert recorded[offset].event == answer.trade


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
