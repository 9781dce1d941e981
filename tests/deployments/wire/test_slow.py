"""Who takes a little all the time gets everything; who takes nothing, or next to it, is cut off."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployments.wire import stalling, transport
from deployments.wire.limits import MIN_BYTES_PER_S
from deployments.wire.stalling import Slowness
from tests.deployments.wire.kit import Client, echo, listening

pytestmark = pytest.mark.anyio

PATIENCE_S = 0.5
LARGE = 1 << 20
CLOSES = b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
STAYS = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalling, "STALL_S", PATIENCE_S)
    for name in ("ABORT_S", "GOODBYE_S"):
        monkeypatch.setattr(transport, name, PATIENCE_S)


async def slowly(client: Client, part_bytes: int, pause_s: float, most_bytes: int = 2 * LARGE) -> int:
    """Bytes read in parts, with a pause after each."""
    got = 0
    while got < most_bytes:
        try:
            async with asyncio.timeout(10.0):
                part = await client.loop.sock_recv(client.sock, part_bytes)
        except ConnectionError:
            break
        if not part:
            break
        got += len(part)
        await asyncio.sleep(pause_s)  # the slow client itself
    return got


@pytest.mark.parametrize(
    ("request_", "behind"),
    [(CLOSES, b""), (STAYS, b""), (STAYS, b"nonsense\r\n\r\n")],
    ids=["closes", "stays", "a refusal behind it"],
)
async def test_an_answer_is_cut_by_progress_and_not_by_time(request_: bytes, behind: bytes) -> None:
    async with listening(echo) as server:
        client = await server.connect()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await client.send(request_)
        await client.answer()
        await client.send(behind)
        assert await slowly(client, 16 * 1024, 0.03, LARGE - 100_000) >= LARGE - 100_000
        assert loop.time() - began_s > 2 * PATIENCE_S, "or it proves nothing"
        client.sock.close()


@pytest.mark.parametrize("request_", [CLOSES, STAYS], ids=["closes", "stays"])
@pytest.mark.parametrize("part_bytes", [0, 1], ids=["nothing", "a byte now and then"])
async def test_who_takes_next_to_nothing_is_cut_off(request_: bytes, part_bytes: int) -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(request_)
        await server.until(lambda: len(server.connections) == 1)
        reading = asyncio.ensure_future(slowly(client, part_bytes, 0.05)) if part_bytes else None
        await server.empty()
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        client.sock.close()


async def test_who_stops_in_the_middle_is_cut_off() -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(CLOSES)
        await slowly(client, 16 * 1024, 0.0, 256 * 1024)
        await server.empty()
        client.sock.close()


def test_slowness_grows_below_the_least_pace_alone() -> None:
    nothing, half, just = (Slowness(0.0, 0) for _ in range(3))
    for second in range(1, 101):
        assert nothing.for_s(float(second), 0) == second
        assert half.for_s(float(second), second * MIN_BYTES_PER_S // 2) == pytest.approx(second / 2)
        assert just.for_s(float(second), second * MIN_BYTES_PER_S) == 0.0


def test_what_was_taken_quickly_is_no_credit_for_later() -> None:
    slowness = Slowness(0.0, 0)
    assert slowness.for_s(1.0, 100 * MIN_BYTES_PER_S) == 0.0
    assert slowness.for_s(5.0, 100 * MIN_BYTES_PER_S) == 4.0


class Talkative:
    """Accepts, and writes a lot at once."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        await send({"type": "websocket.send", "bytes": bytes(LARGE)})
        while (await receive())["type"] != "websocket.disconnect":
            pass


async def test_a_pong_is_not_late_before_its_client_has_the_ping() -> None:
    async with listening(Talkative()) as server:
        client = await (await server.connect()).upgraded()
        (connection,) = server.connections
        connection.ping_timeout = PATIENCE_S
        connection.send_keepalive_ping()
        assert await slowly(client, 16 * 1024, 0.03, LARGE - 100_000) >= LARGE - 100_000
        assert not connection.close_sent
        await slowly(client, 16 * 1024, 0.0)
        await server.empty()
        client.sock.close()
