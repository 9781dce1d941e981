"""Facts of a user's sessions, in partitions `access/N`."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class SessionOpened(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "session_opened"
    session: str
    user: str
    role: str
    ts_event: int
    gateway: str
    expires_at: int


class SessionSubscribed(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "session_subscribed"
    session: str
    user: str
    ts_event: int
    channel: str
    instruments: tuple[str, ...]


class SessionClosed(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "session_closed"
    session: str
    user: str
    ts_event: int
    code: int
    reason: str


AccessEvent = SessionOpened | SessionSubscribed | SessionClosed
