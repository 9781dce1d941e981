"""Bar intervals by name. Bars start at whole multiples of their interval since 1970-01-01 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed

INTERVAL_NS: Mapping[str, int] = MappingProxyType(
    {
        "1s": NS_PER_S,
        "1m": NS_PER_MIN,
        "5m": 5 * NS_PER_MIN,
        "15m": 15 * NS_PER_MIN,
        "1h": 60 * NS_PER_MIN,
        "4h": 240 * NS_PER_MIN,
        "1d": 1440 * NS_PER_MIN,
    }
)


def interval_ns(interval: str) -> int:
    """`1m` -> 60,000,000,000. Raises Malformed."""
    try:
        return INTERVAL_NS[interval]
    except KeyError:
        raise Malformed(f"interval {interval[:20]!r} is none of {', '.join(INTERVAL_NS)}") from None


def bar_start(ts: int, interval_ns: int) -> int:
    """Start of the bar that holds a time, both ns UTC."""
    return ts - ts % interval_ns
