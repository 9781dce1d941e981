"""Real sessions against a venue that plays a recording over real sockets, and fails on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import FeedSettings
from actors.feeds.link import LinkSettings
from actors.feeds.live import LiveSettings, LiveSource
from actors.feeds.registry import load_adapter
from actors.transport import TransportSettings
from domain.envelope import Batch
from domain.market.observations import Trade
from domain.market.reference_ids import is_reference
from domain.partition import MarketPartition
from tests.actors.receiving_end import KeepingSender, KeepingWriter, LoopClock
from tests.recorded_venues import RecordedBinance, RecordedKraken
from tests.venue_server import HttpFault, VenueServer, until

QUICK = LiveSettings(
    tick_s=0.01,
    transport=TransportSettings(connect_s=1.0, total_s=1.0, heartbeat_s=0.3, close_s=0.05),
    link=LinkSettings(backoff_base_s=0.01, backoff_cap_s=0.02, overlap_s=0.2),
)
COMP = "COMP-USDT.BINANCE_US"
BINANCE_US = (COMP, "CRV-USDT.BINANCE_US", "OMG-BUSD.BINANCE_US", "ZRX-USDT.BINANCE_US")


@dataclass
class Show:
    """A feed that listens to a playing venue; `partition` folds what it hands over, as a shard would."""

    server: VenueServer
    venue: RecordedBinance | RecordedKraken
    actor: FeedActor
    sender: KeepingSender
    writer: KeepingWriter
    partition: MarketPartition
    folded: int = 0

    async def play(self, frames: int | None = None, *, lose: str | None = None) -> int:
        """Send recorded frames; those that contain `lose` happen, but nobody gets them."""
        lost = 0
        for _ in range(self.venue.remaining if frames is None else frames):
            frame = self.venue.advance()
            if lose is not None and lose in frame:
                lost += 1
            else:
                await self.server.broadcast(frame)
        return lost

    def fold(self) -> None:
        steps = self.sender.steps[self.folded :]
        for number, step in enumerate(steps, start=self.folded + 1):
            self.partition.observe(Batch("feed", 1, number, step.clock, tuple(step.observations)))
        self.folded += len(steps)

    def top(self, instrument: str, depth: int = 10) -> list[list[tuple[float, float]]]:
        self.fold()
        keeper = self.partition.keeper(instrument)
        return [] if keeper is None else [list(side) for side in keeper.book.top(depth)]

    def venue_top(self, symbol: str, depth: int = 10) -> list[list[tuple[float, float]]]:
        return [
            sorted(((float(p), float(s)) for p, s in side.items()), key=lambda x: sign * x[0])[:depth]
            for side, sign in zip(self.venue.books[symbol], (-1, 1), strict=True)
        ]

    async def in_step(self, instrument: str, symbol: str) -> None:
        await until(lambda: self.top(instrument) == self.venue_top(symbol))

    def gaps(self, channel: str) -> list[bool]:
        """Of the venue's own instruments, opened or closed."""
        told = [gap for gap in self.sender.gaps if not is_reference(gap.instrument)]
        return [gap.opened for gap in told if gap.channel == channel]

    def trades(self) -> list[tuple[str, str | None]]:
        return [(e.instrument, e.trade_id) for e in self.sender.observations if isinstance(e, Trade)]


@contextlib.asynccontextmanager
async def show(
    provider: str, venue: RecordedBinance | RecordedKraken, instruments: tuple[str, ...]
) -> AsyncIterator[Show]:
    sender, writer = KeepingSender(1), KeepingWriter()

    async def claim() -> tuple[int, KeepingWriter]:
        return 1, writer

    async with VenueServer(venue) as server:
        feed = FeedSettings(
            instruments=instruments, ws_url=server.ws_url, rest_url=server.rest_url, backfill_bars=0
        )
        source = LiveSource(load_adapter(provider), feed, LoopClock(), QUICK)
        actor = FeedActor(
            provider,
            source,
            instruments,
            claim=claim,
            make_sender=lambda _: sender,
            settings=FeedActorSettings(stop_s=0.1),
        )
        task = asyncio.create_task(actor.run())
        try:
            await until(lambda: server.sockets and server.sockets[0].received)
            yield Show(server, venue, actor, sender, writer, MarketPartition("market/00"))
        finally:
            sender.release()
            await actor.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def binance_us(shared_data: Path) -> RecordedBinance:
    return RecordedBinance(shared_data / "captures" / "binance_us.jsonl")


def expected_tops(shared_data: Path, venue: str) -> dict[str, list[list[tuple[float, float]]]]:
    books = json.loads((shared_data / "binance" / "ws_capture" / "EXPECTED_final_books.json").read_text())
    return {
        symbol: [
            [(float(price), float(size)) for price, size in book[f"final_top10_{side}"]]
            for side in ("bids", "asks")
        ]
        for symbol, book in books[venue].items()
    }


def letters(instrument: str) -> str:
    return instrument.split(".")[0].replace("-", "")


