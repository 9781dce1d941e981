"""What a client that takes too little costs, and what it is told."""

from __future__ import annotations

import asyncio

import pytest

from actors.answers import BookAnswer
from deployments.ws.channels import Key
from deployments.ws.codec import JSON
from deployments.ws.frames import SharedFrame
from deployments.ws.lane import Chain, Lane
from deployments.ws.outbox import Outbox
from deployments.ws.settings import StreamSettings
from domain.envelope import Cursor, Recorded, parse_cursor
from domain.market.decisions import BookBroken
from tests.deployments.serving.kit import (
    BTC,
    START,
    a_delta,
    a_quote,
    a_snapshot,
    a_trade,
    check_chain,
)
from tests.deployments.serving.log_directory import change

import msgspec  # isort: skip

pytestmark = pytest.mark.anyio
PARTITION = "market/00"


class Feeder:
    """Pushes numbered events into a lane of an outbox that nobody writes out."""

    def __init__(self, channel: str, **bounds: int) -> None:
        self.outbox = Outbox(JSON, StreamSettings(**bounds))
        self.lane = Lane(Key(channel, BTC, ""), PARTITION, self.outbox, Chain())
        self.last: int | None = None
        self.offset = 0

    def push(self, *events) -> None:
        for event in events:
            self.offset += 1
            self.lane.push(SharedFrame(Recorded(PARTITION, self.offset, START, event), self.last))
            self.last = self.offset

    def taken(self) -> list[dict]:
        frames = []
        while batch := self.outbox.take():
            frames += msgspec.json.decode(JSON.join(batch))
        return frames


async def test_frames_are_not_conflated_while_there_is_little():
    feeder = Feeder("quotes", conflate_above_frames=10)
    feeder.push(*(a_quote(bid=float(bid)) for bid in range(5)))
    assert [frame["bid"] for frame in feeder.taken()] == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_quotes_conflate_to_the_latest_and_keep_the_chain():
    feeder = Feeder("quotes", conflate_above_frames=2)
    feeder.push(*(a_quote(bid=float(bid)) for bid in range(20)))
    frames = feeder.taken()
    assert [frame["bid"] for frame in frames] == [0.0, 1.0, 19.0]
    assert (frames[-1]["prev"], frames[-1]["from"], frames[-1]["offset"]) == (2, 3, 20)
    assert "from" not in frames[0]
    check_chain(frames)
    feeder.push(a_quote(bid=99.0))
    assert feeder.taken()[0]["prev"] == 20


async def test_book_deltas_merge_to_the_last_write_per_level():
    feeder = Feeder("book", conflate_above_frames=1)
    deltas = [
        a_delta(bids=((99.0, 1.0),), sequence=(1, 1)),
        a_delta(bids=((98.0, 1.0),), sequence=(2, 2)),
        a_delta(bids=((98.0, 3.0), (97.0, 1.0)), sequence=(3, 4)),
        a_delta(bids=((97.0, 0.0),), asks=((101.0, 2.0),), sequence=(5, 6)),
    ]
    feeder.push(*deltas)
    first, merged = feeder.taken()
    assert first["bids"] == [[99.0, 1.0]]
    assert dict(merged["bids"]) == {98.0: 3.0, 97.0: 0.0}
    assert merged["asks"] == [[101.0, 2.0]]
    assert (merged["from"], merged["prev"], merged["offset"]) == (2, 1, 4)
    assert merged["sequence"] == [2, 6]


async def test_a_snapshot_supersedes_the_deltas_that_wait():
    feeder = Feeder("book", conflate_above_frames=1)
    feeder.push(
        a_delta(bids=((1.0, 1.0),)), a_delta(bids=((2.0, 1.0),)), a_snapshot(), a_delta(bids=((99.0, 9.0),))
    )
    frames = feeder.taken()
    assert [frame["type"] for frame in frames] == ["book", "book_snapshot", "book"]
    check_chain(frames)
    assert frames[1]["from"] == 2


async def test_deltas_of_a_book_with_a_fixed_depth_are_never_merged():
    feeder = Feeder("book", conflate_above_frames=1)
    feeder.push(a_snapshot(depth=10), *(a_delta(bids=((float(bid), 1.0),)) for bid in range(1, 6)))
    frames = feeder.taken()
    assert len(frames) == 6
    check_chain(frames)


