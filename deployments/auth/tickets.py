"""One-use tickets: what a browser may put into a WebSocket URL instead of its token.

A ticket is signed like a token but for another audience, lives half a minute and opens one socket, at any
gateway of the instance. Each gateway checks signature and times; that it opens one socket only is the
ConnectionManager's to see to: a ticket is sold with its knowledge and used up with the slot that it opens.
"""

from __future__ import annotations

import secrets

from msgspec import Struct

from actors.directory import Directory
from deployments.auth.principal import SCOPES, Principal
from deployments.auth.tokens import Authority
from domain.clock import NS_PER_S

TICKET_AUDIENCE = "financehub/ticket"
TICKET_TTL_S = 30


class Ticket(Struct, frozen=True):
    """`expires` in ns UTC."""

    ticket: str
    expires: int


class TicketBooth:
    """Sells tickets to verified callers, and reads them."""

    def __init__(self, authority: Authority, directory: Directory) -> None:
        self._authority = authority
        self._directory = directory

    async def sell(self, holder: Principal) -> Ticket:
        """The socket it opens ends when the holder's own token does. Raises OverLimit, Unavailable."""
        name = secrets.token_urlsafe(12)
        await self._directory.sell_ticket(name, holder.user)
        claims = {"sub": holder.user, "role": holder.role, "until": holder.expires_at, "ticket": name}
        expires = (self._authority.clock.now_ns() // NS_PER_S + TICKET_TTL_S) * NS_PER_S
        return Ticket(self._authority.sign(claims, TICKET_AUDIENCE, TICKET_TTL_S), expires)

    def read(self, ticket: str) -> Principal:
        """Its holder, whose `ticket` is still to be used up. Raises Unauthenticated."""
        claims = self._authority.own_claims(ticket, TICKET_AUDIENCE)
        role, name = claims["role"], str(claims.get("ticket", ""))
        return Principal(claims["sub"], role, SCOPES[role], claims["until"], name)
