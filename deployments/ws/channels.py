"""Channels, the events each of them carries, and instrument patterns."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from operator import methodcaller
from types import MappingProxyType
from typing import Literal, NamedTuple

from domain.envelope import Event
from domain.errors import Malformed
from domain.ids import MAX_ID_LENGTH
from domain.market.decisions import (
    AnomalyFound,
    BarClosed,
    BarCorrected,
    BookBroken,
    BookRestored,
    PatternFound,
    SourceChanged,
)
from domain.market.observations import (
    Bar,
    BookDelta,
    BookOrder,
    BookSnapshot,
    Gap,
    InstrumentInfo,
    Quote,
    SplitAnnounced,
    Ticker,
    Trade,
)

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "trades": ("trade",),
        "quotes": ("quote",),
        "ticker": ("ticker",),
        "bars": ("bar_closed", "bar_corrected", "bar"),
        "indicators": ("bar_closed", "bar_corrected", "bar"),
        "book": ("book_snapshot", "book_delta", "book_order"),
        "patterns": ("pattern_found",),
        "anomalies": ("anomaly_found",),
        "status": ("instrument", "gap", "book_broken", "book_restored", "source_changed", "split"),
    }
)
"""Channel -> kinds of the events whose offsets form its chain."""

SHARED = frozenset({"ticker"})
"""Of them a reference instrument has its own: an alias of several venues means their reference."""

CONFLATED = frozenset({"quotes", "ticker"})
"""A slow client gets the latest only."""

SHORT_FORMS: Mapping[str, str] = MappingProxyType(
    {"price": "ticker", "ticker": "ticker", "orderbook": "book", "trades": "trades"}
)
"""Last part of `/ws/market/{symbol}/…` -> channel."""

STREAMED_INTERVALS = ("1s", "1m")
"""Bars that the log holds as events; longer ones are rolled up on read, over HTTP."""
DEFAULT_INTERVAL = "1m"

MAX_PATTERN_STARS = 4


class Key(NamedTuple):
    """One chain of frames. `variant`: the interval of bars, interval and spec of indicators, else ""."""

    channel: str
    instrument: str
    variant: str


class Target(NamedTuple):
    """Where an event goes. A notice is a `gap` frame outside the chain; provisional values are no event
    of the chain either."""

    channel: str
    variant: str
    form: Literal["frame", "notice", "provisional"] = "frame"


_PLAIN: Mapping[type, tuple[Target, ...]] = MappingProxyType(
    {
        Trade: (Target("trades", ""),),
        Quote: (Target("quotes", ""),),
        Ticker: (Target("ticker", ""),),
        BookSnapshot: (Target("book", ""),),
        BookDelta: (Target("book", ""),),
        BookOrder: (Target("book", ""),),
        InstrumentInfo: (Target("status", ""),),
        BookRestored: (Target("status", ""),),
        SourceChanged: (Target("status", ""),),
        SplitAnnounced: (Target("status", ""),),
        PatternFound: (Target("patterns", ""),),
        AnomalyFound: (Target("anomalies", ""),),
        BookBroken: (Target("status", ""), Target("book", "", "notice")),
    }
)
_NOTHING: tuple[Target, ...] = ()
_STATUS = Target("status", "")
_FEED_CHANNELS = ("trades", "quotes", "ticker", "book")


def _bar_targets(event: BarClosed | BarCorrected) -> tuple[Target, ...]:
    return (Target("bars", event.interval),)


def _provider_bar_targets(event: Bar) -> tuple[Target, ...]:
    return (Target("bars", event.interval, "frame" if event.closed else "provisional"),)


def _gap_targets(event: Gap) -> tuple[Target, ...]:
    """A gap that opens is told on what it concerns; one that closes only as a status."""
    if not event.opened:
        return (_STATUS,)
    concerned = _FEED_CHANNELS if event.channel == "feed" else (event.channel,)
    return (_STATUS, *(Target(channel, "", "notice") for channel in concerned))


_BY_EVENT: Mapping[type, Callable[..., tuple[Target, ...]]] = MappingProxyType(
    {BarClosed: _bar_targets, BarCorrected: _bar_targets, Bar: _provider_bar_targets, Gap: _gap_targets}
)


def targets(event: Event) -> tuple[Target, ...]:
    """Empty for events that no channel carries."""
    kind = type(event)
    found = _PLAIN.get(kind)
    if found is not None:
        return found
    by_event = _BY_EVENT.get(kind)
    return by_event(event) if by_event is not None else _NOTHING


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def matcher(text: str) -> Callable[[str], bool]:
    """Whether an id fits `*.BINANCE` or `BTC-*`: `*` any characters, `?` one. Raises Malformed.

    Every pattern is asked about every instrument: the usual two forms cost a tenth of a regular expression.
    """
    if len(text) > MAX_ID_LENGTH or text.count("*") > MAX_PATTERN_STARS or "[" in text:
        raise Malformed(f"pattern {text[:80]!r}: at most {MAX_PATTERN_STARS} of *, and ? for one character")
    plain = text.strip("*")
    if "*" not in plain and "?" not in plain and text in (f"*{plain}", f"{plain}*"):
        return methodcaller("startswith" if text.endswith("*") else "endswith", plain)
    fitting = re.compile(fnmatch.translate(text)).match
    return lambda instrument: fitting(instrument) is not None
