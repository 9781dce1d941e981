"""A trade far from the market, under judgement: a slip, a fat finger, a bad print, or the market itself."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.anomalies.found import AnomalyClass, AnomalyKind, Finding, severity
from domain.anomalies.ratios import CREDIBLE, LEAST_SPLIT, slip, split
from domain.clock import NS_PER_S

STAYS_NS = 3 * NS_PER_S
STAYS_TRADES = 3
ROUND_STAYS_NS = 5 * NS_PER_S
"""A slip lasts as long as somebody's mistake; what stays longer is a new level."""
ROUND_STAYS_TRADES = 5
ABANDONED_NS = 30 * NS_PER_S
REAL_SIZE = 10.0
"""Times the usual size: a lone print of that size was somebody's order."""
REAL_TRADES = 8
LONE_TRADES = 3
RUSH = 8.0
"""Times the usual rate of trades: nobody rushes because of a split."""
QUOTES_AGREE = 0.5
GAP_SHARE = 0.8
"""Of the whole move made by the first print: a level that nobody traded through."""

SIZES_FOLLOW = 0.5
"""Share of the price's move by which that of the sizes may differ from its opposite: they vary widely."""


class Print(Struct, array_like=True):
    """`centre`: of the band, the price a moment ago; `before`: last price inside it; `mid_before`: the
    quotes' mid then, NaN without quotes.

    `out` trades of `out_size` in all lay outside the band. `worth` and `largest` are sizes at the price
    before, of all and of the largest trade: what is ten times the shares at a tenth of the price is no
    larger trade. `usual_size` NaN while unknown, `usual_rate` trades per second, `band` the log half-width.
    """

    row: int
    ts: int
    centre: float
    before: float
    mid_before: float
    first: float
    extreme: float
    last: float
    band: float
    usual_size: float
    usual_rate: float
    out: int
    out_size: float
    worth: float
    largest: float

    @property
    def move(self) -> float:
        return math.log(self.first / self.before)

    def add(self, price: float, size: float) -> None:
        self.last = price
        self.out += 1
        self.out_size += size
        worth = worth_of(size, price, self.before)
        self.worth += worth
        self.largest = max(self.largest, worth)
        if abs(math.log(price / self.before)) > abs(math.log(self.extreme / self.before)):
            self.extreme = price

    def stays(self, ts: int) -> bool:
        """Whether it has lasted long enough to be called a new level."""
        elapsed = ts - self.ts
        if slip(self.move) is None and split(self.move) is None:
            return elapsed >= STAYS_NS and self.out >= STAYS_TRADES
        return elapsed >= ROUND_STAYS_NS and self.out >= ROUND_STAYS_TRADES

    def abandoned(self, ts: int) -> bool:
        """Nothing further came: judge it by what there is."""
        return ts - self.ts >= ABANDONED_NS


def worth_of(size: float, price: float, before: float) -> float:
    """A size at the price before, or the size itself where that is less."""
    return size * min(1.0, price / before)


class Testimony(Struct, frozen=True):
    """What others say to a print: the mid now (NaN unknown), other providers that confirm or deny.

    `ready` False: they have not all been heard yet, and the verdict waits for the next print.
    """

    mid: float
    confirm: int
    deny: int
    ready: bool = True


def came_back(seen: Print, says: Testimony) -> Finding:
    """The next trade was inside the band again."""
    if slip(seen.move) is not None and not says.confirm:
        return _finding(seen, says, "decimal_slip", "data_error")
    if says.confirm or _quotes_went_along(seen, says):
        return _finding(seen, says, "price_spike", "market_event")
    real = REAL_SIZE * seen.usual_size
    if seen.out >= REAL_TRADES and seen.worth >= real:
        return _finding(seen, says, "price_spike", "market_event")
    if seen.largest >= real:
        return _finding(seen, says, "fat_finger", "market_event")
    lone = seen.out <= LONE_TRADES or says.deny > 0
    return _finding(seen, says, "price_spike", "data_error" if lone else "unclear")


def stayed(seen: Print, says: Testimony, ts: int) -> Finding:
    """The prices went to a new level."""
    whole = abs(math.log(seen.extreme / seen.before))
    gapped = abs(seen.move) >= GAP_SHARE * whole
    seconds = max(1.0, (ts - seen.ts) / NS_PER_S)
    rush = seen.out / seconds >= RUSH * seen.usual_rate > 0.0
    if says.confirm > says.deny:
        return _finding(seen, says, "price_spike", "market_event")
    credible = rush and not says.deny and abs(seen.move) < CREDIBLE
    if gapped and not credible:
        if split(seen.move) is not None:
            return _finding(seen, says, "split", "data_error")
        if slip(seen.move) is not None:
            return _finding(seen, says, "decimal_slip", "data_error")
        if sizes_follow(seen):
            return _finding(seen, says, "split", "data_error")
    if says.deny:
        return _finding(seen, says, "price_spike", "data_error")
    if gapped and not credible and abs(seen.move) >= LEAST_SPLIT:
        return _finding(seen, says, "price_spike", "unclear")
    real = not gapped or rush or _quotes_went_along(seen, says) or seen.out >= REAL_TRADES
    return _finding(seen, says, "price_spike", "market_event" if real else "unclear")


def sizes_follow(seen: Print) -> bool:
    """Whether trades became larger by what the price came down, or the reverse: a split of any ratio."""
    if not seen.out_size > 0.0 or math.isnan(seen.usual_size) or abs(seen.move) < CREDIBLE:
        return False
    moved = -math.log(seen.out_size / seen.out / seen.usual_size) / seen.move
    return abs(moved - 1.0) <= SIZES_FOLLOW


def _quotes_went_along(seen: Print, says: Testimony) -> bool:
    if math.isnan(seen.mid_before) or math.isnan(says.mid):
        return False
    whole = math.log(seen.extreme / seen.before)
    return math.log(says.mid / seen.mid_before) / whole >= QUOTES_AGREE


def _finding(seen: Print, says: Testimony, kind: AnomalyKind, verdict: AnomalyClass) -> Finding:
    evidence = {
        "usual_price": seen.centre,
        "before": seen.before,
        "price": seen.first,
        "extreme": seen.extreme,
        "last": seen.last,
        "return": seen.move,
        "threshold": seen.band,
        "trades_outside": float(seen.out),
        "size_outside": seen.out_size,
        "providers_confirm": float(says.confirm),
        "providers_deny": float(says.deny),
    }
    if not math.isnan(seen.usual_size):
        evidence["usual_size"] = seen.usual_size
    if not math.isnan(seen.mid_before):
        evidence["mid_before"] = seen.mid_before
    if not math.isnan(says.mid):
        evidence["mid"] = says.mid
    ratio = (split(seen.move) or math.exp(seen.move)) if kind == "split" else slip(seen.move)
    if ratio is not None and kind in ("split", "decimal_slip"):
        evidence["ratio"] = ratio
    away = abs(math.log(seen.extreme / seen.centre))
    return Finding(kind, verdict, severity(away, seen.band), seen.row, seen.ts, evidence)
