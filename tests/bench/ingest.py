"""Raw Binance.US trades in, committed in the log: feed, shard, PostgreSQL and Ray as in production.

The frames are parsed in a feed process (the production FeedActor and Sender; its socket alone is left
out), cross Ray, are folded by every keeper of one shard process, and are committed with fsync on. The
time runs from the first frame until the last one's batch is acknowledged.
"""

from __future__ import annotations

from tests.bench.rows import Row, Scale, median
from tests.bench.system import feed_process, running

FRAMES = 300_000


def group(scale: Scale) -> list[Row]:
    """A first round warms up and does not count."""
    job = {"frames": scale.of(FRAMES, least=1_000), "rounds": scale.rounds + 1}
    with running() as system:
        rounds = list(feed_process(system, job))[1:]
    events = sum(int(one["events"]) for one in rounds)
    rates = [one["events"] / one["seconds"] for one in rounds]
    feed_us = [1e6 * one["cpu_seconds"] / one["events"] for one in rounds]
    return [
        Row("ingest_events_per_s", median(rates), "events/s", events),
        Row("ingest_feed_cpu_us_per_event", median(feed_us), "us", events),
    ]