async def test_a_new_book_is_not_told_before_the_notice_that_the_old_one_broke():
    feeder = Feeder("book", conflate_above_frames=0)
    feeder.push(a_snapshot(), a_delta(bids=((98.0, 1.0),)))
    feeder.offset += 1
    broken = BookBroken("sim", BTC, START, START, "gap")
    feeder.lane.notice(Recorded(PARTITION, feeder.offset, START, broken))
    feeder.push(a_snapshot(), a_delta(bids=((97.0, 1.0),)))
    frames = feeder.taken()
    assert [frame["type"] for frame in frames] == ["book_snapshot", "book", "gap", "book_snapshot", "book"]
    check_chain(frames)


async def test_changes_after_a_new_snapshot_do_not_get_in_front_of_it():
    feeder = Feeder("book", conflate_above_frames=0)
    feeder.push(a_delta(bids=((98.0, 1.0),)), a_delta(bids=((98.0, 2.0),)))
    feeder.lane.await_snapshot(feeder.offset)
    assert feeder.lane.start_from(a_book_at(feeder.offset))
    feeder.push(a_delta(bids=((98.0, 3.0),)), a_delta(bids=((98.0, 4.0),)))
    old, snapshot, new = feeder.taken()
    assert (old["bids"], old["offset"]) == ([[98.0, 2.0]], 2)
    assert (snapshot["type"], snapshot["offset"]) == ("book_snapshot", 2)
    assert (new["bids"], new["prev"], new["from"]) == ([[98.0, 4.0]], 2, 3)


async def test_a_book_that_broke_while_its_snapshot_was_on_the_way_is_asked_for_again():
    feeder = Feeder("book")
    feeder.lane.await_snapshot(0)
    feeder.push(a_snapshot())
    feeder.offset += 1
    broken = BookBroken("sim", BTC, START, START, "gap")
    feeder.lane.notice(Recorded(PARTITION, feeder.offset, START, broken))
    assert not feeder.lane.start_from(a_book_at(1)), "it was taken before the book broke"
    assert feeder.lane.start_from(a_book_at(2))


def a_book_at(offset: int) -> BookAnswer:
    return BookAnswer(BTC, ((99.0, 1.0),), ((101.0, 1.0),), None, True, START, (PARTITION, offset))


async def test_a_snapshot_older_than_what_was_forgotten_is_asked_for_again():
    feeder = Feeder("book", book_buffer=3)
    feeder.lane.await_snapshot(2)
    assert not feeder.lane.start_from(a_book_at(1)), "older than where the lane was attached"
    feeder.push(*(a_delta(bids=((float(bid), 1.0),)) for bid in range(1, 7)))
    assert not feeder.lane.start_from(a_book_at(3)), "the delta at 4 is in neither"
    assert feeder.taken() == []
    assert feeder.lane.start_from(a_book_at(4))
    frames = feeder.taken()
    assert [(frame["type"], frame["offset"], frame["prev"]) for frame in frames] == [
        ("book_snapshot", 4, None),
        ("book", 5, 4),
        ("book", 6, 5),
    ]


async def test_trades_are_never_dropped_inside_the_bound():
    feeder = Feeder("trades", conflate_above_frames=5, outbox_frames=100)
    feeder.push(*(a_trade(price=float(price)) for price in range(100)))
    frames = feeder.taken()
    assert [frame["price"] for frame in frames] == [float(price) for price in range(100)]
    assert [frame["type"] for frame in frames] == ["trade"] * 100


async def test_beyond_the_bound_a_gap_names_exactly_what_is_missing():
    feeder = Feeder("trades", conflate_above_frames=5, outbox_frames=10)
    feeder.push(*(a_trade() for _ in range(50)))
    frames = feeder.taken()
    assert [frame["type"] for frame in frames] == ["trade"] * 10 + ["gap"]
    gap = frames[-1]
    assert (gap["channel"], gap["instrument"], gap["from"], gap["to"]) == ("trades", BTC, 10, 50)
    assert parse_cursor(gap["cursor"]).at(PARTITION) == 10
    assert "slow" in gap["reason"]
    feeder.push(a_trade())
    after = feeder.taken()
    assert after[0]["prev"] == 50
    check_chain([*frames, *after])


async def test_the_bytes_of_an_outbox_are_bounded_too():
    feeder = Feeder("trades", conflate_above_bytes=1_000, outbox_bytes=4_000)
    feeder.push(*(a_trade() for _ in range(1_000)))
    assert feeder.outbox.queued_bytes < 4_500
    feeder.taken()
    assert feeder.outbox.queued_bytes == 0


