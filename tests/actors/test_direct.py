"""A shard called through its own door: the same answers as by name, nothing for strangers, and a way back."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from actors import direct
from actors import direct_forms as forms
from actors.bar_text import BarsPage
from actors.direct import (
    MAX_FRAME_BYTES,
    MAX_UNPROVEN_BYTES,
    NONCE_BYTES,
    OF_CLIENT,
    DirectServer,
    Door,
    Framed,
    connected,
    proof,
)
from actors.shard_line import ShardLine
from domain.envelope import Cursor
from domain.errors import Gone, NotFound, NotOwner, Unavailable
from tests.actors.shard_bench import PARTITION, A, Bench, batch, run, turns

HOST = "127.0.0.1"
FRESH = {PARTITION: 0}


@asynccontextmanager
async def opened(
    shard: object, *, proof_s: float = 5.0, only_reads: bool = False
) -> AsyncIterator[tuple[DirectServer, Door]]:
    server = DirectServer(shard, proof_s=proof_s, only_reads=only_reads)
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


class Collecting(Framed):
    """An end that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = MAX_FRAME_BYTES
        self.frames: list[bytes] = []

    def received(self, frame: bytes) -> None:
        self.frames.append(frame)


class Moody:
    """Something behind a door that goes wrong in every way."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    def name(self) -> str:
        return "moody"

    def bars_page(self) -> tuple[BarsPage, Cursor]:
        return BarsPage(b"[1]" * 100_000, bytes(32), None), Cursor({PARTITION: 7})

    def gone(self) -> None:
        raise Gone("dropped", 17)

    def broken(self) -> None:
        raise ZeroDivisionError("broken")

    def unpicklable(self) -> object:
        return lambda: "unpicklable"

    def _own(self) -> str:
        return "kept"

    async def waits(self) -> str:
        await self.released.wait()
        return "released"

    async def release(self) -> None:
        self.released.set()


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
async def test_any_method_is_called_through_the_door_with_the_answer_it_gives() -> None:
    shard = await Bench().started()
    async with opened(shard) as (_, door), line_to(door) as line:
        await until_open(line)
        await line.observe([batch(1, 1, 2)])
        told = await line.call("instruments", (), {}, 5.0)
        assert told == await shard.instruments()
        last = await line.call("last", (A,), {"after": None}, 5.0)
        assert last == await shard.last(A)
        assert last.trade.price == 102.0


@run
async def test_a_domain_error_comes_out_of_the_door_as_it_went_in() -> None:
    async with opened(Moody()) as (_, door), line_to(door) as line:
        await until_open(line)
        with pytest.raises(Gone, match="dropped") as caught:
            await line.call("gone", (), {}, 5.0)
        assert caught.value.kept_from == 17
        shard = await Bench().started()
        async with opened(shard) as (_, other), line_to(other) as to_shard:
            await until_open(to_shard)
            with pytest.raises(NotFound):
                await to_shard.call("last", (A,), {}, 5.0)


@run
async def test_a_defect_costs_the_call_that_met_it_and_no_other() -> None:
    async with opened(Moody()) as (_, door), line_to(door) as line:
        await until_open(line)
        patient = asyncio.create_task(line.call("waits", (), {}, 5.0))
        for method in ("broken", "unpicklable", "absent", "_own", "__init__"):
            with pytest.raises(Unavailable, match=method):
                await line.call(method, (), {}, 5.0)
        assert not patient.done()
        await line.call("release", (), {}, 5.0)
        assert await patient == "released"


@run
async def test_a_late_answer_does_not_cost_the_connection_of_a_door_that_speaks() -> None:
    async with opened(Moody()) as (_, door), line_to(door) as line:
        await until_open(line)
        late = asyncio.create_task(line.call("waits", (), {}, 0.05))
        while not late.done():
            assert await line.call("name", (), {}, 5.0) == "moody"
        with pytest.raises(Unavailable):
            await late
        assert line.open


@run
async def test_frames_arrive_whole_and_in_order_however_they_are_cut_on_the_way() -> None:
    rng = random.Random(3)
    sizes = [0, 1, 63, 4_091, 4_092, 4_093, 70_000, 2_500_000, 0, 5, 8_188, 300_000, *range(50)]
    frames = [rng.randbytes(size) for size in sizes]
    end = Collecting()
    server = await asyncio.get_running_loop().create_server(lambda: end, HOST, 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    sent = b"".join(map(_framed, frames))
    while sent:
        cut = rng.choice((1, 3, 100, 4_096, 65_536, 1_000_000))
        writer.write(sent[:cut])
        sent = sent[cut:]
        await writer.drain()
    await until(lambda: len(end.frames) == len(frames))
    assert end.frames == frames
    writer.close()
    server.close()


@run
async def test_a_page_of_bars_crosses_the_door_as_it_is() -> None:
    async with opened(Moody()) as (_, door), line_to(door) as line:
        await until_open(line)
        page, cursor = await line.call("bars_page", (), {}, 5.0)
        assert (page, cursor) == Moody().bars_page()
        assert (type(page), type(cursor)) == (BarsPage, Cursor)


@run
async def test_an_answer_of_another_build_is_unavailable_and_the_connection_given_up() -> None:
    async with opened(Moody()) as (server, door), line_to(door, None) as line:
        await until_open(line)

        async def foreign(kind: int, asked: object) -> tuple[int, object]:
            return forms.DONE, b"cactors.answers\nNoSuchAnswer\n."

        server.answer = foreign  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="cannot be read"):
            await line.call("name", (), {}, 5.0)
        assert not line.open


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


@pytest.mark.parametrize("how", ["cancelled", "too late", "connection lost"])
def test_a_read_ends_when_nobody_waits_for_it_any_more(how: str) -> None:
    asyncio.run(_read_and_leave(how))


async def _read_and_leave(how: str) -> None:
    async with opened(Moody(), only_reads=True) as (server, door), line_to(door) as line:
        await until_open(line)
        timeout_s = 0.1 if how == "too late" else 60.0
        kept = asyncio.create_task(line.call("waits", (), {}, 60.0))
        asked = asyncio.create_task(line.call("waits", (), {}, timeout_s))
        assert await line.call("name", (), {}, 5.0) == "moody"  # else the connection would count as silent
        if how == "cancelled":
            asked.cancel()
        elif how == "connection lost":
            await line.close()
        await asyncio.wait([asked])
        await until(lambda: len(server.calls) == (0 if how == "connection lost" else 1))
        if how != "connection lost":
            await line.call("release", (), {}, 5.0)
            assert await kept == "released"
        await asyncio.wait([kept])


def test_where_there_is_no_room_for_calls_one_can_still_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MAX_CALLS", 2)
    asyncio.run(_give_up_in_a_full_house())


async def _give_up_in_a_full_house() -> None:
    async with opened(Moody(), only_reads=True) as (server, door), line_to(door) as line:
        await until_open(line)
        kept, left = (asyncio.create_task(line.call("waits", (), {}, 60.0)) for _ in range(2))
        await until(lambda: len(server.calls) == 2)
        left.cancel()
        await until(lambda: len(server.calls) == 1)
        await line.call("release", (), {}, 5.0)
        assert await kept == "released"
        await asyncio.wait([left])


@run
async def test_what_may_change_something_runs_to_its_end() -> None:
    moody = Moody()
    async with opened(moody) as (server, door), line_to(door) as line:
        await until_open(line)
        asked = asyncio.create_task(line.call("waits", (), {}, 60.0))
        await until(lambda: server.calls)
        asked.cancel()
        await asyncio.wait([asked])
        assert await line.call("name", (), {}, 5.0) == "moody"  # behind the cancellation on one connection
        (running,) = server.calls
        moody.released.set()
        await until(lambda: not server.calls)
        assert not running.cancelled()


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
        await reader.readexactly(4 + NONCE_BYTES)
        writer.write((MAX_UNPROVEN_BYTES + 1).to_bytes(4, "big"))
        assert await _rest(reader) == b""
        assert server.calls == set()
        writer.close()


@run
async def test_who_has_taken_over_the_port_of_a_door_is_not_believed() -> None:
    heard: list[bytes] = []

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Says what a door says, as far as can be said without the secret: also the client's own proof."""
        writer.write(_framed(bytes(NONCE_BYTES)))
        heard.append(await reader.readexactly(4 + NONCE_BYTES + 32))
        writer.write(_framed(heard[0][-32:]))
        heard.append(await _rest(reader))

    server = await asyncio.start_server(stranger, HOST, 0)
    door = Door(HOST, server.sockets[0].getsockname()[1], b"of the door that was here")
    with pytest.raises(ConnectionError):
        await connected(door)
    await until(lambda: len(heard) == 2)
    assert heard[1] == b""
    server.close()


