"""USD-M over real sockets: two routes, the loss of one, and a route that acknowledges and stays mute."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import FeedSettings
from actors.feeds.live import LiveSource
from actors.feeds.registry import load_adapter
from domain.market.observations import BookSnapshot
from tests.actors.feeds.binance.frames import depth_frame, snapshot_body, trade_frame
from tests.actors.receiving_end import KeepingSender, KeepingWriter, LoopClock
from tests.actors.test_feed_live import QUICK
from tests.venue_server import VenueServer, VenueSocket, until

SOL = "SOLUSDT.BINANCE_USDM"
PUBLIC, MARKET, ROOT = "/public/stream", "/market/stream", "/stream"


class Routed:
    """Acknowledges every subscription on every path. `update`: where the book stands."""

    update = 94

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]:
        return []

    def on_frame(self, frame: str) -> list[str]:
        return ['{"result":null,"id":1}']

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        return (200, snapshot_body(self.update)) if path.endswith("depth") else (404, "{}")


class Live:
    """A running feed. Ids go on from frame to frame."""

    def __init__(
        self, venue: Routed, server: VenueServer, actor: FeedActor, sender: KeepingSender, log: KeepingWriter
    ) -> None:
        self.venue, self.server, self.actor, self.sender, self.log = venue, server, actor, sender, log
        self._trade = 7

    def socket(self, path: str) -> VenueSocket | None:
        """The open one that has subscribed."""
        return next(
            (each for each in self.server.sockets if each.request.path == path and each.received), None
        )

    async def book(self, path: str = PUBLIC) -> None:
        first, last = self.venue.update + 1, self.venue.update + 10
        self.venue.update = last
        await self._say(path, depth_frame(first, last, "SOLUSDT", pu=first - 1))

    async def trade(self) -> None:
        self._trade += 1
        await self._say(MARKET, trade_frame(self._trade, "SOLUSDT"))

    async def _say(self, path: str, frame: str) -> None:
        await until(lambda: self.socket(path))
        socket = self.socket(path)
        assert socket is not None
        await socket.send(frame)

    def gaps(self) -> list[tuple[str, bool]]:
        return [(each.channel, each.opened) for each in self.sender.gaps]

    def snapshots(self) -> int:
        return sum(isinstance(each, BookSnapshot) for each in self.sender.observations)


@contextlib.asynccontextmanager
async def live(**changes: Any) -> AsyncIterator[Live]:
    sender, writer = KeepingSender(1), KeepingWriter()

    async def claim() -> tuple[int, KeepingWriter]:
        return 1, writer

    venue = Routed()
    async with VenueServer(venue) as server:
        feed = FeedSettings(
            instruments=(SOL,), channels=("book", "trades"), backfill_bars=0,
            ws_url=server.ws_url, rest_url=server.rest_url, **changes,
        )  # fmt: skip
        source = LiveSource(load_adapter("binance"), feed, LoopClock(), QUICK)
        make: Callable[[int], KeepingSender] = lambda _: sender  # noqa: E731 - a name for what is passed
        settings = FeedActorSettings(stop_s=0.1)
        actor = FeedActor("binance", source, (SOL,), claim=claim, make_sender=make, settings=settings)
        task = asyncio.create_task(actor.run())
        try:
            yield Live(venue, server, actor, sender, writer)
        finally:
            sender.release()
            await actor.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def test_a_lost_route_interrupts_what_it_carried_and_the_other_goes_on() -> None:
    async def scenario() -> None:
        async with live() as on:
            await on.book()
            await until(lambda: on.snapshots() == 1)
            await on.trade()
            await until(lambda: on.sender.trade_ids == [8])
            public = on.socket(PUBLIC)
            assert public is not None
            public.abort()
            await until(lambda: on.gaps() == [("book", True)])
            await on.trade()
            await until(lambda: on.sender.trade_ids == [8, 9])
            await until(lambda: on.actor.status().connections == 2)
            await on.book()
            await on.book()
            await until(lambda: on.gaps() == [("book", True), ("book", False)])
            assert on.snapshots() == 2

    asyncio.run(scenario())


def test_a_route_that_acknowledges_and_stays_mute_is_told_of_while_the_book_goes_on() -> None:
    async def scenario() -> None:
        async with live(routes=("book=root", "trades=root"), silence_s=0.5) as on:
            async with asyncio.timeout(5):
                while not on.actor.status().silent:
                    await on.book(ROOT)
                    await asyncio.sleep(0.02)  # the venue's own pace
            assert on.actor.status().silent == ("trades on connection 0",)
            assert on.actor.status().state == "degraded"
            await until(lambda: "feed_silent" in on.log.kinds())
            assert on.gaps() == []

    asyncio.run(scenario())
