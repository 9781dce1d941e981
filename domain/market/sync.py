"""Order books from a snapshot and numbered updates, for venues that send the two apart.

    diffs ──┐ buffered until the snapshot is there
            ├──> BookSnapshot, BookDelta, BookDelta ...   each delta follows what was applied last
    snapshot┘    Gap, and the same again, where an update is missing

A diff below the newest one is a repeat, unless it is later than all of them and the next one continues it:
then the venue numbers anew (`renumbering.py`), and the book begins anew with these two.

A `SequenceRule` says how a venue numbers: `SPOT` densely by update, `LINKED` with a reference to the
update before (Binance's derivatives). https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
"How to manage a local order book correctly".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from domain.clock import NS_PER_S
from domain.market.gaps import RENUMBERED
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation
from domain.market.renumbering import is_later

MAX_BUFFERED = 2_000
"""Diffs kept while a snapshot is awaited: more than three minutes at ten a second."""

MAX_BEHIND_NS = 30 * NS_PER_S
"""A stream that is still behind a snapshot so long after its coming is not behind it: the snapshot's numbers
are those of another counting."""

Range = tuple[int, int]


class SequenceRule(Protocol):
    """All ids are update ids; `delta` has a `sequence`."""

    def covered(self, delta: BookDelta, snapshot: int) -> bool:
        """The snapshot already contains the whole delta."""

    def bridges(self, delta: BookDelta, snapshot: int) -> bool:
        """The delta may come first after the snapshot: nothing is missing between them."""

    def follows(self, delta: BookDelta, last: int) -> bool:
        """The delta is the very next one after update `last` of the same stream."""

    def continues(self, first: int, previous: int | None, last: int) -> bool:
        """`follows`, of a delta's numbers alone."""

    def missing(self, delta: BookDelta, last: int) -> Range:
        """The ids missing between update `last` and the delta, first and last."""


def first_of(delta: BookDelta) -> int:
    return delta.sequence[0] if delta.sequence else 0


def last_of(delta: BookDelta) -> int:
    return delta.sequence[1] if delta.sequence else 0


class SpotRule:
    """Ids are dense: U == previous u + 1."""

    def covered(self, delta: BookDelta, snapshot: int) -> bool:
        return last_of(delta) <= snapshot

    def bridges(self, delta: BookDelta, snapshot: int) -> bool:
        return first_of(delta) <= snapshot + 1 <= last_of(delta)

    def follows(self, delta: BookDelta, last: int) -> bool:
        return self.continues(first_of(delta), delta.prev_sequence, last)

    def continues(self, first: int, previous: int | None, last: int) -> bool:
        return first == last + 1

    def missing(self, delta: BookDelta, last: int) -> Range:
        return last + 1, first_of(delta) - 1


class LinkedRule:
    """Ids are shared by all symbols; `prev_sequence` (pu) names the stream's update before.

    A delta whose pu is the snapshot's own id misses nothing either, so it bridges too.
    """

    def covered(self, delta: BookDelta, snapshot: int) -> bool:
        return last_of(delta) < snapshot

    def bridges(self, delta: BookDelta, snapshot: int) -> bool:
        return first_of(delta) <= snapshot <= last_of(delta) or delta.prev_sequence == snapshot

    def follows(self, delta: BookDelta, last: int) -> bool:
        return self.continues(first_of(delta), delta.prev_sequence, last)

    def continues(self, first: int, previous: int | None, last: int) -> bool:
        return previous == last

    def missing(self, delta: BookDelta, last: int) -> Range:
        before = first_of(delta) - 1 if delta.prev_sequence is None else delta.prev_sequence
        return last + 1, before


SPOT: SequenceRule = SpotRule()
LINKED: SequenceRule = LinkedRule()


@dataclass(slots=True)
class Step:
    """What one input led to. `resynced`: a snapshot has ended a gap or an interruption."""

    observations: list[Observation] = field(default_factory=list)
    wants_snapshot: bool = False
    resynced: bool = False


