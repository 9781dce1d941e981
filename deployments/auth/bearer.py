"""`Authorization: Bearer …` from ASGI headers."""

from __future__ import annotations

from collections.abc import Iterable


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token; None where there is no such header. Another scheme counts as an empty token."""
    for name, value in headers:
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return None
