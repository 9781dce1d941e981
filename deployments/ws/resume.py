"""From a cursor to now: read the log, then join the hub without missing or doubling anything.

    read_log ... read_log, reached >= hub.position ──no await──> attach

Reading is paced by the client: the next chunk is read when the outbox has room, see `pace.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.backoff import Backoff
from actors.directory import Directory
from deployments.ws.channels import Key, targets
from deployments.ws.frames import SharedFrame
from deployments.ws.hub import Hub
from deployments.ws.lane import Lane
from deployments.ws.level_view import LevelView
from deployments.ws.pace import Pace
from deployments.ws.previous import previous_offsets
from deployments.ws.subscriptions import PatternSubscription, Subscriptions
from domain.envelope import Cursor, Recorded
from domain.errors import NotFound, Retryable, Unavailable
from domain.market.observations import BookOrder

ATTEMPTS = 6
RETRY_S, RETRY_CAP_S = 0.1, 2.0
"""Between two attempts: some five seconds in all."""
EMPTY_READS = 100
EMPTY_READ_S = 0.02
"""The hub was told of an event that the log does not show yet: wait, but not for ever."""


class Resume:
    """One subscription's chains in one partition."""

    def __init__(
        self,
        hub: Hub,
        subscriptions: Subscriptions,
        pace: Pace,
        partition: str,
        lanes: Sequence[Lane],
        patterns: Sequence[PatternSubscription],
        *,
        linked: bool = False,
    ) -> None:
        """`linked`: the lanes know the last offset of their chains."""
        self._hub = hub
        self._directory: Directory = hub.directory
        self._subscriptions = subscriptions
        self._pace = pace
        self._partition = partition
        self._lanes = {lane.key: lane for lane in lanes}
        self._patterns = patterns
        self._linked = linked
        self._views: dict[Key, LevelView] = {}
        self._unfit: set[Key] = set()
        """Chains that none of the patterns fits."""

    @property
    def of_patterns(self) -> bool:
        return bool(self._patterns)

    async def run(self, after: int, known: Sequence[str]) -> None:
        """Deliver everything after `after`, then go live. `known`: instruments that patterns may fit.

        Raises Rejected where `after` lies below the retained log, Unavailable.
        """
        self._subscriptions.reading[self] = (self._partition, after)
        try:
            await self._insist(after, known)
        finally:
            self._subscriptions.reading.pop(self, None)

    async def _insist(self, after: int, known: Sequence[str]) -> None:
        """A Reader that restarts must not end a resume: it goes on from where it has come to."""
        backoff = Backoff(RETRY_S, RETRY_CAP_S, self._partition)
        for left in reversed(range(ATTEMPTS)):
            try:
                if not self._linked:
                    async with self._pace.page(), self._pace.turn():
                        await self._link_back(after, known)
                    self._linked = True
                await self._catch_up(self._subscriptions.reading[self][1])
                return
            except Retryable:
                if not left:
                    raise
            await asyncio.sleep(backoff.next_s())

    async def _link_back(self, after: int, known: Sequence[str]) -> None:
        keys = set(self._lanes)
        here = [name for name in known if self._is_here(name)]
        for found in self._patterns:
            fitting = (name for name in here if found.fits(name))
            keys |= {Key(found.channel, name, found.variant) for name in fitting}
        last = await previous_offsets(self._directory, self._partition, keys, after)
        for key, offset in last.items():
            if key in self._lanes:
                self._lanes[key].chain.last = offset
            for found in self._patterns:
                if found.takes(key):
                    found.last_known.setdefault(key, offset)

    async def _catch_up(self, reached: int) -> None:
        empty = 0
        while True:
            async with self._pace.page():
                last = await self._read_on(reached)
                if last is None:
                    return  # unsubscribed meanwhile
                if last >= self._hub.position[self._partition]:
                    # No await since the position was read: the next event comes through the hub.
                    self._go_live(last)
                    return
            empty = 0 if last > reached else await self._wait_for_log(empty)
            reached = last

    async def _read_on(self, reached: int) -> int | None:
        """Queue the next chunk; up to where. None where nobody wants it any more."""
        chunk = self._hub.settings.resume_chunk
        async with self._pace.turn():
            events = await self._directory.read_log(self._partition, reached, limit=chunk)
        if not self._wanted():
            return None
        for recorded in events:
            if type(recorded.event) is BookOrder:
                await self._follow_orders(recorded, recorded.event.instrument)
            self._replay(recorded)
            reached = recorded.offset
            self._subscriptions.reading[self] = (self._partition, reached)
            if await self._pace.waited() and not self._wanted():
                return None
        return reached

    def _wanted(self) -> bool:
        """Whether anything that this was begun for is still subscribed to."""
        lanes, patterns = self._subscriptions.lanes, self._subscriptions.patterns.values()
        if any(lanes.get(key) is lane for key, lane in self._lanes.items()):
            return True
        return any(found in patterns for found in self._patterns)

    async def _wait_for_log(self, empty: int) -> int:
        if empty >= EMPTY_READS:
            raise Unavailable(f"the log of {self._partition} is behind what was published")
        await asyncio.sleep(EMPTY_READ_S)
        return empty + 1

    async def _follow_orders(self, recorded: Recorded, instrument: str) -> None:
        """A book told by order is followed from the orders as they rested just before."""
        key = Key("book", instrument, "")
        lane = None if key in self._views else self._lane(key)
        if lane is None:
            return
        before = recorded.offset - 1
        try:
            answer = await self._directory.orders(instrument, at=Cursor({self._partition: before}))
            self._views[key] = LevelView.seeded(answer)
        except NotFound:
            self._views[key] = LevelView.unknown(before)
        lane.cut = False

    def _replay(self, recorded: Recorded) -> None:
        for target in targets(recorded.event):
            if target.form == "provisional":
                continue
            instrument: str = recorded.event.instrument  # type: ignore[union-attr]  # has targets
            lane = self._lane(Key(target.channel, instrument, target.variant))
            if lane is None:
                continue
            view = self._views.get(lane.key)
            if target.form == "notice":
                if view is not None:
                    view.interrupted(recorded)
                lane.notice(recorded)
            else:
                lane.replay(SharedFrame(recorded if view is None else view.take(recorded), None))

    def _lane(self, key: Key) -> Lane | None:
        lane = self._lanes.get(key)
        if lane is not None:
            return lane if self._subscriptions.lanes.get(key) is lane else None
        if key in self._unfit or key in self._subscriptions.lanes:
            return None  # another subscription of this socket may have it
        for found in self._patterns:
            if found.takes(key):
                lane = self._lanes[key] = found.new_lane(key, self._partition)
                lane.cut = True
                return lane
        self._unfit.add(key)
        return None

    def _go_live(self, reached: int) -> None:
        for key, lane in self._lanes.items():
            if self._subscriptions.lanes.get(key) is lane:
                lane.floor = reached
                self._hub.attach(lane)
                view = self._views.get(key)
                if view is not None:
                    view.offset = reached
                    self._hub.adopt_view(key, view)
        current = self._subscriptions.patterns.values()
        for found in self._patterns:
            if found in current:
                found.live[self._partition] = reached
                self._hub.pattern_live(found, self._partition)

    def _is_here(self, instrument: str) -> bool:
        return self._directory.partition_of(instrument) == self._partition
