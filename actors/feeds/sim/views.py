"""Other providers of the same simulated instruments: `NAME[:bias=PCT][:delay=S][:stale=S]`.

Each speaks its own Ticker once a second, as the simulator does: `bias` percent beside the true price,
`delay` seconds behind it, and from `stale` seconds after the start on always the same one. A split that
nobody adjusted for and a frozen feed are the simulator's errors: the views go on seeing the market.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.observations import Ticker

MAX_DELAY_S = 3600.0
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_OPTION = re.compile(r"(bias|delay|stale)=(-?\d+(?:\.\d+)?)")


class View(Struct, frozen=True):
    """`bias_pct` 0.5 means 0.5 % above; `stale_s` None means never."""

    provider: str
    bias_pct: float = 0.0
    delay_s: float = 0.0
    stale_s: float | None = None


def parse_views(specs: Sequence[str], record: str) -> list[View]:
    """`record`: the provider whose tickers they look at. Raises Malformed with the grammar."""
    views = [_parse(spec) for spec in specs]
    names = [record, *(view.provider for view in views)]
    if len(set(names)) < len(names):
        raise Malformed(f"views {list(specs)!r}: each needs a name of its own, other than {record!r}")
    return views


def _parse(spec: str) -> View:
    name, *options = spec.strip().split(":")
    matches = [_OPTION.fullmatch(option) for option in options]
    told = {match[1]: float(match[2]) for match in matches if match is not None}
    view = View(name, told.get("bias", 0.0), told.get("delay", 0.0), told.get("stale"))
    sane = view.bias_pct > -100.0 and 0.0 <= view.delay_s <= MAX_DELAY_S and (view.stale_s or 0.0) >= 0.0
    if not _NAME.fullmatch(name) or len(told) < len(options) or not sane:
        raise Malformed(
            f"view {spec!r} is not NAME[:bias=PCT][:delay=S][:stale=S] with bias above -100 and "
            f"delay at most {MAX_DELAY_S:.0f}"
        )
    return view


class Eye:
    """What one view has seen of one instrument. `start`: when the simulator began, ns UTC."""

    def __init__(self, view: View, digits: int, start: int) -> None:
        self._view = view
        self._digits = digits
        self._delay_ns = int(view.delay_s * NS_PER_S)
        self._stale_at = None if view.stale_s is None else start + int(view.stale_s * NS_PER_S)
        self._coming: deque[Ticker] = deque()
        self._told: Ticker | None = None

    def look(self, ticker: Ticker) -> Ticker | None:
        """The view's ticker at the moment of the record's; None before the delay is over."""
        self._coming.append(ticker)
        now = ticker.ts_event
        while self._coming and self._coming[0].ts_event <= now - self._delay_ns:
            seen = self._coming.popleft()
            if self._stale_at is None or self._told is None or now < self._stale_at:
                self._told = self._biased(seen)
        return None if self._told is None else replace(self._told, ts_recv=ticker.ts_recv)

    def _biased(self, ticker: Ticker) -> Ticker:
        return replace(
            ticker,
            provider=self._view.provider,
            last=self._price(ticker.last),
            open=self._price(ticker.open) if ticker.open is not None else None,
            high=self._price(ticker.high) if ticker.high is not None else None,
            low=self._price(ticker.low) if ticker.low is not None else None,
        )

    def _price(self, price: float) -> float:
        return round(price * (1.0 + self._view.bias_pct / 100.0), self._digits)
