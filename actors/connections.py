"""ConnectionManager: who is connected, within which quota. One owner for all gateways.

    gateway --admit_gateway--> its whole list, at its start and after either side restarted: no ghosts, no
                               lost slots; every few seconds; one that stays silent loses them all
            --open_session---> slots and used tickets, in memory --(behind)--> access/N   the audit
            --renew_gateway--> every second; NotFound: this manager has restarted, say all again

Slots are memory only: a handshake never waits for a commit, and a restarted manager learns the truth from
the gateways, not from the log. Until all gateways that it may have had (`GatewayList`) have reported, it
opens nothing. `gateway` names an incarnation: a restarted one has another name. Times on which something
depends are measured by the monotonic clock; wall time is only written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from actors.access_audit import AccessAudit, AuditSettings
from actors.gateway_list import GatewayList
from actors.sold_tickets import SoldTickets, TicketSettings
from domain.access_events import SessionClosed, SessionEvent, SessionOpened, SessionSubscribed
from domain.clock import Clock
from domain.errors import Conflict, NotFound, OverLimit, Unavailable
from storage.event_log import EventLog

GATEWAY_LOST = 4503
"""Close code recorded for sessions whose gateway is gone (draining in INTERFACES.md section 7)."""
MAX_REASON = 120
"""Letters of a close reason that are audited: as many bytes as a close frame takes at most."""


class ConnectionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the ConnectionManager."""

    max_sockets_per_user: int = 20
    max_sessions: int = 50_000
    lease_ms: int = 15_000
    """A registered gateway that does not renew for so long is taken for dead."""
    report_ms: int = 10_000
    """So long a restarted manager waits for the gateways it had before; then they are taken for dead."""
    tickets: TicketSettings = TicketSettings()
    audit: AuditSettings = AuditSettings()
    """With its backlog full, new sessions and subscriptions are refused; closings always go through."""


class Named(Struct, frozen=True):
    """What one subscription names: how many instruments and patterns, and the `digest_of` their names."""

    channel: str
    instruments: int
    patterns: int
    digest: str


class SessionInfo(Struct, frozen=True):
    """A connected socket. Times in ns UTC; `subscriptions`: channel -> names asked for since it opened."""

    session: str
    user: str
    role: str
    gateway: str
    opened_at: int
    expires_at: int
    subscriptions: dict[str, int] = {}

    def with_more(self, named: Named) -> SessionInfo:
        count = self.subscriptions.get(named.channel, 0) + named.instruments + named.patterns
        return msgspec.structs.replace(self, subscriptions={**self.subscriptions, named.channel: count})


