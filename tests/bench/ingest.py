"""Raw Binance.US trades in, committed in the log: feed, shard, PostgreSQL and Ray as in production.

The frames are parsed in a feed process (the production FeedActor and Sender; its socket alone is left
out), cross Ray, are folded by every keeper of one shard process, and are committed with fsync on. The
time runs from the first frame until the last one's batch is acknowledged.
"""

from __future__ import annotations

from tests.bench.rows import Row, Scale, median
from tests.bench.system import cpu_s, family_cpu_s, feed_process, running

FRAMES = 300_000


def group(scale: Scale) -> list[Row]:
    """A first round warms up and does not count; CPU times are over all rounds.

    CPU per event says more than the rate where others use the machine: processes that do not share
    their cores reach 1e6 divided by the largest of them.
    """
    job = {"frames": scale.of(FRAMES, least=1_000), "rounds": scale.rounds + 1}
    with running() as system:
        shard, postmaster = system.pid_of("keeper_shard"), int(system.status()["postgres"]["pid"])
        before = cpu_s(shard), family_cpu_s(postmaster)
        rounds = list(feed_process(system, job))
        after = cpu_s(shard), family_cpu_s(postmaster)
    every = sum(int(one["events"]) for one in rounds)
    rates = [one["events"] / one["seconds"] for one in rounds[1:]]
    feed_us = [1e6 * one["cpu_seconds"] / one["events"] for one in rounds[1:]]
    counted = sum(int(one["events"]) for one in rounds[1:])
    return [
        Row("ingest_events_per_s", median(rates), "events/s", counted),
        Row("ingest_feed_cpu_us_per_event", median(feed_us), "us", counted),
        Row("ingest_shard_cpu_us_per_event", 1e6 * (after[0] - before[0]) / every, "us", every),
        Row("ingest_postgres_cpu_us_per_event", 1e6 * (after[1] - before[1]) / every, "us", every),
    ]
