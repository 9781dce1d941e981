"""Paging through one instrument's events: where a walk goes on, as an opaque token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from domain.envelope import Recorded
from domain.errors import Malformed

TOKEN_PREFIX = "p1."  # noqa: S105 -- names a format, opens nothing
MAX_TOKEN_LENGTH = 256


class Scan(Struct, frozen=True):
    """What a bounded walk through the log found, in log order.

    `scanned_to`: every wanted event up to this offset is in `events` or was asked for before; go on
    after it. `done`: the walk came to its end, there is no more.
    """

    events: Sequence[Recorded]
    scanned_to: int
    done: bool


class PageToken(Struct, frozen=True, array_like=True):
    """Continue after `after`, up to `until` (the head when the first page was read).

    `backwards`: the newest up to `until` come first, page by page; inside a page the oldest does.
    """

    instrument: str
    after: int
    until: int
    backwards: bool = False

    def encode(self) -> str:
        packed = msgspec.msgpack.encode(self)
        return TOKEN_PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def forward_page(instrument: str, after: int, until: int) -> str:
    """The first page of a list that goes forwards from behind one offset up to another."""
    return PageToken(instrument, after, until).encode()


def newest_page(instrument: str, until: int) -> str:
    """The first page of a list that goes back from an offset, it included."""
    return PageToken(instrument, 0, until, True).encode()


def parse_page(text: str, instrument: str) -> PageToken:
    """Raises Malformed for a damaged token and for one of another instrument."""
    if not text.startswith(TOKEN_PREFIX) or len(text) > MAX_TOKEN_LENGTH:
        raise Malformed(f"page {text[:40]!r} does not begin with {TOKEN_PREFIX!r}")
    body = text[len(TOKEN_PREFIX) :]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        token = msgspec.msgpack.decode(packed, type=PageToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Malformed(f"page {text[:40]!r} is damaged") from None
    if token.instrument != instrument or not 0 <= token.after <= token.until:
        raise Malformed(f"page {text[:40]!r} belongs to another list")
    return token
