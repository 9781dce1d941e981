"""A book that only a keeper knows to be broken finds its way back: shard, sender, feed, session, venue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import FeedSettings
from actors.feeds.live import LiveSettings, LiveSource
from actors.feeds.provider_log import claim_provider
from actors.feeds.resyncs import ResyncSettings
from actors.intake import Ack
from actors.keeper_shard import KeeperShard
from actors.sender import Payload, Sender
from domain.envelope import Batch, Recorded
from domain.errors import Unavailable
from domain.market.decisions import BookBroken, BookRestored
from domain.market.observations import Gap, Observation
from storage.block import events_of
from storage.codec import encode_batch
from storage.writer import LogWriter
from tests.actors.receiving_end import LoopClock
from tests.actors.shard_bench import PARTITION, START_NS, Bench, run
from tests.builders import a_delta, a_gap, a_snapshot, a_trade
from tests.toy_venue import INSTRUMENT, ToyAdapter, ToyVenue
from tests.venue_server import VenueServer, until

A, B = "A.SIM", "B.SIM"
QUICK = LiveSettings(tick_s=0.01)
PATIENT = ResyncSettings()
CROSSED = '{"bid": 105}'


def crossed(instrument: str = A) -> Observation:
    return a_delta(bids=[(105.0, 1.0)], instrument=instrument, ts=START_NS)


def whole(instrument: str = A) -> Observation:
    return a_snapshot(instrument=instrument, ts=START_NS)


async def told(shard: KeeperShard, sequence: int, *events: Observation, sender: str = "sim") -> Ack:
    batch = Batch(sender, 1, sequence, START_NS, events)
    (ack,) = await shard.observe([(PARTITION, encode_batch(batch))])
    return ack


@run
async def test_the_answer_to_a_batch_that_broke_a_book_names_it():
    shard = await Bench().started()
    assert (await told(shard, 1, whole(A), whole(B))).broken == ()
    ack = await told(shard, 2, crossed(A), a_trade(instrument=B, ts=START_NS))
    assert (ack.durable, ack.broken) == (True, (A,))
    assert (await shard.book(A, 5)).bids == ()
    await shard.close()


@run
async def test_a_book_broken_and_restored_in_one_batch_is_not_named():
    shard = await Bench().started()
    assert (await told(shard, 1, whole(), crossed(), whole())).broken == ()
    await shard.close()


@run
async def test_every_answer_says_it_again_even_to_a_heartbeat_until_a_gap_or_a_snapshot_comes():
    shard = await Bench().started()
    await told(shard, 1, whole(A), whole(B), crossed(A), crossed(B))
    assert (await told(shard, 2, a_trade(instrument=A, ts=START_NS))).broken == (A, B)
    assert (await told(shard, 2)).broken == (A, B)
    assert (await told(shard, 3, a_gap("book", instrument=A, ts=START_NS))).broken == (B,)
    assert (await told(shard, 4, whole(B))).broken == ()
    await shard.close()


@run
async def test_only_the_feed_of_the_book_is_told():
    shard = await Bench().started()
    await told(shard, 1, whole(A), crossed(A))
    assert (await told(shard, 1, a_trade(instrument=B, ts=START_NS), sender="other")).broken == ()
    await shard.close()


@run
async def test_the_next_owner_of_the_partition_says_it_too_where_the_answer_was_lost():
    bench = Bench()
    first = await bench.started()
    await told(first, 1, whole(A), crossed(A))
    await first.close()
    second = await bench.started("keeper-1")
    ack = await told(second, 1, whole(A), crossed(A))
    assert (ack.durable, ack.broken) == (True, (A,)), "the same batch again, a repeat"
    await second.close()


class Handle:
    """A shard whose next answers are lost on the way."""

    def __init__(self, shard: KeeperShard) -> None:
        self.shard = shard
        self.lose = 0

    async def observe(self, payload: Payload) -> list[Ack]:
        acks = await self.shard.observe(payload)
        if self.lose:
            self.lose -= 1
            raise Unavailable("the answer was lost")
        return acks


@dataclass
class Scene:
    """The toy venue at one end, a shard over a log at the other, everything real between them."""

    bench: Bench
    shard: KeeperShard
    handle: Handle
    venue: ToyVenue
    server: VenueServer
    actor: FeedActor

    async def best(self) -> tuple[float, float] | None:
        book = await self.shard.book(INSTRUMENT, 1)
        return (book.bids[0][0], book.asks[0][0]) if book.usable else None

    async def until_best(self, best: tuple[float, float] | None) -> None:
        async with asyncio.timeout(5):
            while await self.best() != best:  # noqa: ASYNC110 - what is waited for lies beyond a socket
                await asyncio.sleep(0.005)

    async def recorded(self) -> list[Recorded]:
        blocks = await self.bench.log.read(PARTITION, 0)
        return [recorded for block in blocks for recorded in events_of(block)]

    async def story(self) -> list[str]:
        """What is in the log of the book's breaks and repairs."""
        events = [recorded.event for recorded in await self.recorded()]
        return [
            f"{event.kind} {event.reason}" if isinstance(event, BookBroken | Gap) else event.kind
            for event in events
            if isinstance(event, BookBroken | BookRestored | Gap)
        ]


