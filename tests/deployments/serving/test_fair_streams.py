"""One user's sockets and questions cost the others little: patterns, resumes, reads of the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from deployments.ws.channels import matcher
from domain.envelope import Cursor
from domain.errors import Malformed
from tests.actors.shard_bench import turns
from tests.deployments.serving.kit import BTC, ETH, a_snapshot, a_trade
from tests.deployments.serving.log_directory import LogDirectory

pytestmark = pytest.mark.anyio
BEGINNING = Cursor({}).encode()
FRAME_BYTES = 300
"""More than a trade's frame has."""


async def until(reached: Callable[[], bool]) -> None:
    while not reached():
        await turns(10)


def test_patterns_match_as_they_read():
    for text, fitting, others in (
        ("*", ("A.B",), ()),
        ("*.SIM", ("BTC-USD.SIM",), ("BTC-USD.SIMX", "SIM")),
        ("BTC-*", ("BTC-USD.SIM", "BTC-"), ("XBTC-USD.SIM",)),
        ("*-USD*", ("BTC-USD.SIM",), ("BTC-EUR.SIM",)),
        ("BTC-?S*.SIM", ("BTC-USD.SIM",), ("BTC-SS.SI",)),
        ("**", ("A.B",), ()),
    ):
        fits = matcher(text)
        assert all(fits(name) for name in fitting), text
        assert not any(fits(name) for name in others), text
    with pytest.raises(Malformed):
        matcher("*a*b*c*d*e")


async def test_a_user_follows_a_bounded_number_of_patterns_over_all_sockets(serve, directory):
    async with serve(patterns_per_user=3) as served, served.socket() as one, served.socket() as two:
        await one.subscribe("trades", "*.SIM", "BTC-*")
        await two.subscribe("quotes", "*.SIM")
        await two.send({"op": "subscribe", "channel": "trades", "instruments": ["ETH-*"]})
        assert (await two.until("error"))["code"] == "over_limit"
        await one.send({"op": "unsubscribe", "channel": "trades", "instruments": ["BTC-*"]})
        await one.until("unsubscribed")
        assert (await two.subscribe("trades", "ETH-*"))["instruments"] == ["ETH-*"]


async def test_the_rate_is_a_users_over_all_sockets_and_counts_patterns(serve):
    async with serve(messages_per_s=0.001, message_burst=10) as served:
        async with served.socket() as one, served.socket() as two:
            await one.subscribe("trades", "*.A", "*.B", "*.C", "*.D")  # 4 of the 10
            await two.send(
                {"op": "subscribe", "id": 7, "channel": "trades", "instruments": ["*.E"] * 6 + ["*.F"]}
            )
            assert (await two.until("error"))["id"] == 7
            for _ in range(6):
                await two.send({"op": "ping"})
                await two.until("pong")
        async with served.socket() as three:  # a new socket is no new rate
            await three.send({"op": "ping", "id": 8})
            error = await three.until("error")
        async with served.socket(token=None) as four:  # nor is what comes with the token
            await four.send({"op": "auth", "token": served.token()}, {"op": "ping", "id": 9})
            assert (await four.until("error"))["id"] == 9
        async with served.socket(token=served.token(user="bob")) as bob:
            await bob.send({"op": "ping"})
            await bob.until("pong")
    assert (error["id"], error["code"]) == (8, "rate_limited")


