"""Headers that every answer carries, whoever gives it: routes, refusals below them, Serve itself."""

from __future__ import annotations

PEER = b"x-financehub-peer"
"""HAProxy says in it whom it speaks for, whatever the client says."""
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""A policy or a caching rule of the answer's own goes first."""


def completed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those that it lacks."""
    given = {name.lower() for name, _ in headers}
    return [*headers, *(header for header in SECURITY_HEADERS if header[0] not in given)]
