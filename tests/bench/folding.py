"""Replay: blocks of the log -> full state of a partition, as a restarted shard does it, per core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from actors.recent import RecentEvents
from actors.restore import restore
from domain.clock import ManualClock
from domain.envelope import Batch
from domain.keeper_state import PartitionSettings
from domain.market.observations import Observation, Trade
from domain.partition import MarketPartition
from storage.event_log import Head
from storage.memory import MemoryLog, MemorySnapshots
from storage.writer import LogWriter, Part
from tests.bench.decode import ENDPOINTS, opened
from tests.bench.frames import START_NS, binance
from tests.bench.rows import Row, Scale, median, quiet

EVENTS = 200_000
BATCH_EVENTS = 500
BATCHES_PER_BLOCK = 10
PARTITION = "market/00"


def group(scale: Scale) -> list[Row]:
    """Trades alone (with the bars they make), and a third each trades, quotes, book changes."""
    mixed = market_events(scale.of(EVENTS, least=48))
    trades = [event for event in market_events(scale.of(3 * EVENTS, least=48)) if type(event) is Trade]
    return [
        _row("replay_events_per_s", trades, scale.rounds),
        _row("replay_events_per_s_mixed", mixed, scale.rounds),
    ]


def market_events(count: int) -> list[Observation]:
    """What a Binance session gives for that many frames (and its opening), stamped as they were received."""
    made = binance(count)
    session, _ = opened(made)
    url = ENDPOINTS["binance"]
    given: list[Observation] = []
    for number, frame in enumerate(made.frames):
        given += session.on_frame(0, frame, START_NS + number * 10_000, url).observations
    return given


def batches_of(events: Sequence[Observation], sender: str, first: int = 1) -> list[Batch]:
    """The same in order, 500 to a batch, numbered from `first`."""
    parts = [events[start : start + BATCH_EVENTS] for start in range(0, len(events), BATCH_EVENTS)]
    return [Batch(sender, 1, first + n, part[-1].ts_recv, tuple(part)) for n, part in enumerate(parts)]


def _row(name: str, events: Sequence[Observation], rounds: int) -> Row:
    log, head = asyncio.run(_written(events))
    took = [_one_round(log, head) for _ in range(rounds)]
    return Row(name, head.offset / median(took), "events/s", head.offset)


async def _written(events: Sequence[Observation]) -> tuple[MemoryLog, Head]:
    """A log of one partition, in blocks as a busy shard writes them."""
    log = MemoryLog()
    writer = LogWriter(log, "bench", ManualClock(START_NS))
    await writer.claim(PARTITION)
    market = MarketPartition(PARTITION)
    part = Part(PARTITION, [], [])
    for number, batch in enumerate(batches_of(events, "binance"), start=1):
        admitted, folded = market.observe(batch)
        if admitted is not None:
            part = Part(PARTITION, [*part.admitted, admitted], [*part.events, *folded])
        if number % BATCHES_PER_BLOCK == 0 and part.events:
            await writer.append([part])
            part = Part(PARTITION, [], [])
    if part.events:
        await writer.append([part])
    (head,) = await log.heads()
    return log, head


def _one_round(log: MemoryLog, head: Head) -> float:
    """CPU seconds of one restore without a snapshot: hashes, decoding, folding."""
    recent = RecentEvents(PARTITION, head.offset, max_events=50_000, max_bytes=32 << 20)
    with quiet():
        began = time.process_time()
        market, start = asyncio.run(restore(log, MemorySnapshots(), head, PartitionSettings(), recent))
        took = time.process_time() - began
    if start != 0 or not market.instruments():
        raise ValueError("nothing was replayed")
    return took
