"""What a partition is told to keep up: facts of its log, so that a replay needs nothing else.

An instrument's figures begin with the bars that the event carries, in the place of the log where it
stands: its bars that closed before are in the event, those that close afterwards follow it.

Importing this loads no numbers: a fold in which nothing is armed stays without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

SENDER = "indicators"
"""Sender of the admitted batches that hold these events: the owner of the partition itself."""

MAX_WARM_UP = 500
"""Bars an event carries at most. A figure that reaches back further (`domain.indicators.reach`) begins as
if the first of them were the first bar there is, and settles within its reach."""

DEFAULT_INTERVAL = "1m"

WarmBar = tuple[int, float, float, float, float, float]
"""Start in ns UTC; open, high, low, close, volume."""


class IndicatorArmed(Struct, frozen=True):
    """From here on the partition keeps these figures up over the closed bars of one instrument.

    `specs` are canonical and without an interval; one that is armed already stays as it is. `bars` closed
    before, oldest first. Bars of an interval that keepers do not build are made of 1m bars: `parts` are
    the instrument's last ones of those, `begun` sums up what the first part's coarser bar had before it,
    and `bars` end before that coarser bar.
    """

    kind: ClassVar[str] = "indicator_armed"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    specs: tuple[str, ...]
    bars: tuple[WarmBar, ...] = ()
    parts: tuple[WarmBar, ...] = ()
    begun: WarmBar | None = None


class IndicatorDisarmed(Struct, frozen=True):
    """From here on these are not kept up any more; one that was not is passed over."""

    kind: ClassVar[str] = "indicator_disarmed"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    specs: tuple[str, ...]


Arming = IndicatorArmed | IndicatorDisarmed


def by_interval(specs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """interval -> canonical specs without one, each once; 1m where none is named. Raises Malformed."""
    found: dict[str, dict[str, None]] = {}
    for text in specs:
        from domain.indicators.spec import parse_spec  # loads the kernels: not before one is named

        spec = parse_spec(text)
        found.setdefault(spec.interval or DEFAULT_INTERVAL, {})[str(spec.without_interval)] = None
    return {interval: tuple(texts) for interval, texts in found.items()}
