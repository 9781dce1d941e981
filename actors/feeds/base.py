"""What an adapter is: a pure parser and a sans-I/O session for one provider.

    bytes ──parse──> observations            pure: no clock, no I/O, the same bytes give the same facts
    bytes ──session.on_*──> Effects          a state machine: subscriptions, book synchronisation, gaps

The session does no I/O and reads no clock: a shell (`actors/feed.py` live, `actors/feeds/offline.py`
over captures, the simulation in tests) calls it and carries out the effects it returns. So what runs
live is what `financehub fold` runs over a recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from domain.market.observations import Observation
from domain.market.reference import ReferenceFact

RejectClass = Literal[
    "malformed", "throttled", "entitlement", "auth", "not_found", "bad_request", "upstream", "unsupported"
]


class Reject(Struct, frozen=True):
    """A frame, or a part of one, that gave no observation; counted, logged, its frame kept."""

    reject_class: RejectClass
    reason: str


class Parsed(Struct):
    """What one payload says. Both empty: understood, nothing in it."""

    observations: list[Observation] = []
    rejects: list[Reject] = []
    facts: list[ReferenceFact] = []
    """Of companies, economies and news. No keeper folds them yet: they are parsed and shown."""

    @property
    def is_refused(self) -> bool:
        """Whether there is nothing in it but rejects."""
        return bool(self.rejects) and not self.observations and not self.facts


class Assumed(Struct, frozen=True):
    """Taken where neither a payload nor its address says it: a venue's name, a symbol in its letters."""

    venue: str | None = None
    symbol: str | None = None


NOTHING = Assumed()


class Origin(Struct, frozen=True):
    """Where a payload came from, as far as known. `venue` and `symbol` settle what the bytes leave open.

    A file's `endpoint` is its name, `folder` what lies above it.
    """

    source: Literal["ws", "http", "file"]
    ts_recv: int
    endpoint: str = ""
    venue: str | None = None
    status: int | None = None
    symbol: str | None = None
    folder: str = ""


class Endpoint(Struct, frozen=True):
    """A socket to keep open. `silence_s`: without any frame for so long it counts as dead."""

    connection: int
    url: str
    silence_s: float
    max_life_s: float | None = None


class HttpRequest(Struct, frozen=True):
    """A GET the session wants; answered through `on_response` with the same request.

    `weight` is what it costs of the provider's budget; `not_before` ns on the session's clock.
    """

    url: str
    purpose: str
    instrument: str | None = None
    weight: int = 1
    not_before: int = 0


class Silence(Struct, frozen=True):
    """A kind of stream that was subscribed on a connection says nothing, or speaks again (`ended`).

    `silent_s`: since its last frame, or since the subscription where none has come.
    """

    connection: int
    channel: str
    silent_s: float
    ended: bool = False


class Effects(Struct):
    """What the shell must do now, in this order."""

    observations: list[Observation] = []
    sends: list[tuple[int, str]] = []
    """(connection, text frame)"""
    requests: list[HttpRequest] = []
    reconnects: list[tuple[int, str]] = []
    """(connection, reason): open a new socket, subscribe there, then drop the old one."""
    rejects: list[tuple[Reject, bytes]] = []
    resynced: list[tuple[str, str]] = []
    """(instrument, channel) whose gap a snapshot has closed."""
    silences: list[Silence] = []


Received = tuple[str | bytes, int]
"""A frame and when it was taken from its socket, ns UTC."""


def extend(effects: Effects, more: Effects) -> None:
    """Adds what came after to what came before."""
    effects.observations += more.observations
    effects.sends += more.sends
    effects.requests += more.requests
    effects.reconnects += more.reconnects
    effects.rejects += more.rejects
    effects.resynced += more.resynced
    effects.silences += more.silences


class Session(Protocol):
    """One provider's protocol over all its connections. `now` is ns UTC and never decreases."""

    def endpoints(self) -> Sequence[Endpoint]:
        """The sockets for the subscription, within the venue's limits per connection."""

    def on_start(self, now: int) -> Effects:
        """Before any socket is open: instrument lists, first REST requests."""

    def on_open(self, connection: int, now: int) -> Effects: ...

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        """Never raises on bad input: a frame that cannot be used becomes a reject."""

    def take_frames(self, connection: int, run: Sequence[Received], endpoint: str = "") -> Effects:
        """Frames that waited together, oldest first: `on_frame` of each at its own time, effects in order.

        How a run is split changes nothing but the cost.
        """
        effects = Effects()
        for frame, now in run:
            extend(effects, self.on_frame(connection, frame, now, endpoint))
        return effects

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        """Opens a gap for what ran over the connection."""

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        """Status 0 means that no answer came (connection error, timeout)."""

    def resync(self, instrument: str, now: int) -> Effects:
        """The instrument's book is broken further on though this session takes it for whole.

        Opens a gap of `book`, reason "keeper", and asks the venue for a snapshot, whose coming closes it.
        Without effect where a snapshot is awaited already, and for an instrument without a book.
        """

    def on_timer(self, now: int) -> Effects:
        """Called about every 100 ms: retries, deadlines, planned reconnects."""


KEEPER = "keeper"
"""Reason of the gap that a session opens because a keeper found the book broken."""


class FeedSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one feed: `[feeds.<provider>]` in financehub.toml."""

    instruments: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("trades", "quotes", "book")
    ws_url: str | None = None
    rest_url: str | None = None
    book_depth: int = 1000
    backfill_bars: int = 500
    seed: int = 1
    speed: float = 1.0
    rate: float = 0.0
    incidents: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    """`CHANNEL=ROUTE`, where a venue has several ways for its streams and sources disagree on one."""
    silence_s: float = 0.0
    """A kind of stream that says nothing for so long is told of; 0: the adapter's own limits."""


class Parser(Protocol):
    """One provider's payloads."""

    name: str
    venues: tuple[str, ...]
    """What `Origin.venue` may name: the venues whose instruments it tells of."""

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        """Pure; never raises on bad input. Understands single payloads of REST and WS, and lists."""


class Adapter(Parser, Protocol):
    """One provider that streams: its payloads, and its protocol."""

    def session(self, settings: FeedSettings, assumed: Assumed = NOTHING) -> Session:
        """`assumed` only for recordings: live, every address is known."""

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        """Whether a recorded HTTP line with this endpoint answers the request (captures)."""


class TableReader(Protocol):
    """Reads one table row by row, its header included, so that no more than a row is in memory."""

    refused: bool
    """The table is of no use: the reject that says why was in the last answer, no row need follow."""

    def take(self, row: bytes) -> Parsed: ...

    def end(self) -> Parsed:
        """What only the end of the table completes."""


@runtime_checkable
class ReadsTables(Protocol):
    """An adapter whose provider publishes tables (CSV) for download."""

    def table(self, origin: Origin) -> TableReader: ...
