"""Facts of users' sessions and of the gateways that hold them, in partitions `access/N`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

DIGEST_BYTES = 8


class SessionOpened(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "session_opened"
    session: str
    user: str
    role: str
    ts_event: int
    gateway: str
    expires_at: int


class SessionSubscribed(Struct, frozen=True, gc=False):
    """How many instruments and patterns were named, and the `digest_of` all their names.

    `instruments`: the names themselves, as older builds wrote them (up to 1,000, patterns among them); then
    the rest is 0 and "". They are not written any more: their length is the client's choice.
    """

    kind: ClassVar[str] = "session_subscribed"
    session: str
    user: str
    ts_event: int
    channel: str
    instruments: tuple[str, ...] = ()
    instrument_count: int = 0
    pattern_count: int = 0
    digest: str = ""


class SessionClosed(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "session_closed"
    session: str
    user: str
    ts_event: int
    code: int
    reason: str


class AuditCut(Struct, frozen=True, gc=False):
    """What the audit left out of one user's hour, which began at `since` (ns UTC): events of each kind."""

    kind: ClassVar[str] = "audit_cut"
    user: str
    ts_event: int
    since: int
    opened: int
    subscribed: int
    closed: int


class GatewaysListed(Struct, frozen=True, gc=False):
    """All gateways that may hold sockets, by name; the newest list counts.

    `cluster`: the life of the cluster that they run in; none outlives it. `lost`: the newest of those that
    stayed silent past their lease; their sockets are void.
    """

    kind: ClassVar[str] = "gateways_listed"
    ts_event: int
    cluster: str
    live: tuple[str, ...]
    lost: tuple[str, ...]


SessionEvent = SessionOpened | SessionSubscribed | SessionClosed | AuditCut
AccessEvent = SessionEvent | GatewaysListed


def digest_of(names: Iterable[str]) -> str:
    """16 hex digits that tell one list of names from another, whatever its order."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name in sorted(set(names)):
        digest.update(f"{len(name)}:{name}".encode())
    return digest.hexdigest()
