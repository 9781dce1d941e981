"""One-use tickets that have been sold and not used: only these open a socket.

What counts is what is here, and not what has been used: so a ticket is good once over all gateways, however
they are restarted, and none that was sold before this process began is good at all.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from domain.errors import OverLimit, Unauthenticated, Unavailable


class TicketSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of what is sold and not used."""

    life_s: float = 60.0
    """Longer than any gateway takes a ticket for, whatever its clock says."""
    max_per_user: int = 1_000
    max_sold: int = 100_000


class SoldTickets:
    """`monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float], settings: TicketSettings) -> None:
        self._monotonic = monotonic
        self._settings = settings
        self._sold: dict[str, tuple[str, float]] = {}
        self._count: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sold)

    def sell(self, ticket: str, user: str) -> None:
        """Raises OverLimit where the user holds too many, Unavailable where all users together do."""
        self._forget_old()
        if self._count.get(user, 0) >= self._settings.max_per_user:
            raise OverLimit(f"user {user!r} has {self._settings.max_per_user} unused tickets, the limit")
        if len(self._sold) >= self._settings.max_sold:
            raise Unavailable(f"{len(self._sold)} tickets are unused, the limit of this system")
        if ticket not in self._sold:
            self._count[user] = self._count.get(user, 0) + 1
        self._sold[ticket] = (user, self._monotonic() + self._settings.life_s)

    def check(self, ticket: str, user: str) -> None:
        """Raises Unauthenticated unless it was sold to the user here and is unused."""
        self._forget_old()
        if self._sold.get(ticket, ("", 0.0))[0] != user:
            raise Unauthenticated("the ticket was used before, has expired, or is of before a restart")

    def use(self, ticket: str) -> None:
        """It opens nothing any more."""
        user, _ = self._sold.pop(ticket)
        self._count[user] -= 1
        if not self._count[user]:
            del self._count[user]

    def _forget_old(self) -> None:
        """All live equally long, so the oldest come first."""
        now_s = self._monotonic()
        while self._sold:
            ticket = next(iter(self._sold))
            if self._sold[ticket][1] > now_s:
                return
            self.use(ticket)