class ConnectionManager:
    """Owns every connection slot. Only gateways that are new wait for the log."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: ConnectionSettings | None = None,
        *,
        owner: str,
        cluster: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` names one life of the process: its claims bear it. `cluster`: see `GatewayList`."""
        self._clock = clock
        self._settings = settings or ConnectionSettings()
        self.audit = AccessAudit(log, clock, self._settings.audit, owner=owner, monotonic=monotonic)
        self.tickets = SoldTickets(monotonic, self._settings.tickets)
        self.gateways = GatewayList(
            log,
            clock,
            monotonic,
            owner=owner,
            cluster=cluster,
            lease_s=self._settings.lease_ms / 1e3,
            report_s=self._settings.report_ms / 1e3,
        )
        self._replaced: Conflict | None = None
        self._contested = 0
        self._sessions: dict[str, SessionInfo] = {}
        self._by_user: dict[str, set[str]] = {}
        self._by_gateway: dict[str, set[str]] = {}

    async def start(self) -> None:
        """Raises Unavailable where nobody can say which gateways there were."""
        await self.gateways.load()
        await self.audit.start()

    async def stop(self) -> None:
        """Write what the audit still holds. Sessions stay with their gateways."""
        await self.audit.stop()

    def sell_ticket(self, ticket: str, user: str) -> None:
        """The id is good for one `open_session` of that user. Raises OverLimit, Unavailable."""
        self.tickets.sell(ticket, user)

    def open_session(
        self, session: str, user: str, role: str, expires_at: int, gateway: str, ticket: str | None = None
    ) -> SessionInfo:
        """Take a slot; the ticket is used up by it. The same session again returns the first outcome.

        Raises OverLimit where the user has too many sockets, Unauthenticated for a ticket that is not good
        (any more), Unavailable where this system is full or has just restarted, Conflict for a gateway that
        was given up.
        """
        known = self._sessions.get(session)
        if known is not None:
            return known
        self._check_gateway(gateway)
        if ticket is not None:
            self.tickets.check(ticket, user)
        self._check_room(user)
        if ticket is not None:
            self.tickets.use(ticket)
        info = SessionInfo(session, user, role, gateway, self._clock.now_ns(), expires_at)
        self._insert(info)
        self._record(SessionOpened(session, user, role, info.opened_at, gateway, expires_at))
        return info

    def subscribed(self, session: str, named: Named) -> None:
        """Remember and audit a subscription. Raises NotFound or Unavailable."""
        info = self._known(session)
        self._check_audit()
        self._sessions[session] = info.with_more(named)
        self._record(
            SessionSubscribed(
                session,
                info.user,
                self._clock.now_ns(),
                named.channel,
                instrument_count=named.instruments,
                pattern_count=named.patterns,
                digest=named.digest,
            )
        )

    def close_session(self, session: str, code: int, reason: str) -> None:
        """Give the slot back. An unknown session is already closed: nothing happens."""
        info = self._sessions.get(session)
        if info is None:
            return
        self._remove(info)
        self._record(SessionClosed(session, info.user, self._clock.now_ns(), code, reason[:MAX_REASON]))

    async def admit_gateway(
        self, gateway: str, sessions: Iterable[SessionInfo], opening: Iterable[str] = ()
    ) -> int:
        """`register`; returns once a restart of this manager would wait for the gateway.

        Raises Unavailable where that cannot be written, Conflict for a gateway that was given up.
        """
        lease_ms = self.register(gateway, sessions, opening)
        await self._keep_list()
        return lease_ms

    def register(self, gateway: str, sessions: Iterable[SessionInfo], opening: Iterable[str] = ()) -> int:
        """This is all the gateway holds: others of its name are gone, unknown ones get their slot back.

        Known ones stay as they are. Sessions that already run keep running, also over a limit. `opening`:
        what it has asked for and not been answered: no ghosts, and no slots either. Starts the gateway's
        lease and returns its length in ms. Raises Conflict for a gateway that was given up.
        """
        self.gateways.report(gateway)
        held = {info.session: msgspec.structs.replace(info, gateway=gateway) for info in sessions}
        for session in self._by_gateway.get(gateway, set()) - held.keys() - set(opening):
            self.close_session(session, GATEWAY_LOST, "no longer known to its gateway")
        for session, info in held.items():
            known = self._sessions.get(session)
            if known is not None and known.gateway == gateway:
                continue
            if known is not None:
                self._remove(known)
            self._insert(info)
        return self._settings.lease_ms

    def renew(self, gateway: str) -> int:
        """Prolong the gateway's lease; returns its length in ms.

        Raises NotFound where it has to register first, Conflict for a gateway that was given up.
        """
        self.gateways.renew(gateway)
        return self._settings.lease_ms

    async def leave(self, gateway: str) -> None:
        """The gateway ends in order: nobody waits for it. Raises Unavailable."""
        self.gateways.leave(gateway)
        self._drop(gateway)
        await self._keep_list()

    def expire(self, gateway: str) -> int:
        """The gateway is dead: drop all its sessions; returns how many."""
        self.gateways.lose({gateway})
        self.gateways.give_up()
        return self._drop(gateway)

    def expire_silent(self) -> list[str]:
        """Expire every gateway whose lease has run out; returns their names."""
        self.gateways.lose(self.gateways.overdue())
        return self._give_up()

    async def sweep(self) -> list[str]:
        """`expire_silent`, but no slot is free before the log says that its gateway is given up.

        Raises Unavailable; the next sweep goes on.
        """
        self.audit.sweep()
        self.gateways.lose(self.gateways.overdue())
        if self.audit.contested != self._contested:
            self._contested = self.audit.contested
            self.gateways.doubt()
        await self._keep_list()
        return self._give_up()

    def sessions(self, user: str | None = None) -> list[SessionInfo]:
        """All sessions, or one user's, by opening time."""
        chosen = self._sessions.keys() if user is None else self._by_user.get(user, set())
        found = [self._sessions[session] for session in chosen]
        return sorted(found, key=lambda info: (info.opened_at, info.session))

    def __len__(self) -> int:
        return len(self._sessions)

    def _give_up(self) -> list[str]:
        lost = self.gateways.give_up()
        for gateway in lost:
            self._drop(gateway)
        return lost

    def _drop(self, gateway: str) -> int:
        sessions = list(self._by_gateway.get(gateway, ()))
        for session in sessions:
            self.close_session(session, GATEWAY_LOST, "gateway lost")
        return len(sessions)

    async def _keep_list(self) -> None:
        try:
            await self.gateways.keep()
        except Conflict as error:
            self._replaced = error
            raise Unavailable(f"another ConnectionManager has taken over: {error}") from None

    def _check_gateway(self, gateway: str) -> None:
        """Slots that nobody here knows yet may still be taken."""
        self.gateways.check(gateway)
        if self.gateways.awaited:
            names = ", ".join(sorted(self.gateways.awaited))
            raise Unavailable(f"restarted: waiting for what these gateways hold: {names}")
        if not self.gateways.knows(gateway):
            self.gateways.report(gateway)

    def _check_room(self, user: str) -> None:
        mine = len(self._by_user.get(user, ()))
        if mine >= self._settings.max_sockets_per_user:
            raise OverLimit(f"user {user!r} has {mine} sockets, the limit")
        if len(self._sessions) >= self._settings.max_sessions:
            raise Unavailable(f"{len(self._sessions)} sessions are open, the limit of this system")
        self._check_audit()

    def _check_audit(self) -> None:
        if self._replaced is not None:
            raise Unavailable(f"another ConnectionManager has taken over: {self._replaced}")
        if self.audit.full:
            raise Unavailable(f"the audit is {self.audit.backlog} events behind")

    def _known(self, session: str) -> SessionInfo:
        if session not in self._sessions:
            raise NotFound(f"no session {session!r}")
        return self._sessions[session]

    def _insert(self, info: SessionInfo) -> None:
        self._sessions[info.session] = info
        self._by_user.setdefault(info.user, set()).add(info.session)
        self._by_gateway.setdefault(info.gateway, set()).add(info.session)

    def _remove(self, info: SessionInfo) -> None:
        del self._sessions[info.session]
        for index, key in ((self._by_user, info.user), (self._by_gateway, info.gateway)):
            index[key].discard(info.session)
            if not index[key]:
                del index[key]

    def _record(self, event: SessionEvent) -> None:
        self.audit.record(event)
