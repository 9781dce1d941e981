"""Names of markets and intervals as Hyperliquid writes them.

Source: hyperliquid.gitbook.io/hyperliquid-docs, sections WebSocket subscriptions and Info endpoint.
"""

from __future__ import annotations

from functools import lru_cache

from domain.errors import Malformed
from domain.ids import make_instrument_id

PROVIDER = "hyperliquid"
VENUE = "HYPERLIQUID"
SPOT = "@"
"""A spot pair is the number of it: `@107`; the first is `PURR/USDC`."""
INTERVALS = {
    name: name for name in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w")
} | {"1M": "1mo"}
"""Hyperliquid's -> ours."""


@lru_cache(maxsize=4096)
def instrument_of(coin: str) -> str:
    """`BTC` -> `BTC.HYPERLIQUID`, `@107` -> `SPOT:107.HYPERLIQUID`. Raises Malformed."""
    letters = f"SPOT:{coin[1:]}" if coin.startswith(SPOT) else coin
    return make_instrument_id(letters, VENUE)


def interval_of(name: object) -> str:
    """Raises Malformed."""
    found = INTERVALS.get(name) if isinstance(name, str) else None
    if found is None:
        raise Malformed(f"interval {str(name)[:20]!r} is not known")
    return found
