"""Recordings as if live: the recording's clock, its pace, and nothing lost."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.offline import play_files
from actors.feeds.registry import load_adapter
from actors.feeds.replay import MAX_SPEED, ReplaySource, parse_speed
from actors.feeds.tally import Tally
from actors.intake import Ack, accepted
from actors.sender import Sender
from domain.envelope import Batch
from domain.errors import Malformed, NotFound
from domain.partition import MarketPartition
from storage.codec import decode_batch
from tests.actors.receiving_end import KeepingSink, KeepingWriter
from tests.toy_venue import ToyAdapter


def a_recording(folder: Path, times_ns: list[int]) -> Path:
    path = folder / "toy.jsonl"
    lines = [
        json.dumps({"ts_recv": ts, "source": "ws", "endpoint": "ws://toy", "frame": json.dumps({"id": n})})
        for n, ts in enumerate(times_ns, start=1)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_full_sink_makes_a_replay_wait_and_nothing_is_lost(tmp_path: Path) -> None:
    path = a_recording(tmp_path, [1_000_000_000 + n for n in range(500)])

    async def scenario() -> None:
        sink = KeepingSink(bound=7)
        source = ReplaySource(ToyAdapter(), [path], speed=MAX_SPEED)
        task = asyncio.create_task(source.run(sink))
        while not task.done():
            await asyncio.sleep(0)
            assert sink.waiting <= 7
            sink.release()
        await task
        assert sink.trade_ids == list(range(1, 501))
        assert (source.frames, source.observations, source.rejected) == (500, 500, 0)
        assert source.now_ns() == 1_000_000_499

    asyncio.run(scenario())


def test_a_replay_keeps_the_pace_it_is_told(tmp_path: Path) -> None:
    second = 1_000_000_000
    path = a_recording(tmp_path, [second, 2 * second])

    async def scenario() -> float:
        began = time.monotonic()
        await ReplaySource(ToyAdapter(), [path], speed=10.0).run(KeepingSink())
        return time.monotonic() - began

    assert 0.09 < asyncio.run(scenario()) < 1.0


def test_speeds() -> None:
    assert [parse_speed(text) for text in ("1", "10", "0.5", "max")] == [1.0, 10.0, 0.5, MAX_SPEED]
    for text in ("0", "-1", "fast", "nan", "inf", ""):
        with pytest.raises(Malformed):
            parse_speed(text)


class MemoryShard:
    """Folds what a real sender delivers, and says that it is durable."""

    def __init__(self) -> None:
        self.partition = MarketPartition("market/00")
        self.batches: list[Batch] = []

    async def observe(self, payload: list[tuple[str, bytes]]) -> list[Ack]:
        return [self._take(name, decode_batch(data)) for name, data in payload]

    def _take(self, name: str, batch: Batch) -> Ack:
        self.batches.append(batch)
        self.partition.observe(batch)
        return accepted(name, batch)


async def _no_refresh() -> None:
    return


def test_a_replay_through_feed_and_sender_ends_as_the_offline_fold_does(shared_data: Path) -> None:
    path = shared_data / "captures" / "binance_us.jsonl"
    tally = Tally("replay")
    for step in play_files(load_adapter("binance"), [path]):
        tally.take(step)

    async def scenario() -> MemoryShard:
        shard, writer = MemoryShard(), KeepingWriter()

        async def claim() -> tuple[int, KeepingWriter]:
            return 3, writer

        actor = FeedActor(
            "replay",
            ReplaySource(load_adapter("binance"), [path], speed=MAX_SPEED),
            [],
            claim=claim,
            make_sender=lambda epoch: Sender("replay", epoch, 1, {"market/00": shard}, refresh=_no_refresh),
            settings=FeedActorSettings(heartbeat_s=0.01),
        )
        await asyncio.wait_for(actor.run(), 10)
        assert actor.status().state == "stopped"
        return shard

    shard = asyncio.run(scenario())
    assert {batch.incarnation for batch in shard.batches} == {3}
    for row in tally.rows():
        keeper = shard.partition.keeper(row["instrument"])
        assert keeper is not None
        assert keeper.book.top(10) == (row["bids"], row["asks"])
        assert keeper.book.sequence == row["book_sequence"]
        assert (keeper.last_trade and keeper.last_trade.price) == row["last_price"]


def test_an_unknown_provider_is_told_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="binance, coinbase, kraken"):
        load_adapter("mtgox")
