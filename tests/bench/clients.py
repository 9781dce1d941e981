"""Fifty WebSocket clients in a process of their own: when did which frame arrive.

    python -m tests.bench.clients WS_URL SECONDS TOKEN INSTRUMENT...

Prints `ready` once all are subscribed, then after so many seconds one JSON line with latencies in ns:
{"deliveries", "total": [...], "to_log": [...]}: frame received by the feed -> here, and -> recorded.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any

import aiohttp
import msgspec

from domain.clock import parse_time

CLIENTS = 50
SAMPLES = 200_000


class Trade(msgspec.Struct):
    """What is read of a frame; other types leave these fields empty."""

    type: str
    ts_recv: str = ""
    recorded_at: str = ""


_frames = msgspec.json.Decoder(list[Trade])


async def subscribed(session: aiohttp.ClientSession, url: str, token: str, instrument: str) -> Any:
    socket = await session.ws_connect(
        url + "/v1/stream", headers={"authorization": f"Bearer {token}"}, max_msg_size=0
    )
    await socket.send_json({"op": "subscribe", "id": "1", "channel": "trades", "instruments": [instrument]})
    while not any(frame.type == "subscribed" for frame in _frames.decode(await socket.receive_str())):
        pass
    return socket


async def listen(socket: Any, arrived: list[tuple[int, str]]) -> None:
    async for message in socket:
        arrived.append((time.time_ns(), message.data))


async def main(url: str, for_s: float, token: str, instruments: list[str]) -> None:
    arrived: list[tuple[int, str]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [
            await subscribed(session, url, token, instruments[n % len(instruments)]) for n in range(CLIENTS)
        ]
        gc.disable()
        began = time.time_ns()
        print("ready", flush=True)
        tasks = [asyncio.create_task(listen(socket, arrived)) for socket in sockets]
        await asyncio.sleep(for_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for socket in sockets:
            await socket.close()
    print(json.dumps(report(arrived, since=began)), flush=True)


def report(arrived: list[tuple[int, str]], *, since: int) -> dict[str, Any]:
    """Of trades that the feed received after `since`; older ones waited for the last socket to subscribe."""
    total, to_log = [], []
    for at, text in arrived:
        for frame in _frames.decode(text):
            if frame.type == "trade":
                received = parse_time(frame.ts_recv)
                if received < since:
                    continue
                total.append(at - received)
                to_log.append(parse_time(frame.recorded_at) - received)
    return {"deliveries": len(total), "total": total[-SAMPLES:], "to_log": to_log[-SAMPLES:]}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
