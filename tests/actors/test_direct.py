"""A shard called through its own door: the same answers as by name, nothing for strangers, and a way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from actors.direct import MAX_UNPROVEN_BYTES, DirectServer, Door, connected
from actors.keeper_shard import KeeperShard
from actors.shard_line import ShardLine
from domain.errors import NotOwner, Unavailable
from tests.actors.shard_bench import PARTITION, Bench, batch, run, turns

HOST = "127.0.0.1"
FRESH = {PARTITION: 0}


@asynccontextmanager
async def opened(shard: KeeperShard, *, proof_s: float = 5.0) -> AsyncIterator[tuple[DirectServer, Door]]:
    server = DirectServer(shard, proof_s=proof_s)
    door = await server.start(HOST)
    try:
        yield server, door
    finally:
        server.close()


@asynccontextmanager
async def line_to(*doors: Door | None) -> AsyncIterator[ShardLine]:
    """A line that is told the doors one after the other, and the last one for ever."""
    told = list(doors)

    async def learn() -> Door | None:
        return told.pop(0) if len(told) > 1 else told[0]

    line = ShardLine("keeper-0", learn)
    try:
        yield line
    finally:
        await line.close()


async def until(reached: Callable[[], object]) -> None:
    while not reached():
        await turns(1)


async def until_open(line: ShardLine) -> None:
    await until(lambda: line.open)


@run
async def test_answers_through_the_door_are_those_of_the_shard() -> None:
    shard = await Bench().started()
    async with opened(shard) as (_, door), line_to(door) as line:
        await until_open(line)
        acks = await line.observe([batch(1, 1, 2), batch(2, 3)])
        assert acks == await shard.observe([batch(1, 1, 2), batch(2, 3)])
        reply = await line.poll(FRESH, 1.0, 5.0)
        assert reply == await shard.poll(FRESH, 1.0)
        assert [recorded.event.price for recorded in reply.events[PARTITION]] == [101.0, 102.0, 103.0]


@run
async def test_refusals_of_the_intake_and_of_a_poll_cross_the_door() -> None:
    shard = await Bench().started()
    async with opened(shard) as (_, door), line_to(door) as line:
        await until_open(line)
        (ack,) = await line.observe([batch(7, 1)])
        assert (ack.refusal, ack.expected) == ("expected", 1)
        with pytest.raises(NotOwner, match="market/99"):
            await line.poll({"market/99": 0}, 0.1, 5.0)


@run
async def test_many_calls_are_out_on_one_connection_and_an_answer_finds_its_call() -> None:
    bench = Bench()
    shard = await bench.started()
    async with opened(shard) as (_, door), line_to(door) as line:
        await until_open(line)
        waiting = asyncio.create_task(line.poll(FRESH, 5.0, 10.0))
        empty = await line.poll(FRESH, 0.0, 5.0)
        assert (empty.events, waiting.done()) == ({}, False)
        await line.observe([batch(1, 1)])
        assert [recorded.offset for recorded in (await waiting).events[PARTITION]] == [1]


@run
async def test_nothing_is_answered_through_the_door_before_it_is_durable() -> None:
    bench = Bench()
    shard = await bench.started()
    async with opened(shard) as (_, door), line_to(door) as line:
        await until_open(line)
        bench.gate.open.clear()
        call = asyncio.create_task(line.observe([batch(1, 1)]))
        await until(lambda: shard.stats()["pending_events"])
        assert (await line.poll(FRESH, 0.0, 5.0)).events == {}
        assert not call.done()
        bench.gate.open.set()
        assert (await call)[0].durable


@run
async def test_who_does_not_know_the_secret_is_not_let_in() -> None:
    shard = await Bench().started()
    async with opened(shard, proof_s=60.0) as (server, door):
        with pytest.raises(ConnectionError):
            await connected(Door(door.host, door.port, b"guessed"))
        reader, writer = await asyncio.open_connection(door.host, door.port)
        await reader.readexactly(4 + 16)
        writer.write((MAX_UNPROVEN_BYTES + 1).to_bytes(4, "big"))
        assert await _rest(reader) == b""
        assert server.calls == set()
        writer.close()


@run
async def test_who_says_nothing_is_sent_away_at_the_deadline() -> None:
    shard = await Bench().started()
    async with opened(shard, proof_s=0.01) as (server, door):
        reader, writer = await asyncio.open_connection(door.host, door.port)
        await reader.readexactly(4 + 16)
        assert await _rest(reader) == b""
        writer.close()
        assert server.connections == set()


@run
async def test_a_call_that_loses_its_connection_is_unavailable_and_the_next_door_is_found() -> None:
    shard = await Bench().started()
    async with opened(shard) as (first, old), opened(shard) as (_, new), line_to(old, new) as line:
        await until_open(line)
        waiting = asyncio.create_task(line.poll(FRESH, 30.0, 60.0))
        await until(lambda: shard.stats()["polls"])
        first.close()
        with pytest.raises(Unavailable):
            await waiting
        assert not line.open
        await until_open(line)
        assert (await line.observe([batch(1, 1)]))[0].durable


@run
async def test_a_door_that_is_late_is_asked_no_more() -> None:
    shard = await Bench().started()
    async with opened(shard) as (_, door), line_to(door, None) as line:
        await until_open(line)
        with pytest.raises(Unavailable):
            await line.poll(FRESH, 5.0, 0.01)
        assert not line.open


@run
async def test_without_a_door_calls_stay_with_ray_and_the_shard_is_not_asked_at_every_call() -> None:
    asked = 0

    async def learn() -> None:
        nonlocal asked
        asked += 1

    line = ShardLine("keeper-0", learn)
    for _ in range(100):
        assert not line.open
        await turns(2)
    assert 1 <= asked < 50
    await line.close()


def test_a_door_does_not_show_its_secret() -> None:
    assert "hidden" not in repr(Door(HOST, 1, b"hidden")) + str(Door(HOST, 1, b"hidden"))


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes before the connection ends; an abort may show as a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
