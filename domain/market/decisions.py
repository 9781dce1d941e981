"""Facts that a keeper derived and recorded beside the observation that caused them.

Replay applies them, it never decides again. `ts_event` is the event time they speak about and
`ts_recv` the feed clock at which they were taken, ns UTC.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from domain.anomalies.found import AnomalyFound
from domain.patterns.found import PatternFound

__all__ = [
    "AnomalyFound",
    "BarClosed",
    "BarCorrected",
    "BookBroken",
    "BookRestored",
    "ClockSkewed",
    "Decision",
    "LargeTrade",
    "LateTrade",
    "PatternFound",
    "SourceChanged",
]


class BarClosed(Struct, frozen=True, gc=False):
    """A bar built from trades; `ts_event` = start. `revision` 0; volume in base units.

    Starts increase strictly per instrument and interval. `vwap` is None only where the volume is 0.
    """

    kind: ClassVar[str] = "bar_closed"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float | None
    revision: int = 0
    tainted: bool = False


class BarCorrected(Struct, frozen=True, gc=False):
    """A closed bar changed by a trade later than its allowance; carries the whole new bar.

    `revision` counts the changes since it was first published. Revision 0 publishes a bar for an
    interval that had none when newer bars had already been closed.
    """

    kind: ClassVar[str] = "bar_corrected"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float | None
    revision: int
    tainted: bool = False


class BookBroken(Struct, frozen=True, gc=False):
    """The order book became unusable: a sequence gap, a crossed or locked book, too many orders, or a
    change of its source of record.

    Its feed may take it for whole: the acknowledgement of its batches asks for a snapshot.
    """

    kind: ClassVar[str] = "book_broken"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    reason: str
    expected: int | None = None
    got: int | None = None


class BookRestored(Struct, frozen=True, gc=False):
    """A snapshot made a broken book usable again."""

    kind: ClassVar[str] = "book_restored"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    sequence: int | None = None


class LargeTrade(Struct, frozen=True, gc=False):
    """A trade of at least `multiple` times the robust mean size and above the notional floor."""

    kind: ClassVar[str] = "large_trade"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    trade_id: str | None
    price: float
    size: float
    notional: float
    multiple: float


class ClockSkewed(Struct, frozen=True, gc=False):
    """A `ts_event` beyond the feed clock plus tolerance: kept as it is, clamped in the fold."""

    kind: ClassVar[str] = "clock_skewed"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    ahead_ns: int


class LateTrade(Struct, frozen=True, gc=False):
    """A trade whose bar the keeper no longer holds: that bar, [bar_start, + interval), lacks it.

    `ts_event` is the trade's (clamped to the feed clock). The stored bar is tainted until it is
    recomputed from the log's trades.
    """

    kind: ClassVar[str] = "late_trade"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    bar_start: int
    trade_id: str | None
    price: float
    size: float


class SourceChanged(Struct, frozen=True, gc=False):
    """From the event before this one on, another provider is the source of record of a kind.

    `of`: `trade`, `book`, `quote` or `ticker`; `provider` is the new source, `before` the old one, which
    had told nothing of it for SOURCE_SILENCE_NS.
    """

    kind: ClassVar[str] = "source_changed"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    of: str
    before: str


Decision = (
    BarClosed
    | BarCorrected
    | BookBroken
    | BookRestored
    | LargeTrade
    | ClockSkewed
    | LateTrade
    | SourceChanged
    | AnomalyFound
    | PatternFound
)
