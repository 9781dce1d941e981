"""How far a partition's replay has come, for whoever waits for it, and when a snapshot is due on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

SNAPSHOT_EVERY_S = 20.0
"""A replay that is cut short goes on from there; putting a state down takes a second or so."""


class Restoring(Struct, frozen=True):
    """One line of `restoring` in `financehub status --json`. `begun_at`: the offset of the first snapshot."""

    partition: str
    epoch: int
    begun_at: int
    offset: int
    head_offset: int

    def __str__(self) -> str:
        done, all_of_it = self.offset - self.begun_at, self.head_offset - self.begun_at
        share = 100.0 * done / all_of_it if all_of_it else 0.0
        return f"{self.partition}: {done:,} of {all_of_it:,} events ({share:.0f} %)"


class Replay:
    """Of one partition, from a snapshot to its head."""

    def __init__(self, partition: str, epoch: int, head_offset: int, monotonic: Callable[[], float]) -> None:
        self.partition = partition
        self.snapshots = 0
        self._epoch = epoch
        self._head_offset = head_offset
        self._monotonic = monotonic
        self._begun_at = self._offset = 0
        self._due_s = 0.0

    def begins(self, offset: int) -> None:
        """At a snapshot, or again at an older one."""
        self._begun_at = self._offset = offset
        self._due_s = self._monotonic() + SNAPSHOT_EVERY_S

    def reached(self, offset: int) -> bool:
        """Note the end of a block; whether to put the state down there."""
        self._offset = offset
        return self._monotonic() >= self._due_s and offset < self._head_offset

    def put_down(self, *, saved: bool) -> None:
        """A snapshot was attempted; the next one is due so much later."""
        self.snapshots += saved
        self._due_s = self._monotonic() + SNAPSHOT_EVERY_S

    def report(self) -> Restoring:
        return Restoring(self.partition, self._epoch, self._begun_at, self._offset, self._head_offset)


class Nearest:
    """The nearest that each partition has come to being served, over all attempts so far.

    An attempt that only repeats one that failed comes no nearer, and neither does a head that moves.
    """

    def __init__(self) -> None:
        self._served: set[str] = set()
        self._offsets: dict[tuple[str, int], int] = {}
        """(partition, offset of the first snapshot) -> the furthest that a replay from there has come."""

    def seen(self, served: Iterable[str], restoring: Iterable[Mapping[str, Any]]) -> object:
        """Given the partitions served now and the lines of `restoring`: changes where one came nearer."""
        self._served.update(served)
        for line in restoring:
            key = (line["partition"], line["begun_at"])
            self._offsets[key] = max(line["offset"], self._offsets.get(key, 0))
        return frozenset(self._served), dict(self._offsets)


def restoring_line(waiting: Iterable[Restoring]) -> str:
    """What `up` and `status` print; empty where nothing is restored."""
    lines = [str(each) for each in sorted(waiting, key=lambda each: each.partition)]
    return f"restoring {', '.join(lines)}" if lines else ""
