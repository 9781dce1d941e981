"""This gateway's connection slots, leased from the ConnectionManager.

Every few seconds the manager is told all that this gateway holds. So a restarted manager learns the truth
again, and the slots of a gateway that has died are free once its lease has run out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from actors.connections import SessionInfo
from actors.directory import Directory
from deployments.auth.principal import Principal
from domain.clock import Clock
from domain.errors import FinanceHubError, NotFound
from observability.log import get_log

log = get_log("slots")

RENEWALS_PER_LEASE = 3
FIRST_LEASE_MS = 3_000
"""Taken for the lease until the manager has said how long it is."""
MAX_SUBSCRIPTIONS = 1_000
"""Remembered per session, for a manager that has forgotten them."""


class Slots:
    """One gateway incarnation's sessions, by name."""

    def __init__(self, directory: Directory, gateway: str, clock: Clock) -> None:
        self._directory = directory
        self._gateway = gateway
        self._clock = clock
        self._held: dict[str, SessionInfo] = {}
        self._keeping: asyncio.Task[None] | None = None
        self.lease_ms = FIRST_LEASE_MS

    async def take(self, session: str, who: Principal) -> None:
        """Raises OverLimit, Unavailable."""
        opened_at = self._clock.now_ns()
        # Noted first: a registration under way must not take the new session for a ghost.
        self._held[session] = SessionInfo(
            session, who.user, who.role, self._gateway, opened_at, who.expires_at
        )
        try:
            await self._directory.open_session(session, who.user, who.role, who.expires_at, self._gateway)
        except BaseException:
            del self._held[session]
            raise
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep(), name="slots")

    async def subscribed(self, session: str, channel: str, instruments: Sequence[str]) -> None:
        """Audit a subscription. Raises OverLimit, Unavailable."""
        try:
            await self._directory.subscribed(session, channel, instruments)
        except NotFound:  # the manager has restarted since the last registration
            await self._register()
            await self._directory.subscribed(session, channel, instruments)
        info = self._held.get(session)
        if info is not None and len(info.subscriptions) < MAX_SUBSCRIPTIONS:
            added = (*info.subscriptions, (channel, tuple(instruments)))
            self._held[session] = msgspec.structs.replace(info, subscriptions=added)

    async def give_back(self, session: str, code: int, reason: str) -> None:
        self._held.pop(session, None)
        try:
            await self._directory.close_session(session, code, reason)
        except FinanceHubError as error:
            # The next registration does not name it any more.
            log.warning("not closed", session=session, error=str(error))

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping

    async def _keep(self) -> None:
        while True:
            try:
                await self._register()
            except FinanceHubError as error:
                log.warning("lease not renewed", error=str(error))
            await asyncio.sleep(self.lease_ms / 1e3 / RENEWALS_PER_LEASE)

    async def _register(self) -> None:
        self.lease_ms = await self._directory.register_gateway(self._gateway, list(self._held.values()))
