"""How long an owner may answer reads without hearing from the log.

Appends are fenced by the log itself. Reads are not: an owner that was paused while another took over
would tell old news as if they were new. So an owner trusts a partition's epoch only for `lease_s` after
it last *began* a call that proved it: an append of its own, or a look at the heads when idle. Time is the
owner's monotonic clock. A takeover never waits for a lease; it only bounds how stale an answer can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from actors.seat import Seat
from domain.errors import Unavailable
from storage.event_log import EventLog

RENEW_AT = 3
"""Renewal begins after a third of the lease: two more chances before it runs out."""


class Leases:
    """Which seats may answer reads now. `fenced` is told of seats that somebody else has taken."""

    def __init__(
        self,
        log: EventLog,
        owner: str,
        seats: Mapping[str, Seat],
        monotonic: Callable[[], float],
        lease_s: float,
        fenced: Callable[[Seat], None],
    ) -> None:
        self._log = log
        self._owner = owner
        self._seats = seats
        self._monotonic = monotonic
        self._lease_s = lease_s
        self._fenced = fenced
        self._looking: asyncio.Task[None] | None = None

    def holds(self, seat: Seat) -> bool:
        return self._monotonic() - seat.verified_s <= self._lease_s

    def due(self) -> bool:
        """Some seat has not been proven for a third of the lease."""
        oldest = min((seat.verified_s for seat in self._seats.values()), default=None)
        return oldest is not None and self._monotonic() - oldest > self._lease_s / RENEW_AT

    async def require(self, seat: Seat) -> None:
        """Return while the seat is ours beyond doubt. Raises NotOwner, or Unavailable if nobody can tell."""
        if seat.lost is not None:
            raise seat.lost
        if self.holds(seat):
            return
        await self.renew()
        if seat.lost is not None:
            raise seat.lost
        if not self.holds(seat):
            raise Unavailable(f"ownership of {seat.partition!r} could not be verified in time")

    async def renew(self) -> None:
        """One look at the heads, shared by all who ask meanwhile. Raises Unavailable."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
            self._looking.add_done_callback(lambda look: look.cancelled() or look.exception())
        try:
            async with asyncio.timeout(self._lease_s):
                await asyncio.shield(self._looking)
        except TimeoutError:
            raise Unavailable("the log does not say in time who owns what") from None

    async def _look(self) -> None:
        began_s = self._monotonic()
        heads = {head.partition: head for head in await self._log.heads("market")}
        for seat in list(self._seats.values()):
            head = heads.get(seat.partition, seat.head)
            if head.owner == self._owner:  # at a later epoch too: a claim of ours may land late
                seat.verified_s = max(seat.verified_s, began_s)
            elif head.epoch > seat.epoch:  # else it was seen before this seat was claimed
                self._fenced(seat)
