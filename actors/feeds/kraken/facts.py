"""What a Kraken payload says, before it is an observation: books keep the venue's own digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from actors.feeds.base import Reject, RejectClass
from actors.feeds.kraken.checksum import TextLevel
from actors.feeds.kraken.names import PROVIDER
from domain.errors import Malformed
from domain.market.observations import BookDelta, BookSnapshot, Observation

UNREADABLE = (msgspec.MsgspecError, Malformed, UnicodeError, RecursionError, ValueError)


class BookText(Struct):
    """A book message. `protocol` is the WebSocket version it came in; `depth` None where it is not said."""

    instrument: str
    ts_event: int
    ts_recv: int
    snapshot: bool
    bids: list[TextLevel]
    asks: list[TextLevel]
    checksum: int | None = None
    depth: int | None = None
    protocol: Literal[1, 2] = 2

    def observation(self) -> BookSnapshot | BookDelta:
        """The same in numbers, a snapshot sorted best first."""
        if not self.snapshot:
            return BookDelta(
                PROVIDER,
                self.instrument,
                self.ts_event,
                self.ts_recv,
                tuple([level[:2] for level in self.bids]),
                tuple([level[:2] for level in self.asks]),
                checksum=self.checksum,
            )
        return BookSnapshot(
            PROVIDER,
            self.instrument,
            self.ts_event,
            self.ts_recv,
            tuple(sorted((level[:2] for level in self.bids if level.size > 0.0), reverse=True)),
            tuple(sorted(level[:2] for level in self.asks if level.size > 0.0)),
            checksum=self.checksum,
            depth=self.depth,
        )


Fact = Observation | BookText


class Ack(Struct):
    """The venue's answer to a subscription. `error` None: granted."""

    channel: str
    instrument: str | None
    depth: int | None = None
    error: str | None = None
    error_class: RejectClass = "bad_request"
    symbol: str | None = None
    """The pair in the letters of the request."""


class Reading(Struct):
    """`lost_books`: instruments whose book message could not be used.

    `first_trades`: the trades are those before the subscription. `protocol`: the WebSocket version.
    """

    facts: list[Fact] = []
    rejects: list[Reject] = []
    acks: list[Ack] = []
    lost_books: list[str] = []
    first_trades: bool = False
    protocol: Literal[1, 2] = 2

    def reject(self, kind: RejectClass, reason: str) -> None:
        self.rejects.append(Reject(kind, reason))

    def attempt(self, work: Callable[[], Fact | None], where: str) -> bool:
        """Add the fact, or a reject that says where it failed."""
        try:
            fact = work()
        except UNREADABLE as error:
            self.reject("malformed", f"{where}: {error}")
            return False
        if fact is not None:
            self.facts.append(fact)
        return True


_WORDS: tuple[tuple[str, RejectClass], ...] = (
    ("rate limit", "throttled"),
    ("msg rate", "throttled"),
    ("exceeded", "throttled"),
    ("too many", "throttled"),
    ("lockout", "throttled"),
    ("invalid key", "auth"),
    ("invalid nonce", "auth"),
    ("signature", "auth"),
    ("permission", "auth"),
    ("token", "auth"),
    ("authenticat", "auth"),
    ("not supported", "not_found"),
    ("not found", "not_found"),
    ("unknown asset", "not_found"),
    ("unknown method", "not_found"),
    ("currency pair", "not_found"),
    ("eservice", "upstream"),
    ("unavailable", "upstream"),
    ("busy", "upstream"),
    ("internal", "upstream"),
    ("market in", "upstream"),
)


def class_of(message: str) -> RejectClass:
    """The class of an error by the venue's words; what they do not say is our fault."""
    lowered = message.lower()
    return next((found for words, found in _WORDS if words in lowered), "bad_request")
