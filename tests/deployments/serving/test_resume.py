"""From a cursor to live without missing or doubling anything."""

from __future__ import annotations

import asyncio

import pytest

from deployments.ws import resume
from domain.envelope import Cursor, parse_cursor
from domain.errors import Unavailable
from tests.deployments.serving.kit import (
    BTC,
    ETH,
    a_bar,
    a_delta,
    a_snapshot,
    a_trade,
    check_chain,
)
from tests.deployments.serving.log_directory import change

pytestmark = pytest.mark.anyio


def offsets_in_log(directory, instrument, kind, after=0):
    return [
        recorded.offset
        for recorded in directory.log[directory.partition_of(instrument)]
        if recorded.event.instrument == instrument and recorded.event.kind == kind and recorded.offset > after
    ]


async def test_a_client_resumes_where_its_cursor_stands_and_links_to_what_it_had(serve, directory):
    async with serve() as served:
        async with served.socket() as client:
            await client.subscribe("trades", BTC)
            directory.append(a_trade(price=1.0))
            had = await client.until("trade")
            cursor = (await client.until("cursor"))["cursor"]
        directory.append(a_trade(ETH), a_trade(price=2.0), a_trade(price=3.0))
        async with served.socket() as client:
            answer = await client.subscribe("trades", BTC, cursor=cursor)
            assert answer["cursor"] == cursor
            directory.append(a_trade(price=4.0))
            frames = await client.take("trade", 3)
            assert [frame["price"] for frame in frames] == [2.0, 3.0, 4.0]
            check_chain(frames, first_prev=had["offset"])


async def test_the_first_prev_of_a_resume_is_found_however_far_back(serve, directory):
    (far,) = directory.append(a_trade(BTC))
    directory.append(*(a_trade("ADA-USD.SIM") for _ in range(3)))
    noise = next(name for name in ("AA-USD.SIM", "AB-USD.SIM", "AC-USD.SIM", "AD-USD.SIM")
                 if directory.partition_of(name) == directory.partition_of(BTC))  # fmt: skip
    directory.append(*(a_trade(noise) for _ in range(2500)))
    cursor = directory.cursor().encode()
    directory.append(a_trade(BTC))
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC, cursor=cursor)
        assert (await client.until("trade"))["prev"] == far


async def test_a_resume_from_the_very_beginning_has_everything(serve, directory):
    directory.append(*(a_trade(price=float(price)) for price in range(50)))
    async with serve(resume_chunk=7) as served, served.socket() as client:
        await client.subscribe("trades", BTC, cursor=Cursor({}).encode())
        frames = await client.take("trade", 50)
        check_chain(frames)
        assert frames[0]["prev"] is None
        assert [frame["offset"] for frame in frames] == offsets_in_log(directory, BTC, "trade")


async def test_hand_over_under_load_misses_and_doubles_nothing(serve, directory):
    instruments = (BTC, ETH)
    for index in range(3000):
        directory.append(a_trade(instruments[index % 2], float(index)))
    total = 9000
    producing = asyncio.Event()

    async def produce():
        for index in range(3000, total):
            directory.append(a_trade(instruments[index % 2], float(index)))
            if index % 20 == 0:
                producing.set()
                await asyncio.sleep(0)

    async with serve(resume_chunk=150) as served, served.socket() as client:
        producer = asyncio.create_task(produce())
        await producing.wait()
        await client.subscribe("trades", *instruments, cursor=Cursor({}).encode())
        frames = await client.take("trade", total)
        await producer
    check_chain(frames)
    for instrument in instruments:
        got = [frame["offset"] for frame in frames if frame["instrument"] == instrument]
        assert got == offsets_in_log(directory, instrument, "trade")


async def test_live_subscribers_and_a_resuming_one_see_the_same_bytes_of_history(serve, directory):
    async with serve(resume_chunk=40) as served, served.socket() as live, served.socket() as late:
        await live.subscribe("trades", "*.SIM")
        directory.append(*(a_trade(price=float(price)) for price in range(300)))
        await late.subscribe("trades", "*.SIM", cursor=Cursor({}).encode())
        directory.append(*(a_trade(price=float(price)) for price in range(300, 600)))
        assert await live.take("trade", 600) == await late.take("trade", 600)


async def test_what_was_read_ahead_of_the_hub_is_not_sent_again(serve, directory):
    async with serve() as served, served.socket() as early, served.socket() as client:
        await early.subscribe("trades", BTC)
        directory.answering.clear()
        directory.append(*(a_trade(price=float(price)) for price in range(10)))
        await client.subscribe("trades", BTC, cursor=Cursor({}).encode())
        await client.take("trade", 10)
        directory.answering.set()
        await early.take("trade", 10)
        directory.append(a_trade(price=10.0))
        frame = await client.until("trade")
        assert frame["price"] == 10.0
        check_chain(client.of("trade"))


async def test_a_resume_that_nobody_wants_any_more_ends_and_holds_no_cursor_back(serve, directory):
    directory.append(*(a_trade() for _ in range(400)))
    directory.read_delay_s = 0.01
    async with serve(resume_chunk=4) as served, served.socket() as client:
        await client.subscribe("quotes", BTC)
        await client.subscribe("trades", BTC, cursor=Cursor({}).encode())
        await client.take("trade", 4)
        await client.send({"op": "unsubscribe", "channel": "trades"})
        await client.until("unsubscribed")
        (session,) = served.app.stream.sessions
        async with asyncio.timeout(2):
            while session.subscriptions.reading:  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.005)
        assert max(after for _, after in directory.reads) < 200, "most of the log was left unread"


