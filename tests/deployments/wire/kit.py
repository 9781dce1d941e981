"""A server with our protocols around any application, and raw connections to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from deployments.wire.http import BoundedHttp
from deployments.wire.websocket import BoundedSocket

DEADLINE_S = 5.0
SOCKET_BUFFER = 16 * 1024
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@dataclass
class Listening:
    """`connections`: the protocols of all open connections."""

    port: int
    connections: set[Any]

    async def connect(self) -> Client:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        narrow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(narrow, ("127.0.0.1", self.port))
        return Client(narrow, loop)

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not reached():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)

    async def empty(self) -> None:
        """Until no connection is left."""
        await self.until(lambda: not self.connections)


@dataclass
class Client:
    sock: socket.socket
    loop: asyncio.AbstractEventLoop

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.loop.sock_sendall(self.sock, data)

    async def read(self) -> bytes:
        """What comes next; b"" at the end, however it comes."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self.loop.sock_recv(self.sock, 65_536)
            except ConnectionError:
                return b""

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        parts = []
        while part := await self.read():
            parts.append(part)
        return b"".join(parts)

    async def answer(self, end: bytes = b"\r\n\r\n") -> bytes:
        """Up to `end`, that of the headers, at least."""
        text = b""
        while end not in text:
            part = await self.read()
            assert part, text
            text += part
        return text

    async def upgraded(self) -> Client:
        await self.send(UPGRADE + b"\r\n")
        assert (await self.answer()).startswith(b"HTTP/1.1 101")
        return self


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Of a client: masked, with a mask of zeros."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4) + payload
    if size < 65_536:
        return head + b"\xfe" + size.to_bytes(2, "big") + bytes(4) + payload
    return head + b"\xff" + size.to_bytes(8, "big") + bytes(4) + payload


@asynccontextmanager
async def listening(app: Callable[..., Awaitable[None]]) -> AsyncIterator[Listening]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=BoundedSocket,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield Listening(listener.getsockname()[1], server.server_state.connections)
    finally:
        server.force_exit = True
        await server.shutdown(sockets=[listener])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, answers its length; an answer of a megabyte for `/large`."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = bytes(1 << 20) if scope["path"] == "/large" else str(size).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
