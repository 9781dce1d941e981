"""Roles and what they allow. A token names a role; scopes follow from it and are never in the token."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from domain.errors import Forbidden

Role = Literal["viewer", "trader", "admin"]
Scope = Literal["read", "trade", "operate"]

SCOPES: Mapping[str, frozenset[Scope]] = MappingProxyType(
    {
        "viewer": frozenset({"read"}),
        "trader": frozenset({"read", "trade"}),
        "admin": frozenset({"read", "trade", "operate"}),
    }
)


class Principal(Struct, frozen=True):
    """A caller whose token was verified. `expires_at` in ns UTC; `ticket`: what opening a socket uses up."""

    user: str
    role: str
    scopes: frozenset[Scope]
    expires_at: int
    ticket: str | None = None

    def require(self, scope: Scope) -> None:
        """Raises Forbidden."""
        if scope not in self.scopes:
            raise Forbidden(f"role {self.role!r} may not {scope}")
