"""Who pushes the market: buy pressure over the last trades, and trades far above the usual size."""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from domain.market.observations import Side

SHARE_TRADES = 100
SIZE_TRADES = 1000
LARGE_MULTIPLE = 5.0
MIN_SIZES = 100
"""Trades needed before a size can be called unusual."""
MIN_SIDED = 20
"""Trades with a known side needed, of the last 100, before a buy share is stated."""

# About 100,000 US dollars each, rounded; orders of magnitude matter here, not exchange rates.
NOTIONAL_FLOORS: Mapping[str, float] = MappingProxyType(
    {
        "AUD": 150_000.0,
        "BNB": 150.0,
        "BRL": 500_000.0,
        "BTC": 1.0,
        "CAD": 140_000.0,
        "CHF": 80_000.0,
        "ETH": 30.0,
        "EUR": 90_000.0,
        "GBP": 75_000.0,
        "JPY": 15_000_000.0,
        "KRW": 140_000_000.0,
        "TRY": 4_000_000.0,
        "XBT": 1.0,
    }
)
DEFAULT_NOTIONAL_FLOOR = 100_000.0
"""US dollars, the coins pegged to it, and every quote currency not listed."""

_CODES: Mapping[Side | None, str] = MappingProxyType({"buy": "b", "sell": "s", None: "-"})
_SIDES: Mapping[str, Side | None] = MappingProxyType({"b": "buy", "s": "sell", "-": None})


def notional_floor(quote: str | None) -> float:
    """Quote currency -> least price times size of a large trade, in that currency."""
    return NOTIONAL_FLOORS.get(quote or "", DEFAULT_NOTIONAL_FLOOR)


def pressure(buy_share: float) -> str:
    """Share in [0, 1] -> label, with the thresholds of the provider notes."""
    if buy_share > 0.60:
        return "strong_buy"
    if buy_share > 0.52:
        return "buy"
    if buy_share < 0.40:
        return "strong_sell"
    return "sell" if buy_share < 0.48 else "neutral"


class FlowState(Struct, frozen=True, array_like=True):
    trades: int
    sides: str
    sizes: bytes


class TradeFlow:
    """Windows over one instrument's live trades in the order of arrival; backfilled ones stay out.

    The buy share is by volume: aggressor buys over all trades whose side is known. The usual size is
    the median of the last 1,000 sizes before the trade in question: exact, and untouched by the large
    trades it is to find.
    """

    __slots__ = ("_at", "_sides", "_sizes", "_sorted", "_sorted_at", "trades")

    def __init__(self) -> None:
        self.trades = 0
        self._sides: deque[Side | None] = deque(maxlen=SHARE_TRADES)
        self._sizes = array("d")
        self._at = 0
        self._sorted = array("d")
        self._sorted_at = 0

    def add(self, size: float, side: Side | None) -> None:
        self.trades += 1
        self._sides.append(side)
        sizes = self._sizes
        if len(sizes) < SIZE_TRADES:
            sizes.append(size)
            return
        at = self._at
        sizes[at] = size
        self._at = at + 1 if at + 1 < SIZE_TRADES else 0

    def multiple(self, size: float) -> float | None:
        """How many usual sizes a trade has where that makes it large (>= 5), else None.

        Call before `add`. A window sorted `m` trades ago bounds today's median from below: each trade
        since moved its rank by one at most. Only a size above that bound costs a new sort.
        """
        if len(self._sizes) < MIN_SIZES or size < LARGE_MULTIPLE * self._median_at_least():
            return None
        usual = self._exact_median()
        if usual <= 0.0 or size < LARGE_MULTIPLE * usual:
            return None
        return size / usual

    def _median_at_least(self) -> float:
        rank = (len(self._sorted) - 1) // 2 - (self.trades - self._sorted_at)
        return self._sorted[rank] if self._sorted and rank >= 0 else 0.0

    def _exact_median(self) -> float:
        self._sorted = array("d", sorted(self._sizes))
        self._sorted_at = self.trades
        return _median(self._sorted)

    def recent_sizes(self) -> list[float]:
        """The sizes of the last 100 trades, oldest first."""
        ordered = self._ordered()
        return list(ordered[max(0, len(ordered) - SHARE_TRADES) :])

    def _ordered(self) -> array[float]:
        return self._sizes[self._at :] + self._sizes[: self._at]

    def figures(self) -> dict[str, float | int | str | None]:
        """`buy_share` in [0, 1] and its label, None before 20 sided trades; sizes in base units."""
        bought = sold = 0.0
        sided = 0
        for size, side in zip(self.recent_sizes(), self._sides, strict=True):
            if side == "buy":
                bought += size
            elif side == "sell":
                sold += size
            sided += side is not None
        total = bought + sold
        share = bought / total if sided >= MIN_SIDED and total > 0.0 else None
        usual = _median(sorted(self._sizes)) if len(self._sizes) >= MIN_SIZES else None
        return {
            "buy_share": share,
            "pressure": None if share is None else pressure(share),
            "buy_volume": bought,
            "sell_volume": sold,
            "sided_trades": sided,
            "trades": self.trades,
            "usual_size": usual,
            "large_from_size": None if usual is None else LARGE_MULTIPLE * usual,
        }

    def snapshot(self) -> FlowState:
        ordered = self._ordered()
        return FlowState(
            self.trades,
            "".join(_CODES[side] for side in self._sides),
            struct.pack(f"<{len(ordered)}d", *ordered),
        )

    @classmethod
    def restored(cls, state: FlowState) -> TradeFlow:
        flow = cls()
        flow.trades = state.trades
        flow._sides.extend(_SIDES[code] for code in state.sides)
        flow._sizes.extend(struct.unpack(f"<{len(state.sizes) // 8}d", state.sizes))
        return flow


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2.0
