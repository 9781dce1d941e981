"""The gaps of one instrument that are open: by channel, with the reason."""

from __future__ import annotations

from typing import NamedTuple

from domain.market.observations import Gap

MAX_GAP_CHANNELS = 16
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


class Touched(NamedTuple):
    """What a gap makes doubtful; neither where its channel means nothing here but itself."""

    book: bool
    trades: bool


def touched(gap: Gap, *, book: str, trades: str) -> Touched | None:
    """By the sources of record of the book and the trades ("": there is none yet); None where the gap is
    another source's, which may miss what it likes."""
    of_book = gap.channel in BOOK_CHANNELS and concerns(gap, book)
    of_trades = gap.channel in TRADE_CHANNELS and concerns(gap, trades)
    if gap.channel in KNOWN_CHANNELS and not (of_book or of_trades):
        return None
    return Touched(of_book, of_trades)


def concerns(gap: Gap, source: str) -> bool:
    """Whether a gap is one of a source of record ("": there is none yet)."""
    return source in ("", gap.provider) or gap.reason in OF_THE_FEED


class OpenGaps(dict[str, str]):
    """channel -> reason. What providers can make it remember is bounded."""

    __slots__ = ()

    def open(self, channel: str, reason: str) -> None:
        """The newest reason of a channel counts."""
        if channel in self or len(self) < MAX_GAP_CHANNELS:
            self[channel] = reason[:MAX_REASON_LENGTH]

    def close(self, *channels: str) -> None:
        for channel in channels:
            self.pop(channel, None)

    @property
    def hide_book(self) -> bool:
        """Whether the feed knows that the book is unusable: it will send a snapshot."""
        return not self.keys().isdisjoint(BOOK_CHANNELS)

    def told(self) -> tuple[str, ...]:
        """`channel: reason` of each, by channel."""
        return tuple(f"{channel}: {reason}" for channel, reason in sorted(self.items()))
