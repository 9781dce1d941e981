"""Runs of many frames through the shell of each venue: what happens in the middle of one loses nothing.

The venue says everything at once, so that frames wait together; what comes of them one by one is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import FeedSettings
from actors.feeds.live import BACKLOG, LiveSource
from actors.feeds.registry import load_adapter
from domain.market.observations import Gap, Observation, Trade
from tests.actors.feeds.kraken.test_hot_v2 import talk
from tests.actors.receiving_end import KeepingSender, KeepingWriter, LoopClock
from tests.actors.test_feed_live import QUICK
from tests.bench import frames as bench
from tests.venue_server import VenueServer, until

COUNT = 480
UNBOUND = 1_000_000
MALFORMED = '{"stream":"btcusdt@aggTrade","data":'


@dataclass
class Script:
    """Sends its opening to whoever subscribes."""

    provider: str
    instruments: tuple[str, ...]
    opening: list[str]
    frames: list[str]
    snapshots: Mapping[str, str] = field(default_factory=dict)
    subscribed: int = 0
    numbered: bool = True

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]:
        return []

    def on_frame(self, frame: str) -> list[str]:
        self.subscribed += 1
        return self.opening if self.subscribed == 1 else []

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        body = self.snapshots.get(query.get("symbol", "")) if "depth" in path else None
        return (404, "{}") if body is None else (200, body)


def made(provider: str, venue: str) -> Script:
    told = bench.VENUES[provider](COUNT)
    names = tuple(f"{base}-{quote}.{venue}" for base, quote, _ in told.symbols)
    return Script(provider, names, told.opening, told.frames, told.snapshots, numbered=provider != "kraken")


def kraken_v2() -> Script:
    said = talk(COUNT // 3)
    return Script("kraken", ("BTC-USD.KRAKEN",), said[:4], said[4:])


SCRIPTS = {
    "binance": lambda: made("binance", "BINANCE"),
    "coinbase": lambda: made("coinbase", "COINBASE"),
    "kraken v1": lambda: made("kraken", "KRAKEN"),
    "kraken v2": kraken_v2,
}
each_venue = pytest.mark.parametrize("name", SCRIPTS)


@dataclass
class Show:
    server: VenueServer
    script: Script
    source: LiveSource
    actor: FeedActor
    sender: KeepingSender

    @property
    def told(self) -> list[Observation]:
        """Of the venue's own instruments."""
        return [each for each in self.sender.observations if each.instrument in self.script.instruments]

    @property
    def trades(self) -> list[Trade]:
        return [plain(each) for each in self.told if isinstance(each, Trade)]

    async def say(self, frames: Sequence[str]) -> None:
        """All of it at once."""
        await self.server.broadcast(*frames)


def plain(trade: Trade) -> Trade:
    """Without our own time."""
    return msgspec.structs.replace(trade, ts_recv=0)


def one_by_one(script: Script) -> list[Trade]:
    session = load_adapter(script.provider).session(FeedSettings(instruments=script.instruments))
    session.on_start(bench.START_NS)
    session.on_open(0, bench.START_NS)
    effects = [session.on_frame(0, frame, bench.START_NS) for frame in (*script.opening, *script.frames)]
    return [plain(each) for one in effects for each in one.observations if isinstance(each, Trade)]


@contextlib.asynccontextmanager
async def show(script: Script, bound: int = UNBOUND) -> AsyncIterator[Show]:
    """Up to the first synchronised subscription."""
    sender, writer = KeepingSender(1), KeepingWriter()

    async def claim() -> tuple[int, KeepingWriter]:
        return 1, writer

    async with VenueServer(script) as server:
        feed = FeedSettings(
            instruments=script.instruments, ws_url=server.ws_url, rest_url=server.rest_url, backfill_bars=0
        )
        source = LiveSource(load_adapter(script.provider), feed, LoopClock(), QUICK)
        settings = FeedActorSettings(stop_s=0.1)
        actor = FeedActor(
            script.provider,
            source,
            script.instruments,
            claim=claim,
            make_sender=lambda _: sender,
            settings=settings,
        )
        task = asyncio.create_task(actor.run())
        try:
            await until(lambda: actor.status().frames >= len(script.opening))
            sender.bound = sender.waiting + bound
            yield Show(server, script, source, actor, sender)
        finally:
            sender.bound = UNBOUND
            sender.release()
            await actor.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def longest_run(sender: KeepingSender) -> int:
    return max(len(step.observations) for step in sender.steps)


