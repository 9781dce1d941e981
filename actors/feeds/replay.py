"""Recordings as if they were live: the same session, the clock of the recording."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from actors.feeds.base import Adapter, FeedSettings
from actors.feeds.offline import play_files
from actors.feeds.source import Sink, Step
from domain.clock import NS_PER_S
from domain.errors import Malformed, OverLimit

MAX_SPEED = 0.0
"""The speed that means as fast as the sink takes it."""
PAUSE_EVERY = 256
"""Steps between two moments for the rest of the event loop; a step costs some tens of us."""


def parse_speed(text: str) -> float:
    """`max`, or how many times as fast as recorded (`1`, `10`, `0.5`). Raises Malformed."""
    if text == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < 1e6:
        raise Malformed(f"speed {text!r} is neither max nor a positive number")
    return speed


class ReplaySource:
    """Plays captures in the order received and ends with them. Counts what it has handed over."""

    def __init__(
        self, adapter: Adapter, paths: Sequence[Path], *, speed: float = 1.0, feed: FeedSettings | None = None
    ) -> None:
        self.frames = 0
        self.observations = 0
        self.rejected = 0
        self._adapter = adapter
        self._paths = paths
        self._speed = speed
        self._feed = feed
        self._now = 0
        self._running = False

    def now_ns(self) -> int:
        return self._now

    def connections(self) -> tuple[int, int]:
        return int(self._running), 1

    def resync(self, instruments: Sequence[str]) -> None:
        """A recording holds no other snapshot than those it will come to."""

    async def run(self, sink: Sink) -> None:
        """Raises OSError where a file cannot be read."""
        self._running = True
        try:
            await self._play(sink)
        finally:
            self._running = False

    async def _play(self, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        began_s, first_ns = loop.time(), 0
        for count, step in enumerate(play_files(self._adapter, self._paths, self._feed), start=1):
            first_ns = first_ns or step.clock
            if self._speed != MAX_SPEED:
                due_s = began_s + (step.clock - first_ns) / NS_PER_S / self._speed
                await asyncio.sleep(max(0.0, due_s - loop.time()))
            elif count % PAUSE_EVERY == 0:
                await asyncio.sleep(0)
            await self._hand_over(sink, step)

    async def _hand_over(self, sink: Sink, step: Step) -> None:
        """A recording can wait: nothing is dropped."""
        while True:
            try:
                sink.take(step)
                break
            except OverLimit:
                await sink.room()
        self._now = step.clock
        self.frames += step.frames
        self.observations += len(step.observations)
        self.rejected += len(step.rejects)
