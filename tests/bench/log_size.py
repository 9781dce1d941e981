"""Bytes that the log takes on disk per event: rows, headers, hashes, TOAST and indexes of `log_blocks`.

Busy is 20,000 events/s, quiet 200 events/s, a third each trades, quotes and book changes with four
levels; nobody polls, so that blocks grow as long as the settings let them.
"""

from __future__ import annotations

import asyncio

from domain.market.observations import Observation
from tests.bench.folding import market_events
from tests.bench.rows import Row, Scale
from tests.bench.shard_load import database, run_load

BUSY_PER_S, BUSY_S = 20_000, 10
QUIET_PER_S, QUIET_S = 200, 30


def group(scale: Scale) -> list[Row]:
    """Each over a database of its own: a relation grows by pages, so that few blocks would say little."""
    busy = market_events(scale.of(BUSY_PER_S * BUSY_S, least=400))
    quiet = market_events(scale.of(QUIET_PER_S * QUIET_S, least=48))
    return [
        _row("log_bytes_per_event_busy", busy, BUSY_PER_S),
        _row("log_bytes_per_event_quiet", quiet, QUIET_PER_S),
    ]


def _row(name: str, events: list[Observation], per_s: int) -> Row:
    with database() as opened:
        run = asyncio.run(run_load(opened, events, per_s, polled=False))
    return Row(name, run.log_bytes / run.events, "bytes", run.events)
