"""What clients of a whole instance see: the stream, the handshake, reads over HTTP.

The stream: a venue on the loopback prints 1,000 trades/s over five instruments into the production feed;
fifty sockets with one instrument each get 10,000 trades/s together. Its time runs from the frame's
arrival in the feed (`ts_recv`) to the message's arrival in the client's process, and the trade is in the
log before it is sent.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from domain.clock import format_time
from tests.bench.rows import ROOT, Row, Scale, quantile
from tests.bench.system import System, feed_process, free_port, running, toml_list, until

INSTRUMENTS = 5
TRADES_PER_S = 1_000
STREAM_S = 30
WARM_UP_S = 5
HANDSHAKES = 300
READS = 600
DAY_S = 86_400
DAY_START_S = 1_700_006_400
"""Midnight UTC, 15 November 2023."""


def group(scale: Scale) -> list[Row]:
    port = free_port()
    with running(_settings(port)) as system:
        token = system.token()
        with _venue(port):
            rows = _stream_rows(system, token, scale.of(STREAM_S, least=3))
        rows.append(asyncio.run(_handshakes(system, token, scale.of(HANDSHAKES, least=5))))
        rows += _read_rows(system, token, scale.of(READS, least=8))
    return rows


def _settings(port: int) -> str:
    names = toml_list([f"C{number}USDT.BINANCE_US" for number in range(INSTRUMENTS)])
    return (
        '[feeds]\nenabled = ["binance"]\n[feeds.binance]\nchannels = ["trades"]\n'
        f'ws_url = "ws://127.0.0.1:{port}"\nrest_url = "http://127.0.0.1:{port}"\ninstruments = {names}\n'
        "backfill_bars = 0\n[http]\nsockets_per_user = 1000\n"
    )


@contextmanager
def _venue(port: int) -> Iterator[None]:
    with _module("venue", str(port), str(INSTRUMENTS), str(TRADES_PER_S)) as process:
        try:
            yield
        finally:
            process.kill()


def _module(name: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _stream_rows(system: System, token: str, for_s: float) -> list[Row]:
    names = [f"C{number}USDT.BINANCE_US" for number in range(INSTRUMENTS)]
    until(lambda: _flows(system, token, names[-1]), 60.0, 0.5)
    time.sleep(min(WARM_UP_S, for_s))
    with _module("clients", system.ws, str(for_s), token, *names) as clients:
        assert clients.stdout is not None
        clients.stdout.readline()
        heard: dict[str, Any] = json.loads(clients.stdout.readline())
    total = [ns / 1e6 for ns in heard["total"]]
    to_log = [ns / 1e6 for ns in heard["to_log"]]
    count = int(heard["deliveries"])
    return [
        Row("feed_to_client_p50_ms", quantile(total, 0.50), "ms", len(total)),
        Row("feed_to_client_p99_ms", quantile(total, 0.99), "ms", len(total)),
        Row("feed_to_log_p50_ms", quantile(to_log, 0.50), "ms", len(to_log)),
        Row("feed_to_log_p99_ms", quantile(to_log, 0.99), "ms", len(to_log)),
        Row("feed_to_client_deliveries_per_s", count / for_s, "trades/s", count),
    ]


def _flows(system: System, token: str, instrument: str) -> bool:
    return system.get(f"/v1/instruments/{instrument}/last", token)["trade"] is not None


async def _handshakes(system: System, token: str, count: int) -> Row:
    """A new TCP connection, the upgrade, the token, the quota, the first frame (`welcome`)."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            headers = {"authorization": f"Bearer {token}"}
            async with session.ws_connect(system.ws + "/v1/stream", headers=headers) as socket:
                first = await socket.receive_str()
                took.append(1e3 * (time.perf_counter() - began))
        if '"welcome"' not in first:
            raise ValueError(f"refused: {first[:200]}")
    return Row("handshake_p99_ms", quantile(took, 0.99), "ms", count)


def _read_rows(system: System, token: str, count: int) -> list[Row]:
    """One kept-alive connection, one request after the other."""
    bars = _day_of_bars(system, token)
    mixed = [
        "/v1/instruments/C0USDT.BINANCE_US/last",
        "/v1/instruments/C1USDT.BINANCE_US/trades?limit=100",
        "/v1/instruments/C2USDT.BINANCE_US/book?depth=20",
        "/v1/instruments?limit=50",
    ]
    day = asyncio.run(_reads(system, token, [bars], count))
    reads = asyncio.run(_reads(system, token, mixed, count))
    return [
        Row("bars_1d_p95_ms", quantile(day, 0.95), "ms", count),
        Row("bars_1d_p50_ms", quantile(day, 0.50), "ms", count),
        Row("http_p95_ms", quantile(reads, 0.95), "ms", count),
        Row("http_p50_ms", quantile(reads, 0.50), "ms", count),
    ]


def _day_of_bars(system: System, token: str) -> str:
    """The query for 1,440 one-minute bars, once the projector has them: a trade every ten seconds."""
    list(
        feed_process(
            system,
            {
                "frames": DAY_S // 10 + 60, "instruments": 1, "start_s": DAY_START_S,
                "step_ns": 10 * 10**9, "name": "day", "prefix": "DAY",
            },
        )
    )  # fmt: skip
    start, end = (format_time(at * 10**9) for at in (DAY_START_S, DAY_START_S + DAY_S - 1))
    query = f"/v1/instruments/DAY0USDT.BINANCE_US/bars?interval=1m&from={start}&to={end}&limit=1440"
    until(lambda: len(system.get(query, token)["items"]) >= 1_440, 60.0, 0.5)
    return query


async def _reads(system: System, token: str, paths: list[str], count: int) -> list[float]:
    """Milliseconds until the whole body is there."""
    took = []
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        for number in range(count + len(paths)):
            began = time.perf_counter()
            async with session.get(system.http + paths[number % len(paths)]) as answer:
                body = await answer.read()
            if answer.status != 200:
                raise ValueError(f"{answer.status}: {body[:200]!r}")
            took.append(1e3 * (time.perf_counter() - began))
    return took[len(paths) :]
