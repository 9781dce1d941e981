"""A feed's not yet acknowledged batches for one partition, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from domain.clock import NS_PER_MS
from domain.envelope import Batch
from domain.market.observations import Observation
from storage.codec import encode_batch

MAX_BATCH_SPAN_NS = 100 * NS_PER_MS
"""Timers run at a batch's clock before its events. A batch that spans more than this would close bars
over events that were in time; a bar's allowance is 1 s."""


class OutgoingBatch:
    """One numbered batch; once encoded it never changes, so that a repeat is byte for byte the same."""

    __slots__ = ("_count", "_encoded", "clock", "events", "first_clock", "sequence", "weight")

    def __init__(self, sequence: int, clock: int) -> None:
        self.sequence = sequence
        self.first_clock = clock
        self.clock = clock
        self.events: list[Observation] = []
        self.weight = 0
        self._count = 0
        self._encoded: bytes | None = None

    @property
    def count(self) -> int:
        """Events it carries."""
        return len(self.events) or self._count

    @property
    def filler(self) -> bool:
        """It only carries a number."""
        return not self.count

    def encoded(self, sender: str, incarnation: int, *, wall: bool = False) -> bytes:
        """The batch as it is sent; from then on its events are kept in no other form."""
        if self._encoded is None:
            batch = Batch(sender, incarnation, self.sequence, self.clock, tuple(self.events), wall)
            self._encoded = encode_batch(batch)
            self._count = len(self.events)
            self.events = []
        return self._encoded


class OutgoingStream:
    """Batches 1, 2, ... of one sender for one partition, from the first unacknowledged one on.

    Weights count trades: a deep book weighs as many as take its memory.
    """

    def __init__(self, partition: str, max_batch_weight: int) -> None:
        self.partition = partition
        self.in_flight = False
        self.beat_clock: int | None = None
        self.regressions = 0
        self._sequence = 0
        self._acknowledged = 0
        self._held = 0
        self._held_clock = 0
        self._max_batch_weight = max_batch_weight
        self._batches: deque[OutgoingBatch] = deque()
        self._growing: OutgoingBatch | None = None

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is unanswered."""
        return not self._batches

    @property
    def due(self) -> bool:
        """There is something to send and no call is out that carries this stream."""
        return not self.in_flight and (not self.idle or self.beat_clock is not None)

    @property
    def backlogged(self) -> bool:
        """More than the batch that is still growing."""
        return len(self._batches) > 1

    @property
    def last_sequence(self) -> int:
        return self._sequence

    def add(self, observation: Observation, clock: int, size: int = 1) -> int:
        """Queue one observation that weighs `size`; returns what its batch now weighs."""
        batch = self._growing
        if (
            batch is None
            or batch.weight >= self._max_batch_weight
            or clock - batch.first_clock > MAX_BATCH_SPAN_NS
        ):
            batch = self._open(clock)
        batch.events.append(observation)
        batch.clock = clock
        batch.weight += size
        return batch.weight

    def unacknowledged(self, budget: int) -> Iterator[OutgoingBatch]:
        """From the oldest on, of at most that weight but at least one batch. None of them grows any more."""
        taken = 0
        for batch in self._batches:
            if taken and taken + batch.weight > budget:
                return
            if batch is self._growing:
                self._growing = None
            taken += batch.weight
            yield batch

    def acknowledge(self, sequence: int) -> list[OutgoingBatch]:
        """Batches up to that one are durable; returns those that this frees."""
        if sequence > self._acknowledged:
            self._acknowledged = sequence
            self.regressions = 0
        return self._release(sequence)

    def hold(self, sequence: int) -> list[OutgoingBatch]:
        """The shard knows batches up to that one, and the last had nothing new: it goes with the next block.

        Their events are durable, their numbers are not yet. Returns the batches that this frees.
        """
        released = self._release(sequence)
        self._held = max(self._held, sequence)
        if released:
            self._held_clock = released[-1].clock
        return released

    def expect(self, sequence: int) -> None:
        """The shard wants to go on from that batch; `regressions` counts wishes for an acknowledged one.

        Numbers that were held when the shard fell over are sent again, empty: they had nothing new but
        their clock.
        """
        if sequence <= self._acknowledged:
            self.regressions += 1
            return
        fillers = [OutgoingBatch(number, self._held_clock) for number in range(sequence, self._held + 1)]
        self._batches.extendleft(reversed(fillers))
        self._held = min(self._held, sequence - 1)

    def _release(self, sequence: int) -> list[OutgoingBatch]:
        released: list[OutgoingBatch] = []
        while self._batches and self._batches[0].sequence <= sequence:
            released.append(self._batches.popleft())
        return released

    def _open(self, clock: int) -> OutgoingBatch:
        self._sequence += 1
        batch = self._growing = OutgoingBatch(self._sequence, clock)
        self._batches.append(batch)
        return batch


def rotated(streams: Iterable[OutgoingStream], turn: int) -> list[OutgoingStream]:
    """The same streams, another one first each turn, so that none starves behind a busy one."""
    ordered = list(streams)
    start = turn % len(ordered) if ordered else 0
    return ordered[start:] + ordered[:start]
