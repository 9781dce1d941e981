"""The fold of one market partition: admission of batches, one keeper per instrument, timers.

    observe(batch) ──> (Admitted, events in log order)     live: the only place where anything is decided
    apply(Admitted, events)                                replay: evolves what observe had returned

A batch is admitted once: by the sender's incarnation and sequence. Its clock never goes back. First a new
incarnation opens a gap on the instruments its predecessor fed, since nobody watched what time has made
due meanwhile; then the timers of the sender's instruments run up to that clock, in deadline order; then
each observation is followed by its decisions, and by the timers that it makes due. All state is plain
numbers and text, bounded per instrument, and independent of how events were batched.

Several feeds may bring one instrument (`fed_by`): each has its own gaps, and of their clocks those count
first that bring its trades. Nothing changes without an event that is recorded.

Where wall time shows a new incarnation that the old one's clock had been ahead, its clock is believed, unless
the venues' own times deny it: what was dated ahead of it is no longer the newest (`CLOCK_SET_BACK`).

Where much is due at once, `catch_up` does it in slices, as heartbeats before the batch: the same events in
the same order.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from domain.clock import NS_PER_MIN
from domain.envelope import Admitted, Batch, MarketEvent
from domain.errors import Conflict, Corrupt
from domain.exposure import Exposure
from domain.fed_by import WITNESS_WAIT_NS
from domain.indicators.armed import SENDER, Arming
from domain.indicators.kept import KeptIndicators
from domain.keeper import SymbolKeeper
from domain.keeper_state import KeeperState, PartitionSettings
from domain.market.decisions import BookBroken, Decision
from domain.market.gaps import CLOCK_SET_BACK, NEW_INCARNATION
from domain.market.observations import Gap, InstrumentInfo
from domain.senders import Places, Senders, SenderState
from domain.timers import Timers

__all__ = ["FOLD_VERSION", "NEW_INCARNATION", "MarketPartition", "PartitionSettings"]

FOLD_VERSION = 7
"""Changes whenever the same events would fold to other bytes."""

EVIDENCE_NS = NS_PER_MIN
"""So far back by the old clock goes what is asked about a new one that lies before it."""
EVERY = 1 << 62
"""Timers at once: all that are due."""


class PartitionState(Struct, frozen=True, array_like=True):
    """`keepers`: one KeeperState each, by id."""

    name: str
    senders: tuple[SenderState, ...]
    keepers: tuple[msgspec.Raw, ...]


class Sealed(Struct, frozen=True, array_like=True):
    """A snapshot as stored: what it must match comes before what would otherwise be misread."""

    fold_version: int
    settings: msgspec.Raw
    state: msgspec.Raw


class MarketPartition:
    """State of one partition `market/NN`. One owner, two doors: `observe` live, `apply` in replay.

    `repeats` counts observations dropped as already seen since this object was made; it is no state.
    """

    def __init__(self, name: str, settings: PartitionSettings | None = None) -> None:
        self.name = name
        self.settings = settings or PartitionSettings()
        self.repeats = 0
        self._keepers: dict[str, SymbolKeeper] = {}
        self._senders = Senders()
        self._timers = Timers(self._keepers)
        self._lost_books: set[str] | None = set()  # None after a replay: to be looked for
        self._exposure: Exposure | None = None
        self.indicators = KeptIndicators()

    def keeper(self, instrument: str) -> SymbolKeeper | None:
        return self._keepers.get(instrument)

    def instruments(self) -> list[InstrumentInfo]:
        """By id. One never described gets what its id says, with the provider and time of its newest
        value; where there is a book alone, with its feed as provider."""
        return [keeper.described() for _, keeper in sorted(self._keepers.items())]

    def last_sequence(self, sender: str) -> tuple[int, int]:
        """(incarnation, sequence) admitted last; (0, 0) of an unknown sender."""
        return self._senders.last(sender)

    def place(self, sender: str) -> SenderState | None:
        return self._senders.place(sender)

    def lost_books(self, sender: str) -> tuple[str, ...]:
        """Instruments whose book a sender brings, and the fold found broken, and still is, by id.

        No gap is open on them: the feed takes the book for whole and must be asked for a snapshot.
        """
        noted = self._lost_books
        if noted is not None and not noted:
            return ()
        suspects = self._keepers if noted is None else noted
        lost = self._lost_books = {each for each in suspects if self._keepers[each].book_lost}
        return tuple(sorted(each for each in lost if self._keepers[each].feeds.brings("book", sender)))

    def next_deadline(self, sender: str) -> int | None:
        """When the first timer that a sender's clock runs is due, ns UTC on that clock."""
        return self._timers.next(sender)

    def observe(self, batch: Batch) -> tuple[Admitted | None, list[MarketEvent]]:
        """Fold a batch. Returns its trace for the block header and the new events in log order.

        (None, []) for a batch admitted before, and for a heartbeat when nothing is due. An admitted
        batch of nothing but repeated trades has a trace and no events.
        Raises Conflict for an older incarnation, OutOfSequence for a batch ahead of the next one.
        """
        if not self._senders.is_next(batch):
            return None, []
        clock, events = self._begun(batch)
        self._run_timers(batch.sender, clock, events)
        if _is_heartbeat(batch, self.last_sequence(batch.sender)) and not events:
            return None, []
        self._fold(batch, clock, events)
        self.indicators.observe(events)
        admitted = Admitted(batch.sender, batch.incarnation, batch.sequence, clock, len(events))
        self._senders.note(admitted)
        return admitted, events

    def catch_up(self, batch: Batch, most: int) -> tuple[Admitted | None, list[MarketEvent]]:
        """Ahead of `observe`: `most` of the timers that a batch's clock makes due, as a heartbeat.

        (None, []) where no more than that are due, and for a batch admitted before: observe it. Raises as
        `observe`.
        """
        if not self._senders.is_next(batch):
            return None, []
        sender, incarnation = batch.sender, batch.incarnation
        if not self._timers.more_due(sender, self._senders.clock(sender, batch.clock), most):
            return None, []
        last, sequence = self.last_sequence(sender)
        clock, events = self._begun(batch)
        self._run_timers(sender, clock, events, most)
        if not events:  # what seemed due was left behind by a keeper that has other timers by now
            return None, []
        self.indicators.observe(events)
        admitted = Admitted(sender, incarnation, sequence if incarnation == last else 0, clock, len(events))
        self._senders.note(admitted)
        return admitted, events

    def _begun(self, batch: Batch) -> tuple[int, list[MarketEvent]]:
        """The clock by which a batch is folded, and the gaps that it opens."""
        sender, events = batch.sender, list[MarketEvent]()
        was = self._senders.set_back_from(batch, self.settings.skew_tolerance_ns)
        if was is not None and not self._venues_deny(batch, was):
            self._set_back(sender, batch.clock, events)
            return batch.clock, events
        clock = self._senders.clock(sender, batch.clock)
        if batch.incarnation > self.last_sequence(sender)[0]:
            self._open_gaps(sender, clock, events)
        return clock, events

    def arm(
        self, orders: Sequence[Arming], incarnation: int, clock: int
    ) -> tuple[Admitted | None, list[MarketEvent]]:
        """Carry out what of the owner's orders changes anything, as a batch of its own; see `observe`.

        `incarnation`: the owner's epoch. (None, []) where all is as ordered already.
        """
        events: list[MarketEvent] = []
        events += self.indicators.news(orders)
        if not events:
            return None, []
        sequence = self._senders.next_of(SENDER, incarnation)
        admitted = Admitted(SENDER, incarnation, sequence, self._senders.clock(SENDER, clock), len(events))
        self.apply(admitted, events)
        return admitted, events

    def apply(self, admitted: Admitted, events: Sequence[MarketEvent]) -> None:
        """Fold one admitted batch of the log: exactly the events that `observe` returned with it.

        Raises Corrupt where the trace does not follow the one before or does not count the events.
        """
        self._senders.check_follows(admitted, len(events))
        if admitted.sender == SENDER:
            self._evolve_indicators(events)
        else:
            self._apply_fed(admitted, events)
        self._senders.note(admitted)

    def _apply_fed(self, admitted: Admitted, events: Sequence[MarketEvent]) -> None:
        sender, keepers, exposure = admitted.sender, self._keepers, self._exposure
        clock = self._senders.clock_of(admitted)
        for event in events:
            if exposure is not None:
                exposure.before(event.instrument)
            keeper = keepers.get(event.instrument) or self._open(event.instrument)
            if keeper.speaker is not sender:
                keeper.hear(sender)
            keeper.apply(event, clock)
        self.indicators.observe(events)
        self._timers.forget()
        self._lost_books = None

    def _evolve_indicators(self, events: Sequence[MarketEvent]) -> None:
        """No feed has said anything: whose the instruments are, and their timers, stay as they are."""
        for event in events:
            if isinstance(event, Arming):
                self._note_change(event.instrument)
                if event.instrument not in self._keepers:
                    self._open(event.instrument)
                self.indicators.evolve(event)

    def snapshot(self) -> bytes:
        """The whole state; the same state gives the same bytes."""
        return Exposure(self._frame(), self._keepers).whole()

    def expose(self, places: Places | None = None) -> Exposure:
        """The state as it is now, to be read in slices while the fold goes on; until `conceal`.

        One at a time: an earlier one is read to its end first. `places`: of senders whose newest batches
        held nothing, those before them; nothing else has changed by them.
        """
        if self._exposure is not None:
            self._exposure.read(len(self._keepers))
        self._exposure = Exposure(self._frame(places), self._keepers)
        return self._exposure

    def conceal(self, exposure: Exposure) -> None:
        """Nobody reads that exposure any more."""
        if self._exposure is exposure:
            self._exposure = None

    def _frame(self, places: Places | None = None) -> bytes:
        """What a snapshot begins with, up to its keepers, the last part of the last part of it."""
        encode, nothing = msgspec.msgpack.encode, msgspec.Raw(b"")
        senders = self._senders.snapshot(places)
        sealed = encode(Sealed(FOLD_VERSION, msgspec.Raw(encode(self.settings)), nothing))
        return sealed + encode((self.name, senders, nothing))

    def _note_change(self, instrument: str) -> None:
        if self._exposure is not None:
            self._exposure.before(instrument)

    def state_hash(self) -> bytes:
        """SHA-256 of the snapshot."""
        return hashlib.sha256(self.snapshot()).digest()

    @classmethod
    def restore(cls, snapshot: bytes, settings: PartitionSettings | None = None) -> MarketPartition:
        """Raises Conflict where the snapshot is of another fold version or other settings: replay
        instead; Corrupt where it cannot be read."""
        partition = cls("", settings)
        for _ in partition.restoring(snapshot):
            pass
        return partition

    def restoring(self, snapshot: bytes) -> Iterator[None]:
        """`restore` into a fresh partition, one keeper a step; it is of no use before the last."""
        try:
            state = _unseal(snapshot, self.settings)
            self.name = state.name
            self._senders = Senders(state.senders)
            for raw in state.keepers:
                keeper = _decode_keeper(raw)
                restored = self._keepers[keeper.instrument] = SymbolKeeper.restored(keeper, self.settings)
                restored.kept = self.indicators
                self.indicators.unpack(keeper.instrument, keeper.indicators)
                yield
        except (msgspec.MsgspecError, struct.error) as error:
            raise Corrupt(f"snapshot cannot be read: {error}") from None
        self._timers.forget()
        self._lost_books = None

    def _fold(self, batch: Batch, clock: int, events: list[MarketEvent]) -> None:
        sender, keepers, append = batch.sender, self._keepers, events.append
        exposure = self._exposure
        for event in batch.events:
            if exposure is not None:
                exposure.before(event.instrument)
            keeper = keepers.get(event.instrument) or self._open(event.instrument)
            if keeper.deadline <= clock and sender not in keeper.feeds.names:
                # By the clock of one that comes new timers are due before its first event.
                events.extend(keeper.run_timers(clock, clock - WITNESS_WAIT_NS))
                self._timers.schedule(keeper)
            if keeper.speaker is not sender:
                keeper.hear(sender)
            decisions = keeper.observe(event, clock)
            if decisions is None:
                self.repeats += 1
                continue
            append(event)
            if decisions:
                events.extend(decisions)
                self._note_lost(decisions)
            if keeper.deadline != keeper.timer_at:
                if keeper.deadline <= clock:
                    self._run_at_once(keeper, sender, clock, events)
                self._timers.schedule(keeper)

    def _run_at_once(self, keeper: SymbolKeeper, sender: str, clock: int, events: list[MarketEvent]) -> None:
        """What an event has made due: as if it were the last of its batch, and another one began."""
        limit = clock - keeper.feeds.wait_ns(sender)
        while keeper.deadline <= limit:
            events.extend(keeper.run_timers(clock, keeper.deadline))

    def _note_lost(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            if type(decision) is BookBroken and self._lost_books is not None:
                self._lost_books.add(decision.instrument)

    def _open(self, instrument: str) -> SymbolKeeper:
        keeper = self._keepers[instrument] = SymbolKeeper(instrument, self.settings)
        keeper.kept = self.indicators
        return keeper

    def _venues_deny(self, batch: Batch, was: int) -> bool:
        """Whether most of what the feed told last bears a venue's own time beyond the new clock: then the old
        one was right, and bars of the past must not be built of what comes by the new one."""
        limit, since = batch.clock + self.settings.skew_tolerance_ns, was - EVIDENCE_NS
        later = earlier = 0
        for keeper in self._keepers.values():
            for ts in keeper.venue_times(since, batch.sender):
                later += ts > limit
                earlier += ts <= limit
        return later > earlier

    def _open_gaps(self, sender: str, clock: int, events: list[MarketEvent]) -> None:
        """What the last incarnation fed may have moved on unseen."""
        for _, keeper in sorted(self._keepers.items()):
            if sender in keeper.feeds.names:
                self._open_gap(keeper, sender, NEW_INCARNATION, clock, events)

    def _set_back(self, sender: str, clock: int, events: list[MarketEvent]) -> None:
        """The same, and of whatever else is dated ahead: other feeds ran by the same wrong clock."""
        limit = clock + self.settings.skew_tolerance_ns
        for _, keeper in sorted(self._keepers.items()):
            if sender in keeper.feeds.names or keeper.is_ahead_of(limit):
                self._open_gap(keeper, sender, CLOCK_SET_BACK, clock, events)

    def _open_gap(
        self, keeper: SymbolKeeper, sender: str, reason: str, clock: int, events: list[MarketEvent]
    ) -> None:
        self._note_change(keeper.instrument)
        keeper.hear(sender)
        for channel in keeper.channels_lost_with(sender):
            gap = Gap(
                provider=sender,
                instrument=keeper.instrument,
                ts_event=clock,
                ts_recv=clock,
                channel=channel,
                reason=reason,
            )
            events.append(gap)
            events.extend(keeper.observe(gap, clock) or ())
        self._timers.schedule(keeper)

    def _run_timers(self, sender: str, clock: int, events: list[MarketEvent], most: int = EVERY) -> None:
        while most > 0 and (due := self._timers.take_due(sender, clock)) is not None:
            deadline, keeper = due
            self._note_change(keeper.instrument)
            events.extend(keeper.run_timers(clock, deadline))
            self._timers.schedule(keeper)
            most -= 1


_decode_keeper = msgspec.msgpack.Decoder(KeeperState).decode


def _is_heartbeat(batch: Batch, last: tuple[int, int]) -> bool:
    incarnation, sequence = last
    return not batch.events and batch.sequence == (sequence if batch.incarnation == incarnation else 0)


def _unseal(snapshot: bytes, settings: PartitionSettings) -> PartitionState:
    sealed = msgspec.msgpack.decode(snapshot, type=Sealed)
    if sealed.fold_version != FOLD_VERSION:
        raise Conflict(f"snapshot of fold version {sealed.fold_version}, this is {FOLD_VERSION}")
    if bytes(sealed.settings) != msgspec.msgpack.encode(settings):
        raise Conflict("snapshot of a partition with other settings")
    return msgspec.msgpack.decode(sealed.state, type=PartitionState)
