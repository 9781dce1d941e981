"""The feed's side of the hand-over: number, batch, send, and send again until it is durable.

    observations -> stream per partition (sequences 1, 2, ...) -> lane per shard (one call at a time)

A batch leaves the buffer only when a shard has said that it is durable. Everything else (a refusal, a
lost call, a lost answer, a moved partition) ends in the same way: the same bytes again, in order, after
a jittered delay. The shard recognises repeats. The buffer is bounded: `full` tells the feed to
disconnect, and to record a gap once there is `room()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from actors.backoff import Backoff
from actors.intake import Ack
from actors.outgoing import OutgoingBatch, OutgoingStream, rotated
from actors.recent import BOOKS, weight
from domain.envelope import Batch
from domain.errors import Conflict, Corrupt, FinanceHubError, Malformed, OverLimit, Unavailable
from domain.ids import market_partition
from domain.market.observations import Observation
from storage.codec import encode_batch

Payload = list[tuple[str, bytes]]
Note = tuple[OutgoingStream, OutgoingBatch | None]
"""What an item of a payload was; None for a heartbeat, which nothing waits for."""
OnBroken = Callable[[Sequence[str]], None]
ASTRAY = ("not_owner", "unavailable")
"""Refusals after which the owner may be somebody else."""
CLOSE_AGAIN_S = 0.05
MAX_REGRESSIONS = 100
"""A stale owner may expect what a newer one has acknowledged; so many in a row mean a log that lost data."""


class ShardHandle(Protocol):
    """A shard, here or behind Ray. The same shard is always the same object."""

    async def observe(self, payload: Payload) -> list[Ack]: ...


class SenderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Defaults from DESIGN.md section 2: a call costs 1.2 to 2.7 ms, so ticks travel in batches.

    The bounds in events are meant for trades; a deep book counts for as many as take its memory.
    """

    flush_ms: float = 2.0
    """For what else is under way when nothing was. Under load the call that is out makes the batches."""
    batch_events: int = 2_000
    call_events: int = 10_000
    buffer_events: int = 200_000
    call_timeout_s: float = 10.0
    backoff_base_s: float = 0.02
    backoff_cap_s: float = 2.0


