"""Limits of sockets and one-use tickets, exact over two gateways and through kill -9 of what counts them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.scenarios.instance import Instance
from tests.scenarios.proof import report

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300), pytest.mark.anyio]

LIMIT = 8
ANSWER_S = 20.0
RETRY_S = 0.1
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def twins() -> Iterator[Instance]:
    """An instance with two gateways and a small limit."""
    with Instance(
        FINANCEHUB_HTTP_GATEWAYS="2",
        FINANCEHUB_HTTP_SOCKETS_PER_USER=str(LIMIT),
        FINANCEHUB_RAY_SHARDS="1",
        FINANCEHUB_FEEDS_SIM_RATE="1",
    ) as started:
        started.up()
        yield started


class Sockets:
    """One user's. `held` are those that were welcomed and not closed since."""

    def __init__(self, instance: Instance, stack: AsyncExitStack, user: str) -> None:
        self.url = f"ws://127.0.0.1:{instance.port}/v1/stream"
        self.token = instance.run("token", "--user", user, "--ttl", "1h").strip()
        self.held: list[ClientConnection] = []
        self._stack = stack

    async def open(self, ticket: str | None = None) -> int | None:
        """The code of a refusal; None where the socket was welcomed."""
        url = self.url if ticket is None else f"{self.url}?ticket={ticket}"
        headers = {"Authorization": f"Bearer {self.token}"} if ticket is None else {}
        try:
            socket = await connect(url, additional_headers=headers, compression=None, open_timeout=ANSWER_S)
        except (OSError, TimeoutError, WebSocketException):
            return 0
        try:
            async with asyncio.timeout(ANSWER_S):
                frames = json.loads(await socket.recv())
                if frames[0]["type"] == "welcome":
                    await self._stack.enter_async_context(socket)
                    self.held.append(socket)
                    return None
                await socket.wait_closed()
        except ConnectionClosed:
            pass
        return socket.close_code

    async def fill(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.held) < LIMIT:
                await self.open()

    def alive(self) -> int:
        return sum(socket.close_code is None for socket in self.held)


def ticket_of(instance: Instance, token: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{instance.port}/v1/tickets",
        method="POST",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        sold: dict[str, Any] = json.load(answer)
    return str(sold["ticket"])


def gateways_of(instance: Instance, user: str) -> set[str]:
    """Those whose sockets of the user the audit has."""
    return {
        event["gateway"]
        for event in map(json.loads, instance.run("tail", "--kind", "session_opened").splitlines())
        if event["user"] == user
    }


async def test_one_ticket_raced_over_both_gateways_opens_one_socket(twins: Instance) -> None:
    async with AsyncExitStack() as stack:
        sockets = Sockets(twins, stack, "ticket-holder")
        for _ in range(3):
            ticket = await asyncio.to_thread(ticket_of, twins, sockets.token)
            outcomes = await asyncio.gather(*(sockets.open(ticket) for _ in range(12)))
            assert outcomes.count(None) == 1
            assert {code for code in outcomes if code is not None} == {4401}
        old = twins.pid_of("connections")
        os.kill(old, signal.SIGKILL)
        await asyncio.to_thread(twins.wait_for_new, "connections", old)
        until_s = time.monotonic() + DEADLINE_S
        while (code := await sockets.open(ticket)) != 4401:
            assert code is not None, "the ticket was good twice"
            assert time.monotonic() < until_s
            await asyncio.sleep(RETRY_S)


async def test_a_killed_connection_manager_comes_back_with_exactly_the_sockets_there_are(
    twins: Instance,
) -> None:
    async with AsyncExitStack() as stack:
        sockets = Sockets(twins, stack, "many")
        await sockets.fill()
        assert await sockets.open() == 4429
        assert len(await asyncio.to_thread(gateways_of, twins, "many")) == 2, "both gateways hold some"
        old = twins.pid_of("connections")
        began_s = time.monotonic()
        os.kill(old, signal.SIGKILL)
        refused: list[int | None] = []
        while 4429 not in refused:  # until it can say again that the user has too many
            assert time.monotonic() < began_s + DEADLINE_S, refused
            refused += await asyncio.gather(*(sockets.open() for _ in range(4)))
            assert None not in refused, "a socket beyond the limit"
        report("kill connections, slots known again", [time.monotonic() - began_s])
        assert sockets.alive() == LIMIT
        for socket in sockets.held[:3]:
            await socket.close()
        codes: list[int | None] = []
        while codes.count(None) < 3:
            assert time.monotonic() < began_s + DEADLINE_S, codes
            codes += [await sockets.open()]
        assert await sockets.open() == 4429
        assert sockets.alive() == LIMIT
