"""What a keeper is set up with, and what it is when put down in a snapshot."""

from __future__ import annotations

from msgspec import Struct

from domain.clock import NS_PER_S
from domain.fed_by import FedByState
from domain.market.bars import DEFAULT_ALLOWANCE_NS, DEFAULT_KEEP, BarsState
from domain.market.book import BookState
from domain.market.flow import FlowState
from domain.market.gaps import OpenGapsState
from domain.market.latest import LatestState
from domain.market.observations import InstrumentInfo, Trade
from domain.market.order_queue import OrderQueueState
from domain.market.seen_ids import SeenIdsState
from domain.market.splits import SplitsState
from domain.signals import SignalsState


class PartitionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a market partition's fold. They shape its state: a snapshot fits only its own.

    `allowance_ns`: how long after its end a bar waits for late trades; also how much older than the
    last trade a trade may be and still count as live. `skew_tolerance_ns`: how far an event time may
    lie beyond the feed clock before it is clamped; `skew_cooldown_ns` between two ClockSkewed.
    """

    intervals: tuple[str, ...] = ("1s", "1m")
    allowance_ns: int = DEFAULT_ALLOWANCE_NS
    keep_bars: int = DEFAULT_KEEP
    skew_tolerance_ns: int = 5 * NS_PER_S
    skew_cooldown_ns: int = 60 * NS_PER_S


class KeeperState(Struct, frozen=True, array_like=True):
    instrument: str
    feeds: FedByState
    info: InstrumentInfo | None
    last_trade: Trade | None
    last_trade_ts: int
    latest: LatestState
    book: BookState | None
    orders: OrderQueueState | None
    bars: tuple[BarsState, ...]
    flow: FlowState
    seen: tuple[tuple[str, SeenIdsState], ...]
    gaps: OpenGapsState
    taint_next: bool
    skew_told_at: int
    late_trades: int
    book_source: str = ""
    indicators: bytes = b""
    """As `KeptIndicators.packed`."""
    signals: SignalsState | None = None
    patience: tuple[tuple[str, int], ...] = ()
    splits: SplitsState = SplitsState()
