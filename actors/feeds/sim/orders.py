"""The single orders behind a ladder's levels, for the simulator's book by order (L3).

The ladder decides each level's size; this decides which orders make it up, in whole lots, so that the
levels always add up. Its own random numbers leave the market the same with and without it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from actors.feeds.sim.catalog import SimInstrument
from domain.market.observations import Level, Side

PARTS = (1, 1, 2, 3)
"""Into how many orders a new size is split, drawn evenly."""

Queue = dict[str, int]
"""order id -> lots, first in line first"""


class OrderChange(Struct, frozen=True):
    """`size` in base units after the change; 0 of a deleted order."""

    action: Literal["add", "modify", "delete"]
    order_id: str
    side: Side
    price: float
    size: float


class RestingOrders:
    """Orders of one instrument. Ids count up from `first_id`."""

    def __init__(self, about: SimInstrument, rng: random.Random, first_id: int) -> None:
        self._lot = about.lot
        self._digits = about.size_precision
        self._rng = rng
        self._last_id = first_id
        self._queues: dict[tuple[Side, float], Queue] = {}

    def follow(
        self, bids: Sequence[Level], asks: Sequence[Level], *, executed: bool = False
    ) -> list[OrderChange]:
        """Bring the orders in line with changed levels; what became smaller comes first.

        `executed`: a trade took from the front of the queue; else the newest orders are cancelled first.
        """
        sides: tuple[tuple[Side, Sequence[Level]], ...] = (("buy", bids), ("sell", asks))
        changed = [(side, price, self._lots(size)) for side, levels in sides for price, size in levels]
        changes: list[OrderChange] = []
        for side, price, lots in changed:
            queue = self._queues.setdefault((side, price), {})
            held = sum(queue.values())
            refilled = executed and lots >= held
            changes += self._shrink(side, price, held if refilled else held - lots, front=executed)
        for side, price, lots in changed:
            changes += self._grow(side, price, lots - sum(self._queues[side, price].values()))
            if not self._queues[side, price]:
                del self._queues[side, price]
        return changes

    def all(self) -> list[OrderChange]:
        """Every resting order as an `add`: bids, then asks, best first, first in line first."""
        ranked = sorted(self._queues.items(), key=_rank)
        return [
            OrderChange("add", order_id, side, price, self._size(lots))
            for (side, price), queue in ranked
            for order_id, lots in queue.items()
        ]

    def _shrink(self, side: Side, price: float, lots: int, *, front: bool) -> Iterable[OrderChange]:
        queue = self._queues[side, price]
        for order_id in list(queue) if front else list(reversed(queue)):
            if lots <= 0:
                return
            taken = min(lots, queue[order_id])
            lots -= taken
            queue[order_id] -= taken
            left = self._size(queue[order_id])
            if not queue[order_id]:
                del queue[order_id]
            yield OrderChange("modify" if left else "delete", order_id, side, price, left)

    def _grow(self, side: Side, price: float, lots: int) -> Iterable[OrderChange]:
        parts = self._rng.choice(PARTS)
        while lots > 0:
            size = lots if parts == 1 else self._rng.randint(1, max(1, lots // parts))
            parts = max(1, parts - 1)
            lots -= size
            self._last_id += 1
            order_id = str(self._last_id)
            self._queues[side, price][order_id] = size
            yield OrderChange("add", order_id, side, price, self._size(size))

    def _lots(self, size: float) -> int:
        return round(size / self._lot)

    def _size(self, lots: int) -> float:
        return round(lots * self._lot, self._digits)


def _rank(item: tuple[tuple[Side, float], Queue]) -> tuple[int, float]:
    (side, price), _ = item
    return (0, -price) if side == "buy" else (1, price)
