"""When the keepers of a partition want to be woken: a heap of (deadline, instrument) for each set of feeds.

    a feed's clock moves ──> the heaps of the keepers it brings, its own at once, others WITNESS_WAIT_NS later

Derived from the keepers and in no snapshot, so that nothing here is state of the fold. A timer is left
behind where a deadline moves or the feeds of an instrument change; it is passed over when its turn comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from operator import itemgetter

from domain.fed_by import WITNESS_WAIT_NS, Timekeepers
from domain.keeper import SymbolKeeper
from domain.market.bars import NEVER

SPARE = 64
"""Timers beyond two for each keeper, heaps beyond one: so many left behind are worth new heaps."""


class Group:
    """The timers of all keepers with the same timekeepers."""

    __slots__ = ("heap",)

    def __init__(self) -> None:
        self.heap: list[tuple[int, str]] = []


class Timers:
    """`forget` after changes that nobody has scheduled: they are then made anew from the keepers."""

    __slots__ = ("_count", "_groups", "_keepers", "_known", "_of_feed")

    def __init__(self, keepers: Mapping[str, SymbolKeeper]) -> None:
        self._keepers = keepers
        self._groups: dict[Timekeepers, Group] = {}
        self._of_feed: dict[str, list[tuple[Group, int]]] = {}
        self._count = 0
        self._known = True

    def __len__(self) -> int:
        """With those left behind."""
        return self._count

    def forget(self) -> None:
        self._known = False

    def schedule(self, keeper: SymbolKeeper) -> None:
        """The keeper's deadline may have moved, or its timekeepers changed (`timers` is None then)."""
        keeper.timer_at = keeper.deadline
        group = keeper.timers
        if not isinstance(group, Group):
            group = keeper.timers = self._group(keeper.feeds.timekeepers())
        if keeper.deadline == NEVER:
            return
        heappush(group.heap, (keeper.deadline, keeper.instrument))
        self._count += 1
        if self._count > 2 * len(self._keepers) + SPARE:
            self._known = False

    def next(self, feed: str) -> int | None:
        """When the first timer that a feed's clock runs is due, ns UTC on that clock."""
        due = [group.heap[0][0] + wait for group, wait in self._groups_of(feed) if self._tidy(group)]
        return min(due, default=None)

    def take_due(self, feed: str, clock: int) -> tuple[int, SymbolKeeper] | None:
        """The first by deadline of those that are due, which is over with it: its deadline and keeper, to be
        scheduled again."""
        heaps = [group.heap for group, wait in self._groups_of(feed) if self._is_due(group, clock - wait)]
        if not heaps:
            return None
        self._count -= 1
        deadline, instrument = heappop(min(heaps, key=itemgetter(0)))
        return deadline, self._keepers[instrument]

    def more_due(self, feed: str, clock: int, than: int) -> bool:
        """Whether more than so many are due, those left behind counted; looks at little more than that."""
        due = 0
        for group, wait in self._groups_of(feed):
            heap, limit, look = group.heap, clock - wait, [0]
            while look and due <= than:
                index = look.pop()
                if index < len(heap) and heap[index][0] <= limit:
                    due += 1
                    look += (2 * index + 1, 2 * index + 2)
        return due > than

    def _is_due(self, group: Group, limit: int) -> bool:
        heap = group.heap
        return bool(heap) and heap[0][0] <= limit and self._tidy(group) and heap[0][0] <= limit

    def _tidy(self, group: Group) -> bool:
        """Drop what was left behind at the top. False where nothing remains."""
        heap, keepers = group.heap, self._keepers
        while heap:
            deadline, instrument = heap[0]
            keeper = keepers[instrument]
            if keeper.deadline == deadline and keeper.timers is group:
                return True
            heappop(heap)
            self._count -= 1
        return False

    def _groups_of(self, feed: str) -> list[tuple[Group, int]]:
        if not self._known:
            self._make()
        return self._of_feed.get(feed, [])

    def _group(self, timekeepers: Timekeepers) -> Group:
        group = self._groups.get(timekeepers)
        if group is None:
            group = self._groups[timekeepers] = Group()
            if len(self._groups) > len(self._keepers) + SPARE:
                self._known = False
            for feed in timekeepers.own:
                self._of_feed.setdefault(feed, []).append((group, 0))
            for feed in timekeepers.others:
                self._of_feed.setdefault(feed, []).append((group, WITNESS_WAIT_NS))
        return group

    def _make(self) -> None:
        self._groups, self._of_feed, self._count, self._known = {}, {}, 0, True
        for keeper in self._keepers.values():
            keeper.timer_at = keeper.deadline
            group = keeper.timers = self._group(keeper.feeds.timekeepers())
            if keeper.deadline != NEVER:
                group.heap.append((keeper.deadline, keeper.instrument))
                self._count += 1
        for group in self._groups.values():
            heapify(group.heap)
