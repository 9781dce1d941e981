"""KeeperShard: the single writer of some market partitions, as a plain class on one event loop.

    observe(batches) -> admit, fold ---+--> pending --group commit--> durable --+-> the sender's answer
                                       |                                        +-> polls (recent ring)
                                       +--> read: answer at fold offset F ------+-> released once F is durable

Nothing leaves before it is durable. A partition whose append fails is dropped and made anew from the
log; one that somebody else has claimed is given up. State changes only between two awaits, so calls
interleave freely; what is held across an await is a `Seat`, which says itself when it is lost.

Feeds call `observe`; the serving side `last book state bars instruments heads poll`; the supervisor
`start adopt release stats`; the actor's shell `tick` about every 100 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from actors import views
from actors.answers import BookAnswer, HeldBars, LastAnswer, OrdersAnswer, Place, PollReply, StateAnswer
from actors.arming import ArmingLoop, Keep
from actors.commit import GroupCommit
from actors.intake import Ack, accepted, refused, undecoded
from actors.kept_task import KeptTask, TaskHealth
from actors.lease import Leases
from actors.polling import Polls
from actors.recorder import SILENT, Recorder
from actors.seat import Seat
from actors.shard_settings import ShardSettings
from actors.snapshotting import Snapshotter
from actors.tenure import Tenure
from actors.warm_up import BarReader
from domain.clock import Clock
from domain.envelope import Batch, Cursor
from domain.errors import (
    Conflict,
    FinanceHubError,
    Malformed,
    NotFound,
    NotOwner,
    Retryable,
    Unavailable,
)
from domain.ids import market_partition
from domain.keeper import SymbolKeeper
from domain.keeper_state import PartitionSettings
from domain.market.observations import InstrumentInfo
from storage.codec import decode_batch
from storage.event_log import EventLog, SnapshotStore
from storage.settings import WriterSettings
from storage.writer import LogWriter

Answer = TypeVar("Answer")


class KeeperShard:
    """One owner process. `instance` must differ between two lives of the same `name`.

    `clock` stamps blocks (wall time); `monotonic` judges leases and deadlines, in seconds. `reader` gives
    the bars that indicators to be kept begin with; without it none is armed or disarmed.
    """

    def __init__(
        self,
        name: str,
        log: EventLog,
        snapshots: SnapshotStore,
        clock: Clock,
        settings: ShardSettings,
        *,
        instance: str,
        partition_count: int,
        fold_settings: PartitionSettings | None = None,
        writer_settings: WriterSettings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        recorder: Recorder = SILENT,
        keep: Keep | None = None,
        reader: BarReader | None = None,
    ) -> None:
        self.name = name
        self.owner = f"{name}#{instance}"
        self._settings = settings
        self._monotonic = monotonic
        self._recorder = recorder
        self._partition_count = partition_count
        fold = fold_settings or PartitionSettings()
        writer = LogWriter(log, self.owner, clock, writer_settings)
        self._tenure = Tenure(self.owner, log, writer, snapshots, monotonic, settings, fold)
        self._seats = self._tenure.seats
        self._leases = Leases(log, self.owner, self._seats, monotonic, settings.lease_s, self._fenced)
        self._polls = Polls(self._tenure, self._leases, monotonic, settings)
        self._commit = GroupCommit(
            self._seats,
            writer,
            self.owner,
            monotonic,
            settings,
            polled=self._polls.active,
            on_commit=self._polls.wake,
            on_lost=self._lost,
            clock=clock,
            recorder=recorder,
        )
        self._snapshotter = Snapshotter(self._tenure, snapshots, self._commit, monotonic, settings)
        self._arming = ArmingLoop(
            self._seats,
            keep or Keep(),
            reader,
            clock,
            monotonic,
            partition_count,
            nudge=self._commit.nudge,
            lose=self._lost,
        )
        self._committing = KeptTask("commits", self._commit.turn, retry_s=0.05, failed=self._commit_failed)
        self._ticking = False
        self.batches = 0
        self.defects = 0
        self.refusals: dict[str, int] = {}

    # The supervisor's side

    async def start(self, partitions: Iterable[str]) -> None:
        """Take over the partitions, a few at a time; may be called again.

        Raises Unavailable, Corrupt, Rejected where one could not be had, after the others have been taken.
        """
        self._committing.start()
        await self._tenure.take_all(partitions)

    async def begin(self, partitions: Iterable[str]) -> None:
        """The same without waiting: a long log takes its time. `stats` shows how far it is."""
        self._committing.start()
        for partition in partitions:
            self._tenure.begin(partition)

    async def adopt(self, partition: str) -> Place:
        """Take over one partition, whoever had it; its place when ready. May be called again."""
        await self.start(())
        head = (await self._tenure.take(partition)).head
        return head.partition, head.offset

    async def release(self, partition: str) -> Place:
        """Stop intake, drain, snapshot, give up. Its place; the next owner may claim.

        Raises NotOwner where it is not ours, Unavailable where draining failed: it is still ours then. A
        snapshot that cannot be stored costs the next owner a longer replay, and nothing else.
        """
        seat = self._tenure.seat(partition)
        seat.closing = True
        try:
            self._commit.hurry()
            await seat.durable(seat.eventful)
            await self._snapshotter.take(seat)
        except FinanceHubError:
            if seat.lost is not None:
                raise
        finally:
            seat.closing = False
        self._tenure.leave(seat, NotOwner(f"{partition!r} was released by {self.owner!r}"))
        self._polls.wake()
        return partition, seat.head.offset

    async def close(self) -> None:
        """Stop at once. What was not durable was never acknowledged."""
        await self._committing.stop()
        await self._arming.close()
        await self._snapshotter.close()
        await self._tenure.close()

    async def tick(self) -> None:
        """Leases and snapshots that are due; a tick that comes while one runs does nothing.

        Raises Unavailable where the log could not be asked.
        """
        if self._ticking:
            return
        self._ticking = True
        try:
            self._snapshotter.start_due()
            self._arming.start_due()
            if self._leases.due():
                await self._leases.renew()
        finally:
            self._ticking = False

    def stats(self) -> Mapping[str, object]:
        """Counters and gauges; latencies in ms, `partitions` as `financehub status` shows them."""
        return {
            "name": self.name,
            "batches": self.batches,
            "defects": self.defects,
            "refusals": dict(self.refusals),
            "pending_events": self._tenure.bound.events,
            "pending_bytes": self._tenure.bound.bytes,
            "restored": self._tenure.restored,
            "snapshots": self._snapshotter.taken,
            "polls": self._polls.waiting,
            "recent_bytes": sum(seat.recent.size_bytes for seat in self._seats.values()),
            "broken": {partition: str(error) for partition, error in self._tenure.broken.items()},
            **self._commit.stats(),
            "restoring": [msgspec.to_builtins(each) for each in self._tenure.restoring()],
            "partitions": [
                {"partition": partition, "epoch": seat.epoch, "head_offset": seat.head.offset}
                for partition, seat in sorted(self._seats.items())
            ],
        }

    async def observe(self, payload: Sequence[tuple[str, bytes]]) -> list[Ack]:
        """(partition, encoded Batch) in order -> an Ack for each, once what it says is durable."""
        outcomes: list[Ack | tuple[Seat, Batch, int]] = []
        folded = 0
        for partition, encoded in payload:
            held = self._tenure.bound.events
            outcome = self._admit(partition, encoded)
            while outcome is None:
                await asyncio.sleep(0)
                outcome = self._admit(partition, encoded)
            outcomes.append(outcome)
            folded += self._tenure.bound.events - held  # decisions too: a heartbeat may close many bars
            if folded >= self._settings.fold_slice_events:
                folded = 0
                await asyncio.sleep(0)
        acks = [one if isinstance(one, Ack) else await self._settled(*one) for one in outcomes]
        self._count(acks)
        return acks

    def _admit(self, partition: str, encoded: bytes) -> Ack | tuple[Seat, Batch, int] | None:
        """Fold one batch, or refuse it. None: time has made much due; some is done, ask again."""
        try:
            seat = self._tenure.seat(partition)
        except (Retryable, Conflict) as error:
            return undecoded(partition, "not_owner" if isinstance(error, NotOwner) else "unavailable")
        if seat.closing or self._tenure.bound.full:
            return undecoded(partition, "busy")
        try:
            batch = decode_batch(encoded)
        except Malformed:
            return undecoded(partition, "malformed")
        began_s = self._monotonic()
        try:
            if seat.catch_up(batch, self._settings.timer_slice):
                self._commit.nudge(seat)
                return None
            ticket, admitted = seat.fold(batch, len(encoded))
        except Conflict as error:
            return refused(partition, batch, error)
        except Exception as error:  # noqa: BLE001 - a defect of the fold must cost one batch, not the shard
            self._tenure.lose(seat, Unavailable(f"folding a batch failed: {error!r}"))
            return undecoded(partition, "malformed")
        if batch.events:
            self._recorder.observe("financehub.shard.fold", self._monotonic() - began_s)
        if not batch.events and not admitted:
            return accepted(partition, batch, seat.market.lost_books(batch.sender))
        if seat.dirty:
            self._commit.nudge(seat)
        return seat, batch, ticket

    async def _settled(self, seat: Seat, batch: Batch, ticket: int) -> Ack:
        """The answer once the log has it."""
        try:
            await seat.durable(min(ticket, seat.eventful))
        except Conflict:
            return Ack(seat.partition, batch.incarnation, batch.sequence, "not_owner")
        except FinanceHubError:
            return Ack(seat.partition, batch.incarnation, batch.sequence, "unavailable")
        if seat.is_durable(ticket):
            return accepted(seat.partition, batch, seat.market.lost_books(batch.sender))
        return Ack(seat.partition, batch.incarnation, batch.sequence, "held")

    def _count(self, acks: Sequence[Ack]) -> None:
        self.batches += len(acks)
        for ack in acks:
            if ack.refusal is not None:
                self.refusals[ack.refusal] = self.refusals.get(ack.refusal, 0) + 1

    # The serving side

    async def last(self, instrument: str, *, after: Cursor | None = None) -> LastAnswer:
        """Newest trade, quote and ticker. Raises NotFound, NotOwner, Unavailable (so do all reads)."""
        seat = await self._ready(self._partition_of(instrument), after)
        answer = await self._released(
            seat, lambda: views.last_answer(_keeper(seat, instrument), _place(seat))
        )
        found = None if answer.trade is None else seat.recent.find(instrument, answer.trade)
        place = None if found is None else (found.offset, found.recorded_at)
        return msgspec.structs.replace(answer, recorded=place)

    async def book(self, instrument: str, depth: int, *, after: Cursor | None = None) -> BookAnswer:
        return await self._read(
            instrument, after, lambda keeper, place: views.book_answer(keeper, depth, place)
        )

    async def orders(self, instrument: str, *, after: Cursor | None = None) -> OrdersAnswer:
        return await self._read(instrument, after, views.orders_answer)

    async def state(self, instrument: str, *, after: Cursor | None = None) -> StateAnswer:
        """Everything now. `at` is the recorded time of the newest durable event."""
        seat = await self._ready(self._partition_of(instrument), after)
        answer = await self._released(
            seat, lambda: views.state_answer(_keeper(seat, instrument), 0, _place(seat))
        )
        return msgspec.structs.replace(answer, at=seat.head.recorded_ns)

    async def held(self, instrument: str, intervals: Sequence[str]) -> HeldBars:
        """Bars of some intervals at one place, oldest first, forming ones (closed False) last; and splits."""
        return await self._read(instrument, None, lambda keeper, at: views.held(keeper, intervals, at))

    async def instruments(self) -> list[InstrumentInfo]:
        """What venues said of the instruments of the partitions owned here, by id.

        Raises Unavailable while one is restored: a gateway would take what is left out for what does not
        exist, and a client that resumes would not be told what came before its first frame.
        """
        if waiting := self._tenure.on_their_way():
            raise Unavailable(f"{', '.join(waiting)} are being restored")
        found: list[InstrumentInfo] = []
        for partition in sorted(self._seats):
            seat = await self._ready(partition, None)
            found += await self._released(seat, seat.market.instruments)
        return sorted(found, key=lambda info: info.instrument)

    async def heads(self) -> dict[str, int]:
        """Durable offset of each partition owned here."""
        return {partition: seat.head.offset for partition, seat in sorted(self._seats.items())}

    async def poll(self, after: Mapping[str, int], wait_s: float, max_events: int | None = None) -> PollReply:
        """Durable events after the caller's offsets; see `Polls.poll`."""
        if not self._polls.active():
            self._commit.hurry()  # what lingers, lingers for somebody now
        return await self._polls.poll(after, wait_s, max_events or self._settings.poll_events)

    def _partition_of(self, instrument: str) -> str:
        return market_partition(instrument, self._partition_count)

    async def _read(
        self, instrument: str, after: Cursor | None, question: Callable[[SymbolKeeper, Place], Answer]
    ) -> Answer:
        seat = await self._ready(self._partition_of(instrument), after)
        return await self._released(seat, lambda: question(_keeper(seat, instrument), _place(seat)))

    async def _ready(self, partition: str, after: Cursor | None) -> Seat:
        """The seat, ours beyond doubt and as far as `after`."""
        seat = self._tenure.seat(partition)
        await self._leases.require(seat)
        if after is None or after.at(partition) <= seat.head.offset:
            return seat
        await self._polls.reached(seat, after.at(partition), self._settings.read_wait_s)
        return seat

    async def _released(self, seat: Seat, answer: Callable[[], Answer]) -> Answer:
        """Answer from the fold, and let the answer go once what it was made of is durable."""
        if seat.lost is not None:
            raise seat.lost
        made, ticket = answer(), seat.eventful
        if not seat.is_durable(ticket):
            self._commit.hurry()
            await seat.durable(ticket)
        await self._leases.require(seat)
        return made

    def _lost(self, seat: Seat, error: FinanceHubError) -> None:
        """An append failed: the log knows better than the fold, also about who owns what.

        Of several partitions in one append only one need have been fenced.
        """
        self._tenure.lose(seat, error)
        self._polls.wake()

    def _fenced(self, seat: Seat) -> None:
        self._tenure.leave(seat, NotOwner(f"{seat.partition!r} has another owner than {self.owner!r}"))
        self._polls.wake()

    def _commit_failed(self, error: Exception) -> None:
        """A commit that fell over a defect must not look like a slow log: begin again from the log."""
        self.defects += 1
        for seat in list(self._seats.values()):
            self._lost(seat, Unavailable(f"a commit of {self.owner!r} has failed: {error!r}"))

    def healths(self) -> list[TaskHealth]:
        """Of what goes on here by itself."""
        tasks = [self._snapshotter.health, self._arming.health, self._tenure.health]
        return [*([self._committing.health] if self._committing.running else []), *tasks]

    def troubles(self) -> list[str]:
        """What does not mend itself, one sentence each."""
        return [f"{partition} cannot be restored: {why}" for partition, why in self._tenure.broken.items()]


def _keeper(seat: Seat, instrument: str) -> SymbolKeeper:
    keeper = seat.market.keeper(instrument)
    if keeper is None:
        raise NotFound(f"instrument {instrument!r} has not been seen")
    return keeper


def _place(seat: Seat) -> Place:
    return seat.partition, seat.folded
