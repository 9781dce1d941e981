"""Three venues' frames, each through its own adapter and feed, meet in one reference instrument."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import FeedSettings
from actors.feeds.provider_log import claim_provider
from actors.feeds.registry import load_adapter
from actors.feeds.source import Sink, Step
from actors.local_directory import LocalDirectory
from actors.sender import Sender, SenderSettings
from deployments.instrument_index import InstrumentIndex
from domain.clock import NS_PER_MS, NS_PER_S, ManualClock, format_time
from domain.errors import Ambiguous
from domain.market.decisions import AnomalyFound
from domain.market.observations import Ticker
from storage.block import events_of
from storage.writer import LogWriter
from tests.actors.receiving_end import LoopClock
from tests.builders import T0
from tests.venue_server import until

pytestmark = pytest.mark.anyio

REFERENCE = "BTC-USD.CRYPTO"
PAIRS = {"binance": "BTC-USDT.BINANCE_US", "coinbase": "BTC-USD.COINBASE", "kraken": "BTC-USD.KRAKEN"}
ENDPOINTS = {
    "binance": "wss://stream.binance.us:9443/stream",
    "coinbase": "wss://ws-feed.exchange.coinbase.com",
    "kraken": "wss://ws.kraken.com/v2",
}
SECONDS = 60
WRONG = range(45, 50)
"""Seconds in which Kraken alone prints another price."""


def binance(price: float, number: int, ts: int) -> str:
    ms = ts // NS_PER_MS
    data = {"e": "trade", "E": ms, "s": "BTCUSDT", "t": number, "p": f"{price:.2f}", "q": "0.5"}
    return json.dumps({"stream": "btcusdt@trade", "data": data | {"T": ms, "m": False, "M": True}})


def coinbase(price: float, number: int, ts: int) -> str:
    ids = {"maker_order_id": f"m{number}", "taker_order_id": f"t{number}"}
    match = {"type": "match", "trade_id": number, "sequence": number, "time": format_time(ts), **ids}
    return json.dumps(
        match | {"product_id": "BTC-USD", "size": "0.5", "price": f"{price:.2f}", "side": "sell"}
    )


def kraken(price: float, number: int, ts: int) -> str:
    trade = {"symbol": "BTC/USD", "side": "buy", "price": round(price, 2), "qty": 0.5, "ord_type": "limit"}
    data = [trade | {"trade_id": number, "timestamp": format_time(ts)}]
    return json.dumps({"channel": "trade", "type": "update", "data": data})


FRAMES = {"binance": binance, "coinbase": coinbase, "kraken": kraken}
BIAS = {"binance": 1.0004, "coinbase": 1.0, "kraken": 0.9998}


def prices(provider: str) -> list[tuple[int, float]]:
    """(time, price) twice a second."""
    told = []
    for half in range(2 * SECONDS):
        price = 40_000.0 * BIAS[provider] * (1.0 + 0.0001 * (half * 7 % 5 - 2))
        if provider == "kraken" and half // 2 in WRONG:
            price *= 0.97
        told.append((T0 + half * NS_PER_S // 2, price))
    return told


class FrameSource:
    """A venue's frames through its adapter's session, each when the conductor says so."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frames = [
            (ts, FRAMES[provider](price, number, ts))
            for number, (ts, price) in enumerate(prices(provider), start=1)
        ]
        settings = FeedSettings(instruments=(PAIRS[provider],), channels=("trades",))
        self._session = load_adapter(provider).session(settings)
        self._now = T0
        self.played = 0
        self.allowed = 0
        self.more = asyncio.Event()

    def now_ns(self) -> int:
        return self._now

    def connections(self) -> tuple[int, int]:
        return 1, 1

    def resync(self, instruments: Sequence[str]) -> None:
        """Trades have no snapshot."""

    async def run(self, sink: Sink) -> None:
        self._session.on_start(T0)
        self._session.on_open(0, T0)
        for ts, frame in self._frames:
            while self.played >= self.allowed:
                self.more.clear()
                await self.more.wait()
            self._now = ts
            effects = self._session.on_frame(0, frame, ts, ENDPOINTS[self._provider])
            sink.take(Step(ts, frames=1, observations=effects.observations, rejects=effects.rejects))
            self.played += 1


