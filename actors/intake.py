"""The answers of a shard's intake, and the bound on what it holds that is not yet durable.

A sender's batches come with (incarnation, sequence) per partition. The fold knows the last admitted
sequence, so a repeat is recognised after any crash or move, and a jump is refused with the sequence
that is expected. An answer leaves the shard only once everything it speaks of is durable.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from domain.envelope import Batch
from domain.errors import Conflict, OutOfSequence

Refusal = Literal["not_owner", "expected", "stale_incarnation", "busy", "unavailable", "malformed", "held"]


class Ack(Struct, frozen=True):
    """The answer to one batch. `refusal` None: it and all before it are durable.

    `not_owner` ask the directory, `expected` send from sequence `expected`, `stale_incarnation` a newer
    feed has taken over: stop, `busy` and `unavailable` the same batch later, `malformed` it never passes,
    `held` it had nothing new and travels with the next block: no need to wait, but keep it until then.

    `broken`: instruments of this sender whose book the fold found broken and still is, though the feed
    has told no gap. Said again with each durable answer until a gap or a snapshot comes, so that neither
    a lost answer nor a moved partition leaves a book unusable for ever. The fold runs ahead of the log:
    it is a request for a snapshot, not a fact.
    """

    partition: str
    incarnation: int
    sequence: int
    refusal: Refusal | None = None
    expected: int = 0
    broken: tuple[str, ...] = ()

    @property
    def durable(self) -> bool:
        return self.refusal is None


def accepted(partition: str, batch: Batch, broken: tuple[str, ...] = ()) -> Ack:
    return Ack(partition, batch.incarnation, batch.sequence, broken=broken)


def refused(partition: str, batch: Batch, error: Conflict) -> Ack:
    """The refusal that tells the sender what to do about `error`."""
    if isinstance(error, OutOfSequence):
        return Ack(partition, batch.incarnation, batch.sequence, "expected", error.expected)
    return Ack(partition, batch.incarnation, batch.sequence, "stale_incarnation")


def undecoded(partition: str, refusal: Refusal) -> Ack:
    """A refusal given before the batch was looked at."""
    return Ack(partition, 0, 0, refusal)


class IntakeBound:
    """Counts what was folded and is not durable. Over either bound the intake says `busy`."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self.events = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        return self.events >= self._max_events or self.bytes >= self._max_bytes

    def took(self, events: int, size_bytes: int) -> None:
        """A batch was folded, to `events`. One that came to nothing holds nothing, whatever its size:
        it waits for somebody's event, and must not be what keeps that out."""
        self.events += events
        self.bytes += size_bytes if events else 0

    def gave_back(self, events: int, size_bytes: int) -> None:
        self.events -= events
        self.bytes -= size_bytes if events else 0
