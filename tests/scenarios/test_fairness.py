"""Through HAProxy and Serve: what one client asks and does not take costs neither memory nor the others."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from domain.envelope import Cursor
from tests.scenarios.instance import Instance, until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

REPLICA = "ServeReplica:financehub:gateway"
CHANNELS = ("trades", "quotes", "book", "ticker")
ENOUGH_EVENTS = 40_000
MORE_MB = 120
"""What a dozen sockets that take nothing may add to a replica: before they had bounds it was 1,500."""
STORM = 16


def memory_mb(instance: Instance) -> float:
    """Resident memory of all replicas of the gateway."""
    lines = [Path(f"/proc/{pid}/status").read_text() for pid in instance.processes.named(REPLICA)]
    assert lines, "no replica found"
    return sum(int(line.split("VmRSS:")[1].split()[0]) for line in lines) / 1024


def events_so_far(instance: Instance) -> int:
    held = [place for line in instance.actors().values() for place in line["partitions"]]
    return sum(int(place["head_offset"]) for place in held)


async def deaf(instance: Instance, token: str) -> ClientConnection:
    """Asks for everything from the beginning, with the narrowest of buffers, and reads no answer."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    narrow.connect(("127.0.0.1", instance.port))
    client = await connect(
        f"ws://127.0.0.1:{instance.port}/v1/stream",
        additional_headers={"Authorization": f"Bearer {token}"},
        sock=narrow, compression=None, proxy=None, max_queue=1, ping_interval=None, close_timeout=1,
    )  # fmt: skip
    for channel in CHANNELS:
        asked = {"op": "subscribe", "channel": channel, "instruments": ["*"], "cursor": Cursor({}).encode()}
        await client.send(json.dumps(asked))
    return client


async def code_of(client: ClientConnection) -> int:
    try:
        async with asyncio.timeout(30):
            while True:
                await client.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else 1006


async def memory_with_deaf_clients(instance: Instance, token: str, count: int, s: float) -> float:
    """The most that was seen in so many seconds."""
    clients = [await deaf(instance, token) for _ in range(count)]
    most = 0.0
    for _ in range(int(s)):
        await asyncio.sleep(1)
        most = max(most, memory_mb(instance))
    for client in clients:
        client.transport.abort()
    return most


async def one_deaf_client(instance: Instance, token: str) -> int:
    client = await deaf(instance, token)
    await asyncio.sleep(12)  # it is given 10 s
    return await code_of(client)


def test_clients_that_take_nothing_cost_little_memory(instance: Instance) -> None:
    until(lambda: events_so_far(instance) > ENOUGH_EVENTS, 120.0, "a log worth resuming from")
    before = memory_mb(instance)
    most = asyncio.run(memory_with_deaf_clients(instance, instance.token(), 12, 8.0))
    assert most < before + MORE_MB


def test_a_client_that_takes_nothing_is_closed_as_too_slow(instance: Instance) -> None:
    assert asyncio.run(one_deaf_client(instance, instance.token())) == 4408


async def storm(instance: Instance, eve: str, bob: str) -> tuple[int, list[int]]:
    """How many of eve's questions about the past were answered before bob's one; all statuses."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{instance.port}", timeout=60.0) as http:

        async def ask(token: str, ago_s: int) -> Any:
            return await http.get(
                "/v1/instruments/BTC-USD.SIM/state",
                params={"at": f"now-{ago_s}s"},
                headers={"Authorization": f"Bearer {token}"},
            )

        (await ask(bob, 5)).raise_for_status()
        asked = [asyncio.create_task(ask(eve, 5 + index)) for index in range(STORM)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        bobs = await ask(bob, 8)
        before = sum(task.done() for task in asked)
        answers = await asyncio.gather(*asked)
    return before, [bobs.status_code, *(answer.status_code for answer in answers)]


def test_a_storm_of_questions_about_the_past_delays_its_own_user(instance: Instance) -> None:
    eve, bob = (instance.run("token", "--user", user).strip() for user in ("eve", "bob"))
    before, statuses = asyncio.run(storm(instance, eve, bob))
    assert set(statuses) == {200}
    assert before < STORM - 4
