"""One poll loop for all sockets of a process: events in, frames to every lane that wants them.

The hub's `position` says, per partition, up to where events have been handed to the lanes. Handing over
is synchronous, and so is attaching: a lane that has read the log up to the position and attaches without
an `await` in between misses nothing and sees nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from actors.answers import PollReply
from actors.directory import Directory
from actors.kept_task import TaskHealth
from deployments.ws.channels import Key, Target, targets
from deployments.ws.event_frame import Carried
from deployments.ws.lane import Lane
from deployments.ws.level_view import LevelView
from deployments.ws.route import Route
from deployments.ws.settings import StreamSettings
from domain.envelope import Cursor, Recorded
from domain.errors import Conflict, FinanceHubError, Retryable, Unavailable
from domain.market.observations import SplitAnnounced, Trade

SLICE_EVENTS = 500
"""Handed over in one go; between slices the sockets' writers run."""
RETRY_S = 0.25
MAX_RETRY_S = 2.0


class PatternTaker(Protocol):
    """A subscription by pattern, live in some partitions."""

    channel: str
    variant: str

    def lane_for(self, instrument: str, partition: str) -> Lane | None:
        """The lane of an instrument that joins; None where it does not fit or is not live there."""


class Hub:
    """Starts with the first subscription, stops when there has been none for a while."""

    def __init__(self, directory: Directory, settings: StreamSettings) -> None:
        self.directory = directory
        self.settings = settings
        self.position: dict[str, int] = {}
        self.traded: dict[str, int] = {}
        """Instrument -> ts_event of its newest trade, since forming bars were last told."""
        self.on_failure: Callable[[], None] = lambda: None
        self.on_bar: Callable[[Recorded], None] = lambda _recorded: None
        """Told every closed bar before it is delivered."""
        self.on_split: Callable[[str], None] = lambda _instrument: None
        """Told the instrument of every announced split."""
        self.health = TaskHealth("stream hub")
        self.runs = 0
        """Times the hub has started: what was fed in an earlier run has missed events."""
        self._epochs: dict[str, int] = {}
        self._routes: dict[Key, Route] = {}
        self._chains: dict[tuple[str, str, str], dict[Key, Route]] = {}
        """The same by (channel, variant, partition), as patterns look for them."""
        self._patterns: dict[tuple[str, str], dict[PatternTaker, None]] = {}
        self._pattern_channels: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._cursor_text: str | None = None

    @property
    def running(self) -> bool:
        return self._task is not None

    async def start(self) -> None:
        """Idempotent. Raises Unavailable."""
        async with self._starting:
            if self._task is not None:
                return
            heads = await self.directory.heads()
            self.position = {partition: heads.at(partition) for partition in self.directory.partitions()}
            self._epochs.clear()
            self._cursor_text = None
            self.runs += 1
            self._task = asyncio.get_running_loop().create_task(self._run(), name="hub")
            self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for route in self._routes.values():
            route.last = route.view = None

    def cursor(self) -> str:
        """Where the hub stands, as clients carry it."""
        if self._cursor_text is None:
            self._cursor_text = Cursor(self.position).encode()
        return self._cursor_text

    def attach(self, lane: Lane) -> None:
        """Live from the next event on."""
        lane.attached = True
        route = self._route(lane.key, lane.partition)
        route.lanes[lane] = None

    def detach(self, lane: Lane) -> None:
        route = self._routes.get(lane.key)
        if route is None:
            return
        route.lanes.pop(lane, None)
        if not route.lanes:
            route.view = None  # nobody keeps it up
        if not route.lanes and lane.key.channel not in self._pattern_channels:
            self._forget(lane.key)

    def add_pattern(self, taker: PatternTaker) -> None:
        """From now on instruments that fit join as they appear (in the taker's live partitions)."""
        self._patterns.setdefault((taker.channel, taker.variant), {})[taker] = None
        self._pattern_channels[taker.channel] = self._pattern_channels.get(taker.channel, 0) + 1

    def remove_pattern(self, taker: PatternTaker) -> None:
        takers = self._patterns.get((taker.channel, taker.variant), {})
        if taker not in takers:
            return
        del takers[taker]
        if not takers:
            del self._patterns[(taker.channel, taker.variant)]
        self._pattern_channels[taker.channel] -= 1
        if not self._pattern_channels[taker.channel]:
            del self._pattern_channels[taker.channel]
            self._forget_empty(taker.channel)

    def pattern_live(self, taker: PatternTaker, partition: str) -> None:
        """The taker has become live in a partition: join the chains that exist there."""
        chains = self._chains.get((taker.channel, taker.variant, partition), {})
        for key, route in chains.items():
            self._join(taker, key, partition, route)

    def lanes(self, key: Key) -> Sequence[Lane]:
        route = self._routes.get(key)
        return tuple(route.lanes) if route is not None else ()

    def view(self, key: Key) -> LevelView | None:
        """The book of a chain whose events are orders, where anybody follows it already."""
        route = self._routes.get(key)
        return route.view if route is not None else None

    def adopt_view(self, key: Key, view: LevelView) -> None:
        """What was read elsewhere, not behind the position; whoever listens to the chain shares it."""
        route = self._routes.get(key)
        if route is not None and route.lanes and route.view is None:
            route.view = view

    def newest_bar(self, key: Key) -> int:
        """Start of the newest closed bar handed over, ns; -1 before the first."""
        route = self._routes.get(key)
        return route.newest_bar if route is not None else -1

    def keys(self, channel: str) -> list[Key]:
        """Chains of a channel that somebody listens to."""
        return [key for key, route in self._routes.items() if key.channel == channel and route.lanes]

    def hand_over(self, partition: str, events: Sequence[Recorded]) -> None:
        """Give durable events to their lanes and move the position. Never awaits."""
        position = self.position[partition]
        for recorded in events:
            if recorded.offset <= position:
                continue
            for target in targets(recorded.event):
                self._deliver(partition, recorded, target)
        self.position[partition] = max(position, events[-1].offset)
        self._cursor_text = None

    def _deliver(self, partition: str, recorded: Recorded, target: Target) -> None:
        event = recorded.event
        instrument: str = event.instrument  # type: ignore[union-attr]  # what has targets has one
        if type(event) is Trade:
            self.traded[instrument] = event.ts_event
        elif target.channel == "bars" and target.form == "frame":
            self.on_bar(recorded)
        elif type(event) is SplitAnnounced:
            self.on_split(instrument)
        # A plain tuple is equal to the Key it looks for, and much cheaper to make.
        route = self._routes.get((target.channel, instrument, target.variant))  # type: ignore[call-overload]  # as said
        if route is None:
            if target.channel not in self._pattern_channels:
                return
            route = self._route(Key(target.channel, instrument, target.variant), partition)
        if target.form == "frame":
            if target.channel == "bars":
                route.newest_bar = max(route.newest_bar, recorded.event.ts_event)
            route.push(recorded if target.channel != "book" else route.by_level(recorded))
        elif target.form == "notice":
            if route.view is not None:
                route.view.interrupted(recorded)
            for lane in route.lanes:
                lane.notice(recorded)

    def push(self, key: Key, carried: Carried) -> None:
        """Give what was derived from an event to the lanes of a chain."""
        route = self._routes.get(key)
        if route is not None:
            route.push(carried)

    def _route(self, key: Key, partition: str) -> Route:
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = Route()
            self._chains.setdefault((key.channel, key.variant, partition), {})[key] = route
            for taker in self._patterns.get((key.channel, key.variant), ()):
                self._join(taker, key, partition, route)
        return route

    def _join(self, taker: PatternTaker, key: Key, partition: str, route: Route) -> None:
        lane = taker.lane_for(key.instrument, partition)
        if lane is not None:
            route.lanes[lane] = None

    def _forget_empty(self, channel: str) -> None:
        empty = [key for key, route in self._routes.items() if key.channel == channel and not route.lanes]
        for key in empty:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        del self._routes[key]
        place = (key.channel, key.variant, self.directory.partition_of(key.instrument))
        del self._chains[place][key]
        if not self._chains[place]:
            del self._chains[place]

    async def _run(self) -> None:
        retry_s = RETRY_S
        while True:
            try:
                reply = await self.directory.poll(dict(self.position), wait_s=self.settings.poll_wait_s)
                await self._take(reply)
                retry_s = RETRY_S
                self.health.succeeded()
            except (Retryable, Conflict) as error:
                self.health.failed(error)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
            await asyncio.sleep(self.settings.poll_linger_s)

    async def _take(self, reply: PollReply) -> None:
        for partition, until in reply.behind.items():
            await self._read_until(partition, until)
        for partition, events in reply.events.items():
            if not events or partition not in self.position or self._stale(partition, reply):
                continue
            if events[0].offset > self.position[partition] + 1:
                await self._read_until(partition, events[0].offset - 1)
            await self._in_slices(partition, events)

    def _stale(self, partition: str, reply: PollReply) -> bool:
        """Told by an owner that another one has replaced since."""
        epoch = reply.epochs.get(partition, 0)
        known = self._epochs.get(partition, 0)
        self._epochs[partition] = max(epoch, known)
        return epoch < known

    async def _in_slices(self, partition: str, events: Sequence[Recorded]) -> None:
        for start in range(0, len(events), SLICE_EVENTS):
            self.hand_over(partition, events[start : start + SLICE_EVENTS])
            await asyncio.sleep(0)

    async def _read_until(self, partition: str, until: int) -> None:
        """Memory does not reach back to our position: the log does."""
        while self.position.get(partition, until) < until:
            events = await self.directory.read_log(partition, self.position[partition], until=until)
            if not events:
                raise Unavailable(f"the log of {partition} ends before offset {until}")
            await self._in_slices(partition, events)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The loop must not end by itself: whoever listens is told to connect again."""
        if task.cancelled():
            return
        error = task.exception()
        self.health.failed(error or RuntimeError("the poll loop has ended by itself"))
        self._task = None
        if not isinstance(error, FinanceHubError):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the hub's poll loop failed", "exception": error, "task": task}
            )
        self.on_failure()
