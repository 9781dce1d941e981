"""Receiving ends for feeds: a sink that keeps steps, a sender and a journal writer that keep everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actors.feeds.source import Step
from domain.clock import NS_PER_S
from domain.errors import OverLimit
from domain.feed_events import FeedEvent
from domain.market.observations import Gap, Observation, Trade

EPOCH_NS = 1_700_000_000 * NS_PER_S


class LoopClock:
    """Wall time that starts at a round number and runs with the event loop."""

    def now_ns(self) -> int:
        return EPOCH_NS + int(asyncio.get_running_loop().time() * NS_PER_S)


class KeepingSink:
    """Takes steps while it has room; `bound` counts observations not yet released."""

    def __init__(self, bound: int = 1_000_000) -> None:
        self.steps: list[Step] = []
        self.bound = bound
        self.waiting = 0
        self._changed = asyncio.Event()

    def take(self, step: Step) -> None:
        if self.waiting >= self.bound and step.observations:
            raise OverLimit("full")
        self.waiting += len(step.observations)
        self.steps.append(step)

    async def room(self) -> None:
        while self.waiting >= self.bound:
            self._changed.clear()
            await self._changed.wait()

    def release(self) -> None:
        self.waiting = 0
        self._changed.set()

    @property
    def observations(self) -> list[Observation]:
        return [each for step in self.steps for each in step.observations]

    @property
    def trade_ids(self) -> list[int]:
        return [int(each.trade_id or 0) for each in self.observations if isinstance(each, Trade)]

    @property
    def gaps(self) -> list[Gap]:
        return [each for each in self.observations if isinstance(each, Gap)]

    @property
    def connects(self) -> int:
        return sum(len(step.connected) for step in self.steps)

    @property
    def losses(self) -> list[str]:
        return [reason for step in self.steps for _, reason in step.lost]


class KeepingSender(KeepingSink):
    """Acknowledges nothing until `release`; the in-memory end of a hand-over."""

    def __init__(self, incarnation: int, bound: int = 1_000_000) -> None:
        super().__init__(bound)
        self.incarnation = incarnation
        self.watched: tuple[str, ...] = ()
        self.beats: list[int] = []
        self.on_broken: Callable[[Sequence[str]], None] = lambda _instruments: None
        self.closed = False

    @property
    def buffered(self) -> int:
        return self.waiting

    @property
    def full(self) -> bool:
        return self.waiting >= self.bound

    def watch(self, instruments: Sequence[str]) -> None:
        self.watched = tuple(instruments)

    def add(self, observations: Sequence[Observation], clock: int) -> None:
        self.take(Step(clock, observations=list(observations)))

    def heartbeat(self, clock: int) -> None:
        self.beats.append(clock)

    async def drained(self) -> None:
        while self.waiting:
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        self.closed = True


class KeepingWriter:
    """A partition in memory; `failures` are raised first."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.events: list[FeedEvent] = []
        self.failures = list(failures)

    async def append(self, events: Sequence[FeedEvent]) -> int:
        if self.failures:
            raise self.failures.pop(0)
        self.events += events
        return len(events)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]
