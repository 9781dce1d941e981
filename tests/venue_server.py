"""A venue on the loopback: speaks a protocol over real sockets and fails when told to.

A `Venue` says what it sends (on connect, on a frame, on a GET); the server carries it and injects
faults: aborted and half-open sockets, refused connects, status codes, slow and endless answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from aiohttp import WSMsgType, web


class Venue(Protocol):
    """What a venue says."""

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]: ...

    def on_frame(self, frame: str) -> list[str]: ...

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]: ...


@dataclass
class HttpFault:
    """What the next `times` GETs whose path and query contain `path` get instead of an answer."""

    path: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    delay_s: float = 0.0
    times: int = 1


@dataclass
class Seen:
    """A GET that came; `at_s` on the monotonic clock."""

    path: str
    query: dict[str, str]
    at_s: float


class VenueSocket:
    """The server's end of one WebSocket."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws = ws
        self.request = request
        self.received: list[str] = []
        self.stalled = False
        self.reader: asyncio.Task[None] | None = None

    async def send(self, frame: str) -> None:
        if not self.stalled and not self.ws.closed:
            await self.ws.send_str(frame)

    def stall(self) -> None:
        """Half-open from now on: nothing is sent, nothing is read, no ping is answered."""
        self.stalled = True
        if self.reader is not None:
            self.reader.cancel()

    def abort(self) -> None:
        """Gone without a goodbye."""
        if self.request.transport is not None:
            self.request.transport.abort()


class VenueServer:
    """`async with VenueServer(venue) as server`: `server.ws_url`, `server.rest_url`."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sockets: list[VenueSocket] = []
        self.accepted = 0
        self.refusals = 0
        self.requests: list[Seen] = []
        self.faults: list[HttpFault] = []
        self._refuse_next = 0
        self._gone = asyncio.Event()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> VenueServer:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        for socket in list(self.sockets):
            socket.abort()
        assert self._runner is not None
        await self._runner.cleanup()

    def refuse(self, times: int) -> None:
        """Answer the next connects with 503."""
        self._refuse_next = times

    async def broadcast(self, *frames: str) -> None:
        for frame in frames:
            for socket in list(self.sockets):
                await socket.send(frame)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return await self._get(request)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self._refuse_next:
            self._refuse_next -= 1
            self.refusals += 1
            return web.Response(status=503)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = VenueSocket(ws, request)
        self.accepted += 1
        for frame in self.venue.on_connect(request.path, dict(request.query)):
            await socket.send(frame)
        self.sockets.append(socket)
        socket.reader = asyncio.create_task(self._read(socket))
        try:
            await asyncio.wait({socket.reader})
            if socket.stalled:
                await self._gone.wait()
        finally:
            socket.reader.cancel()
            self.sockets.remove(socket)
        return ws

    async def _read(self, socket: VenueSocket) -> None:
        async for message in socket.ws:
            if message.type is not WSMsgType.TEXT:
                return
            socket.received.append(message.data)
            for frame in self.venue.on_frame(message.data):
                await socket.send(frame)

    async def _get(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.requests.append(Seen(request.path, query, time.monotonic()))
        for fault in self.faults:
            if fault.times and fault.path in request.path_qs:
                fault.times -= 1
                await asyncio.sleep(fault.delay_s)
                if fault.status:
                    return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        status, body = self.venue.on_get(request.path, query)
        return web.Response(status=status, text=body, content_type="application/json")


async def until(reached: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for a condition over real sockets; fails loudly past the deadline."""
    async with asyncio.timeout(timeout_s):
        while not reached():  # noqa: ASYNC110 - what is waited for lies beyond a socket
            await asyncio.sleep(0.005)
