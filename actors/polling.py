"""Long polls of durable events by cursor: from memory, or "read the log up to X".

A poll carries the caller's offsets, so an answer that gets lost costs nothing: the next poll asks for
the same again. Partitions that are not (or no longer) owned here are missing from the reply's `epochs`;
the caller asks the directory where they went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from actors.answers import PollReply
from actors.lease import Leases
from actors.seat import Seat
from actors.shard_settings import ShardSettings
from actors.tenure import Tenure
from domain.errors import Conflict, FinanceHubError, NotOwner, Retryable, Unavailable

ACTIVE_S = 0.25
"""A caller that digests a reply still counts as polling for so long."""

MISPLACED_WAIT_S = 0.1
"""A poll for a partition that is elsewhere ends soon, so that its caller looks for the new owner."""


class Polls:
    """The waiting polls of one shard; `wake` after each commit and whenever ownership changes."""

    def __init__(
        self,
        tenure: Tenure,
        leases: Leases,
        monotonic: Callable[[], float],
        settings: ShardSettings,
    ) -> None:
        self.waiting = 0
        self._tenure = tenure
        self._leases = leases
        self._monotonic = monotonic
        self._settings = settings
        self._tide = asyncio.Event()
        self._ended_s = float("-inf")

    def active(self) -> bool:
        """Somebody polls: events should not linger."""
        return self.waiting > 0 or self._monotonic() - self._ended_s < ACTIVE_S

    def wake(self) -> None:
        tide, self._tide = self._tide, asyncio.Event()
        tide.set()

    async def poll(self, after: Mapping[str, int], wait_s: float, max_events: int) -> PollReply:
        """Durable events after the offsets, about `max_events` at most; waits up to `wait_s` for the first.

        Raises NotOwner where none of the partitions is owned here, Unavailable where that cannot be told.
        """
        until_s = self._monotonic() + min(wait_s, self._settings.poll_max_wait_s)
        self.waiting += 1
        try:
            return await self._poll(after, until_s, max_events)
        finally:
            self.waiting -= 1
            self._ended_s = self._monotonic()

    async def reached(self, seat: Seat, offset: int, wait_s: float) -> None:
        """Wait until that offset is durable. Raises Unavailable past the wait, else why the seat is lost."""
        until_s = self._monotonic() + wait_s
        while seat.lost is None and seat.head.offset < offset:
            left_s = until_s - self._monotonic()
            try:
                async with asyncio.timeout(left_s):  # wait_for of 3.11 may swallow a cancellation
                    await self._tide.wait()
            except TimeoutError:
                raise Unavailable(f"{seat.partition!r} has not reached {offset} within {wait_s} s") from None
        if seat.lost is not None:
            raise seat.lost

    async def _poll(self, after: Mapping[str, int], until_s: float, max_events: int) -> PollReply:
        await self._doubt(after)
        while True:
            tide = self._tide
            seats = await self._seats(after)
            reply = self._collect(seats, after, max_events)
            if len(seats) < len(after):
                until_s = min(until_s, self._monotonic() + MISPLACED_WAIT_S)
            left_s = until_s - self._monotonic()
            if reply.events or reply.behind or left_s <= 0:
                return reply
            try:
                async with asyncio.timeout(left_s):
                    await tide.wait()
            except TimeoutError:
                until_s = self._monotonic()

    async def _doubt(self, after: Mapping[str, int]) -> None:
        """A caller who knows more than the owner may come from a newer one: look at the heads."""
        seats = self._tenure.seats
        if any(name in seats and seats[name].head.offset < offset for name, offset in after.items()):
            await self._leases.renew()

    async def _seats(self, after: Mapping[str, int]) -> list[Seat]:
        """Those asked for that are ours beyond doubt. Raises where there is none."""
        seats: list[Seat] = []
        refusal: FinanceHubError = NotOwner(f"none of {sorted(after)} is owned by {self._tenure.owner!r}")
        for partition in after:
            try:
                seat = self._tenure.seat(partition)
                await self._leases.require(seat)
            except (Conflict, Retryable) as error:
                refusal = error
            else:
                seats.append(seat)
        seats = [seat for seat in seats if seat.lost is None]
        if after and not seats:
            raise refusal
        return seats

    def _collect(self, seats: list[Seat], after: Mapping[str, int], max_events: int) -> PollReply:
        reply = PollReply(events={}, behind={}, epochs={})
        share = max(1, max_events // max(1, len(seats)))
        share_bytes = self._settings.poll_bytes // max(1, len(seats))
        for seat in seats:
            reply.epochs[seat.partition] = seat.epoch
            offset = after[seat.partition]
            if not seat.recent.reaches(offset):
                reply.behind[seat.partition] = seat.recent.base
            elif events := seat.recent.after(offset, share, share_bytes):
                reply.events[seat.partition] = events
        return reply
