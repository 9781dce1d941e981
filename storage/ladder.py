"""Which snapshots to keep: dense lately, sparse long ago, so that a month costs little."""

from __future__ import annotations

from collections.abc import Sequence

from domain.clock import NS_PER_MIN
from storage.event_log import Snapshot

NEWEST_KEPT = 8
HOUR_NS = 60 * NS_PER_MIN
DAY_NS = 24 * HOUR_NS
HOURLY_FOR_NS = DAY_NS
DAILY_FOR_NS = 31 * DAY_NS


def thin(recorded_ns: Sequence[int], now: int) -> list[int]:
    """Indexes of the snapshots to drop, given their times in log order, oldest first.

    Kept are the newest 8, then the newest of each clock hour of the last day and of each UTC day of the
    last 31. Thinning again later drops only what has left a step of the ladder.
    """
    rungs: dict[tuple[int, int], int] = {}
    for index, time in enumerate(recorded_ns):
        if now - time < HOURLY_FOR_NS:
            rungs[(HOUR_NS, time // HOUR_NS)] = index
        if now - time < DAILY_FOR_NS:
            rungs[(DAY_NS, time // DAY_NS)] = index
    newest = range(max(0, len(recorded_ns) - NEWEST_KEPT), len(recorded_ns))
    kept = {*rungs.values(), *newest}
    return [index for index in range(len(recorded_ns)) if index not in kept]


def too_many(rungs: Sequence[Snapshot], now: int) -> list[int]:
    """Offsets of the snapshots to drop, given all of a partition, oldest first.

    Each fold version has a ladder of its own. Snapshots that an upgraded build takes while it replays are
    older than those of the build before, and would else be dropped in favour of what it cannot read.
    """
    by_version: dict[int, list[Snapshot]] = {}
    for rung in rungs:
        by_version.setdefault(rung.fold_version, []).append(rung)
    return [
        ladder[index].offset
        for ladder in by_version.values()
        for index in thin([rung.recorded_ns for rung in ladder], now)
    ]
