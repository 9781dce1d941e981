"""The fold of one market partition: admission of batches, one keeper per instrument, timers.

    observe(batch) ──> (Admitted, events in log order)     live: the only place where anything is decided
    apply(Admitted, events)                                replay: evolves what observe had returned

A batch is admitted once: by the sender's incarnation and sequence. Its clock never goes back. First a new
incarnation opens a gap on the instruments its predecessor fed, since nobody watched what time has made
due meanwhile; then the timers of the sender's instruments run up to that clock, in deadline order; then
each observation is followed by its decisions. All state is plain numbers and text, bounded per instrument,
and independent of how events were batched.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

import msgspec
from msgspec import Struct

from domain.envelope import Admitted, Batch, MarketEvent
from domain.errors import Conflict, Corrupt
from domain.exposure import Exposure
from domain.indicators.armed import SENDER, Arming
from domain.indicators.kept import KeptIndicators
from domain.keeper import SymbolKeeper
from domain.keeper_state import KeeperState, PartitionSettings
from domain.market.bars import NEVER
from domain.market.decisions import BookBroken, Decision
from domain.market.gaps import NEW_INCARNATION
from domain.market.instrument import described
from domain.market.observations import Gap, InstrumentInfo
from domain.senders import Senders, SenderState

__all__ = ["FOLD_VERSION", "NEW_INCARNATION", "MarketPartition", "PartitionSettings"]

FOLD_VERSION = 4
"""Changes whenever the same events would fold to other bytes."""

SPARE_TIMERS = 64


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
        self._timers: dict[str, list[tuple[int, str]]] = {}
        self._timers_known = True
        self._lost_books: set[str] | None = set()  # None after a replay: to be looked for
        self._exposure: Exposure | None = None
        self.indicators = KeptIndicators()

    def keeper(self, instrument: str) -> SymbolKeeper | None:
        return self._keepers.get(instrument)

    def instruments(self) -> list[InstrumentInfo]:
        """By id. One never described gets what its id says, with the provider and time of its newest
        value; where there is a book alone, with its feed as provider."""
        return [keeper.info or _undescribed(keeper) for _, keeper in sorted(self._keepers.items())]

    def last_sequence(self, sender: str) -> tuple[int, int]:
        """(incarnation, sequence) admitted last; (0, 0) of an unknown sender."""
        return self._senders.last(sender)

    def lost_books(self, sender: str) -> tuple[str, ...]:
        """Instruments fed last by a sender whose book the fold found broken, and still is, by id.

        No gap is open on them: the feed takes the book for whole and must be asked for a snapshot.
        """
        noted = self._lost_books
        if noted is not None and not noted:
            return ()
        suspects = self._keepers if noted is None else noted
        lost = self._lost_books = {each for each in suspects if self._keepers[each].book_lost}
        return tuple(sorted(each for each in lost if self._keepers[each].sender == sender))

    def next_deadline(self, sender: str) -> int | None:
        """When the first timer of a sender's instruments is due, ns UTC on its clock."""
        timers = self._timers_of(sender)
        while timers and not self._is_current(sender, *timers[0]):
            heappop(timers)
        return timers[0][0] if timers else None

    def observe(self, batch: Batch) -> tuple[Admitted | None, list[MarketEvent]]:
        """Fold a batch. Returns its trace for the block header and the new events in log order.

        (None, []) for a batch admitted before, and for a heartbeat when nothing is due. An admitted
        batch of nothing but repeated trades has a trace and no events.
        Raises Conflict for an older incarnation, OutOfSequence for a batch ahead of the next one.
        """
        if not self._senders.is_next(batch):
            return None, []
        clock = self._senders.clock(batch.sender, batch.clock)
        events: list[MarketEvent] = []
        if batch.incarnation > self.last_sequence(batch.sender)[0]:
            self._open_gaps(batch.sender, clock, events)
        self._run_timers(batch.sender, clock, events)
        if _is_heartbeat(batch, self.last_sequence(batch.sender)) and not events:
            return None, []
        self._fold(batch, clock, events)
        self.indicators.observe(events)
        admitted = Admitted(batch.sender, batch.incarnation, batch.sequence, clock, len(events))
        self._senders.note(admitted)
        return admitted, events

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
        sender, keepers = admitted.sender, self._keepers
        clock = self._senders.clock(sender, admitted.clock)
        for event in events:
            self._note_change(event.instrument)
            keeper = keepers.get(event.instrument) or self._open(event.instrument)
            keeper.apply(event, clock)
            keeper.sender = sender
        self.indicators.observe(events)
        self._timers_known = False
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

    def expose(self) -> Exposure:
        """The state as it is now, to be read in slices while the fold goes on; until `conceal`.

        One at a time: an earlier one is read to its end first.
        """
        if self._exposure is not None:
            self._exposure.read(len(self._keepers))
        self._exposure = Exposure(self._frame(), self._keepers)
        return self._exposure

    def conceal(self, exposure: Exposure) -> None:
        """Nobody reads that exposure any more."""
        if self._exposure is exposure:
            self._exposure = None

    def _frame(self) -> bytes:
        """What a snapshot begins with, up to its keepers, the last part of the last part of it."""
        encode, nothing = msgspec.msgpack.encode, msgspec.Raw(b"")
        senders = self._senders.snapshot()
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
        self._timers_known = False
        self._lost_books = None

    def _fold(self, batch: Batch, clock: int, events: list[MarketEvent]) -> None:
        sender, keepers, append = batch.sender, self._keepers, events.append
        exposure = self._exposure
        for event in batch.events:
            if exposure is not None:
                exposure.before(event.instrument)
            keeper = keepers.get(event.instrument) or self._open(event.instrument)
            if keeper.sender != sender and keeper.deadline <= clock:
                # Another feed takes over, and by its clock timers are due before its first event.
                events.extend(keeper.run_timers(clock))
                self._schedule(keeper, sender)
            decisions = keeper.observe(event, clock)
            if decisions is None:
                self.repeats += 1
                continue
            append(event)
            if decisions:
                events.extend(decisions)
                self._note_lost(decisions)
            if keeper.deadline != keeper.timer_at or keeper.sender != sender:
                self._schedule(keeper, sender)

    def _note_lost(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            if type(decision) is BookBroken and self._lost_books is not None:
                self._lost_books.add(decision.instrument)

    def _open(self, instrument: str) -> SymbolKeeper:
        keeper = self._keepers[instrument] = SymbolKeeper(instrument, self.settings)
        keeper.kept = self.indicators
        return keeper

    def _open_gaps(self, sender: str, clock: int, events: list[MarketEvent]) -> None:
        """What the last incarnation fed may have moved on unseen."""
        for instrument, keeper in sorted(self._keepers.items()):
            if keeper.sender == sender:
                self._note_change(instrument)
                gap = _incarnation_gap(sender, instrument, clock)
                events.append(gap)
                events.extend(keeper.observe(gap, clock) or ())

    def _run_timers(self, sender: str, clock: int, events: list[MarketEvent]) -> None:
        timers = self._timers_of(sender)
        while timers and timers[0][0] <= clock:
            deadline, instrument = heappop(timers)
            if self._is_current(sender, deadline, instrument):
                self._note_change(instrument)
                keeper = self._keepers[instrument]
                events.extend(keeper.run_timers(clock, deadline))
                self._schedule(keeper, sender)

    def _is_current(self, sender: str, deadline: int, instrument: str) -> bool:
        """Timers are left behind where a deadline moved or another feed took over."""
        keeper = self._keepers[instrument]
        return keeper.deadline == deadline and keeper.sender == sender

    def _schedule(self, keeper: SymbolKeeper, sender: str) -> None:
        keeper.sender = sender
        keeper.timer_at = keeper.deadline
        if keeper.deadline == NEVER:
            return
        timers = self._timers.setdefault(sender, [])
        heappush(timers, (keeper.deadline, keeper.instrument))
        if len(timers) > 2 * len(self._keepers) + SPARE_TIMERS:
            self._timers_known = False

    def _timers_of(self, sender: str) -> list[tuple[int, str]]:
        """A heap of (deadline, instrument): derived from the keepers, in no snapshot."""
        if not self._timers_known:
            self._timers = _timers(self._keepers.values())
            self._timers_known = True
        return self._timers.setdefault(sender, [])


_decode_keeper = msgspec.msgpack.Decoder(KeeperState).decode


def _undescribed(keeper: SymbolKeeper) -> InstrumentInfo:
    """The feed's own name serves only where no value names the provider: a replay has a name of its own."""
    known = (keeper.last_trade, keeper.latest.newest())
    newest = max((fact for fact in known if fact is not None), key=lambda fact: fact.ts_event, default=None)
    if newest is None:
        return described(keeper.instrument, keeper.sender, keeper.book.ts_event)
    return described(keeper.instrument, newest.provider, newest.ts_event)


def _is_heartbeat(batch: Batch, last: tuple[int, int]) -> bool:
    incarnation, sequence = last
    return not batch.events and batch.sequence == (sequence if batch.incarnation == incarnation else 0)


def _incarnation_gap(sender: str, instrument: str, clock: int) -> Gap:
    return Gap(
        provider=sender,
        instrument=instrument,
        ts_event=clock,
        ts_recv=clock,
        channel="feed",
        reason=NEW_INCARNATION,
    )


def _timers(keepers: Iterable[SymbolKeeper]) -> dict[str, list[tuple[int, str]]]:
    timers: dict[str, list[tuple[int, str]]] = {}
    for keeper in keepers:
        keeper.timer_at = keeper.deadline
        if keeper.deadline != NEVER:
            timers.setdefault(keeper.sender, []).append((keeper.deadline, keeper.instrument))
    for heap in timers.values():
        heapify(heap)
    return timers


def _unseal(snapshot: bytes, settings: PartitionSettings) -> PartitionState:
    sealed = msgspec.msgpack.decode(snapshot, type=Sealed)
    if sealed.fold_version != FOLD_VERSION:
        raise Conflict(f"snapshot of fold version {sealed.fold_version}, this is {FOLD_VERSION}")
    if bytes(sealed.settings) != msgspec.msgpack.encode(settings):
        raise Conflict("snapshot of a partition with other settings")
    return msgspec.msgpack.decode(sealed.state, type=PartitionState)
