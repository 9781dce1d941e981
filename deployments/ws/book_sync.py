"""A book's start: the owner's snapshot, then exactly the deltas after it.

The lane is attached and keeps deltas before the book is asked for, and the answer must include the log
up to where the hub stood: so nothing falls between the two, and what both have is dropped by offset.
A book told by order begins where the hub's view of it stands; the first to want it brings the orders.
"""

from __future__ import annotations

import asyncio

from actors.answers import BookAnswer
from deployments.ws.hub import Hub
from deployments.ws.lane import Lane
from deployments.ws.level_view import LevelView
from domain.envelope import Cursor
from domain.errors import Retryable, Unavailable

ATTEMPTS = 6
FIRST_WAIT_S = 0.05


async def sync_book(hub: Hub, lane: Lane, depth: int) -> None:
    """Raises what Directory.book raises; Retryable errors only after several attempts."""
    wait_s = FIRST_WAIT_S
    for attempt in range(ATTEMPTS):
        try:
            answer = await _answer(hub, lane, depth)
        except Retryable:
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(wait_s)
            wait_s *= 2
            continue
        if not lane.waiting or lane.start_from(answer):
            return
    raise Unavailable(f"the book of {lane.key.instrument} lags behind its deltas")


async def _answer(hub: Hub, lane: Lane, depth: int) -> BookAnswer:
    """The book now; of one told by order never behind the hub, for its changes are made from that on."""
    instrument, partition = lane.key.instrument, lane.partition
    after = Cursor({partition: lane.min_snapshot})
    answer = await hub.directory.book(instrument, depth, after=after)
    if not answer.by_order:
        return answer
    if hub.view(lane.key) is None:
        orders = await hub.directory.orders(instrument, after=after)
        if lane.waiting and orders.place[1] >= lane.min_snapshot and hub.view(lane.key) is None:
            view = LevelView.seeded(orders)
            for frame in lane.buffer:
                view.take(frame.recorded)
            hub.adopt_view(lane.key, view)
    # No await from here on: the view stays where the hub stands.
    followed = hub.view(lane.key)
    if followed is None:
        raise Unavailable(f"the orders of {instrument} lag behind their changes")
    return followed.answer(instrument, depth, partition, hub.position.get(partition, 0))