class _Lane:
    """What goes to one shard; `handle` None gathers the partitions without a known owner."""

    def __init__(self, handle: ShardHandle | None, backoff: Backoff) -> None:
        self.handle = handle
        self.backoff = backoff
        self.wake = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None
        self.turn = 0
        self.astray = False
        self.task: asyncio.Task[None] | None = None

    def wake_in(self, delay_s: float) -> None:
        if self.timer is None and not self.wake.is_set():
            self.timer = asyncio.get_running_loop().call_later(delay_s, self.wake_now)

    def wake_now(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.wake.set()


class Sender:
    """One feed incarnation's batches for all partitions.

    `routes` is live: `refresh` (called after refusals and failures) brings it up to date. After a
    `failure` (another incarnation has taken over, a batch that never passes, acknowledged data missing
    from the log) nothing more is sent and `add` raises it. `on_broken` is told the instruments whose book
    a shard found broken, again and again until they are repaired. `wall`: the clock is wall time, as live.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        partition_count: int,
        routes: Mapping[str, ShardHandle],
        *,
        refresh: Callable[[], Awaitable[None]],
        settings: SenderSettings | None = None,
        wall: bool = False,
    ) -> None:
        self.name = name
        self.wall = wall
        self.incarnation = incarnation
        self.failure: FinanceHubError | None = None
        self.buffered = 0
        self.acknowledged_events = 0
        self.calls = 0
        self.resends = 0
        self.failed_refreshes = 0
        self.on_broken: OnBroken = _ignored
        self._partition_count = partition_count
        self._routes = routes
        self._refresh = refresh
        self._settings = settings or SenderSettings()
        self._streams: dict[str, OutgoingStream] = {}
        self._stream_of: dict[str, OutgoingStream] = {}
        self._lanes: dict[ShardHandle | None, _Lane] = {}
        self._changed = asyncio.Event()
        self._clock = 0
        self._weight = 0

    @property
    def full(self) -> bool:
        """The buffer's bound is reached: stop reading from the provider."""
        return self._weight >= self._settings.buffer_events

    def watch(self, instruments: Sequence[str]) -> None:
        """Heartbeats go to these instruments' partitions even before their first event."""
        for instrument in instruments:
            self._stream(instrument)

    def add(self, observations: Sequence[Observation], clock: int) -> None:
        """Take over observations in the order received; `clock` ns UTC never decreases.

        Raises OverLimit, taking none, where the buffer is full; `failure` where there is one.
        """
        if self.failure is not None or self.full:
            raise self.failure or OverLimit(f"buffer of {self.name!r} holds {self.buffered} events")
        if clock < self._clock:
            clock = self._clock
        self._clock = clock
        streams, batch_events = self._stream_of, self._settings.batch_events
        for observation in observations:
            stream = streams.get(observation.instrument) or self._stream(observation.instrument)
            size = weight(observation) if type(observation) in BOOKS else 1
            held = stream.add(observation, clock, size)
            self._weight += size
            if held >= batch_events:
                self._plan(stream, urgent=True)
            elif held == size:  # it begins a batch: whatever joins it goes with it
                self._plan(stream, urgent=False)
        self.buffered += len(observations)

    def heartbeat(self, clock: int) -> None:
        """Move the clock of partitions that have nothing else to be told. Raises `failure`."""
        self._check()
        self._clock = max(self._clock, clock)
        for stream in self._streams.values():
            if stream.idle:
                stream.beat_clock = self._clock
            if stream.due:
                self._plan(stream, urgent=False)

    async def room(self) -> None:
        """Wait until the buffer is at most half full. Raises `failure`."""
        await self._until(lambda: self._weight <= self._settings.buffer_events // 2)

    async def drained(self) -> None:
        """Wait until everything added is durable. Raises `failure`."""
        await self._until(lambda: self.buffered == 0)

    async def close(self) -> None:
        """Stop sending; what is not acknowledged is given up."""
        tasks = {lane.task for lane in self._lanes.values() if lane.task is not None}
        while tasks:
            # Once may not do: before Python 3.12 wait_for swallows a cancellation that comes with its answer.
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CLOSE_AGAIN_S)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._check()
            self._changed.clear()
            await self._changed.wait()
        self._check()

    def _stream(self, instrument: str) -> OutgoingStream:
        stream = self._stream_of.get(instrument)
        if stream is None:
            partition = market_partition(instrument, self._partition_count)
            stream = self._streams.setdefault(
                partition, OutgoingStream(partition, self._settings.batch_events)
            )
            self._stream_of[instrument] = stream
        return stream

    def _plan(self, stream: OutgoingStream, *, urgent: bool) -> None:
        lane = self._lane(self._routes.get(stream.partition))
        if urgent:
            lane.wake_now()
        else:
            lane.wake_in(self._settings.flush_ms / 1e3)

    def _lane(self, handle: ShardHandle | None) -> _Lane:
        lane = self._lanes.get(handle)
        if lane is None:
            settings = self._settings
            seed = f"{self.name}/{self.incarnation}/{len(self._lanes)}"
            lane = _Lane(handle, Backoff(settings.backoff_base_s, settings.backoff_cap_s, seed))
            self._lanes[handle] = lane
            lane.task = asyncio.get_running_loop().create_task(self._run(lane))
            lane.task.add_done_callback(self._ended)
        return lane

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A lane that died of a defect must not look like one that has nothing to send."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or Unavailable(f"sender {self.name!r} stopped: {error!r}")
            self._changed.set()

    async def _run(self, lane: _Lane) -> None:
        while self.failure is None:
            await lane.wake.wait()
            lane.wake.clear()
            if await self._exchange(lane):
                lane.backoff.reset()
            else:
                await asyncio.sleep(lane.backoff.next_s())
                if lane.astray:
                    await self._reroute()
                self._wake_due()
            self._changed.set()

    async def _exchange(self, lane: _Lane) -> bool:
        """One call with what is due; False: come again after a delay."""
        lane.turn += 1
        streams = [
            s for s in self._streams.values() if s.due and self._routes.get(s.partition) is lane.handle
        ]
        if not streams:
            return True
        payload, notes = self._payload(rotated(streams, lane.turn))
        carried = {stream.partition: stream for stream, _ in notes}.values()
        for stream in carried:
            stream.in_flight = True
        try:
            acks = await self._call(lane.handle, payload)
        except (FinanceHubError, TimeoutError):
            acks = []
        finally:
            for stream in carried:
                stream.in_flight = False
        lane.astray = not acks or any(ack.refusal in ASTRAY for ack in acks)
        passed = self._settle(notes, acks)
        if passed:
            self._wake_due()
        return passed

    def _payload(self, streams: Sequence[OutgoingStream]) -> tuple[Payload, list[Note]]:
        """What to send, and a note on each item."""
        payload: Payload = []
        notes: list[Note] = []
        budget = self._settings.call_events
        for stream in streams:
            for batch in stream.unacknowledged(budget):
                payload.append((stream.partition, batch.encoded(self.name, self.incarnation, wall=self.wall)))
                notes.append((stream, batch))
                budget -= batch.weight
            if stream.idle and stream.beat_clock is not None:
                payload.append((stream.partition, self._heartbeat_of(stream, stream.beat_clock)))
                notes.append((stream, None))
            stream.beat_clock = None
            if budget <= 0:
                break
        return payload, notes

    def _heartbeat_of(self, stream: OutgoingStream, clock: int) -> bytes:
        return encode_batch(Batch(self.name, self.incarnation, stream.last_sequence, clock, (), self.wall))

    async def _call(self, handle: ShardHandle | None, payload: Payload) -> list[Ack]:
        if handle is None:
            raise Unavailable("no owner is known")
        self.calls += 1
        async with asyncio.timeout(self._settings.call_timeout_s):
            return await handle.observe(payload)

    def _settle(self, notes: Sequence[Note], acks: Sequence[Ack]) -> bool:
        """Forget what is durable. True where every item passed."""
        passed = len(acks) == len(notes)
        for (stream, batch), ack in zip(notes, acks, strict=False):
            if batch is None:
                passed &= ack.refusal not in ("stale_incarnation", "not_owner")
            elif ack.refusal == "held" or (ack.durable and batch.filler):
                self._free(stream.hold(batch.sequence))
            elif ack.durable:
                self._free(stream.acknowledge(batch.sequence))
            else:
                passed = False
            self._note_refusal(stream, ack)
            if ack.broken:
                self.on_broken(ack.broken)
        self.resends += not passed
        return passed

    def _free(self, batches: Sequence[OutgoingBatch]) -> None:
        for batch in batches:
            self.buffered -= batch.count
            self._weight -= batch.weight
            self.acknowledged_events += batch.count

    def _note_refusal(self, stream: OutgoingStream, ack: Ack) -> None:
        where = f"{self.name!r} incarnation {self.incarnation} in {stream.partition!r}"
        if ack.refusal == "stale_incarnation":
            self.failure = Conflict(f"{where}: a newer incarnation has taken over")
        elif ack.refusal == "malformed":
            self.failure = Malformed(f"{where}: batch {ack.sequence} never passes")
        elif ack.refusal == "expected":
            stream.expect(ack.expected)
            if stream.regressions > MAX_REGRESSIONS:
                self.failure = Corrupt(f"{where}: batch {ack.expected} was acknowledged, yet is expected")

    def _wake_due(self) -> None:
        """Streams that grew, or moved to another lane, while their call was out."""
        for stream in self._streams.values():
            if stream.due:
                self._plan(stream, urgent=stream.backlogged)

    async def _reroute(self) -> None:
        """Learn who owns what; a failing directory is asked again after the next delay."""
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                await self._refresh()
        except (FinanceHubError, TimeoutError):
            self.failed_refreshes += 1


def _ignored(instruments: Sequence[str]) -> None:
    """Who hands over what nobody can ask for again."""
