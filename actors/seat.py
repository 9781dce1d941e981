"""One partition in its owner's hands: the fold that runs ahead, what is not durable yet, who waits for it.

    fold -> pending -> (next_part) in flight -> (committed) durable
             a ticket counts folds; a waiter waits for a ticket, whatever block carries it

A block needs an event, so a batch that held only repeats is `held`: its sequence travels in the header
of the next block, and until then it is not acknowledged. It changes nothing but its sender's place, so a
block may end before it, and a snapshot there tells the place before.

Nothing is rolled back. When an append fails the seat is lost: everybody who waits is told, and whoever
comes next finds a new seat made from the log, or none.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from actors.intake import IntakeBound
from actors.recent import RecentEvents
from domain.envelope import Admitted, Batch, MarketEvent
from domain.errors import FinanceHubError
from domain.indicators.armed import SENDER, Arming
from domain.partition import MarketPartition
from domain.senders import Places, SenderState
from storage.event_log import Head
from storage.writer import Part

Waiter = asyncio.Future[Head]

BYTES_AN_ORDER = 25_000
"""Of an order with a long warm-up, about."""


class _Fold:
    """The trace of one admitted batch until it is in a block. With an `end` it is the last of its block.

    `before`: where its sender stood.
    """

    __slots__ = ("admitted", "before", "end", "events", "size_bytes")

    def __init__(
        self,
        admitted: Admitted,
        events: Sequence[MarketEvent],
        size_bytes: int,
        before: SenderState | None,
    ) -> None:
        self.admitted = admitted
        self.before = before
        self.events = events
        self.size_bytes = size_bytes
        self.end: Waiter | None = None


class Seat:
    """The single writer's view of one partition. `head` is durable; `market` is at `folded`."""

    def __init__(
        self,
        head: Head,
        market: MarketPartition,
        recent: RecentEvents,
        bound: IntakeBound,
        verified_s: float,
    ) -> None:
        self.partition = head.partition
        self.head = head
        self.market = market
        self.recent = recent
        self.verified_s = verified_s
        self.folded = head.offset
        self.closing = False
        self.lost: FinanceHubError | None = None
        self.newest = 0
        self.eventful = 0
        self._bound = bound
        self._pending: deque[_Fold] = deque()
        self._in_flight: list[_Fold] = []
        self._durable = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._waiters = 0

    @property
    def epoch(self) -> int:
        return self.head.epoch

    @property
    def dirty(self) -> bool:
        """Events wait for a block."""
        return bool(self._pending) and self.folded > self.head.offset and self.lost is None

    @property
    def pending_events(self) -> int:
        """Folded and not durable."""
        return self.folded - self.head.offset

    def is_durable(self, ticket: int) -> bool:
        return self.lost is None and ticket <= self._durable

    def fold(self, batch: Batch, size_bytes: int) -> tuple[int, bool]:
        """Admit and fold one batch; returns the ticket that makes it durable, whether it is admitted now.

        A repeat returns the newest ticket: its original is not later than that. Raises Conflict for an
        old incarnation, OutOfSequence for a jump; both leave the fold as it was.
        """
        before = self.market.place(batch.sender)
        admitted, events = self.market.observe(batch)
        if admitted is not None:
            self._took(admitted, events, size_bytes, before)
        return self.newest, admitted is not None

    def catch_up(self, batch: Batch, most: int) -> bool:
        """Run `most` of the timers that a batch's clock makes due. False where no more are: fold it.

        Raises as `fold`.
        """
        before = self.market.place(batch.sender)
        admitted, events = self.market.catch_up(batch, most)
        if admitted is not None:
            self._took(admitted, events, 0, before)
        return admitted is not None

    def arm(self, orders: Sequence[Arming], clock: int) -> None:
        """Fold the owner's orders as a batch of this epoch; what is as ordered already is passed over."""
        before = self.market.place(SENDER)
        admitted, events = self.market.arm(orders, self.epoch, clock)
        if admitted is not None:
            self._took(admitted, events, BYTES_AN_ORDER * len(events), before)

    def _took(
        self, admitted: Admitted, events: Sequence[MarketEvent], size_bytes: int, before: SenderState | None
    ) -> None:
        self._pending.append(_Fold(admitted, events, size_bytes, before))
        self._bound.took(len(events), size_bytes)
        self.folded += len(events)
        self.newest += 1
        if events:
            self.eventful = self.newest

    def block_end(self) -> Waiter:
        """Let a block end at `folded`, before what is held since; answers with the head then.

        Raises what the seat was lost of: its fold is then of no place in the log.
        """
        if self.lost is not None:
            raise self.lost
        newest = next((fold for fold in reversed(self._pending) if fold.events), None)
        if newest is None and self._in_flight:
            newest = self._in_flight[-1]
        if newest is not None and newest.end is not None:
            return newest.end
        end: Waiter = asyncio.get_running_loop().create_future()
        if newest is None:
            end.set_result(self.head)
        else:
            newest.end = end
        return end

    def places(self) -> Places:
        """Of the senders of what is held since `folded`: where they stood there."""
        found: dict[str, SenderState | None] = {}
        for fold in reversed(self._pending):
            if fold.events:
                break
            found[fold.admitted.sender] = fold.before
        return found

    def next_part(self, max_events: int, max_bytes: int = 1 << 62) -> Part:
        """What the next block gets: pending folds, whole and in order, from now on in flight."""
        taken, count, size_bytes = self._in_flight, 0, 0
        while self._pending:
            fold = self._pending[0]
            count += len(fold.events)
            size_bytes += fold.size_bytes
            if count > len(fold.events) and (count > max_events or size_bytes > max_bytes):
                break
            taken.append(self._pending.popleft())
            if fold.end is not None:
                break
        events = [event for fold in taken for event in fold.events]
        after = (self.head.offset, self.head.hash)
        return Part(self.partition, [fold.admitted for fold in taken], events, after)

    def committed(self, head: Head, verified_s: float) -> None:
        """The block in flight is durable: `head` is the new one. Publish it and answer who waited."""
        done, self._in_flight = self._in_flight, []
        self.head = head
        self.verified_s = max(self.verified_s, verified_s)
        self.recent.append(head.recorded_ns, [event for fold in done for event in fold.events])
        self._durable += len(done)
        self._give_back(done)
        if (end := done[-1].end) is not None and not end.done():
            end.set_result(head)
        while self._waiting and self._waiting[0][0] <= self._durable:
            waiter = heapq.heappop(self._waiting)[-1]
            if not waiter.done():
                waiter.set_result(None)

    def lose(self, error: FinanceHubError) -> None:
        """The fold may differ from the log from now on: tell everybody, answer nothing more."""
        if self.lost is not None:
            return
        self.lost = error
        folds = [*self._in_flight, *self._pending]
        self._in_flight = []
        self._pending.clear()
        self._give_back(folds)
        waiting, self._waiting = self._waiting, []
        for *_, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(error)
        for fold in folds:
            if fold.end is not None and not fold.end.done():
                fold.end.set_exception(error)

    async def durable(self, ticket: int) -> None:
        """Wait until the fold with that ticket is durable. Raises what the seat was lost of."""
        if self.lost is not None:
            raise self.lost
        if ticket <= self._durable:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters += 1
        heapq.heappush(self._waiting, (ticket, self._waiters, waiter))
        await waiter

    def _give_back(self, folds: Iterable[_Fold]) -> None:
        for fold in folds:
            self._bound.gave_back(len(fold.events), fold.size_bytes)
