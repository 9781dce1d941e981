"""Anomalies of a stream of trades.

The common trade passes three comparisons and a few sums. About once a second of trades the sums become
what is usual, and the comparisons' limits follow.
"""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from domain.anomalies.activity import REFRESH, WINDOW, Activity, ActivityState
from domain.anomalies.found import Finding
from domain.anomalies.prints import Print, Testimony, came_back, sizes_follow, stayed, worth_of
from domain.anomalies.ratios import slip
from domain.anomalies.robust import MEAN_AD_TO_SIGMA, Usual, UsualState
from domain.anomalies.surroundings import Surroundings
from domain.anomalies.values import FAULT_CODES, trade_fault
from domain.clock import NS_PER_S
from domain.market.observations import Side

BUCKET_NS = NS_PER_S
BAND_SIGMAS = 25.0
"""Usual log moves of a second. Volatility may rise sixfold from one second to the next (a regime)."""
BACK = 0.5
"""Share of the band within which a price has come back: one at the very edge would come and go."""
FAST_SIGMAS = 10.0
"""The same by the volatility of the last seconds, which has risen already where a regime has."""
LEAST_BAND = 0.0025
UNKNOWN_BAND = 0.15
"""While it is not known what is usual."""
BAND_TICKS = 6.0
WIDEST_BAND = 0.4
"""However wild or rarely traded: a doubling within it is looked at."""
READY_BUCKETS = 32
FAST = 0.2
CLIP = 6.0
"""Usual sigmas to which a move is cut before it counts for the last seconds: no shock excuses itself."""
COOL_DOWN_NS = 60 * NS_PER_S
SAME_EVENT_NS = 600 * NS_PER_S
PRICE_EVENT = "price_spike:market_event"
CONSEQUENCES = frozenset({"trade_burst", "one_sided_flow", "large_trade"})
"""During a price event they, and what is unclear, are part of it."""
Found = list[Finding]


class TradeDetectorState(Struct, frozen=True, array_like=True):
    start: int
    base: int
    count: int
    sided: int
    bought: int
    close: float
    last: float
    tick: float
    fast: float
    quiet: tuple[tuple[str, int], ...]
    seen: Print | None
    returns: UsualState
    activity: ActivityState
    moved: bool
    home: tuple[float, float]
    wrong_move: float
    wrong_at: int


