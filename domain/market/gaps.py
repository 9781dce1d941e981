"""The gaps of one instrument that are open: by channel and whose they are, with the reason.

A gap is a provider's, as its feed has told it, or a feed's own, opened by the fold where the feed begins
again. Each ends by itself: what one provider's feed brings ends no gap of another. Two feeds of one provider
share what was told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.market.observations import Gap
from domain.market.sources import Kind

MAX_OPEN_GAPS = 32
MAX_REASON_LENGTH = 200

BOOK_CHANNELS = ("book", "feed")
"""Channels whose gap makes the order book unusable."""
TRADE_CHANNELS = ("trades", "feed")
"""Channels whose gap means that trades may be missing."""

KNOWN_CHANNELS = frozenset((*BOOK_CHANNELS, *TRADE_CHANNELS))

NEW_INCARNATION = "new incarnation"
"""Reason of the gap that a restarted feed opens; its provider is the feed's own name."""
CLOCK_SET_BACK = "clock set back"
"""The same where the feed's clock had been ahead by mistake: what was dated by it is no longer the newest."""
RENUMBERED = "numbering began anew"
"""Reason of the gap where a venue's numbers begin again from a smaller one: earlier marks mean nothing."""
OF_THE_FEED = frozenset((NEW_INCARNATION, CLOCK_SET_BACK))
"""Gaps that the fold opens itself, of all that a feed told."""


WITNESS = "witness"
"""Channel of the gap of a feed that brings nothing of record."""
CHANNEL_OF: Mapping[Kind, str] = {"trade": "trades", "quote": "quotes", "ticker": "ticker"}


KINDS_OF: Mapping[str, tuple[Kind, ...]] = {
    "trades": ("trade",),
    "book": ("book",),
    "quotes": ("quote",),
    "ticker": ("ticker",),
    "feed": ("trade", "book", "quote", "ticker"),
}
"""Kinds that a gap of a channel is about."""


class Touched(NamedTuple):
    """What a gap makes doubtful; neither where it is of nothing but itself."""

    book: bool
    trades: bool


def touched(gap: Gap, *, book: bool, trades: bool) -> Touched | None:
    """`book`, `trades`: whether what is of record there is brought by whoever has the gap, or by nobody yet.

    None where the gap is another source's, which may miss what it likes. One of a feed is never that.
    """
    of_book = gap.channel in BOOK_CHANNELS and book
    of_trades = gap.channel in TRADE_CHANNELS and trades
    if gap.channel in KNOWN_CHANNELS and not (of_book or of_trades or gap.reason in OF_THE_FEED):
        return None
    return Touched(of_book, of_trades)


def concerns(gap: Gap, source: str) -> bool:
    """For those who follow a book by the log: whether a gap is one of its source ("": there is none yet).

    A feed has one of these channels only where it brings the book itself.
    """
    return source in ("", gap.provider) or gap.reason in OF_THE_FEED


class OpenGap(NamedTuple):
    """`who`: a provider, or a feed where the reason is one of OF_THE_FEED."""

    channel: str
    who: str
    reason: str

    @property
    def of_feed(self) -> bool:
        return self.reason in OF_THE_FEED


OpenGapsState = tuple[tuple[str, str, str], ...]


class OpenGaps(dict[tuple[str, str], str]):
    """(channel, who) -> reason. What providers can make it remember is bounded."""

    __slots__ = ()

    @classmethod
    def restored(cls, state: OpenGapsState) -> OpenGaps:
        return cls({(channel, who): reason for channel, who, reason in state})

    def each(self) -> list[OpenGap]:
        return [OpenGap(channel, who, reason) for (channel, who), reason in self.items()]

    def open(self, gap: OpenGap) -> None:
        """The newest reason counts."""
        key = gap.channel, gap.who
        if key in self or len(self) < MAX_OPEN_GAPS:
            self[key] = gap.reason[:MAX_REASON_LENGTH]

    def close(self, gaps: Iterable[OpenGap]) -> None:
        for gap in gaps:
            self.pop((gap.channel, gap.who), None)

    def of(self, feed: str, provider: str) -> list[OpenGap]:
        """The feed's own, and those that it has told of the provider."""
        return [gap for gap in self.each() if gap.who == (feed if gap.of_feed else provider)]

    def told(self) -> tuple[str, ...]:
        """`channel: reason` of each, by channel, the same of several once."""
        return tuple(sorted({f"{gap.channel}: {gap.reason}" for gap in self.each()}))

    def snapshot(self) -> OpenGapsState:
        return tuple(sorted(self.each()))
