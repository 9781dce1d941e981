"""What retention has dropped is said to be gone, over HTTP and on the stream, and the rest is served."""

from __future__ import annotations

import asyncio

import pytest

from domain.clock import format_time
from domain.envelope import Cursor
from storage.anchors import Anchor
from storage.memory import MemoryRetention
from tests.deployments.serving.kit import BTC, a_trade
from tests.deployments.serving.test_local_system import local

pytestmark = pytest.mark.anyio
FED, DROPPED = 8, 5


async def _cut(directory) -> tuple[str, Anchor]:
    """Feed some blocks, drop the older ones; returns the partition and the anchor."""
    for number in range(FED):
        await directory.feed([a_trade(price=1.0 + number)])
    partition = directory.partition_of(BTC)
    stores = directory.stores
    block = stores.log.blocks(partition)[DROPPED - 1]
    anchor = Anchor(partition, block.last_offset, block.hash, block.recorded_ns, block.recorded_ns)
    await MemoryRetention(stores.log, stores.snapshots).drop(anchor)
    return partition, anchor


async def test_reads_below_the_retained_log_answer_410_and_newer_ones_as_ever(authority):
    async with local(authority) as (served, directory):
        _, anchor = await _cut(directory)
        async with served.http() as http:
            for params in (
                {"at": format_time(anchor.recorded_ns - 10**9)},
                {"at": Cursor({anchor.partition: anchor.offset - 1}).encode()},
            ):
                answer = await http.get(f"/v1/instruments/{BTC}/state", params=params)
                body = answer.json()
                assert answer.status_code == 410, body
                assert body["type"].endswith("#problem-gone") and "is kept from offset" in body["detail"]
            newest = (await http.get(f"/v1/instruments/{BTC}/trades")).json()["items"]
            assert [trade["price"] for trade in newest] == [1.0 + n for n in range(DROPPED, FED)]


async def test_a_resume_below_the_retained_log_is_an_error_that_says_gone(authority):
    async with local(authority) as (served, directory):
        partition, anchor = await _cut(directory)
        async with served.socket() as client, asyncio.timeout(10):
            await client.subscribe("trades", "BTC", cursor=Cursor({partition: 1}).encode())
            error = await client.until("error")
            assert error["code"] == "gone" and partition in error["message"]
        async with served.socket() as client, asyncio.timeout(10):
            edge = Cursor({partition: anchor.offset}).encode()
            await client.subscribe("trades", "BTC", cursor=edge)
            assert (await client.until("trade"))["offset"] > anchor.offset