class TradeDetector:
    """`observe` each live trade in the order of arrival; late ones (backfill) must not be given.

    `moved` says that the price changed since it was last set to False; `bucket_start` is within a second
    of the last trade's time.
    """

    __slots__ = (
        "_activity",
        "_around",
        "_base",
        "_bought",
        "_close",
        "_count",
        "_fast",
        "_high",
        "_home",
        "_large",
        "_last",
        "_low",
        "_print",
        "_quiet",
        "_returns",
        "_sided",
        "_tick",
        "_wake",
        "_wrong_at",
        "_wrong_move",
        "bucket_start",
        "moved",
    )

    _base: int
    _bought: int
    _close: float
    _count: int
    _fast: float
    _high: float
    _home: tuple[float, float]
    _large: float
    _last: float
    _low: float
    _print: Print | None
    _quiet: dict[str, int]
    _sided: int
    _tick: float
    _wake: int
    _wrong_at: int
    _wrong_move: float
    bucket_start: int
    moved: bool

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._returns = Usual(WINDOW, REFRESH)
        self._activity = Activity()
        self.restore(
            TradeDetectorState(
                *(0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, (), None),
                *(self._returns.snapshot(), self._activity.snapshot(), False, (math.inf, 0.0), 0.0, 0),
            )
        )

    def observe(self, ts: int, price: float, size: float, side: Side | None) -> Found | None:
        """None for the common trade within a bucket; a list, perhaps empty, where a bucket ended.

        `ts` ns UTC; price in quote currency, size in base units.
        """
        if self._low < price < self._high and ts < self._wake and 0.0 <= size < self._large:
            self._count += 1
            if side == "buy":
                self._bought += 1
            elif side is None:
                self._sided -= 1
            if price != self._last:
                self._last = price
                self.moved = True
            return None
        return self._unusual(ts, price, size, side)

    @property
    def rows(self) -> int:
        """Trades seen."""
        return self._base + self._count

    @property
    def pending_row(self) -> int | None:
        """The trade under judgement."""
        return None if self._print is None else self._print.row

    def in_price_event(self, ts: int) -> bool:
        """Whether a move of the market has been told of within the last minute."""
        return ts < self._quiet.get(PRICE_EVENT, 0)

    def _unusual(self, ts: int, price: float, size: float, side: Side | None) -> Found:
        found: Found = []
        row = self._base + self._count
        fault = trade_fault(price, size)
        if fault is not None:
            self._base += 1
            evidence = {"fault": FAULT_CODES[fault]}
            self._tell(found, ts, Finding("bad_value", "data_error", 1.0, row, ts, evidence))
            return found
        if price != self._last:
            self.moved = True
        if ts >= self._wake or self._close == 0.0:
            self._end_bucket(ts, price, size, found)
        large = self._activity.large(row, ts, size)
        if self._print is not None:
            self._follow(self._print, ts, price, size, found)
        elif self._home[0] < price < self._home[1]:
            self._last = price
        else:
            self._outside(row, ts, price, size, found)
        if large is not None and self._print is None:
            self._tell(found, ts, large)
        self._count += 1
        self._bought += side == "buy"
        self._sided -= side is None
        return found

    def _outside(self, row: int, ts: int, price: float, size: float, found: Found) -> None:
        """An opening finds its level at once, and need not pass through the prices in between."""
        if abs(math.log(price / self._last)) < WIDEST_BAND and self._around.unsettled(ts):
            self._last = price
            self._set_limits()
        else:
            self._begin(row, ts, price, size, found)

    def _begin(self, row: int, ts: int, price: float, size: float, found: Found) -> None:
        before = self._last
        low, high = self._home
        seen = Print(
            row,
            ts,
            math.sqrt(low * high),
            before,
            self._around.settled_mid(),
            price,
            price,
            price,
            math.log(high / low) / 2.0,
            self._activity.usual_size,
            self._activity.usual_rate,
            1,
            size,
            worth_of(size, price, before),
            worth_of(size, price, before),
        )
        mid = self._around.mid(ts)
        if slip(seen.move) is not None and abs(math.log(mid / before)) < seen.band:
            self._tell(found, ts, came_back(seen, self._testimony(seen, ts)))
            return
        self._print = seen
        self._low = math.inf

    def _follow(self, seen: Print, ts: int, price: float, size: float, found: Found) -> None:
        back = abs(math.log(price / seen.centre)) < BACK * seen.band
        if not back:
            seen.add(price, size)
            if not (seen.stays(ts) or seen.abandoned(ts)):
                return
        says = self._testimony(seen, ts)
        if not says.ready:
            return
        finding = came_back(seen, says) if back else stayed(seen, says, ts)
        self._print = None
        self._last = price
        ends = not back and self._undoes(seen, ts)
        if not ends:
            self._tell(found, ts, finding)
        if not back:
            self._close = price
            self._wrong_move = seen.move if finding.verdict == "data_error" and not ends else 0.0
            self._wrong_at = ts
            if sizes_follow(seen):
                self._activity.in_new_shares(-seen.move)
        self._set_limits()

    def _undoes(self, seen: Print, ts: int) -> bool:
        """Whether the jump takes a wrong one back: the end of that error, no second event."""
        recent = ts - self._wrong_at <= SAME_EVENT_NS
        return recent and abs(seen.move + self._wrong_move) < 0.1 * abs(seen.move)

    def _testimony(self, seen: Print, ts: int) -> Testimony:
        return self._around.testimony(math.log(seen.extreme / seen.before), seen.ts, ts)

    def _end_bucket(self, ts: int, price: float, size: float, found: Found) -> None:
        """Learn from the bucket that this trade ends, look at its rate and flow, begin the next."""
        count = self._count
        elapsed_s = max(1.0, (ts - self.bucket_start) / NS_PER_S)
        if self._close == 0.0:
            self._close = self._last = price
            elapsed_s = 1.0
        elif self._print is None and count:
            self._learn(elapsed_s)
            self._activity.learn(elapsed_s, count, count + self._sided, self._bought, size)
            for each in (self._activity.burst(self._base, ts), self._activity.one_sided(self._base, ts)):
                if each is not None:
                    self._tell(found, ts, each)
        self._base += count
        self._count = self._sided = self._bought = 0
        self.bucket_start = ts
        self._wake = ts + BUCKET_NS
        self._set_limits(elapsed_s)

    def _learn(self, elapsed_s: float) -> None:
        close = self._last
        move = math.log(close / self._close) / math.sqrt(elapsed_s)
        step = abs(close - self._close)
        if step > 0.0 and (self._tick == 0.0 or step < self._tick):
            self._tick = step
        sigma = self._returns.sigma
        clipped = min(abs(move), CLIP * sigma) if sigma > 0.0 else abs(move)
        self._fast += FAST * (clipped - self._fast)
        self._returns.add(move)
        self._close = close

    def _set_limits(self, elapsed_s: float = 1.0) -> None:
        """The band around the last price, `elapsed_s` old, and the size from which a trade is large."""
        price = self._last
        band = self.usual_band(elapsed_s) if len(self._returns) >= READY_BUCKETS else UNKNOWN_BAND
        if self.bucket_start < self._quiet.get(PRICE_EVENT, 0):
            band *= 4.0
        band = min(band, WIDEST_BAND)
        self._home = (price * math.exp(-band), price * math.exp(band))
        self._low, self._high = self._home if self._print is None else (math.inf, 0.0)
        self._large = self._activity.large_from

    def usual_band(self, elapsed_s: float = 1.0) -> float:
        """Log half-width of what so many seconds may bring."""
        sigmas = max(BAND_SIGMAS * self._returns.sigma, FAST_SIGMAS * MEAN_AD_TO_SIGMA * self._fast)
        return max(LEAST_BAND, math.sqrt(elapsed_s) * sigmas, BAND_TICKS * self._tick / self._last)

    def _tell(self, found: Found, ts: int, finding: Finding) -> None:
        """Once per kind and event; during a price event its consequences are not events of their own."""
        sort = f"{finding.kind}:{finding.verdict}"
        quiet = ts < self._quiet.get(sort, 0)
        if finding.kind in CONSEQUENCES or finding.verdict == "unclear":
            quiet = quiet or ts < self._quiet.get(PRICE_EVENT, 0)
        self._quiet[sort] = ts + COOL_DOWN_NS
        if not quiet:
            found.append(finding)

    def snapshot(self) -> TradeDetectorState:
        return TradeDetectorState(
            self.bucket_start,
            self._base,
            self._count,
            self._sided,
            self._bought,
            self._close,
            self._last,
            self._tick,
            self._fast,
            tuple(sorted(self._quiet.items())),
            None if self._print is None else replace(self._print),
            self._returns.snapshot(),
            self._activity.snapshot(),
            self.moved,
            self._home,
            self._wrong_move,
            self._wrong_at,
        )

    def restore(self, state: TradeDetectorState) -> None:
        self.bucket_start = state.start
        self._wake = state.start + BUCKET_NS if state.close else 0
        self._base, self._count = state.base, state.count
        self._sided, self._bought = state.sided, state.bought
        self._close, self._last, self._tick = state.close, state.last, state.tick
        self._fast = state.fast
        self._quiet = dict(state.quiet)
        self._print = None if state.seen is None else replace(state.seen)
        self._returns.restore(state.returns)
        self._activity.restore(state.activity)
        self.moved = state.moved
        self._wrong_move, self._wrong_at = state.wrong_move, state.wrong_at
        self._home, self._large = state.home, self._activity.large_from
        self._low, self._high = self._home if self._print is None else (math.inf, 0.0)