async def test_the_waiting_offset_counts_what_was_dropped():
    feeder = Feeder("trades", conflate_above_frames=1, outbox_frames=3)
    feeder.push(*(a_trade() for _ in range(10)))
    assert feeder.outbox.first_waiting() == {PARTITION: 1}
    feeder.outbox.take()
    assert feeder.outbox.first_waiting() == {}


async def test_a_client_that_takes_nothing_is_told_why_it_is_closed(serve, directory):
    bounds = {"outbox_frames": 200, "conflate_above_frames": 50, "outbox_bytes": 64_000, "slow_close_s": 0.15}
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.subscribe("trades", BTC)
        text = a_trade()
        for _ in range(120):
            # Far more than the kernel's buffers of a loopback connection hold.
            directory.append(*([text] * 400))
            await asyncio.sleep(0.005)
            if served.directory.sessions == {}:
                break
        await asyncio.sleep(0.3)
        code, _ = await client.closed()
        assert code == 4408
        frames = client.of("trade", "gap")
        check_chain(frames)


async def test_a_client_that_pauses_gets_a_gap_and_resumes_from_its_cursor(serve, directory):
    bounds = {
        "outbox_frames": 300,
        "conflate_above_frames": 100,
        "outbox_bytes": 100_000,
        "slow_close_s": 30.0,
    }
    total = 0
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.subscribe("trades", BTC)
        while not any(session.outbox.dropping for session in served.app.stream.sessions):
            directory.append(*(a_trade(price=float(total + index)) for index in range(400)))
            total += 400
            await asyncio.sleep(0.002)
        gap = await client.until("gap")
        before = client.of("trade")
        check_chain(before)
        assert before[-1]["offset"] == gap["from"]
        await client.subscribe("trades", BTC, cursor=gap["cursor"])
        last = directory.log[directory.partition_of(BTC)][-1].offset
        after = []
        while not after or after[-1]["offset"] < last:
            frame = await client.next()
            if frame["type"] == "trade" and client.seen.index(frame) > client.seen.index(gap):
                after.append(frame)
    resumed = after[next(i for i, frame in enumerate(after) if frame["offset"] == gap["from"] + 1) :]
    assert resumed[0]["prev"] == gap["from"]
    offsets = [frame["offset"] for frame in before] + [frame["offset"] for frame in resumed]
    assert offsets == list(range(1, last + 1))


async def test_a_book_that_lost_deltas_starts_again_from_a_snapshot(serve, directory):
    directory.append(a_snapshot(depth=1000))
    bounds = {"outbox_frames": 100, "conflate_above_frames": 50, "outbox_bytes": 60_000, "slow_close_s": 30.0}
    async with serve(**bounds) as served, served.socket(slow=True) as client:
        await client.subscribe("book", BTC)
        size = 0
        while not any(session.outbox.dropping for session in served.app.stream.sessions):
            for _ in range(200):
                size += 1
                directory.append(a_delta(bids=tuple((50.0 + level, float(size)) for level in range(20))))
            await asyncio.sleep(0.002)
        await client.until("gap")
        directory.append(a_delta(bids=((10.0, 77.0),)))
        last = directory.log[directory.partition_of(BTC)][-1].offset
        bids: dict[float, float] = {}
        reached = 0
        while reached < last:
            frame = await client.until(lambda frame: frame["type"] in ("book", "book_snapshot"))
            if frame["type"] == "book_snapshot":
                bids = {}
            change(bids, frame["bids"])
            reached = frame["offset"]
        assert client.of("book_snapshot")[1:], "a second snapshot came after the gap"
        check_chain(client.of("book", "book_snapshot", "gap"))
    assert bids == dict((await directory.book(BTC, 1000)).bids)


async def test_a_fast_client_is_not_touched_by_a_slow_one(serve, directory):
    bounds = {
        "outbox_frames": 2000,
        "conflate_above_frames": 100,
        "outbox_bytes": 10_000_000,
        "slow_close_s": 30.0,
    }
    async with serve(**bounds) as served, served.socket(slow=True) as slow, served.socket() as fast:
        await slow.subscribe("trades", BTC)
        await fast.subscribe("trades", BTC)
        for _ in range(50):
            directory.append(*(a_trade() for _ in range(100)))
            await fast.take("trade", 100)
        check_chain(fast.of("trade"))
        assert fast.of("gap") == []
        assert len(fast.of("trade")) == 5000


def test_cursor_of_a_gap_covers_its_partition_only():
    assert parse_cursor(Cursor({PARTITION: 3}).encode()).offsets == {PARTITION: 3}