async def test_a_new_pattern_is_asked_about_the_chains_of_its_channel_only(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("quotes", "*.SIM")
        await client.subscribe("trades", *(name for name in (BTC, ETH)))
        hub = served.app.stream.hub
        asked: list[str] = []

        class Curious:
            channel, variant = "trades", ""

            def lane_for(self, instrument: str, partition: str) -> None:
                asked.append(instrument)

        for partition in directory.partitions():
            hub.pattern_live(Curious(), partition)
        assert sorted(asked) == [BTC, ETH]


def watched(served, most: dict[str, int]) -> None:
    """Note the largest number of bytes that waits for any socket."""
    for session in served.app.stream.sessions:
        outbox = session.outbox
        put = outbox._put

        def noting(entry, put=put, outbox=outbox) -> None:
            put(entry)
            most["bytes"] = max(most.get("bytes", 0), outbox.queued_bytes)

        outbox._put = noting


async def test_resumes_of_many_partitions_never_fill_a_socket_that_takes_nothing(serve, directory):
    names = [f"A{index}-USD.SIM" for index in range(40)]
    for name in names:
        directory.introduce(name)
        directory.append(*(a_trade(name) for _ in range(100)))
    assert len({directory.partition_of(name) for name in names}) == len(directory.partitions()) > 1
    bounds = {
        "resume_chunk": 200,
        "resume_bytes": 20_000,
        "conflate_above_bytes": 10_000,
        "message_bytes": 10_000,
        "slow_close_s": 30.0,
    }
    most: dict[str, int] = {}
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.until("welcome")
        watched(served, most)
        await client.subscribe("trades", *names, cursor=BEGINNING)
        (session,) = served.app.stream.sessions
        outbox = session.outbox
        await until(lambda: outbox.writing_since is not None and outbox.queued_bytes > 10_000)
        frames = await client.take("trade", len(names) * 100)
        assert len({(frame["instrument"], frame["offset"]) for frame in frames}) == len(names) * 100
    assert most["bytes"] <= 20_000 + FRAME_BYTES


async def test_books_are_asked_for_as_a_socket_takes_them(serve, directory):
    levels = tuple((float(price), 1.0) for price in range(2_000, 0, -1))
    names = [f"B{index}-USD.SIM" for index in range(60)]
    for name in names:
        directory.introduce(name)
        directory.append(a_snapshot(name, levels, ((3_000.0, 1.0),)))
    most: dict[str, int] = {}
    bounds = {"conflate_above_bytes": 50_000, "books_at_once": 2, "slow_close_s": 30.0}
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.until("welcome")
        watched(served, most)
        await client.subscribe("book", *names)
        books = await client.take("book_snapshot", len(names))
    assert {book["instrument"] for book in books} == set(names)
    one_book = 30_000
    assert most["bytes"] < 50_000 + 3 * one_book


async def test_who_takes_no_answers_is_asked_no_more(serve, directory):
    names = [f"C{index}-USD.NOWHERE" for index in range(200)]
    most: dict[str, int] = {}
    bounds = {
        "outbox_bytes": 50_000,
        "conflate_above_bytes": 20_000,
        "slow_close_s": 30.0,
        "message_burst": 2_000,
    }
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.until("welcome")
        watched(served, most)
        asking = {"op": "subscribe", "channel": "trades", "instruments": names}
        sending = asyncio.create_task(client.send(asking))
        for _ in range(100):
            await sending
            sending = asyncio.create_task(client.send(asking))
            await asyncio.wait([sending], timeout=0.2)
            if not sending.done():
                break  # the server reads no more until it is read
        await client.take("subscribed", 3)
        await sending
    one_answer = 100_000
    assert most["bytes"] < 50_000 + one_answer


class Slow:
    """A directory's method that answers when it is let."""

    def __init__(self, directory: LogDirectory, method: str) -> None:
        self.running = self.most = self.ended = 0
        self.go_on = asyncio.Event()
        self._method = getattr(directory, method)
        setattr(directory, method, self)

    async def __call__(self, *args, **named):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.go_on.wait()
            return await self._method(*args, **named)
        finally:
            self.running -= 1
            self.ended += 1


async def test_questions_about_the_past_are_asked_in_turn_by_user(serve, directory):
    directory.append(a_trade())
    states = Slow(directory, "state")
    path = f"/v1/instruments/{BTC}/state"
    async with serve() as served, served.http() as http:
        at = {"at": "2027-01-15T08:00:01Z"}
        storm = [asyncio.create_task(http.get(path, params=at)) for _ in range(16)]
        await until(lambda: states.running == 1)
        other = {"Authorization": f"Bearer {served.token(user='bob')}"}
        bob = asyncio.create_task(http.get(path, params=at, headers=other))
        await until(lambda: states.running == 2)
        now = asyncio.create_task(http.get(path))  # about now nobody waits
        await until(lambda: states.running == 3)
        states.go_on.set()
        answers = await asyncio.gather(bob, now, *storm)
    assert {answer.status_code for answer in answers} == {200}
    assert states.most == 3


async def test_a_storm_of_one_user_is_refused_beyond_what_may_wait(serve, directory):
    directory.append(a_trade())
    states = Slow(directory, "state")
    async with serve() as served, served.http() as http:
        path = f"/v1/instruments/{BTC}/state"
        asking = [asyncio.create_task(http.get(path, params={"at": "now-1m"})) for _ in range(40)]
        done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert {task.result().status_code for task in done} == {429}
        states.go_on.set()
        answers = await asyncio.gather(*asking)
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(429) == 40 - 33