async def test_a_book_resumes_with_the_deltas_after_the_cursor(serve, directory):
    directory.append(a_snapshot())
    async with serve() as served:
        async with served.socket() as client:
            await client.subscribe("book", BTC)
            snapshot = await client.until("book_snapshot")
        bids = dict(snapshot["bids"])
        cursor = Cursor({directory.partition_of(BTC): snapshot["offset"]}).encode()
        for size in range(1, 6):
            directory.append(a_delta(bids=((99.0, float(size)), (90.0 + size, 1.0))))
        async with served.socket() as client:
            await client.subscribe("book", BTC, cursor=cursor)
            for frame in await client.take("book", 5):
                change(bids, frame["bids"])
            assert client.of("book_snapshot") == []
            check_chain(client.of("book"), first_prev=snapshot["offset"])
    assert bids == dict((await directory.book(BTC, 100)).bids)


async def test_bars_resume_with_closed_ones_only(serve, directory):
    cursor = directory.cursor().encode()
    directory.append(a_bar(interval="1s"), a_trade(), a_bar(interval="1m"))
    async with serve() as served, served.socket() as client:
        await client.subscribe("bars", BTC, cursor=cursor, interval="1m")
        frame = await client.until("bar")
        assert (frame["interval"], frame["closed"], frame["prev"]) == ("1m", True, None)


async def test_a_cursor_frame_never_runs_ahead_of_a_resume(serve, directory):
    directory.append(*(a_trade(price=float(price)) for price in range(400)))
    directory.read_delay_s = 0.01
    async with serve(resume_chunk=20) as served, served.socket() as client:
        await client.subscribe("trades", BTC, cursor=Cursor({}).encode())
        await client.take("trade", 400)
        sent: set[int] = set()
        for frame in client.seen:
            if frame["type"] == "trade":
                sent.add(frame["offset"])
            elif frame["type"] == "cursor":
                from domain.envelope import parse_cursor

                reached = parse_cursor(frame["cursor"]).at(directory.partition_of(BTC))
                assert set(offsets_in_log(directory, BTC, "trade")) & set(range(reached + 1)) <= sent
        assert client.of("cursor"), "at least one cursor came while frames flowed"


async def test_a_cursor_beyond_the_log_is_refused(serve, directory):
    async with serve() as served, served.socket() as client:
        cursor = Cursor({directory.partition_of(BTC): 1_000}).encode()
        await client.send(
            {"op": "subscribe", "id": 1, "channel": "trades", "instruments": [BTC], "cursor": cursor}
        )
        error = await client.until("error")
        assert (error["id"], error["code"]) == (1, "malformed")


async def test_a_cursor_below_the_retained_log_is_an_error_and_no_silent_gap(serve, directory):
    directory.append(*(a_trade() for _ in range(10)))
    directory.first_retained = 5
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC, cursor=Cursor({}).encode())
        error = await client.until("error")
        assert error["code"] == "rejected"
        assert "begins at 5" in error["message"]


async def test_subscribing_again_with_a_cursor_starts_over_from_there(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        cursor = directory.cursor().encode()
        directory.append(a_trade(price=1.0), a_trade(price=2.0))
        await client.take("trade", 2)
        await client.subscribe("trades", BTC, cursor=cursor)
        again = await client.take("trade", 2)
        directory.append(a_trade(price=3.0))
        again += await client.take("trade", 1)
        assert [frame["price"] for frame in again] == [1.0, 2.0, 3.0]
        check_chain(again)


class Restarting:
    """A Reader that is away for some pages of one partition."""

    def __init__(self, directory, partition: str, times: int) -> None:
        self.left = times
        self._partition = partition
        self._read = directory.read_log
        directory.read_log = self

    async def __call__(self, partition, after, **more):
        if partition == self._partition and after > 0 and self.left > 0:
            self.left -= 1
            raise Unavailable("a Reader is being restarted")
        return await self._read(partition, after, **more)


@pytest.mark.parametrize("pattern", [True, False])
async def test_a_resume_goes_on_where_a_reader_was_away(serve, directory, monkeypatch, pattern):
    monkeypatch.setattr(resume, "RETRY_S", 0.001)
    directory.append(*(a_trade(price=float(price)) for price in range(40)))
    reader = Restarting(directory, directory.partition_of(BTC), 3)
    async with serve(resume_chunk=7) as served, served.socket() as client:
        await client.subscribe("trades", "*.SIM" if pattern else BTC, cursor=Cursor({}).encode())
        frames = await client.take("trade", 40)
        check_chain(frames)
        directory.append(a_trade(price=40.0))
        assert (await client.until("trade"))["prev"] == frames[-1]["offset"]
        assert client.of("error") == []
    assert reader.left == 0


async def test_a_pattern_whose_resume_fails_for_good_ends_the_socket(serve, directory, monkeypatch):
    """It would miss events of one partition without anybody knowing which."""
    monkeypatch.setattr(resume, "RETRY_S", 0.001)
    monkeypatch.setattr(resume, "RETRY_CAP_S", 0.002)
    directory.append(*(a_trade(price=float(price)) for price in range(40)))
    Restarting(directory, directory.partition_of(BTC), 1_000)
    async with serve(resume_chunk=7) as served, served.socket() as client:
        await client.subscribe("trades", "*.SIM", cursor=Cursor({}).encode())
        assert (await client.until("error"))["code"] == "unavailable"
        assert (await client.closed())[0] == 4503
        last = client.of("trade")[-1]["offset"]
        assert all(
            parse_cursor(each["cursor"]).at(directory.partition_of(BTC)) <= last
            for each in client.of("cursor")
        )