@each_venue
def test_a_sink_that_fills_in_the_middle_of_runs_loses_and_doubles_nothing(name: str) -> None:
    async def scenario() -> None:
        script = SCRIPTS[name]()
        async with show(script, bound=100) as on:
            await on.say(script.frames)
            await until(lambda: not on.server.sockets)
            taken = len(on.trades)
            held = sum(len(step.observations) for step in on.source._held)
            assert longest_run(on.sender) > 8
            assert held <= 4 * (2 * QUICK.link.max_run + len(script.instruments)), (
                "a run or two, and the gaps"
            )
            assert on.server.accepted == 1
            on.sender.bound = UNBOUND
            on.sender.release()
            await until(lambda: on.server.accepted == 2)
            expected = one_by_one(script)
            assert taken < len(on.trades) <= len(expected)
            assert on.trades == expected[: len(on.trades)], "a beginning of it, in order, each once"
            last = max(at for at, each in enumerate(on.told) if isinstance(each, Trade))
            lost = [
                each.instrument
                for each in on.told[last:]
                if isinstance(each, Gap) and each.reason == BACKLOG and each.opened
            ]
            assert sorted(lost) == sorted({each.instrument for each in on.trades}), "each is told its gap"

    asyncio.run(scenario())


@each_venue
def test_a_connection_that_ends_in_the_middle_of_a_run_first_hands_over_what_came(name: str) -> None:
    async def scenario() -> None:
        script = SCRIPTS[name]()
        async with show(script) as on:
            socket = on.server.sockets[0]
            await on.say(script.frames)
            await socket.ws.close()
            await until(lambda: on.server.accepted == 2)
            assert longest_run(on.sender) > 8
            expected = one_by_one(script)
            before = next(
                at for at, each in enumerate(on.told) if isinstance(each, Gap) and each.channel == "feed"
            )
            assert [plain(each) for each in on.told[:before] if isinstance(each, Trade)] == expected

    asyncio.run(scenario())


@each_venue
def test_a_frame_that_cannot_be_read_takes_nothing_with_it(name: str) -> None:
    async def scenario() -> None:
        script = SCRIPTS[name]()
        async with show(script) as on:
            frames = list(script.frames)
            for at in (7, 40, 41, 300):
                frames.insert(at, MALFORMED)
            await on.say(frames)
            expected = one_by_one(script)
            await until(lambda: len(on.trades) >= len(expected))
            await until(lambda: on.actor.status().frames >= len(frames))
            assert on.trades == expected
            assert on.actor.status().rejected >= 4
            assert on.server.accepted == 1
            assert not [each for each in on.told if isinstance(each, Gap) and each.channel == "feed"]

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "kraken v1"])
def test_a_trade_that_is_missing_in_a_run_is_told_where_it_is_missing(name: str) -> None:
    """Trades of Kraken's v1 have no ids."""

    async def scenario() -> None:
        script = SCRIPTS[name]()
        trades = [at for at, frame in enumerate(script.frames) if "rade" in frame or '"match"' in frame]
        missing = trades[len(trades) // 2]
        expected = one_by_one(script)
        del script.frames[missing]
        kept = one_by_one(script)
        lost = [each for each in expected if each not in kept]
        assert lost
        async with show(script) as on:
            await on.say(script.frames)
            await until(lambda: len(on.trades) >= len(kept))
            assert on.trades == kept
            gaps = [
                at for at, each in enumerate(on.told) if isinstance(each, Gap) and each.channel == "trades"
            ]
            gap = on.told[gaps[0]]
            assert isinstance(gap, Gap)
            assert (gap.first, gap.last) == (int(lost[0].trade_id or 0), int(lost[-1].trade_id or 0))
            after = next(
                each
                for each in on.told[gaps[0] :]
                if isinstance(each, Trade) and each.instrument == gap.instrument
            )
            assert int(after.trade_id or 0) == gap.last + 1

    asyncio.run(scenario())
