"""This gateway's connection slots, leased from the ConnectionManager.

    register ── before the first socket, and every few seconds: all that this gateway holds
    renew ───── every second; NotFound: the manager has restarted and is told all again
    Conflict ── this gateway was silent for longer than its lease, and others have its slots: it drops its
                sockets and begins again under another name

So a restarted manager learns the truth again within a second, and the slots of a gateway that has died are
free once its lease has run out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actors.connections import Named, SessionInfo
from actors.directory import Directory
from actors.kept_task import KeptTask
from deployments.auth.principal import Principal
from deployments.ws.channels import is_pattern
from domain.access_events import digest_of
from domain.clock import Clock
from domain.errors import Conflict, FinanceHubError, NotFound, Rejected, Unavailable
from observability.log import get_log

log = get_log("slots")

RENEWALS_PER_LEASE = 15
REGISTER_EVERY = 5
"""Renewals, the last of which tells all: what went missing between the two is put right then."""
LEAVE_S = 1.0
RETRY_CAP_S = 1.0
FIRST_LEASE_MS = 3_000
"""Taken for the lease until the manager has said how long it is."""


class Slots:
    """One gateway's sessions, by name. `on_lost`: the sockets must go, others have their slots."""

    def __init__(
        self, directory: Directory, gateway: str, clock: Clock, on_lost: Callable[[], None] = lambda: None
    ) -> None:
        self._directory = directory
        self._base = self._gateway = gateway
        self._clock = clock
        self._on_lost = on_lost
        self._lives = 1
        self._held: dict[str, SessionInfo] = {}
        self._opening: set[str] = set()
        self._known = False
        self._joining = asyncio.Lock()
        self._renewals = 0
        self.keeping = KeptTask("lease", self._turn, retry_cap_s=RETRY_CAP_S, seed=gateway)
        self._doubtful = False
        self.lease_ms = FIRST_LEASE_MS

    async def take(self, session: str, who: Principal) -> None:
        """Raises OverLimit, Unauthenticated where the ticket is not good (any more), Unavailable."""
        await self._join()
        gateway, opened_at = self._gateway, self._clock.now_ns()
        # Noted first: a registration under way must not take the new session for a ghost.
        self._opening.add(session)
        try:
            await self._directory.open_session(
                session, who.user, who.role, who.expires_at, gateway, who.ticket
            )
        except Conflict as error:
            self._lost(gateway, error)
            raise Unavailable(f"this gateway begins again: {error}") from None
        except Rejected:
            raise
        except BaseException:
            self._doubtful = True  # it may have been opened: the next renewal says that it is not held
            raise
        finally:
            self._opening.discard(session)
        if gateway != self._gateway:
            raise Unavailable("this gateway begins again: connect again")
        self._held[session] = SessionInfo(session, who.user, who.role, gateway, opened_at, who.expires_at)

    async def subscribed(self, session: str, channel: str, names: Sequence[str]) -> None:
        """Audit a subscription to instruments and patterns. Raises Unavailable."""
        patterns = sum(map(is_pattern, names))
        named = Named(channel, len(names) - patterns, patterns, digest_of(names))
        try:
            await self._directory.subscribed(session, named)
        except NotFound:  # the manager has restarted since the last registration
            await self._register()
            await self._directory.subscribed(session, named)
        info = self._held.get(session)
        if info is not None:
            self._held[session] = info.with_more(named)

    async def give_back(self, session: str, code: int, reason: str) -> None:
        self._held.pop(session, None)
        try:
            await self._directory.close_session(session, code, reason)
        except FinanceHubError as error:
            self._doubtful = True  # the next renewal does not name it any more
            log.warning("not closed", session=session, error=str(error))

    async def stop(self) -> None:
        """No renewals any more. A gateway that holds nothing says so: nobody has to wait for it."""
        await self.keeping.stop()
        if self._known and not self._held and not self._opening:
            self._known = False
            try:
                async with asyncio.timeout(LEAVE_S):
                    await self._directory.leave_gateway(self._gateway)
            except (FinanceHubError, TimeoutError) as error:
                log.warning("not signed off", gateway=self._gateway, error=repr(error))

    async def _join(self) -> None:
        """Register before the first socket: a manager that restarts must know whom to wait for."""
        if not self._known:
            async with self._joining:
                if not self._known:
                    await self._register()
        self.keeping.start()

    async def _turn(self) -> None:
        await asyncio.sleep(self.lease_ms / 1e3 / RENEWALS_PER_LEASE)
        self._renewals += 1
        await self._renew(everything=self._doubtful or self._renewals % REGISTER_EVERY == 0)

    async def _renew(self, *, everything: bool) -> None:
        if everything or not self._known:
            await self._register()
            return
        gateway = self._gateway
        try:
            self.lease_ms = await self._directory.renew_gateway(gateway)
        except NotFound:
            await self._register()
        except Conflict as error:
            self._lost(gateway, error)

    async def _register(self) -> None:
        """Raises Unavailable. A gateway that was given up has nothing to register under its new name."""
        gateway, self._doubtful = self._gateway, False
        try:
            self.lease_ms = await self._directory.register_gateway(
                gateway, list(self._held.values()), list(self._opening)
            )
        except Conflict as error:
            self._lost(gateway, error)
            raise Unavailable(f"this gateway begins again: {error}") from None
        except BaseException:
            self._doubtful = True
            raise
        self._known = gateway == self._gateway

    def _lost(self, gateway: str, error: Conflict) -> None:
        if gateway != self._gateway:
            return  # somebody has seen it already
        log.error("gateway given up", gateway=gateway, sessions=len(self._held), error=str(error))
        self._lives += 1
        self._gateway = f"{self._base}.{self._lives}"
        self._held.clear()
        self._known = False
        self._on_lost()
