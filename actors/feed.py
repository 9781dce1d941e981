"""FeedActor: one provider's observations into the hands of the shards, its own story into the log.

    Source ──Step──> FeedActor ──observations──> Sender (numbered, repeated until durable)
      ^                 │ └──connects, losses, resyncs, rejects──> Journal (`provider/<name>`)
      └─────resync──────┘ <──books that a keeper found broken── Sender

The actor claims `provider/<name>` when it starts; the epoch of that claim is the incarnation that every
batch carries, so that of two feeds of one provider only the newer one is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from actors.answers import FeedStatus
from actors.feeds.journal import Journal, JournalSettings, JournalWriter
from actors.feeds.redaction import redact
from actors.feeds.resyncs import Resyncs, ResyncSettings
from actors.feeds.source import Source, Step
from actors.price_sampler import PriceSampler
from actors.recorder import Recorder
from actors.steady_clock import ClockSet
from domain.errors import Conflict, FinanceHubError
from domain.market.observations import Gap, Observation
from domain.market.reference_ids import reference_of
from observability.log import get_log

log = get_log("feed")


class FeedSender(Protocol):
    """What a feed needs of `actors.sender.Sender`."""

    buffered: int
    on_broken: Callable[[Sequence[str]], None]

    @property
    def full(self) -> bool: ...

    def watch(self, instruments: Sequence[str]) -> None: ...

    def add(self, observations: Sequence[Observation], clock: int) -> None: ...

    def heartbeat(self, clock: int) -> None: ...

    async def room(self) -> None: ...

    async def drained(self) -> None: ...

    async def close(self) -> None: ...


class FeedActorSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`heartbeat_s`: the clock of a silent feed moves so often, and with it bars close; so long may a
    broken book wait until its snapshot is asked for."""

    heartbeat_s: float = 0.25
    stop_s: float = 2.0
    journal: JournalSettings = JournalSettings()
    resyncs: ResyncSettings = ResyncSettings()


Claim = Callable[[], Awaitable[tuple[int, JournalWriter]]]
"""Claims `provider/<name>`: (epoch, writer of the partition)."""


class _Counts:
    """Since the start; `reported` is what telemetry has seen of them."""

    def __init__(self) -> None:
        self.frames = 0
        self.observations = 0
        self.rejected: dict[str, int] = {}
        self.gaps: dict[str, int] = {}
        self.silences: dict[str, int] = {}
        self.reconnects = 0
        self.resyncs = 0
        self._reported: dict[tuple[str, str, str], int] = {}
        self._parsed = 0
        self._parse_s = 0.0

    def take(self, step: Step) -> None:
        self.frames += step.frames
        if step.parse_s:
            self._parsed += step.frames
            self._parse_s += step.parse_s
        self.observations += len(step.observations)
        for reject, _ in step.rejects:
            self.rejected[reject.reject_class] = self.rejected.get(reject.reject_class, 0) + 1
        for each in step.silences:
            self.silences[each.channel] = self.silences.get(each.channel, 0) + (not each.ended)

    def gap(self, channel: str) -> None:
        self.gaps[channel] = self.gaps.get(channel, 0) + 1

    def report(self, telemetry: Recorder, provider: str) -> None:
        """Record what came since the last report."""
        if self._parsed:
            mean_s = self._parse_s / self._parsed
            telemetry.observe("financehub.feed.parse", mean_s, provider=provider)
            self._parsed, self._parse_s = 0, 0.0
        rows = [("frames", "", "", self.frames), ("observations", "", "", self.observations)]
        rows += [("rejected", "reject_class", key, count) for key, count in self.rejected.items()]
        rows += [("gaps", "channel", key, count) for key, count in self.gaps.items()]
        rows += [("silences", "channel", key, count) for key, count in self.silences.items()]
        rows += [("reconnects", "", "", self.reconnects), ("resyncs", "", "", self.resyncs)]
        for name, label, key, total in rows:
            new = total - self._reported.get((name, label, key), 0)
            if new:
                self._reported[name, label, key] = total
                labels = {label: key} if label else {}
                telemetry.count(f"financehub.feed.{name}", new, provider=provider, **labels)