@contextlib.asynccontextmanager
async def scene(resyncs: ResyncSettings = PATIENT) -> AsyncIterator[Scene]:
    bench, venue = Bench(), ToyVenue(best=(99, 101))
    shard = await bench.started()
    handle = Handle(shard)
    routes = {PARTITION: handle}

    async def refresh() -> None:
        routes[PARTITION] = handle

    async with VenueServer(venue) as server:
        feed = FeedSettings(instruments=(INSTRUMENT,), ws_url=server.ws_url, rest_url=server.rest_url)
        actor = FeedActor(
            "toy",
            LiveSource(ToyAdapter(), feed, LoopClock(), QUICK),
            feed.instruments,
            claim=lambda: claim_provider(LogWriter(bench.log, "feed-toy/1", LoopClock()), "toy"),
            make_sender=lambda incarnation: Sender("toy", incarnation, 1, routes, refresh=refresh),
            settings=FeedActorSettings(heartbeat_s=0.02, stop_s=0.2, resyncs=resyncs),
        )
        running = asyncio.create_task(actor.run())
        try:
            await until(lambda: server.sockets)
            await server.broadcast(venue.book(), venue.next_trade())
            made = Scene(bench, shard, handle, venue, server, actor)
            async with asyncio.timeout(5):
                while not await made.recorded():  # noqa: ASYNC110 - lies beyond a socket
                    await asyncio.sleep(0.005)
            await made.until_best((99.0, 101.0))
            yield made
        finally:
            await actor.stop()
            await asyncio.gather(running, return_exceptions=True)
            await shard.close()


@run
async def test_a_crossing_change_brings_a_snapshot_and_the_book_is_usable_again():
    async with scene() as on:
        on.venue.best = (105, 107)
        await on.server.broadcast(CROSSED)
        await on.until_best((105.0, 107.0))
        assert on.venue.books_sent == 2
        assert await on.story() == ["book_broken crossed", "gap keeper", "book_restored", "gap snapshot"]
        assert on.actor.status().state == "connected"
        await on.server.broadcast('{"bid": 106}')
        await on.until_best((106.0, 107.0))


@run
async def test_a_lost_answer_delays_the_snapshot_and_does_not_cost_it():
    async with scene() as on:
        on.venue.best = (105, 107)
        on.handle.lose = 2
        await on.server.broadcast(CROSSED)
        await on.until_best((105.0, 107.0))
        assert (await on.story()).count("book_broken crossed") == 1


@run
async def test_a_venue_that_keeps_its_book_crossed_is_asked_seldom_and_its_book_never_shown():
    async with scene(ResyncSettings(base_s=0.2, cap_s=0.4, quiet_s=10.0)) as on:
        on.venue.best = (105, 103)
        await on.server.broadcast(CROSSED)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 1.1:
            assert await on.best() in (None, (99.0, 101.0))
            await asyncio.sleep(0.01)
        asked = on.venue.books_sent - 1
        assert 2 <= asked <= 4, "at once, after 0.2 s, then every 0.4 s"
        on.venue.best = (99, 101)
        await on.until_best((99.0, 101.0))