class BookSync:
    """The synchronisation of one instrument's book. Holds no levels, only positions and the buffer.

    Emitted deltas carry in `prev_sequence` the last id applied before them, whatever the venue's
    rule, so that `delta.prev_sequence == book.sequence[1]` proves continuity downstream.
    """

    def __init__(self, rule: SequenceRule, max_buffered: int = MAX_BUFFERED) -> None:
        self._rule = rule
        self._buffer: deque[BookDelta] = deque(maxlen=max_buffered)
        self._held: BookSnapshot | None = None
        self._last: int | None = None
        self._bridging = False
        self._started_at = 0
        self._gap: Gap | None = None
        self._interrupted = False
        self._newest: BookDelta | None = None
        """The highest diff of the stream that took the long way, and the time of the newest of all."""
        self._newest_ts = 0
        self._suspect: BookDelta | None = None

    @property
    def usable(self) -> bool:
        """Whether a snapshot has been given out and nothing was lost since."""
        return self._last is not None

    def on_delta(self, delta: BookDelta, *, overlapping: bool = False) -> Step:
        """`overlapping`: two sockets carry the same stream, cut into diffs at different ids."""
        step = Step()
        if not overlapping and self._is_below(delta):
            self._weigh(delta, step)
            return step
        self._note(delta)
        if self._last is not None:
            self._advance(delta, self._last, step, overlapping=overlapping)
            return step
        self._buffer.append(delta)
        self._try_held(step)
        return step

    def follow(self, first: int, last: int, previous: int | None, ts: int) -> int | None:
        """Take the very next delta by its numbers and its time, and say which update it follows.

        None, and nothing changed, for any other: `on_delta` has the rules.
        """
        before = self._last
        if before is None or self._bridging or last < first or last <= before or ts < self._newest_ts:
            return None
        if not self._rule.continues(first, previous, before):
            return None
        self._last = last
        self._newest_ts = ts
        return before

    def on_snapshot(self, snapshot: BookSnapshot) -> Step:
        """A snapshot while the book is usable changes nothing; one before any diff is held."""
        step = Step()
        if self._last is None and snapshot.sequence is not None:
            self._held = snapshot
            if self._buffer:
                self._try_held(step)
        return step

    def interrupt(self, gap: Gap | None = None) -> Step:
        """The stream broke off: what was buffered or applied no longer joins what comes.

        `gap`: told here and closed by the next snapshot, unless one is open already; None where the caller
        tells of the loss himself.
        """
        step = Step()
        self._interrupted = self._interrupted or self.usable
        self._last = None
        self._held = None
        self._newest = self._suspect = None
        self._buffer.clear()
        if gap is not None and self._gap is None:
            self._gap = gap
            step.observations.append(gap)
        return step

    def distrust(self, gap: Gap) -> Step:
        """The book as given out proved wrong: tell the gap and begin anew from a new snapshot.

        Without effect while a snapshot is awaited anyway.
        """
        step = Step()
        if self.usable:
            self._gap = gap
            self._last = None
            step.observations.append(gap)
            step.wants_snapshot = True
        return step

    def _mark(self) -> int | None:
        """The highest id of the stream itself; a snapshot may be ahead of it."""
        if self._last is not None and not self._bridging:
            return self._last
        return None if self._newest is None else last_of(self._newest)

    def _note(self, delta: BookDelta) -> None:
        mark = self._mark()
        if mark is None or last_of(delta) > mark:
            self._newest = delta
            self._newest_ts = max(self._newest_ts, delta.ts_event)

    def _is_below(self, delta: BookDelta) -> bool:
        """Whether a diff is later than all before it though its ids are not."""
        mark = self._mark()
        return mark is not None and last_of(delta) <= mark and is_later(delta.ts_event, self._newest_ts)

    def _weigh(self, delta: BookDelta, step: Step) -> None:
        """Two diffs in a row that continue each other are a new numbering; one alone says nothing."""
        suspect, self._suspect = self._suspect, delta
        if suspect is None or not is_later(suspect.ts_event, self._newest_ts):
            return
        if delta.ts_event < suspect.ts_event or last_of(delta) <= last_of(suspect):
            return
        if self._rule.continues(first_of(delta), delta.prev_sequence, last_of(suspect)):
            self._begin_anew([suspect, delta], RENUMBERED, step)

    def _begin_anew(self, diffs: list[BookDelta], reason: str, step: Step) -> None:
        newest = diffs[-1]
        if self.usable and self._gap is None:
            self._gap = _gap(newest, reason)
            step.observations.append(self._gap)
        self._last = self._held = self._suspect = None
        self._buffer.clear()
        self._buffer.extend(diffs)
        self._newest, self._newest_ts = newest, newest.ts_event
        step.wants_snapshot = True

    def _try_held(self, step: Step) -> None:
        """Starts the book from the snapshot held, or asks for a newer one."""
        snapshot, self._held = self._held, None
        if snapshot is None or snapshot.sequence is None:
            step.wants_snapshot = True
            return
        at = snapshot.sequence[1]
        kept = [delta for delta in self._buffer if not self._rule.covered(delta, at)]
        if kept and not self._rule.bridges(kept[0], at):
            step.wants_snapshot = True
            return
        self._start(snapshot, at, step)
        self._buffer.clear()
        for index, delta in enumerate(kept):
            if self._last is None:
                self._buffer.extend(kept[index:])
                break
            self._advance(delta, self._last, step, overlapping=False)

    def _start(self, snapshot: BookSnapshot, at: int, step: Step) -> None:
        step.observations.append(snapshot)
        self._last = at
        self._bridging = True
        self._started_at = snapshot.ts_recv
        if self._gap is not None:
            closed = replace(self._gap, ts_event=snapshot.ts_event, ts_recv=snapshot.ts_recv, opened=False)
            step.observations.append(closed)
        step.resynced = self._gap is not None or self._interrupted
        self._gap = None
        self._interrupted = False

    def _advance(self, delta: BookDelta, last: int, step: Step, *, overlapping: bool) -> None:
        rule = self._rule
        if rule.covered(delta, last) if self._bridging else last_of(delta) <= last:
            if self._bridging and delta.ts_recv > self._started_at + MAX_BEHIND_NS:
                self._begin_anew([delta], RENUMBERED, step)
            return
        joins = rule.bridges(delta, last) if self._bridging or overlapping else rule.follows(delta, last)
        if joins or (overlapping and rule.follows(delta, last)):
            self._bridging = False
            self._last = last_of(delta)
            step.observations.append(replace(delta, prev_sequence=last))
        else:
            self._break(delta, last, step)

    def _break(self, delta: BookDelta, last: int, step: Step) -> None:
        first, until = self._rule.missing(delta, last)
        reason = f"update {last} is followed by {first_of(delta)}"
        self._gap = replace(_gap(delta, reason), first=first, last=max(first, until))
        step.observations.append(self._gap)
        step.wants_snapshot = True
        self._last = None
        self._buffer.append(delta)


def _gap(delta: BookDelta, reason: str) -> Gap:
    return Gap(
        provider=delta.provider,
        instrument=delta.instrument,
        ts_event=delta.ts_event,
        ts_recv=delta.ts_recv,
        channel="book",
        reason=reason,
    )
