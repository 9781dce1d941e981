"""What every actor process is told at its start; plain data that survives pickling and restarts."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from actors.feeds.base import FeedSettings
from actors.steady_clock import STEP_NS

NAMESPACE = "financehub"
SUPERVISOR = "supervisor"
CONNECTIONS = "connections"
PROJECTOR = "projector"


class Runtime(Struct, frozen=True):
    """One instance's topology. `dsn` holds a password: never print a Runtime. 0 bytes, 0 days: no bound."""

    dsn: str
    partition_count: int
    shards: int
    readers: int
    feeds: dict[str, FeedSettings]
    service_role: str | None = None
    sockets_per_user: int = 50
    allow_unsafe_durability: bool = False
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    build: str = ""
    log_max_bytes: int = 0
    log_max_age_days: float = 0.0
    log_access_max_bytes: int = 0
    anchor_seed: bytes = b""
    """Signs what retention drops; a secret. Without it nothing is dropped."""
    keep_indicators: tuple[str, ...] = ()

    def shard_names(self) -> list[str]:
        return [f"keeper-shard-{index}" for index in range(self.shards)]

    def reader_names(self) -> list[str]:
        return [f"reader-{index}" for index in range(self.readers)]

    def feed_names(self) -> dict[str, str]:
        """actor name -> provider"""
        return {f"feed-{provider}": provider for provider in self.feeds}

    def watched(self) -> frozenset[str]:
        """The instruments of all feeds."""
        return frozenset(name for feed in self.feeds.values() for name in feed.instruments)

    def __repr__(self) -> str:
        return f"Runtime(partitions={self.partition_count}, shards={self.shards}, feeds={list(self.feeds)})"


class WallClock:
    """Wall time that goes back within a process only where the clock was set: by less it stands still."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._last = 0

    def now_ns(self) -> int:
        wall = self._wall_ns()
        if wall > self._last or self._last - wall > STEP_NS:
            self._last = wall
        return self._last
