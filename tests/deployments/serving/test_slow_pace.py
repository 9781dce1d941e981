"""A client that takes little, but all the time, is served; one that takes next to nothing is closed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from deployments.asgi import ServingSettings, create_app
from deployments.ws.channels import Key
from deployments.ws.codec import JSON
from deployments.ws.frames import SharedFrame
from deployments.ws.lane import Chain, Lane
from deployments.ws.outbox import Outbox
from deployments.ws.settings import StreamSettings
from domain.envelope import Cursor, Recorded
from tests.deployments.serving.kit import BTC, START, a_snapshot, a_trade
from tests.deployments.wire.kit import UPGRADE, Client, Listening, frame, listening

pytestmark = pytest.mark.anyio

SLOW_CLOSE_S = 0.6
SETTINGS = StreamSettings(slow_close_s=SLOW_CLOSE_S, tick_s=0.02, close_s=0.2)
TRADES = {"op": "subscribe", "channel": "trades", "instruments": [BTC], "cursor": Cursor({}).encode()}
BOOK = {"op": "subscribe", "channel": "book", "instruments": [BTC]}


async def subscribed(server: Listening, token: str, op: dict[str, object]) -> Client:
    """A raw connection: a library would read whole messages ahead."""
    client = await server.connect()
    await client.send(UPGRADE + f"Authorization: Bearer {token}\r\n\r\n".encode())
    await client.answer()
    await client.send(frame(1, msgspec.json.encode(op)))
    return client


async def slowly(client: Client, part_bytes: int, until: bytes) -> tuple[float, bytes]:
    """Read in parts with a pause after each, until it comes or nothing does -> (seconds, the end of it)."""
    loop = asyncio.get_running_loop()
    began_s, tail = loop.time(), b""
    while until not in tail:
        async with asyncio.timeout(5.0):
            part = await loop.sock_recv(client.sock, part_bytes)
        if not part:
            break
        tail = (tail + part)[-part_bytes - 1000 :]
        await asyncio.sleep(0.02)  # the slow client itself
    return loop.time() - began_s, tail


@pytest.mark.parametrize(
    ("op", "part_bytes"), [(TRADES, 4_096), (BOOK, 2_048)], ids=["many frames", "one large frame"]
)
async def test_who_takes_something_all_the_time_is_not_too_slow(directory, authority, op, part_bytes) -> None:
    levels = tuple((float(level), 1.0) for level in range(1, 10_001))
    directory.append(a_snapshot(bids=levels[:5_000], asks=levels[5_000:], depth=10_000))
    directory.append(*(a_trade() for _ in range(2_000)))
    last = a_trade()
    directory.append(last)
    app = create_app(directory, authority, ServingSettings(SETTINGS))
    end = f'"trade_id":"{last.trade_id}"'.encode() if op is TRADES else b"[10000.0,1.0]]"
    async with listening(app) as server:
        client = await subscribed(server, authority.issue("ann", "viewer", 3600), op)
        took_s, tail = await slowly(client, part_bytes, end)
        assert end in tail, tail[-100:]
        assert took_s > 1.5 * SLOW_CLOSE_S, "or it proves nothing"
        client.sock.close()
        await app.drain()


async def test_who_takes_a_byte_now_and_then_is_too_slow(directory, authority) -> None:
    directory.append(*(a_trade() for _ in range(4_000)))
    app = create_app(directory, authority, ServingSettings(SETTINGS))
    async with listening(app) as server:
        client = await subscribed(server, authority.issue("ann", "viewer", 3600), TRADES)
        await server.until(lambda: bool(directory.sessions))
        reading = asyncio.ensure_future(slowly(client, 1, b"never"))
        await server.until(lambda: not directory.sessions)
        assert [code for _, code, _ in directory.closed] == [4408]
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        client.sock.close()
        await app.drain()


class Socket:
    """An outbox with more to write than the client takes, and what the client has taken."""

    def __init__(self, frames: int) -> None:
        self.taken = 0
        self.outbox = Outbox(JSON, StreamSettings(message_bytes=1, least_bytes_per_s=1_000_000))
        self.outbox.taken = lambda: self.taken
        lane = Lane(Key("trades", BTC, ""), "market/00", self.outbox, Chain())
        for offset in range(1, frames + 1):
            lane.push(SharedFrame(Recorded("market/00", offset, START, a_trade()), offset - 1 or None))

    def write(self) -> None:
        self.outbox.take()
        self.outbox.begin_write()
        self.outbox.end_write()


async def test_small_messages_do_not_make_a_slow_client_a_fast_one() -> None:
    socket = Socket(3)
    socket.write()
    since = socket.outbox.writing_since
    assert since is not None
    socket.write()
    assert socket.outbox.writing_since == since, "a message alone is no progress"
    socket.taken = 1
    socket.outbox.slow_for_s()
    assert since < socket.outbox.writing_since < since + 0.001
    socket.write()
    assert socket.outbox.writing_since is None, "nothing waits"