class FeedActor:
    """One incarnation of one provider's feed. `run` it once; a new start is a new object.

    `provider` is also the sender's name in the log. It is the `Sink` of its source.
    """

    def __init__(
        self,
        provider: str,
        source: Source,
        instruments: Sequence[str],
        *,
        claim: Claim,
        make_sender: Callable[[int], FeedSender],
        settings: FeedActorSettings | None = None,
        telemetry: Recorder | None = None,
    ) -> None:
        self.provider = provider
        self.incarnation = 0
        self._source = source
        self._instruments = tuple(instruments)
        self._claim = claim
        self._make_sender = make_sender
        self._settings = settings or FeedActorSettings()
        self._telemetry = telemetry
        self._sender: FeedSender | None = None
        self._journal: Journal | None = None
        self._counts = _Counts()
        self._sampler = PriceSampler()
        self._seen: set[str] = set()
        self._lost: set[int] = set()
        self._silent: set[tuple[int, str]] = set()
        self._unsynced: set[str] = set()
        self._broken: set[str] = set()
        self._resyncs = Resyncs(self._settings.resyncs)
        self._last_frame: int | None = None
        self._running: asyncio.Task[None] | None = None
        self._ended = False

    async def run(self) -> None:
        """Until the source ends (then everything is durable) or `stop`.

        Raises Conflict when a newer incarnation has taken over, Unavailable when nothing can be
        claimed, and whatever breaks the source.
        """
        self._running = asyncio.current_task()
        try:
            self.incarnation, writer = await self._claim()
            self._sender = self._make_sender(self.incarnation)
            self._sender.on_broken = self._broken.update
            self._sender.watch((*self._instruments, *_references(self._instruments)))
            self._journal = Journal(self.provider, writer, self._settings.journal)
            self._journal.started(self._source.now_ns(), self.incarnation, self._instruments)
            await self._run(self._sender, self._journal)
        finally:
            self._ended = True
            if self._sender is not None:
                await self._sender.close()

    async def _run(self, sender: FeedSender, journal: Journal) -> None:
        journaling = asyncio.create_task(journal.run())
        beating = asyncio.create_task(self._beat(sender))
        playing = asyncio.create_task(self._play(sender, journal))
        try:
            await asyncio.wait({playing, journaling, beating}, return_when=asyncio.FIRST_COMPLETED)
            for task in (journaling, beating, playing):
                if task.done():
                    task.result()
        except asyncio.CancelledError:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await self._finish(sender, journal)
            raise
        except FinanceHubError as error:
            await self._record(journal, error)
            if isinstance(error, ClockSet):  # what came before is as good as ever
                await self._finish(sender, journal)
            raise
        finally:
            for task in (playing, beating, journaling):
                task.cancel()
            await asyncio.gather(playing, beating, journaling, return_exceptions=True)

    async def _play(self, sender: FeedSender, journal: Journal) -> None:
        """Ends once all that the source had is durable."""
        await self._source.run(self)
        sender.heartbeat(self._source.now_ns())
        await sender.drained()
        await journal.written()

    async def _finish(self, sender: FeedSender, journal: Journal) -> None:
        """Let what was received become durable, within the time for stopping."""
        with contextlib.suppress(TimeoutError, FinanceHubError):  # a new incarnation opens gaps for the rest
            async with asyncio.timeout(self._settings.stop_s):
                await sender.drained()
                await journal.written()

    async def _record(self, journal: Journal, error: FinanceHubError) -> None:
        """Why the feed ends; a journal that has failed itself is not waited for."""
        if isinstance(error, Conflict):
            return  # the log is another's now
        journal.failed(self._source.now_ns(), error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_s):
                await journal.written()

    async def stop(self) -> None:
        """Close the sockets, hand over what was received, end."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=2 * self._settings.stop_s)

    async def _beat(self, sender: FeedSender) -> None:
        """At once for the first time: the keepers learn that the life before is over."""
        while True:
            sender.heartbeat(self._source.now_ns())
            self._mend()
            if self._telemetry is not None:
                self._counts.report(self._telemetry, self.provider)
                self._telemetry.gauge("financehub.feed.buffered", sender.buffered, provider=self.provider)
            await asyncio.sleep(self._settings.heartbeat_s)

    def _mend(self) -> None:
        """Ask the source for the books that keepers found broken, as often as is decent."""
        told = sorted(self._broken & self._seen)
        self._broken.clear()
        now = self._source.now_ns()
        due = [each for each in told if self._resyncs.due(each, now)]
        if due:
            self._counts.resyncs += len(due)
            log.warning("books broken, asking for snapshots", provider=self.provider, instruments=due)
            self._source.resync(due)

    def take(self, step: Step) -> None:
        """The source's door. Raises OverLimit, taking nothing, while the buffer is full."""
        if self._sender is None or self._journal is None:
            raise RuntimeError("a source hands over only while the actor runs")
        if step.observations:
            full = self._sender.full  # then they are refused, and come again
            sampled = step.observations if full else self._sampler.with_samples(step.observations, step.clock)
            self._sender.add(sampled, step.clock)
        self._counts.take(step)
        self._follow(step)
        if step.connected or step.lost or step.resynced or step.silences or step.rejects:
            self._journal.note(step)

    async def room(self) -> None:
        if self._sender is not None:
            await self._sender.room()

    def _follow(self, step: Step) -> None:
        """Keep what `status` says up to date."""
        if step.frames:
            self._last_frame = step.clock
        for connection, reason in step.lost:
            self._lost.add(connection)
            self._silent = {each for each in self._silent if each[0] != connection}
            log.warning("lost", provider=self.provider, connection=connection, reason=reason)
        for connection, endpoint in step.connected:
            self._counts.reconnects += connection in self._lost
            self._lost.discard(connection)
            log.info("connected", provider=self.provider, connection=connection, endpoint=redact(endpoint))
        self._follow_silences(step)
        for each in step.observations:
            self._seen.add(each.instrument)
            if type(each) is Gap:
                self._follow_gap(each)

    def _follow_silences(self, step: Step) -> None:
        for each in step.silences:
            key = each.connection, each.channel
            if each.ended:
                self._silent.discard(key)
            else:
                self._silent.add(key)
                log.warning("stream is silent", provider=self.provider, connection=key[0], channel=key[1])

    def _follow_gap(self, gap: Gap) -> None:
        if gap.opened:
            self._counts.gap(gap.channel)
        if gap.channel != "book":
            return  # a missed trade may stay missing for good; a book comes back or is of no use
        if gap.opened:
            self._unsynced.add(gap.instrument)
        else:
            self._unsynced.discard(gap.instrument)

    def status(self) -> FeedStatus:
        is_open, _ = self._source.connections()
        return FeedStatus(
            provider=self.provider,
            state=self._state(),
            instruments=len(self._seen.union(self._instruments)),
            last_frame=self._last_frame,
            gaps=sum(self._counts.gaps.values()),
            incarnation=self.incarnation,
            connections=is_open,
            frames=self._counts.frames,
            rejected=sum(self._counts.rejected.values()),
            buffered=self._sender.buffered if self._sender is not None else 0,
            silent=tuple(f"{channel} on connection {number}" for number, channel in sorted(self._silent)),
        )

    def _state(self) -> str:
        if self._ended:
            return "stopped"
        is_open, wanted = self._source.connections()
        if is_open == 0:
            return "lost" if self._lost else "starting"
        wanting = is_open < wanted or self._unsynced or self._silent
        return "degraded" if wanting else "connected"


def _references(instruments: Sequence[str]) -> list[str]:
    """Where their prices meet those of other feeds, as far as their ids tell."""
    return sorted({str(each) for each in map(reference_of, instruments) if each is not None})