def feed_of(
    directory: LocalDirectory, provider: str, source: FrameSource, senders: list[Sender]
) -> FeedActor:
    async def nothing() -> None:
        return None

    def make_sender(incarnation: int) -> Sender:
        sender = Sender(
            provider,
            incarnation,
            directory.partition_count,
            directory.routes,
            refresh=nothing,
            settings=SenderSettings(flush_ms=0.0),
        )
        senders.append(sender)
        return sender

    writer = LogWriter(directory.stores.log, f"feed-{provider}", LoopClock())
    return FeedActor(
        provider,
        source,
        (PAIRS[provider],),
        claim=lambda: claim_provider(writer, provider),
        make_sender=make_sender,
        settings=FeedActorSettings(heartbeat_s=60.0),
    )


async def played() -> LocalDirectory:
    """All three feeds to their end, half a second at a time, so that no venue runs ahead."""
    directory = await LocalDirectory.over_memory(4, shard_count=2, clock=ManualClock(T0))
    sources = {provider: FrameSource(provider) for provider in PAIRS}
    senders: list[Sender] = []
    feeds = [feed_of(directory, name, source, senders) for name, source in sources.items()]
    tasks = [asyncio.create_task(feed.run()) for feed in feeds]
    await until(lambda: len(senders) == len(sources))
    for moment in range(1, 2 * SECONDS + 1):
        for source in sources.values():
            source.allowed = moment
            source.more.set()
        await until(lambda now=moment: all(source.played >= now for source in sources.values()))
        for sender in senders:
            await sender.drained()
    await asyncio.gather(*tasks)
    return directory


async def events(directory: LocalDirectory, instrument: str, kind: type) -> list:
    """All of a kind about an instrument, in the order of the log."""
    found: list = []
    offset = 0
    while blocks := await directory.stores.log.read(directory.partition_of(instrument), offset):
        found += [recorded.event for block in blocks for recorded in events_of(block)]
        offset = blocks[-1].last_offset
    return [each for each in found if isinstance(each, kind) and each.instrument == instrument]


async def test_three_venues_meet_and_the_one_that_errs_is_named():
    directory = await played()
    try:
        samples = await events(directory, REFERENCE, Ticker)
        assert {each.provider for each in samples} == set(PAIRS)
        for provider in PAIRS:
            mine = [each.ts_event for each in samples if each.provider == provider]
            assert mine == [T0 + second * NS_PER_S for second in range(SECONDS)]
        answer = await directory.last(REFERENCE)
        newest = {each.provider: each.last for each in samples}
        assert answer.reference is not None and answer.ticker is not None
        assert answer.reference.price == sorted(newest.values())[1]
        assert (answer.reference.fresh, answer.reference.confidence) == (3, 1.0)
        assert answer.reference == (await directory.state(REFERENCE)).last.reference
        found = await events(directory, REFERENCE, AnomalyFound)
        assert [(each.provider, each.anomaly, each.verdict) for each in found] == [
            ("kraken", "price_spike", "data_error")
        ]
        assert found[0].ts_event == T0 + WRONG.start * NS_PER_S
        assert (await directory.last(PAIRS["kraken"])).reference is None
    finally:
        await directory.close()


async def test_people_find_the_reference_and_lose_no_alias_to_it():
    directory = await played()
    try:
        index = InstrumentIndex(directory)
        known = {info.instrument: info for info in await index.all()}
        assert set(known) == {REFERENCE, *PAIRS.values()}
        assert (known[REFERENCE].base, known[REFERENCE].quote) == ("BTC", "USD")
        assert await index.resolve("BTC-USDT") == PAIRS["binance"]
        assert await index.resolve("BTC", shared=True) == REFERENCE == index.known("BTC", shared=True)
        with pytest.raises(Ambiguous) as caught:
            await index.resolve("BTC")
        assert caught.value.candidates == tuple(sorted(PAIRS.values()))
    finally:
        await directory.close()


async def test_a_sample_that_is_sent_again_is_not_recorded_again():
    directory = await LocalDirectory.over_memory(1, clock=ManualClock(T0))
    try:
        sample = Ticker(provider="kraken", instrument=REFERENCE, ts_event=T0, ts_recv=T0, last=1.0)
        later = replace(sample, ts_event=T0 + NS_PER_S, ts_recv=T0 + NS_PER_S, last=2.0)
        first = await directory.feed([sample, later], "kraken")
        again = await directory.feed([sample, later, replace(later, last=3.0)], "replay-kraken")
        assert first.offsets == again.offsets
    finally:
        await directory.close()
