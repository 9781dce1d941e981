"""ConnectionManager: who is connected, within which quota. One owner for all gateways.

    gateway --open_session--> slots in memory --(behind)--> access/N   the audit, in batches
    gateway --register------> its whole list, after either side restarted: no ghosts, no lost slots
                              every few seconds; a registered gateway that stays silent loses them all

Slots are memory only: a handshake never waits for a commit, and a restarted manager learns the truth
from the gateways, not from the log. `gateway` names an incarnation: a restarted one has another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from actors.access_audit import AccessAudit, AuditSettings
from domain.access_events import AccessEvent, SessionClosed, SessionOpened, SessionSubscribed
from domain.clock import NS_PER_MS, Clock
from domain.errors import NotFound, OverLimit, Unavailable
from storage.event_log import EventLog

GATEWAY_LOST = 4503
"""Close code recorded for sessions whose gateway is gone (draining in INTERFACES.md section 7)."""


class ConnectionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[connections]` of financehub.toml."""

    max_sockets_per_user: int = 20
    max_sessions: int = 50_000
    max_subscriptions: int = 1_000
    """Calls of `subscribed` remembered per session; the audit has them all."""
    max_instruments_audited: int = 1_000
    """Instruments written per subscription; a longer list is cut in the audit."""
    lease_ms: int = 15_000
    """A registered gateway that does not renew for so long is taken for dead."""
    audit: AuditSettings = AuditSettings()
    """With its backlog full, new sessions and subscriptions are refused; closings always go through."""


class SessionInfo(Struct, frozen=True):
    """A connected socket. Times in ns UTC; subscriptions as (channel, instruments), oldest first."""

    session: str
    user: str
    role: str
    gateway: str
    opened_at: int
    expires_at: int
    subscriptions: tuple[tuple[str, tuple[str, ...]], ...] = ()


class ConnectionManager:
    """Owns every connection slot. Methods never wait for the log."""

    def __init__(
        self, log: EventLog, clock: Clock, settings: ConnectionSettings | None = None, *, owner: str
    ) -> None:
        """`owner` names one life of the process: the audit's claims are recognised by it."""
        self._clock = clock
        self._settings = settings or ConnectionSettings()
        self.audit = AccessAudit(log, clock, self._settings.audit, owner=owner)
        self._sessions: dict[str, SessionInfo] = {}
        self._by_user: dict[str, set[str]] = {}
        self._by_gateway: dict[str, set[str]] = {}
        self._leases: dict[str, int] = {}

    async def start(self) -> None:
        await self.audit.start()

    async def stop(self) -> None:
        """Write what the audit still holds. Sessions stay with their gateways."""
        await self.audit.stop()

    def open_session(self, session: str, user: str, role: str, expires_at: int, gateway: str) -> SessionInfo:
        """Take a slot. The same session again returns the first outcome.

        Raises OverLimit where the user has too many sockets, Unavailable where this system is full.
        """
        known = self._sessions.get(session)
        if known is not None:
            return known
        self._check_room(user)
        info = SessionInfo(session, user, role, gateway, self._clock.now_ns(), expires_at)
        self._insert(info)
        self._record(SessionOpened(session, user, role, info.opened_at, gateway, expires_at))
        return info

    def subscribed(self, session: str, channel: str, instruments: Sequence[str]) -> None:
        """Remember and audit a subscription. Raises NotFound, OverLimit or Unavailable."""
        info = self._known(session)
        if len(info.subscriptions) >= self._settings.max_subscriptions:
            raise OverLimit(f"session {session!r} has {len(info.subscriptions)} subscriptions")
        self._check_audit()
        wanted = tuple(instruments)
        self._sessions[session] = msgspec.structs.replace(
            info, subscriptions=(*info.subscriptions, (channel, wanted))
        )
        audited = wanted[: self._settings.max_instruments_audited]
        self._record(SessionSubscribed(session, info.user, self._clock.now_ns(), channel, audited))

    def close_session(self, session: str, code: int, reason: str) -> None:
        """Give the slot back. An unknown session is already closed: nothing happens."""
        info = self._sessions.get(session)
        if info is None:
            return
        self._remove(info)
        self._record(SessionClosed(session, info.user, self._clock.now_ns(), code, reason))

    def register(self, gateway: str, sessions: Iterable[SessionInfo]) -> int:
        """This is all the gateway holds: others of its name are gone, unknown ones get their slot back.

        Known ones stay as they are. Sessions that already run keep running, also over a limit. Starts
        the gateway's lease and returns its length in ms.
        """
        told = {info.session: msgspec.structs.replace(info, gateway=gateway) for info in sessions}
        for session in self._by_gateway.get(gateway, set()) - told.keys():
            self.close_session(session, GATEWAY_LOST, "no longer known to its gateway")
        for session, info in told.items():
            known = self._sessions.get(session)
            if known is not None and known.gateway == gateway:
                continue
            if known is not None:
                self._remove(known)
            self._insert(info)
        return self.renew(gateway)

    def renew(self, gateway: str) -> int:
        """Prolong the gateway's lease; returns its length in ms."""
        self._leases[gateway] = self._clock.now_ns() + self._settings.lease_ms * NS_PER_MS
        return self._settings.lease_ms

    def expire(self, gateway: str) -> int:
        """The gateway is dead: drop all its sessions; returns how many."""
        self._leases.pop(gateway, None)
        sessions = list(self._by_gateway.get(gateway, ()))
        for session in sessions:
            self.close_session(session, GATEWAY_LOST, "gateway lost")
        return len(sessions)

    def expire_silent(self) -> list[str]:
        """Expire every registered gateway whose lease has run out; returns their names."""
        now = self._clock.now_ns()
        silent = [gateway for gateway, until in self._leases.items() if until < now]
        for gateway in silent:
            self.expire(gateway)
        return silent

    def sessions(self, user: str | None = None) -> list[SessionInfo]:
        """All sessions, or one user's, by opening time."""
        chosen = self._sessions.keys() if user is None else self._by_user.get(user, set())
        found = [self._sessions[session] for session in chosen]
        return sorted(found, key=lambda info: (info.opened_at, info.session))

    def __len__(self) -> int:
        return len(self._sessions)

    def _check_room(self, user: str) -> None:
        mine = len(self._by_user.get(user, ()))
        if mine >= self._settings.max_sockets_per_user:
            raise OverLimit(f"user {user!r} has {mine} sockets, the limit")
        if len(self._sessions) >= self._settings.max_sessions:
            raise Unavailable(f"{len(self._sessions)} sessions are open, the limit of this system")
        self._check_audit()

    def _check_audit(self) -> None:
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

    def _record(self, event: AccessEvent) -> None:
        self.audit.record(event)
