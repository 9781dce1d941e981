"""Servers, clients and events for the serving tests."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from deployments.asgi import Gateway
from deployments.auth.tokens import Authority
from deployments.wire.http import BoundedHttp
from deployments.wire.websocket import BoundedSocket
from domain.clock import NS_PER_MS, NS_PER_S
from domain.market.decisions import BarClosed
from domain.market.observations import BookDelta, BookSnapshot, Quote, SplitAnnounced, Ticker, Trade
from tests.deployments.serving.log_directory import LogDirectory

START = 1_800_000_000 * NS_PER_S
BTC, ETH = "BTC-USD.SIM", "ETH-USD.SIM"
DEADLINE_S = 5.0
SOCKET_BUFFER = 16 * 1024
_ids = itertools.count(1)


def a_split(effective: int, ratio: float = 4.0, instrument: str = BTC) -> SplitAnnounced:
    return SplitAnnounced("sim", instrument, START, START + NS_PER_MS, effective, 1.0, ratio)


def a_trade(instrument: str = BTC, price: float = 100.0, *, at: int = START) -> Trade:
    return Trade(
        provider="sim",
        instrument=instrument,
        ts_event=at,
        ts_recv=at + NS_PER_MS,
        price=price,
        size=0.5,
        side="buy",
        trade_id=str(next(_ids)),
    )


def a_quote(instrument: str = BTC, bid: float = 99.0) -> Quote:
    return Quote(
        provider="sim",
        instrument=instrument,
        ts_event=START,
        ts_recv=START,
        bid=bid,
        bid_size=1.0,
        ask=bid + 1,
        ask_size=2.0,
    )


def a_ticker(instrument: str = BTC, last: float = 100.0) -> Ticker:
    return Ticker(provider="sim", instrument=instrument, ts_event=START, ts_recv=START, last=last)


def a_bar(instrument: str = BTC, start: int = START, interval: str = "1m") -> BarClosed:
    return BarClosed(
        provider="sim",
        instrument=instrument,
        ts_event=start,
        ts_recv=start + 61 * NS_PER_S,
        interval=interval,
        open=1.0,
        high=3.0,
        low=0.5,
        close=2.0,
        volume=10.0,
        trades=4,
        vwap=1.5,
    )


def a_snapshot(
    instrument: str = BTC,
    bids: tuple[tuple[float, float], ...] = ((99.0, 1.0), (98.0, 2.0)),
    asks: tuple[tuple[float, float], ...] = ((101.0, 1.0), (102.0, 2.0)),
    depth: int | None = None,
) -> BookSnapshot:
    return BookSnapshot(
        provider="sim",
        instrument=instrument,
        ts_event=START,
        ts_recv=START,
        bids=bids,
        asks=asks,
        sequence=(1, 1),
        depth=depth,
    )


def a_delta(
    bids: tuple[tuple[float, float], ...] = (),
    asks: tuple[tuple[float, float], ...] = (),
    instrument: str = BTC,
    sequence: tuple[int, int] | None = None,
) -> BookDelta:
    return BookDelta(
        provider="sim",
        instrument=instrument,
        ts_event=START,
        ts_recv=START,
        bids=bids,
        asks=asks,
        sequence=sequence,
    )


@asynccontextmanager
async def running(app: Gateway) -> AsyncIterator[str]:
    """The app under uvicorn on a free loopback port -> host:port."""
    listener = socket.socket()
    # Accepted sockets inherit it: a slow client is felt after kilobytes instead of megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=BoundedSocket,
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    # Without uvicorn's main loop, whose ticks of 100 ms would make up most of these tests' time.
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await app.drain()
        server.force_exit = True
        await server.shutdown(sockets=[listener])


@dataclass
class Served:
    app: Gateway
    address: str
    authority: Authority
    directory: LogDirectory

    def token(self, role: str = "viewer", user: str = "ann", ttl_s: float = 3600) -> str:
        return self.authority.issue(user, role, ttl_s)

    @asynccontextmanager
    async def http(self, role: str | None = "viewer") -> AsyncIterator[httpx.AsyncClient]:
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role)}"}
        async with httpx.AsyncClient(base_url=f"http://{self.address}", headers=headers) as client:
            yield client

    @asynccontextmanager
    async def socket(
        self,
        path: str = "/v1/stream",
        *,
        token: str | None = "",
        subprotocol: str | None = None,
        slow: bool = False,
    ) -> AsyncIterator[StreamClient]:
        """`token` "" makes a fresh one, None sends none. `slow`: reads ahead as little as possible."""
        options: dict[str, Any] = {"max_queue": None}
        if slow:
            host, _, port = self.address.partition(":")
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
            narrow.connect((host, int(port)))
            options = {"max_queue": 1, "sock": narrow, "close_timeout": 0.1}
        if token == "":
            token = self.token()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with connect(
            f"ws://{self.address}{path}",
            additional_headers=headers,
            subprotocols=None if subprotocol is None else [subprotocol],
            compression=None,
            proxy=None,
            **options,
        ) as connection:
            yield StreamClient(connection)


@dataclass
class StreamClient:
    """Flattens messages into frames; keeps all it has seen."""

    connection: ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)
    _ahead: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, *frames: dict[str, Any]) -> None:
        message = frames[0] if len(frames) == 1 else list(frames)
        if self.connection.subprotocol == "msgpack":
            await self.connection.send(msgspec.msgpack.encode(message))
        else:
            await self.connection.send(msgspec.json.encode(message).decode())

    async def next(self) -> dict[str, Any]:
        while not self._ahead:
            message = await asyncio.wait_for(self.connection.recv(), DEADLINE_S)
            decode = msgspec.json.decode if isinstance(message, str) else msgspec.msgpack.decode
            frames = decode(message)
            assert isinstance(frames, list) and frames, "every server message is an array of frames"
            self._ahead = frames
        frame = self._ahead.pop(0)
        self.seen.append(frame)
        return frame

    async def until(self, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next frame of a type, or that fits; others are passed over (and kept in `seen`)."""
        while True:
            frame = await self.next()
            if frame["type"] == wanted if isinstance(wanted, str) else wanted(frame):
                return frame

    async def take(self, kind: str, count: int) -> list[dict[str, Any]]:
        return [await self.until(kind) for _ in range(count)]

    async def subscribe(self, channel: str, *instruments: str, **more: Any) -> dict[str, Any]:
        await self.send({"op": "subscribe", "channel": channel, "instruments": list(instruments), **more})
        return await self.until("subscribed")

    async def closed(self) -> tuple[int, str]:
        """Read to the end -> (code, reason)."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as error:
            received = error.rcvd
            return (received.code, received.reason) if received is not None else (1006, "")

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [frame for frame in self.seen if frame["type"] in kinds]


def check_chain(frames: list[dict[str, Any]], first_prev: int | None = None) -> None:
    """Every frame links to the one before it on its instrument; a gap moves the chain to its `to`."""
    last: dict[str, int | None] = {}
    for frame in frames:
        key = frame["instrument"]
        if frame["type"] == "gap":
            if frame["to"] is not None:
                last[key] = frame["to"]
            continue
        if frame["offset"] is None:
            continue
        assert frame["prev"] == last.get(key, first_prev), f"{key}: {frame} does not follow {last.get(key)}"
        # A snapshot may stand exactly where the gap before it ended.
        lowest = (last.get(key) or 0) + (frame["type"] != "book_snapshot")
        assert frame["offset"] >= lowest
        last[key] = frame["offset"]