@run
async def test_what_proved_one_connection_does_not_prove_another() -> None:
    shard = await Bench().started()
    async with opened(shard, proof_s=60.0) as (server, door):
        reader, writer = await asyncio.open_connection(door.host, door.port)
        nonce = (await reader.readexactly(4 + NONCE_BYTES))[4:]
        shown = bytes(NONCE_BYTES) + proof(server.secret, OF_CLIENT, nonce, bytes(NONCE_BYTES))
        writer.write(_framed(shown))
        assert len(await reader.readexactly(4 + 32)) == 36
        again, other = await asyncio.open_connection(door.host, door.port)
        await again.readexactly(4 + NONCE_BYTES)
        other.write(_framed(shown))
        assert await _rest(again) == b""
        for each in (writer, other):
            each.close()


@run
async def test_connections_of_a_machine_that_has_gone_do_not_stay_for_ever() -> None:
    shard = await Bench().started()
    async with opened(shard) as (server, door), line_to(door) as line:
        await until_open(line)
        (served,) = server.connections
        kept = served.transport.get_extra_info("socket")
        assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@run
async def test_who_says_nothing_is_sent_away_at_the_deadline() -> None:
    shard = await Bench().started()
    async with opened(shard, proof_s=0.01) as (server, door):
        reader, writer = await asyncio.open_connection(door.host, door.port)
        await reader.readexactly(4 + NONCE_BYTES)
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


@run
async def test_a_door_that_opens_and_answers_nothing_of_use_is_tried_ever_more_rarely() -> None:
    shard = await Bench().started()
    async with opened(shard) as (server, door), line_to(door) as line:

        async def unreadable(kind: int, asked: object) -> tuple[int, object]:
            return forms.DONE, "no acks"

        server.answer = unreadable  # type: ignore[method-assign]
        for turn in range(1, 4):
            line._not_before_s = 0.0
            await until_open(line)
            with pytest.raises(Unavailable, match="cannot be read"):
                await line.observe([batch(1, 1)])
            assert (line.open, line._backoff.attempts) == (False, turn)


def test_a_door_does_not_show_its_secret() -> None:
    assert "hidden" not in repr(Door(HOST, 1, b"hidden")) + str(Door(HOST, 1, b"hidden"))


def _framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes before the connection ends; an abort may show as a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
