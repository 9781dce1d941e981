"""One WebSocket: nothing that a client can make grow grows, and every end is one."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import pytest

from deployments.wire import http, stalling, transport, websocket
from deployments.wire.limits import (
    MAX_CONTROL_FRAMES,
    MAX_FRAGMENTS,
    MAX_MESSAGE_BYTES,
    QUEUE_BYTES,
    QUEUE_MESSAGES,
    SLICE_BYTES,
)
from deployments.ws.settings import StreamSettings
from tests.deployments.wire.kit import Client, Listening, frame, listening

pytestmark = pytest.mark.anyio

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
SHORT_S = 0.1
BUFFERED_BYTES = 256 * 1024
"""What uvloop and asyncio read at a time, at most."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in (
        (stalling, ["STALL_S"]),
        (transport, ["ABORT_S", "GOODBYE_S"]),
        (websocket, ["FLUSH_S", "GOODBYE_S"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, SHORT_S)


@pytest.fixture
def many_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_CONTROL_FRAMES", 1 << 30)


class Application:
    """Accepts, and takes a message only when told to."""

    def __init__(self) -> None:
        self.taking = asyncio.Event()
        self.taken: list[Any] = []
        self.closing = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        reader = asyncio.ensure_future(self._read(receive))
        ending = asyncio.ensure_future(self.closing.wait())
        await asyncio.wait({reader, ending}, return_when=asyncio.FIRST_COMPLETED)
        reader.cancel()
        ending.cancel()
        if self.closing.is_set():
            await send({"type": "websocket.close", "code": 4401, "reason": "who are you"})

    async def _read(self, receive: Any) -> None:
        while True:
            await self.taking.wait()
            message = await receive()
            self.taken.append(message)
            if message["type"] == "websocket.disconnect":
                return


async def stuffed(client: Client, data: bytes, for_s: float = 0.5) -> int:
    """Bytes that the server takes of an endless repetition of `data`, before it takes nothing any more."""
    block, sent = data * (64 * 1024 // len(data) + 1), 0
    while True:
        try:
            async with asyncio.timeout(for_s):
                await client.loop.sock_sendall(client.sock, block)
        except (TimeoutError, ConnectionError):
            return sent
        sent += len(block)
        assert sent < 64 << 20, "it takes everything"


def the_socket(server: Listening) -> Any:
    (found,) = server.connections
    return found


@pytest.mark.usefixtures("many_pings")
async def test_pings_are_answered_only_as_far_as_the_answers_are_read() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await stuffed(client, frame(PING, b"p" * 125))
        assert the_socket(server).transport.get_write_buffer_size() < BUFFERED_BYTES
        assert len(the_socket(server)._unread) <= BUFFERED_BYTES
        client.sock.close()
        await server.empty()


@pytest.mark.usefixtures("many_pings")
async def test_pings_are_answered_again_once_the_answers_are_read() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await stuffed(client, frame(PING, b"p" * 125))
        while (await client.read())[-1:] == b"p":
            if not the_socket(server)._unread and not the_socket(server).read_paused:
                break
        client.sock.close()


@pytest.mark.usefixtures("impatient", "many_pings")
async def test_a_socket_whose_pongs_are_not_read_ends() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await stuffed(client, frame(PING, b"p" * 125))
        await server.empty()
        client.sock.close()


async def test_messages_that_the_application_does_not_take_are_bounded() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await stuffed(client, frame(TEXT, b"t" * 1000))
        socket = the_socket(server)
        assert socket.queue.qsize() <= QUEUE_MESSAGES + SLICE_BYTES // 1000
        assert socket._queued_bytes <= QUEUE_BYTES + SLICE_BYTES
        assert len(socket._unread) <= BUFFERED_BYTES
        client.sock.close()


async def test_small_messages_of_one_read_are_bounded_too() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await stuffed(client, frame(TEXT, b"t"))
        assert the_socket(server).queue.qsize() <= QUEUE_MESSAGES + SLICE_BYTES // len(frame(TEXT, b"t"))
        client.sock.close()


async def test_no_message_is_lost_or_reordered_by_the_bounds() -> None:
    app = Application()
    async with listening(app) as server:
        client = await (await server.connect()).upgraded()
        wanted = [f"message {number}" for number in range(5_000)]
        sending = asyncio.ensure_future(
            client.loop.sock_sendall(client.sock, b"".join(frame(TEXT, text.encode()) for text in wanted))
        )
        app.taking.set()
        await server.until(lambda: len(app.taken) == len(wanted))
        await sending
        assert [message["text"] for message in app.taken] == wanted
        client.sock.close()


async def test_a_ping_is_answered_while_the_application_works_on_a_message() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await client.send(frame(TEXT, b"work") + frame(PING, b"still there"))
        assert await client.read() == bytes([0x80 | PING + 1, 11]) + b"still there"
        client.sock.close()


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_control_frames_closes_with_4429(opcode: int) -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await client.send(frame(opcode, b"p" * 125) * (MAX_CONTROL_FRAMES + 100))
        assert (4429).to_bytes(2, "big") in await client.rest()
        await server.empty()


async def test_one_sockets_flood_leaves_turns_to_others() -> None:
    app = Application()
    app.taking.set()
    async with listening(app) as server:
        client = await (await server.connect()).upgraded()
        sending = asyncio.ensure_future(client.loop.sock_sendall(client.sock, frame(TEXT, b"t") * 50_000))
        await server.until(lambda: len(app.taken) > 1_000)
        taken = len(app.taken)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(app.taken) - taken < 10 * SLICE_BYTES // len(frame(TEXT, b"t"))
        await server.until(lambda: len(app.taken) == 50_000)
        await sending
        client.sock.close()


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT, b"t" * (MAX_MESSAGE_BYTES + 1)),
        frame(TEXT, b"t" * 40_000, fin=False) + frame(CONT, b"t" * 40_000),
        frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) * 10_000,
        frame(TEXT, b"t", fin=False) + (frame(CONT, b"t", fin=False) * 4 + frame(PING)) * MAX_FRAGMENTS,
    ],
    ids=["too large", "too large in two", "empty fragments", "fragments and pings"],
)
async def test_a_message_beyond_its_bounds_closes_with_4400(sent: bytes) -> None:
    app = Application()
    app.taking.set()
    async with listening(app) as server:
        client = await (await server.connect()).upgraded()
        sending = asyncio.ensure_future(client.loop.sock_sendall(client.sock, sent))
        told = await client.rest()
        code = told.index((4400).to_bytes(2, "big"))
        assert told[code - 2] == 0x88 and b"a message has at most" in told[code:]
        await asyncio.gather(sending, return_exceptions=True)
        await server.until(lambda: app.taken == [app.taken[0]] and app.taken[0]["code"] == 4400)
        await server.empty()


