"""One-use tickets: what a browser may put into a WebSocket URL instead of its token.

A ticket is signed like a token but for another audience, lives half a minute and opens one socket. It
is good at every gateway of the instance, because the signature carries everything; that it was used is
remembered where it was used (`Spent`), so an instance with several gateways should plug in a shared one.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from deployments.auth.principal import SCOPES, Principal
from deployments.auth.tokens import Authority
from domain.clock import NS_PER_S, Clock
from domain.errors import Unauthenticated, Unavailable

TICKET_AUDIENCE = "financehub/ticket"
TICKET_TTL_S = 30
MAX_REMEMBERED = 100_000
"""Used tickets kept until they expire; beyond it tickets are refused rather than taken twice."""


class Ticket(Struct, frozen=True):
    """`expires` in ns UTC."""

    ticket: str
    expires: int


class Spent(Protocol):
    """Remembers used tickets until they expire."""

    async def first_use(self, ticket_id: str, expires_at: int) -> bool:
        """True exactly once per id. Raises Unavailable where it cannot be told."""


class SpentHere:
    """Used tickets of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, int] = {}

    async def first_use(self, ticket_id: str, expires_at: int) -> bool:
        if ticket_id in self._until:
            return False
        if len(self._until) >= MAX_REMEMBERED:
            self._forget_expired()
        self._until[ticket_id] = expires_at
        return True

    def _forget_expired(self) -> None:
        now = self._clock.now_ns()
        self._until = {key: until for key, until in self._until.items() if until >= now}
        if len(self._until) >= MAX_REMEMBERED:
            raise Unavailable("too many tickets are in use")


class TicketBooth:
    """Sells tickets to verified callers and takes each of them once."""

    def __init__(self, authority: Authority, spent: Spent | None = None) -> None:
        self._authority = authority
        self._spent: Spent = spent or SpentHere(authority.clock)

    def sell(self, holder: Principal) -> Ticket:
        """The socket it opens ends when the holder's own token does."""
        claims = {"sub": holder.user, "role": holder.role, "until": holder.expires_at}
        expires = (self._authority.clock.now_ns() // NS_PER_S + TICKET_TTL_S) * NS_PER_S
        return Ticket(self._authority.sign(claims, TICKET_AUDIENCE, TICKET_TTL_S), expires)

    async def redeem(self, ticket: str) -> Principal:
        """Raises Unauthenticated for anything but a fresh ticket of ours."""
        claims = self._authority.own_claims(ticket, TICKET_AUDIENCE)
        role, until = claims["role"], claims["until"]
        # Remembered a little longer than it is accepted, whatever the leeway.
        if not await self._spent.first_use(claims["jti"], (claims["exp"] + 60) * NS_PER_S):
            raise Unauthenticated("the ticket was used before")
        return Principal(claims["sub"], role, SCOPES[role], until)
