"""Starting an instance, and a shard that is killed.

Recovery counts from `kill -9` of the keeper shard's process until every instrument's state reads again,
equal to what it read before. No feed runs, so that equal means equal.
"""

from __future__ import annotations

import os
import shutil
import signal
from typing import Any

from tests.bench.rows import Row, Scale, median
from tests.bench.shard_load import data_dir
from tests.bench.system import System, feed_process, running, until

EVENTS = 150_000
INSTRUMENTS = 16
CHANGING = ("at", "cursor", "place")
"""Where an answer was read, not what it says."""


def group(scale: Scale) -> list[Row]:
    """Each round is a clean data directory; the second start of one finds its database."""
    fresh, again = [], []
    recovered: list[float] = []
    for _ in range(max(1, scale.rounds // 2)):
        folder = data_dir()
        try:
            with running(folder=folder) as system:
                fresh.append(system.up_s)
            with running(folder=folder) as system:
                again.append(system.up_s)
                recovered += _recoveries(system, scale)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return [
        Row("startup_s", median(fresh), "s", len(fresh)),
        Row("startup_again_s", median(again), "s", len(again)),
        Row("recovery_s", median(recovered), "s", len(recovered)),
        Row("recovery_max_s", max(recovered), "s", len(recovered)),
    ]


def _recoveries(system: System, scale: Scale) -> list[float]:
    list(feed_process(system, {"frames": scale.of(EVENTS, least=1_000), "instruments": INSTRUMENTS}))
    token = system.token()
    names = [f"C{number}USDT.BINANCE_US" for number in range(INSTRUMENTS)]
    return [_recovery(system, token, names) for _ in range(scale.rounds)]


def _recovery(system: System, token: str, names: list[str]) -> float:
    before = [_state(system, token, name) for name in names]
    os.kill(system.pid_of("keeper_shard"), signal.SIGKILL)
    return until(lambda: [_state(system, token, name) for name in names] == before, 60.0, 0.02)


def _state(system: System, token: str, name: str) -> Any:
    return _without_places(system.get(f"/v1/instruments/{name}/state", token, timeout_s=2.0))


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(inner) for key, inner in value.items() if key not in CHANGING}
    return [_without_places(inner) for inner in value] if isinstance(value, list) else value
