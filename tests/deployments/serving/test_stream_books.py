"""Books, gaps and states on the stream, over real sockets."""

from __future__ import annotations

import pytest

from domain.market.decisions import BookBroken, SourceChanged
from domain.market.observations import Gap
from tests.deployments.serving.kit import BTC, ETH, START, a_delta, a_snapshot, a_trade, check_chain

pytestmark = pytest.mark.anyio


async def test_a_book_is_a_snapshot_then_exactly_the_deltas_after_it(serve, directory):
    directory.append(a_snapshot(), a_delta(bids=((99.0, 5.0),)))
    async with serve() as served, served.socket() as client:

        async def meanwhile():
            # Arrives after the lane was registered and before the answer: in the snapshot, not again.
            directory.append(a_delta(asks=((101.0, 0.0),)))

        directory.before_book = meanwhile
        await client.subscribe("book", BTC)
        snapshot = await client.until("book_snapshot")
        assert snapshot["offset"] == directory.log[directory.partition_of(BTC)][-1].offset
        assert (snapshot["bids"][0], snapshot["asks"][0]) == ([99.0, 5.0], [102.0, 2.0])
        assert snapshot["prev"] is None
        directory.append(a_delta(bids=((97.0, 1.0),)))
        delta = await client.until("book")
        assert delta["prev"] == snapshot["offset"]
        assert delta["bids"] == [[97.0, 1.0]]


async def test_a_broken_book_is_told_as_a_gap_until_the_next_snapshot(serve, directory):
    directory.append(a_snapshot())
    async with serve() as served, served.socket() as client:
        await client.subscribe("book", BTC)
        first = await client.until("book_snapshot")
        broken = BookBroken("sim", BTC, START, START, "sequence")
        directory.append(broken, a_snapshot(bids=((50.0, 1.0),)))
        gap = await client.until("gap")
        assert (gap["channel"], gap["instrument"], gap["to"]) == ("book", BTC, None)
        assert gap["reason"] == "upstream: sequence"
        snapshot = await client.until("book_snapshot")
        assert snapshot["bids"] == [[50.0, 1.0]]
        assert snapshot["prev"] == first["offset"]


async def test_an_unusable_book_begins_with_a_gap(serve, directory):
    directory.append(a_snapshot(), BookBroken("sim", BTC, START, START, "checksum"))
    async with serve() as served, served.socket() as client:
        await client.subscribe("book", BTC)
        gap = await client.until("gap")
        assert "not usable" in gap["reason"]
        directory.append(a_snapshot())
        assert (await client.until("book_snapshot"))["prev"] is None


async def test_a_book_pattern_brings_snapshots_of_all_and_of_new_ones(serve, directory):
    directory.append(a_snapshot(BTC), a_snapshot(ETH))
    async with serve() as served, served.socket() as client:
        await client.subscribe("book", "*.SIM")
        assert {frame["instrument"] for frame in await client.take("book_snapshot", 2)} == {BTC, ETH}
        directory.append(a_snapshot("NEW-USD.SIM"), a_delta(bids=((1.0, 1.0),), instrument="NEW-USD.SIM"))
        assert (await client.until("book_snapshot"))["instrument"] == "NEW-USD.SIM"


async def test_status_tells_gaps_and_the_states_of_feeds(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("status", BTC)
        directory.append(Gap("sim", BTC, START, START, "trades", "ids missing", 5, 9))
        frame = await client.until("status")
        assert (frame["state"], frame["channel"], frame["reason"]) == ("gap_opened", "trades", "ids missing")
        await client.send({"op": "subscribe", "channel": "status"})
        feed = await client.until(lambda frame: frame["type"] == "status" and frame["instrument"] is None)
        assert (feed["provider"], feed["state"], feed["offset"]) == ("sim", "connected", None)


async def test_status_tells_that_another_provider_is_the_source(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("status", BTC)
        directory.append(SourceChanged("other", BTC, START, START, "trade", "sim"))
        frame = await client.until("status")
        assert (frame["state"], frame["channel"], frame["provider"]) == ("source_changed", "trade", "other")
        assert frame["reason"] == "sim had fallen silent"


async def test_a_gap_of_the_provider_is_told_on_its_channel(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.append(a_trade(), Gap("sim", BTC, START, START, "trades", "ids missing", 5, 9), a_trade())
        frames = [await client.until(lambda f: f["type"] in ("trade", "gap")) for _ in range(3)]
        assert [frame["type"] for frame in frames] == ["trade", "gap", "trade"]
        check_chain(frames)
