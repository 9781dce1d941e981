"""Sockets that have not shown who they are: only so many at a time, and only so many of one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from deployments.wire.front import Scope
from deployments.wire.headers import PEER
from domain.errors import OverLimit

NETWORK = 64
"""Bits of an IPv6 address by which one customer is known."""


class Lobby:
    """`per_address` 0: as many as there may be in all."""

    def __init__(self, most: int, per_address: int) -> None:
        self._most = most
        self._per_address = per_address or most
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def place(self, scope: Scope) -> Iterator[None]:
        """For as long as the socket waits. Raises OverLimit."""
        address = address_of(scope)
        if self._waiting.total() >= self._most or self._waiting[address] >= self._per_address:
            raise OverLimit("too many sockets wait for their credential")
        self._waiting[address] += 1
        try:
            yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]


def address_of(scope: Scope) -> str:
    """Of the client, or of its network with IPv6."""
    told = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == PEER]
    client = scope.get("client")
    text = told[0] if told else str(client[0]) if client else ""
    try:
        address = ip_address(text)
    except ValueError:
        return text[:NETWORK]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> (128 - NETWORK))
    return str(getattr(address, "ipv4_mapped", None) or address)
