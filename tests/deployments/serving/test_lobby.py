"""Sockets without a credential: a few at a time, of one address fewer, and none for long."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from deployments.ws.lobby import Lobby, address_of
from domain.errors import OverLimit

pytestmark = pytest.mark.anyio


def scope(peer: str | None = None, client: str | None = "127.0.0.1") -> dict[str, object]:
    headers = [] if peer is None else [(b"x-financehub-peer", peer.encode())]
    return {"headers": headers, "client": None if client is None else (client, 1)}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (scope("192.0.2.1"), scope("192.0.2.1"), True),
        (scope("192.0.2.1"), scope("192.0.2.2"), False),
        (scope("2001:db8::1"), scope("2001:db8::ffff:1"), True),
        (scope("2001:db8::1"), scope("2001:db8:0:1::1"), False),
        (scope("::ffff:192.0.2.1"), scope("192.0.2.1"), True),
        (scope(None, "192.0.2.1"), scope("192.0.2.1"), True),
        (scope("nonsense"), scope("nonsense" * 100), False),
        (scope(None, None), scope(None, None), True),
    ],
)
def test_an_address_is_a_customers(first, second, same: bool) -> None:
    assert (address_of(first) == address_of(second)) is same
    assert len(address_of(second)) <= 64


def test_places_are_given_back_and_nothing_is_remembered() -> None:
    lobby = Lobby(3, 2)
    with lobby.place(scope("192.0.2.1")), lobby.place(scope("192.0.2.1")):
        with pytest.raises(OverLimit), lobby.place(scope("192.0.2.1")):
            pass
        with lobby.place(scope("192.0.2.2")), pytest.raises(OverLimit), lobby.place(scope("192.0.2.3")):
            pass
    assert not lobby._waiting


async def test_one_address_holds_only_so_many_sockets_without_a_credential(serve) -> None:
    async with serve(waiting_per_address=3) as served, AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(served.socket(token=None)) for _ in range(3)]
        async with served.socket(token=None) as fourth:
            assert (await fourth.closed())[0] == 4429
        async with served.socket() as known:
            assert (await known.next())["type"] == "welcome", "who shows a token at once waits for nothing"
        await waiting[0].send({"op": "auth", "token": served.token()})
        assert (await waiting[0].until("welcome"))["session"]
        fifth = await stack.enter_async_context(served.socket(token=None))
        await fifth.send({"op": "auth", "token": served.token()})
        await fifth.until("welcome")


async def test_a_socket_that_never_says_who_it_is_is_gone_soon(serve) -> None:
    async with serve(auth_deadline_s=0.05) as served:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        writer.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        began = time.monotonic()
        told = await asyncio.wait_for(reader.read(), 8.0)
        assert (4401).to_bytes(2, "big") in told
        assert time.monotonic() - began < 5.0, "it does not wait for an answer to its close frame for long"
        writer.close()


async def test_a_message_before_the_token_counts_as_waiting(serve) -> None:
    async with serve(waiting_per_address=1) as served, served.socket(token=None) as first:
        await first.send({"op": "ping"})
        await first.until("error")
        async with served.socket(token=None) as second:
            assert (await second.closed())[0] == 4429
