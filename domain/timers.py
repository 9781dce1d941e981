"""When the keepers of a partition want to be woken: a heap of (deadline, instrument) for each sender.

Derived from the keepers and in no snapshot. A timer is left behind where a deadline moves or another feed
takes over; it is passed over when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from domain.keeper import SymbolKeeper
from domain.market.bars import NEVER

SPARE = 64
"""Timers beyond two for each keeper: so many left behind are worth a new heap."""


class Timers:
    """`forget` after changes that nobody has scheduled: they are then made anew from the keepers."""

    __slots__ = ("_heaps", "_keepers", "_known")

    def __init__(self, keepers: Mapping[str, SymbolKeeper]) -> None:
        self._keepers = keepers
        self._heaps: dict[str, list[tuple[int, str]]] = {}
        self._known = True

    def __len__(self) -> int:
        """With those left behind."""
        return sum(map(len, self._heaps.values()))

    def forget(self) -> None:
        self._known = False

    def schedule(self, keeper: SymbolKeeper, sender: str) -> None:
        """The keeper's deadline may have moved, or the sender has taken over."""
        keeper.sender = sender
        keeper.timer_at = keeper.deadline
        if keeper.deadline == NEVER:
            return
        heap = self._heaps.setdefault(sender, [])
        heappush(heap, (keeper.deadline, keeper.instrument))
        if len(heap) > 2 * len(self._keepers) + SPARE:
            self._known = False

    def next(self, sender: str) -> int | None:
        """When the first timer of a sender's instruments is due, ns UTC on its clock."""
        heap = self._heap(sender)
        while heap and not self._is_current(sender, *heap[0]):
            heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, sender: str, clock: int) -> tuple[int, SymbolKeeper] | None:
        """The first that is due, which is over with it: its deadline and keeper, to be scheduled again."""
        heap = self._heap(sender)
        while heap and heap[0][0] <= clock:
            deadline, instrument = heappop(heap)
            if self._is_current(sender, deadline, instrument):
                return deadline, self._keepers[instrument]
        return None

    def more_due(self, sender: str, clock: int, than: int) -> bool:
        """Whether more than so many are due, those left behind counted; looks at no more than that."""
        heap, due, look = self._heap(sender), 0, [0]
        while look and due <= than:
            index = look.pop()
            if index < len(heap) and heap[index][0] <= clock:
                due += 1
                look += (2 * index + 1, 2 * index + 2)
        return due > than

    def _is_current(self, sender: str, deadline: int, instrument: str) -> bool:
        keeper = self._keepers[instrument]
        return keeper.deadline == deadline and keeper.sender == sender

    def _heap(self, sender: str) -> list[tuple[int, str]]:
        if not self._known:
            self._heaps = _heaps(self._keepers.values())
            self._known = True
        return self._heaps.setdefault(sender, [])


def _heaps(keepers: Iterable[SymbolKeeper]) -> dict[str, list[tuple[int, str]]]:
    heaps: dict[str, list[tuple[int, str]]] = {}
    for keeper in keepers:
        keeper.timer_at = keeper.deadline
        if keeper.deadline != NEVER:
            heaps.setdefault(keeper.sender, []).append((keeper.deadline, keeper.instrument))
    for heap in heaps.values():
        heapify(heap)
    return heaps
