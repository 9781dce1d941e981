"""One source of record per instrument and kind: whose trades, book, quotes and tickers count.

The provider that told first is the source. What another tells of the same is let go (trades, books) or
kept as a fact without effect (quotes, tickers), or volume would be counted twice. A source that has told
nothing for SOURCE_SILENCE_NS gives way to the first other one that speaks: a SourceChanged event.
"""

from __future__ import annotations

from domain.clock import NS_PER_S

SOURCE_SILENCE_NS = 60 * NS_PER_S
"""Feeds that lose a socket are back within seconds, their trades backfilled; a longer loss is for good."""


def takes_over(ts: int, heard_at: int) -> bool:
    """Whether an event of another provider makes it the source. `heard_at`: its newest event time."""
    return ts >= heard_at + SOURCE_SILENCE_NS
