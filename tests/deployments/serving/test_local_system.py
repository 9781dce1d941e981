"""The serving side over the production objects in one process: shards, log, projector, connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from actors.arming import Keep
from actors.local_directory import LocalDirectory, LocalSettings
from deployments.asgi import ServingSettings, create_app
from deployments.ws.settings import StreamSettings
from domain.clock import NS_PER_S, Clock, ManualClock, format_time
from domain.envelope import Cursor
from tests.deployments.serving.kit import (
    BTC,
    ETH,
    START,
    Served,
    a_delta,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    check_chain,
    running,
)
from tests.deployments.serving.log_directory import change

pytestmark = pytest.mark.anyio
HISTORY, MORE = 1500, 1500


@asynccontextmanager
async def local(
    authority, keep: tuple[str, ...] = (), clock: Clock | None = None, **stream
) -> AsyncIterator[tuple[Served, LocalDirectory]]:
    directory = await LocalDirectory.over_memory(2, clock=clock, settings=LocalSettings(keep=Keep(keep)))
    settings = ServingSettings(stream=StreamSettings(tick_s=0.02, cursor_every_s=0.05, **stream))
    app = create_app(directory, authority, settings)
    try:
        async with running(app) as address:
            yield Served(app, address, authority, directory), directory
    finally:
        await directory.close()


async def offsets(directory: LocalDirectory, instrument: str, kind: str) -> list[int]:
    found = await directory.events(instrument, (kind,), 0, None, 100_000)
    return [recorded.offset for recorded in found]


async def test_what_is_fed_is_served_over_http_and_the_stream(authority):
    async with local(authority) as (served, directory):
        await directory.feed([a_trade(price=1.0), a_quote()])
        async with served.http() as http, served.socket() as client:
            answer = await client.subscribe("trades", "BTC")
            assert answer["instruments"] == [BTC]
            reached = await directory.feed([a_trade(price=2.0)])
            frame = await client.until("trade")
            assert (frame["price"], frame["prev"]) == (2.0, None)
            params = {"after": reached.encode()}
            body = (await http.get(f"/v1/instruments/{BTC}/last", params=params)).json()
            assert (body["trade"]["price"], body["quote"]["bid"]) == (2.0, 99.0)
            trades = (await http.get(f"/v1/instruments/{BTC}/trades")).json()
            assert [item["price"] for item in trades["items"]] == [1.0, 2.0]
            assert body["trade"] == trades["items"][1]
            assert body["trade"]["offset"] == frame["offset"]
            past = Cursor({directory.partition_of(BTC): frame["offset"] - 1}).encode()
            was = (await http.get(f"/v1/instruments/{BTC}/last", params={"at": past})).json()
            assert was["trade"] == trades["items"][0]
            for path in ("/readyz", "/v1/feeds", "/v1/providers", f"/v1/instruments/{BTC}/state"):
                assert (await http.get(path)).status_code == 200


async def test_venues_meet_in_their_reference(authority):
    reference = "BTC-USD.CRYPTO"
    told = {"coinbase": 100.0, "kraken": 100.1, "binance": 103.0}
    async with local(authority) as (served, directory), served.http() as http, served.socket() as client:
        for provider, price in told.items():
            await directory.feed([replace(a_ticker(reference, price), provider=provider)], provider)
        venues = [a_trade("BTC-USD.COINBASE"), a_trade("BTC-USD.KRAKEN")]
        await directory.feed(venues[:1], "coinbase")
        after = await directory.feed(venues[1:], "kraken")
        body = (await http.get("/v1/instruments/BTC/last", params={"after": after.encode()})).json()
        assert (body["instrument"], body["ticker"]["provider"]) == (reference, "coinbase")
        assert body["reference"] == {
            "price": 100.1,
            "spread": pytest.approx(3.0 / 100.1),
            "confidence": pytest.approx(2 / 3),
            "fresh": 3,
            "deviating": ["binance"],
            "stale": [],
            "ts_event": format_time(START),
        }
        state = (await http.get(f"/v1/instruments/{reference}/state")).json()
        assert state["reference"] == state["last"]["reference"] == body["reference"]
        listed = (await http.get("/v1/instruments", params={"venue": "crypto"})).json()["items"]
        assert [item["instrument"] for item in listed] == [reference]
        refused = (await http.get("/v1/instruments/BTC/trades")).json()
        assert refused["status"] == 409 and "CRYPTO" not in str(refused)
        answer = await client.subscribe("ticker", "BTC", "*.KRAKEN")
        assert answer["instruments"] == [reference, "*.KRAKEN"]


async def test_bars_close_on_the_stream_and_over_http(authority):
    async with local(authority) as (served, directory), served.http() as http, served.socket() as client:
        await directory.feed([a_trade(price=5.0, at=START + NS_PER_S)])
        await client.subscribe("bars", BTC, interval="1m")
        await directory.feed([a_trade(price=7.0, at=START + 2 * NS_PER_S)])
        forming = await client.until("bar")
        assert (forming["provisional"], forming["close"], forming["offset"]) == (True, 7.0, None)
        await directory.beat(START + 65 * NS_PER_S)
        closed = await client.until(lambda frame: frame["type"] == "bar" and frame["closed"])
        assert (closed["open"], closed["close"], closed["trades"], closed["revision"]) == (5.0, 7.0, 2, 0)
        bars = (await http.get(f"/v1/instruments/{BTC}/bars", params={"interval": "1m"})).json()["items"]
        assert (bars[0]["close"], bars[0]["closed"]) == (7.0, True)


async def test_a_hand_over_under_load_is_complete(authority):
    async with local(authority, resume_chunk=100) as (served, directory):
        for start in range(0, HISTORY, 100):
            await directory.feed([a_trade((BTC, ETH)[i % 2], float(i)) for i in range(start, start + 100)])

        async def produce() -> None:
            for start in range(0, MORE, 10):
                await directory.feed([a_trade((BTC, ETH)[i % 2], float(i)) for i in range(start, start + 10)])

        async with served.socket() as client:
            producer = asyncio.create_task(produce())
            await client.subscribe("trades", BTC, ETH, cursor=Cursor({}).encode())
            frames = await client.take("trade", HISTORY + MORE)
            await producer
        check_chain(frames)
        for instrument in (BTC, ETH):
            got = [frame["offset"] for frame in frames if frame["instrument"] == instrument]
            assert got == await offsets(directory, instrument, "trade")


async def test_a_book_followed_under_load_equals_the_owners(authority):
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed([a_snapshot()])

        async def produce() -> None:
            for step in range(200):
                size = float(step % 7)
                await directory.feed(
                    [a_delta(bids=((90.0 + step % 9, size),), asks=((101.0 + step % 5, size),))]
                )

        producer = asyncio.create_task(produce())
        await asyncio.sleep(0)
        await client.subscribe("book", BTC)
        await producer
        last = (await offsets(directory, BTC, "book_delta"))[-1]
        frame = await client.until("book_snapshot")
        bids, asks = dict(frame["bids"]), dict(frame["asks"])
        while frame["offset"] < last:
            frame = await client.until("book")
            change(bids, frame["bids"])
            change(asks, frame["asks"])
        check_chain(client.of("book", "book_snapshot"))
        owners = await directory.book(BTC, 100)
        assert (bids, asks) == (dict(owners.bids), dict(owners.asks))


async def test_a_partition_that_moves_interrupts_nothing(authority):
    directory = await LocalDirectory.over_memory(2, shard_count=2)
    app = create_app(directory, authority, ServingSettings())
    try:
        async with running(app) as address:
            served = Served(app, address, authority, directory)
            await directory.feed([a_trade(price=0.0)])
            async with served.socket() as client:
                await client.subscribe("trades", BTC)
                partition = directory.partition_of(BTC)
                for move in range(4):
                    await directory.feed([a_trade(price=float(move))])
                    await directory.move(partition, f"keeper-shard-{move % 2}")
                    await directory.feed([a_trade(price=float(move) + 0.5)])
                frames = await client.take("trade", 8)
                check_chain(frames)
                assert [frame["offset"] for frame in frames] == (await offsets(directory, BTC, "trade"))[1:]
    finally:
        await directory.close()


async def test_quotas_of_the_connection_manager_hold(authority):
    async with local(authority) as (served, directory):
        limit = directory.connections._settings.max_sockets_per_user
        for index in range(limit):
            directory.connections.open_session(f"other-{index}", "ann", "viewer", START, "elsewhere")
        await directory.feed([a_trade()])
        async with served.socket() as client:
            assert (await client.closed())[0] == 4429
        async with served.socket(token=served.token(user="bob")) as client:
            await client.until("welcome")
        for _ in range(100):
            if not directory.connections.sessions("bob"):
                break
            await asyncio.sleep(0.01)
        assert directory.connections.sessions("bob") == []


async def test_an_indicator_that_is_kept_up_stands_in_the_state_now_and_then(authority):
    async with local(authority, keep=("sma(2)@1s",)) as (served, directory), served.http() as http:
        for second in range(5):
            await directory.feed([a_trade(price=second + 1.0, at=START + second * NS_PER_S)])
        body = {}
        while "sma(2)@1s" not in body:
            then = await directory.heads()
            state = (await http.get(f"/v1/instruments/{BTC}/state")).json()
            body = state["indicators"]
            await asyncio.sleep(0.02)
        newest = state["bars"][-1]["ts_event"]
        assert body == {"sma(2)@1s": {"ts_event": newest, "value": state["bars"][-1]["close"] - 0.5}}
        await directory.feed([a_trade(price=50.0, at=START + 20 * NS_PER_S)])
        await directory.beat(START + 30 * NS_PER_S)
        now = (await http.get(f"/v1/instruments/{BTC}/state")).json()["indicators"]
        assert now["sma(2)@1s"]["value"] > 25.0
        was = await http.get(f"/v1/instruments/{BTC}/state", params={"at": then.encode()})
        assert was.json()["indicators"] in ({}, body)
        place = (await directory.heads()).encode()
        same = await http.get(f"/v1/instruments/{BTC}/state", params={"at": place})
        assert same.json()["indicators"] == now


async def test_the_past_is_refused_where_a_clock_was_wrong_and_lists_go_on_from_before(authority):
    clock = ManualClock(START)
    async with local(authority, clock=clock) as (served, directory), served.http() as http:
        for price, second in ((1.0, 10), (2.0, 2 * 86_400), (3.0, 60), (4.0, 120)):
            clock.set(START + second * NS_PER_S)
            await directory.feed([a_trade(price=price, at=START + min(second, 120) * NS_PER_S)])
        for path in ("last", "state", "bars"):
            wrong = {"at": format_time(START + 90 * NS_PER_S)}
            body = (await http.get(f"/v1/instruments/{BTC}/{path}", params=wrong)).json()
            assert (body["status"], body["type"]) == (400, "/docs#problem-time-unclear"), path
            assert "a clock was wrong between" in body["detail"]
        past = {"at": format_time(START + 10 * NS_PER_S)}
        assert (await http.get(f"/v1/instruments/{BTC}/last", params=past)).json()["trade"]["price"] == 1.0
        since = {"from": format_time(START + 100 * NS_PER_S)}
        listed = (await http.get(f"/v1/instruments/{BTC}/trades", params=since)).json()
        assert [item["price"] for item in listed["items"]][-1] == 4.0


async def test_a_gateway_shows_how_its_own_tasks_and_those_of_the_actors_do(authority, monkeypatch):
    async with local(authority) as (served, directory), served.http("admin") as http:
        async with served.socket() as client:
            await client.subscribe("trades", BTC)
            shard = directory.shards["keeper-shard-0"]
            shard._snapshotter.health.failed(RuntimeError("the disk is full"))
            system = (await http.get("/v1/system")).json()
        mine = {task["task"]: task for task in system["gateway"]["tasks"]}
        assert mine["stream timers"]["alive"] and not mine["stream hub"]["failing"]
        (line,) = system["actors"]
        snapshots = next(task for task in line["tasks"] if task["task"] == "snapshots")
        assert (snapshots["failures"], snapshots["failing"]) == (1, True)
        assert "the disk is full" in snapshots["error"]
