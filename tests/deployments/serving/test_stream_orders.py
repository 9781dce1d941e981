"""Books that the venue tells by order (L3), streamed by level: over the production objects in one process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from actors.local_directory import LocalDirectory
from domain.envelope import Cursor, parse_cursor
from domain.market.observations import BookOrder, Observation
from tests.builders import an_order
from tests.deployments.serving.kit import BTC, START, a_snapshot, check_chain
from tests.deployments.serving.log_directory import change
from tests.deployments.serving.test_local_system import local

pytestmark = pytest.mark.anyio

Book = tuple[dict[float, float], dict[float, float]]


def venue(seed: int = 1, count: int = 400) -> Iterator[Observation]:
    """An empty snapshot, then orders at random: bids below 100, asks above, so that it never crosses."""
    rng = random.Random(seed)
    yield a_snapshot(bids=(), asks=())
    alive: dict[str, Any] = {}
    for number in range(count):
        action = rng.choice(("add", "add", "modify", "delete"))
        known = rng.choice(sorted(alive)) if alive and action != "add" else f"{seed}-{number}"
        side = alive.get(known, rng.choice(("buy", "sell")))
        price = 100.0 + (-1 if side == "buy" else 1) * rng.randint(1, 8)
        alive[known] = side
        if action == "delete":
            del alive[known]
        yield an_order(action, known, side=side, price=price, size=rng.randint(1, 9) / 10, ts=START)


def apply(book: Book, frame: dict[str, Any]) -> None:
    if frame["type"] == "book_snapshot":
        book[0].clear()
        book[1].clear()
    change(book[0], frame["bids"])
    change(book[1], frame["asks"])


async def whole(directory: LocalDirectory) -> Book:
    answer = await directory.book(BTC, 1000)
    return dict(answer.bids), dict(answer.asks)


async def test_a_book_told_by_order_is_streamed_by_level(authority):
    events = list(venue())
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed(events[:200])
        await client.subscribe("book", BTC)
        snapshot = await client.until("book_snapshot")
        assert snapshot["provider"] == "sim"
        assert snapshot["prev"] is None
        book: Book = ({}, {})
        apply(book, snapshot)
        assert book == await whole(directory)
        await directory.feed(events[200:])
        frames = await client.take("book", len(events) - 200)
        check_chain(frames, snapshot["offset"])
        for frame in frames:
            apply(book, frame)
        assert book == await whole(directory)
        assert any(len(frame["bids"]) + len(frame["asks"]) == 2 for frame in frames), "an order moved"


async def test_depth_bounds_the_snapshot_of_a_book_told_by_order(authority):
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed(list(venue()))
        await client.subscribe("book", BTC, depth=2)
        snapshot = await client.until("book_snapshot")
        bids, asks = await whole(directory)
        assert [level[0] for level in snapshot["bids"]] == sorted(bids, reverse=True)[:2]
        assert [level[0] for level in snapshot["asks"]] == sorted(asks)[:2]


@pytest.mark.parametrize("instruments", [BTC, "*.SIM"])
async def test_resuming_a_book_told_by_order_equals_what_was_live(authority, instruments):
    events = list(venue())
    async with local(authority) as (served, directory), served.socket() as live, served.socket() as late:
        await directory.feed(events[:150])
        await live.subscribe("book", instruments)
        snapshot = await live.until("book_snapshot")
        here = Cursor({directory.partition_of(BTC): snapshot["offset"]}).encode()
        await directory.feed(events[150:300])
        frames = await live.take("book", 150)
        await late.subscribe("book", instruments, cursor=here)
        await directory.feed(events[300:])
        frames += await live.take("book", len(events) - 300)
        again = await late.take("book", len(events) - 150)
        assert again == frames
        check_chain(again, snapshot["offset"])
        assert not late.of("book_snapshot")


async def test_a_resume_without_anything_new_still_understands_the_next_order(authority):
    events = list(venue())
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed(events[:200])
        book = await whole(directory)
        heads = await directory.heads()
        await client.subscribe("book", BTC, cursor=heads.encode())
        await directory.feed(events[200:])
        frames = await client.take("book", len(events) - 200)
        check_chain(frames, heads.at(directory.partition_of(BTC)))
        for frame in frames:
            apply(book, frame)
        assert book == await whole(directory)
        assert not client.of("book_snapshot")
        cursor = await client.until("cursor")
        assert parse_cursor(cursor["cursor"]).at(directory.partition_of(BTC)) == frames[-1]["offset"]


async def test_a_new_book_by_order_begins_with_its_empty_snapshot(authority):
    events = list(venue(count=20))
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed([a_snapshot()])
        await client.subscribe("book", BTC)
        await client.until("book_snapshot")
        await directory.feed(events)
        begun = await client.until("book_snapshot")
        assert (begun["bids"], begun["asks"]) == ([], [])
        book: Book = ({}, {})
        for frame in await client.take("book", 20):
            apply(book, frame)
        assert book == await whole(directory)


async def test_a_crossed_book_by_order_is_told_and_begins_anew(authority):
    crossing: BookOrder = an_order("add", "x", side="buy", price=150.0, ts=START)
    async with local(authority) as (served, directory), served.socket() as client:
        await directory.feed(list(venue()))
        await client.subscribe("book", BTC)
        await client.until("book_snapshot")
        await directory.feed([crossing, an_order("add", "y", price=1.0, ts=START)])
        assert (await client.until("gap"))["reason"] == "upstream: crossed"
        await directory.feed(list(venue(2, 30)))
        book: Book = ({}, {})
        apply(book, await client.until("book_snapshot"))
        for frame in await client.take("book", 30):
            apply(book, frame)
        assert book == await whole(directory)


async def test_a_second_client_shares_the_view_of_the_first(authority):
    events = list(venue())
    async with local(authority) as (served, directory), served.socket() as first, served.socket() as second:
        await directory.feed(events[:100])
        await first.subscribe("book", BTC)
        await directory.feed(events[100:200])
        await second.subscribe("book", BTC)
        book: Book = ({}, {})
        apply(book, await second.until("book_snapshot"))
        await directory.feed(events[200:])
        while book != await whole(directory):
            apply(book, await second.until("book"))
