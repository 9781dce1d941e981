"""What the serving side may ask of the actors. `deployments` imports this, never `storage`.

`LocalDirectory` (tests, simulation) and `RayDirectory` (production) implement it alike.
Every call has a deadline inside and raises Unavailable past it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from actors.answers import (
    BarRow,
    BookAnswer,
    FeedStatus,
    LastAnswer,
    OrdersAnswer,
    Page,
    PollReply,
    StateAnswer,
)
from actors.bar_text import BarsPage
from actors.connections import Named, SessionInfo
from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked
from actors.patterns_query import PatternsAnswer, PatternsAsked
from domain.envelope import Cursor, Recorded
from domain.market.observations import InstrumentInfo


class Directory(Protocol):
    """Instruments are full ids; unknown ones raise NotFound. Times are ns UTC."""

    def partition_of(self, instrument: str) -> str: ...

    def partitions(self) -> Sequence[str]:
        """All market partitions."""

    async def instruments(self, *, fresh: bool = False) -> Sequence[InstrumentInfo]:
        """Every instrument ever seen, by id. Up to 2 s old unless `fresh`, which may be Unavailable."""

    async def last(self, instrument: str, *, after: Cursor | None = None) -> LastAnswer:
        """`after`: wait (at most 2 s, else Unavailable) until the state includes that cursor."""

    async def book(self, instrument: str, depth: int, *, after: Cursor | None = None) -> BookAnswer: ...

    async def orders(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> OrdersAnswer:
        """The resting orders of a book, now or as they were; not usable where it is kept by level."""

    async def state(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> StateAnswer:
        """Now, or as it was at a recorded time or cursor (snapshot + tail, off the shard)."""

    async def bars(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        limit: int,
        *,
        at: int | Cursor | None = None,
    ) -> tuple[Sequence[BarRow], Cursor]:
        """Oldest first, start <= ts_event < end, the first `limit`; the live tail included."""

    async def bars_page(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        count: int,
        *,
        at: int | Cursor | None = None,
        adjusted: bool = False,
    ) -> tuple[BarsPage, Cursor]:
        """The first `count` of the same as JSON, and where the next page begins.

        `adjusted`: prices and volumes in the shares of today; else as they were recorded.
        """

    async def indicators(
        self, asked: IndicatorsAsked, *, at: int | Cursor | None = None
    ) -> tuple[IndicatorsAnswer, Cursor]:
        """Indicator values at the bars of a window. Raises Malformed, OverLimit for a faulty question."""

    async def patterns(self, asked: PatternsAsked) -> tuple[PatternsAnswer, Cursor]:
        """Patterns in the bars of an interval. Raises Malformed, OverLimit for a faulty question."""

    async def decisions(
        self, instrument: str, kinds: Sequence[str], start: int, end: int, limit: int, after_offset: int = 0
    ) -> tuple[Sequence[Recorded], Cursor]:
        """Decisions of some kinds with start <= ts_event < end by (ts_event, offset), the first `limit`;
        of those at `start` only what has a larger offset than `after_offset`."""

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Sequence[Recorded]:
        """Events of one instrument with offset > `after` and <= `until`, in log order (from blocks)."""

    async def events_between(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        page: str | None = None,
    ) -> Page:
        """Events with start <= ts_event < end in log order, a page at a time; with a `newest_page` the
        newest first. The page's place is where the next one goes on."""

    async def heads(self) -> Cursor:
        """Durable head of every market partition."""

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        """The last offsets recorded at or before a time."""

    async def poll(self, after: Mapping[str, int], *, wait_s: float) -> PollReply:
        """Durable events after the offsets of some partitions; waits up to `wait_s` for the first.

        One outstanding poll per caller and owner; the reply is at most about 5,000 events.
        """

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5000
    ) -> Sequence[Recorded]:
        """Events from blocks, for deep resume: at least one unless there is none."""

    async def feeds(self) -> Sequence[FeedStatus]: ...

    async def sell_ticket(self, ticket: str, user: str) -> None:
        """Make a ticket's id good for one `open_session`. Raises OverLimit where the user has too many."""

    async def open_session(
        self, session: str, user: str, role: str, expires_at: int, gateway: str, ticket: str | None = None
    ) -> None:
        """Raises OverLimit where the user has too many sockets, Unauthenticated for a ticket that is not
        good (any more), Conflict where the gateway was given up."""

    async def subscribed(self, session: str, named: Named) -> None:
        """Raises NotFound."""

    async def close_session(self, session: str, code: int, reason: str) -> None: ...

    async def register_gateway(
        self, gateway: str, sessions: Sequence[SessionInfo], opening: Sequence[str] = ()
    ) -> int:
        """All sessions that a gateway holds, and those that it is about to open; returns its lease in ms:
        past it, silent, it loses them all. Raises Conflict where it has lost them already."""

    async def renew_gateway(self, gateway: str) -> int:
        """Prolong the lease. Raises NotFound where the gateway has to register (again), Conflict as above."""

    async def leave_gateway(self, gateway: str) -> None:
        """It ends in order and holds nothing any more."""

    async def system(self) -> Mapping[str, object]:
        """Actors, partitions, projections and feeds as `financehub status --json` shows them."""
