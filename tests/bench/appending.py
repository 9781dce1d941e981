"""How long an append takes at 20,000 events/s: embedded PostgreSQL, fsync on, four partitions."""

from __future__ import annotations

import asyncio

from domain.market.observations import Observation
from tests.bench.folding import market_events
from tests.bench.rows import Row, Scale, median, quantile
from tests.bench.shard_load import Outcome, database, run_load

RATE_PER_S = 20_000
SECONDS = 10


def group(scale: Scale) -> list[Row]:
    """The append alone (seal, write, commit, answer), and what the feed waits: fold, linger and append."""
    events = market_events(scale.of(RATE_PER_S * SECONDS, least=400))
    runs = [_run(events) for _ in range(scale.rounds)]
    appends = sum(run.blocks for run in runs)
    calls = sum(len(run.ack_ms) for run in runs)
    return [
        Row("append_p99_ms_20k", median([run.append_p99_ms for run in runs]), "ms", appends),
        Row("append_ack_p50_ms_20k", median([quantile(run.ack_ms, 0.50) for run in runs]), "ms", calls),
        Row("append_ack_p99_ms_20k", median([quantile(run.ack_ms, 0.99) for run in runs]), "ms", calls),
    ]


def _run(events: list[Observation]) -> Outcome:
    """On an empty database: a second run there would be nothing but repeats."""
    with database() as opened:
        return asyncio.run(run_load(opened, events, RATE_PER_S))
