"""A 50-day moving average over HTTP, from a whole instance: 120 days of trades, one an hour.

One kept-alive connection, one request after the other: the newest 60 daily values, the forming day's
included, each computed anew from the stored bars and the keeper's own.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

import aiohttp

from domain.clock import NS_PER_S
from tests.bench.rows import Row, Scale, quantile
from tests.bench.system import System, feed_process, running, until

DAYS, VALUES = 120, 60
START_S = 1_700_006_400
"""Midnight UTC, 15 November 2023."""
READS = 400
INSTRUMENT = "DAY0USDT.BINANCE_US"
SPEC = "sma(50)"


def group(scale: Scale) -> list[Row]:
    with running() as system:
        token = system.token()
        list(
            feed_process(
                system,
                {
                    "frames": 24 * DAYS, "instruments": 1, "start_s": START_S,
                    "step_ns": 3_600 * NS_PER_S, "name": "day", "prefix": "DAY",
                },
            )
        )  # fmt: skip
        path = f"/v1/instruments/{INSTRUMENT}/indicators?spec={quote(SPEC)}&interval=1d&limit={VALUES}"
        until(lambda: _settled(system, token, path), 60.0, 0.5)
        took = asyncio.run(_reads(system, token, path, scale.of(READS, least=8)))
    return [
        Row("sma_http_p95_ms", quantile(took, 0.95), "ms", len(took)),
        Row("sma_http_p50_ms", quantile(took, 0.50), "ms", len(took)),
    ]


def _settled(system: System, token: str, path: str) -> bool:
    """All values are there: the projector has the days."""
    answer = system.get(path, token)
    items = answer["items"]
    return len(items) == VALUES and all(item["values"][SPEC] is not None for item in items)


async def _reads(system: System, token: str, path: str, count: int) -> list[float]:
    """Milliseconds until the whole body is there, after a few to warm up."""
    took = []
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        for _ in range(count + 10):
            began = time.perf_counter()
            async with session.get(system.http + path) as answer:
                body = await answer.read()
            if answer.status != 200:
                raise ValueError(f"{answer.status}: {body[:200]!r}")
            took.append(1e3 * (time.perf_counter() - began))
    return took[10:]