async def test_text_that_is_no_utf_8_closes_with_1007() -> None:
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        await client.send(frame(TEXT, b"\xff\xfe"))
        assert (1007).to_bytes(2, "big") in await client.rest()


async def test_compression_is_not_spoken_and_its_bombs_are_closed() -> None:
    async with listening(Application()) as server:
        client = await server.connect()
        await client.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        assert b"extensions" not in (await client.answer()).lower()
        packed = zlib.compressobj(wbits=-15)
        bomb = packed.compress(bytes(16 << 20)) + packed.flush(zlib.Z_SYNC_FLUSH)
        await client.send(frame(TEXT | 0x40, bomb[:-4]))
        assert (1002).to_bytes(2, "big") in await client.rest()


@pytest.mark.usefixtures("impatient", "many_pings")
@pytest.mark.parametrize("reads", [True, False])
async def test_a_closed_socket_ends_whatever_its_client_does(reads: bool) -> None:
    app = Application()
    async with listening(app) as server:
        client = await (await server.connect()).upgraded()
        if not reads:
            await stuffed(client, frame(PING, b"p" * 125), SHORT_S)
        app.closing.set()
        await server.empty()
        client.sock.close()


async def test_a_quiet_socket_outlives_every_limit_of_http(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "BODY_S"):
        monkeypatch.setattr(http, name, SHORT_S)
    async with listening(Application()) as server:
        client = await (await server.connect()).upgraded()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5 * SHORT_S):
                await client.loop.sock_recv(client.sock, 1)
        await client.send(frame(PING, b"still there"))
        assert b"still there" in await client.read()
        client.sock.close()


async def test_frames_before_the_handshake_is_answered_wait() -> None:
    accepting = asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await accepting.wait()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        await send({"type": "websocket.send", "text": (await receive())["text"]})

    async with listening(late) as server:
        client = await server.connect()
        await client.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await server.until(lambda: hasattr(next(iter(server.connections), None), "conn"))
        await client.send(frame(PING) + frame(TEXT, b"hello"))
        await server.until(lambda: bool(the_socket(server).read_paused))
        accepting.set()
        told = await client.rest()
        assert told.startswith(b"HTTP/1.1 101") and b"hello" in told


def test_the_stream_and_its_sockets_bound_messages_alike() -> None:
    assert StreamSettings().max_message_bytes == MAX_MESSAGE_BYTES
