"""A book's start: the owner's snapshot, then exactly the deltas after it.

The lane is attached and keeps deltas before the book is asked for, and the answer must include the log
up to where the hub stood: so nothing falls between the two, and what both have is dropped by offset.
"""

from __future__ import annotations

import asyncio

from actors.directory import Directory
from deployments.ws.lane import Lane
from domain.envelope import Cursor
from domain.errors import Retryable, Unavailable

ATTEMPTS = 6
FIRST_WAIT_S = 0.05


async def sync_book(directory: Directory, lane: Lane, depth: int) -> None:
    """Raises what Directory.book raises; Retryable errors only after several attempts."""
    wait_s = FIRST_WAIT_S
    for attempt in range(ATTEMPTS):
        after = Cursor({lane.partition: lane.min_snapshot})
        try:
            answer = await directory.book(lane.key.instrument, depth, after=after)
        except Retryable:
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(wait_s)
            wait_s *= 2
            continue
        if not lane.waiting or lane.start_from(answer):
            return
    raise Unavailable(f"the book of {lane.key.instrument} lags behind its deltas")