def test_an_undisturbed_feed_ends_in_the_published_books(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play()
            for instrument in BINANCE_US:
                await on.in_step(instrument, letters(instrument))
                assert on.top(instrument) == expected_tops(shared_data, "BINANCE_US")[letters(instrument)]
            assert on.sender.gaps == []
            assert on.actor.status().rejected == 0
            assert on.actor.status().state == "connected"

    asyncio.run(scenario())


def test_futures_books_follow_the_previous_id_rule(shared_data: Path) -> None:
    instruments = ("AKROUSDT.BINANCE_USDM", "KEEPUSDT.BINANCE_USDM")

    async def scenario() -> None:
        venue = RecordedBinance(shared_data / "captures" / "binance_futures.jsonl")
        async with show("binance", venue, instruments) as on:
            await on.play()
            for instrument in instruments:
                await on.in_step(instrument, letters(instrument))
                assert (
                    on.top(instrument) == expected_tops(shared_data, "BINANCE_FUTURES")[letters(instrument)]
                )
            assert on.sender.gaps == []

    asyncio.run(scenario())


def test_lost_diffs_are_a_gap_and_a_snapshot_closes_it(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play(150)
            await on.in_step(COMP, "COMPUSDT")
            assert await on.play(60, lose='"stream":"compusdt@depth') > 0
            await on.play()
            await on.in_step(COMP, "COMPUSDT")
            assert on.gaps("book") == [True, False]
            await until(lambda: on.writer.kinds().count("feed_resynced") == 1)
            assert on.server.accepted == 1

    asyncio.run(scenario())


def test_a_throttled_snapshot_is_asked_for_again(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play(150)
            await on.in_step(COMP, "COMPUSDT")
            on.server.faults.append(
                HttpFault("/depth?symbol=COMPUSDT", 429, {"Retry-After": "1"}, '{"code": -1003}')
            )
            await on.play(60, lose='"stream":"compusdt@depth')
            await on.play()
            await on.in_step(COMP, "COMPUSDT")
            asked = [seen for seen in on.server.requests if seen.query.get("symbol") == "COMPUSDT"]
            assert len(asked) == 3
            assert asked[2].at_s - asked[1].at_s > 0.9
            assert on.actor.status().rejected == 1

    asyncio.run(scenario())


def test_an_aborted_socket_recovers_books_and_missed_trades_without_repeats(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play(200)
            on.server.sockets[0].abort()
            await until(lambda: not on.server.sockets)
            await on.play(100)
            await until(lambda: on.server.sockets)
            await on.play()
            for instrument in BINANCE_US:
                await on.in_step(instrument, letters(instrument))
            played = {(s, str(t["a"])) for s, rows in on.venue.trades.items() for t in rows}  # type: ignore[union-attr]
            await until(lambda: len(on.trades()) >= len(played))
            assert {(letters(instrument), trade_id) for instrument, trade_id in on.trades()} == played
            assert max(Counter(on.trades()).values()) == 1
            assert on.gaps("feed").count(True) == on.gaps("feed").count(False) == len(BINANCE_US)
            assert on.writer.kinds().count("feed_lost") == 1

    asyncio.run(scenario())


def test_a_half_open_socket_is_left_and_the_books_come_back(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play(200)
            on.server.sockets[0].stall()
            await until(lambda: on.server.accepted == 2)
            await on.play()
            await on.in_step(COMP, "COMPUSDT")
            of_comp = [gap.opened for gap in on.sender.gaps if gap.instrument == COMP]
            assert of_comp == [True, False]

    asyncio.run(scenario())


def test_malformed_frames_do_not_disturb_what_follows(shared_data: Path) -> None:
    async def scenario() -> None:
        async with show("binance", binance_us(shared_data), BINANCE_US) as on:
            await on.play(100)
            await on.server.broadcast("{", "[]]", '{"stream":"x","data":{"e":"trade"}}', "\x00")
            await on.play()
            for instrument in BINANCE_US:
                await on.in_step(instrument, letters(instrument))
            assert on.sender.gaps == []
            assert on.actor.status().rejected == 4
            await until(lambda: on.writer.kinds().count("frame_rejected") == 4)
            assert on.server.accepted == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("pair", ["XBT/CHF"])
def test_a_wrong_checksum_breaks_one_book_until_its_new_snapshot(shared_data: Path, pair: str) -> None:
    instruments = ("BTC-CHF.KRAKEN", "XMR-USD.KRAKEN")

    async def scenario() -> None:
        venue = RecordedKraken(shared_data / "captures" / "kraken_v1.jsonl")
        async with show("kraken", venue, instruments) as on:
            await on.play(500)
            await on.in_step("BTC-CHF.KRAKEN", pair)
            while '"c":' not in (frame := venue.advance()) or pair not in frame:
                await on.server.broadcast(frame)
            said = json.loads(frame)
            said[-3]["c"] = "1"
            await on.server.broadcast(json.dumps(said))
            await until(lambda: on.gaps("book") == [True, False])
            await on.play(500)
            for instrument, name in zip(instruments, (pair, "XMR/USD"), strict=True):
                await on.in_step(instrument, name)
            assert {gap.instrument for gap in on.sender.gaps} == {"BTC-CHF.KRAKEN"}
            assert on.gaps("book") == [True, False]

    asyncio.run(scenario())
