"""Several providers' prices of one thing: what they agree on, and who does not.

The state of a reference instrument (`BTC-USD.CRYPTO`, `AAPL.US`), into whose partition the feeds sample
their price about once a second. Providers differ by a bias of their own (another venue, another quote
currency), so whether a move is real is asked of each one's own move, not of its level.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from msgspec import Struct

from domain.clock import NS_PER_S

FRESH_NS = 10 * NS_PER_S
"""A sample older than this says nothing about now."""
SMALLEST, LARGEST = 1e-100, 1e100
"""What lies beyond is damage; between them ratios can be formed."""
KEEP = 32
"""Samples per provider: half a minute at one a second."""
MAX_PROVIDERS = 16
DEVIATES = 0.005
"""Log distance from the median, 0.5 %, from which a provider deviates, if it is also 5 sigma
away (1.4826 MAD, as in `domain.anomalies.robust`)."""
DEVIATES_Z = 5.0
AGREES = 0.5
"""Share of a move that a witness must have made to confirm it; under half of that it denies it."""

Sample = tuple[int, float]


class Reference(Struct, frozen=True):
    """`price`: median of the fresh ones. `spread`: (highest - lowest) / price. `confidence` in [0, 1]:
    share of the known providers that are fresh and agree. `deviating`: fresh but far from the median;
    `stale`: without a fresh sample. Both in alphabetical order. `ts_event`: of the newest sample, ns UTC.
    """

    price: float
    spread: float
    confidence: float
    fresh: int
    deviating: tuple[str, ...]
    stale: tuple[str, ...]
    ts_event: int = 0


class Witnesses(Struct, frozen=True):
    """How many other providers made a move and how many stayed where they were; `move` is their median."""

    confirm: int
    deny: int
    move: float


class ReferencePriceState(Struct, frozen=True, array_like=True):
    samples: tuple[tuple[str, tuple[Sample, ...]], ...]


class ReferencePrice:
    """The newest samples of at most 16 providers; further providers are not heard."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: dict[str, deque[Sample]] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def observe(self, provider: str, price: float, ts: int) -> bool:
        """False where it is no price, or older than what the provider said before."""
        if not SMALLEST < price < LARGEST:
            return False
        samples = self._samples.get(provider)
        if samples is None:
            if len(self._samples) >= MAX_PROVIDERS:
                return False
            samples = self._samples[provider] = deque(maxlen=KEEP)
        if samples and ts < samples[-1][0]:
            return False
        samples.append((ts, price))
        return True

    def at(self, now: int) -> Reference | None:
        """None where no provider has said anything fresh."""
        fresh = {name: each[-1][1] for name, each in self._samples.items() if now - each[-1][0] <= FRESH_NS}
        if not fresh:
            return None
        price = median(fresh.values())
        away = {name: math.log(each / price) for name, each in fresh.items()}
        mad = median(abs(each) for each in away.values())
        limit = max(DEVIATES, DEVIATES_Z * 1.4826 * mad) if len(fresh) > 2 else DEVIATES
        deviating = tuple(sorted(name for name, each in away.items() if abs(each) > limit))
        return Reference(
            price=price,
            spread=(max(fresh.values()) - min(fresh.values())) / price,
            confidence=(len(fresh) - len(deviating)) / len(self._samples),
            fresh=len(fresh),
            deviating=deviating,
            stale=tuple(sorted(self._samples.keys() - fresh.keys())),
            ts_event=self.newest or 0,
        )

    @property
    def newest(self) -> int | None:
        """Time of the newest sample; None before the first."""
        return max((each[-1][0] for each in self._samples.values()), default=None)

    def heard(self, provider: str) -> int | None:
        """Time of a provider's newest sample; None where there is none."""
        samples = self._samples.get(provider)
        return samples[-1][0] if samples else None

    def others_price(self, now: int, *, besides: str) -> float | None:
        """Median of the other providers' fresh samples; None without any."""
        fresh = [
            each[-1][1]
            for name, each in self._samples.items()
            if name != besides and now - each[-1][0] <= FRESH_NS
        ]
        return median(fresh) if fresh else None

    def witnesses(self, move: float, *, since: int, now: int, besides: str) -> Witnesses:
        """What the others say to a log move that `besides` saw begin at `since`.

        A provider counts that has a sample from before, one that changed something since or at least
        came after, and none of whose samples is the same for half a minute on end (stuck).
        """
        confirm = deny = 0
        moves = self.moves(since=since, now=now, besides=besides)
        for own in moves.values():
            if own * move > 0.0 and abs(own) >= AGREES * abs(move):
                confirm += 1
            elif abs(own) < 0.5 * AGREES * abs(move) or own * move < 0.0:
                deny += 1
        return Witnesses(confirm, deny, median(moves.values()) if moves else 0.0)

    def moves(self, *, since: int, now: int, besides: str) -> dict[str, float]:
        """The witnesses' own largest log moves since then, by name."""
        moves = {}
        for name, samples in sorted(self._samples.items()):
            own = _move_since(samples, since, now) if name != besides else None
            if own is not None:
                moves[name] = own
        return moves

    def moving(self, *, since: int, now: int, besides: str) -> tuple[int, int]:
        """Others heard in [since, now]: how many gave different prices, how many always the same."""
        moving = resting = 0
        for name, samples in self._samples.items():
            heard = {price for ts, price in samples if since <= ts <= now}
            if name != besides and heard:
                moving += len(heard) > 1
                resting += len(heard) == 1
        return moving, resting

    def last_heard(self, *, besides: str) -> int | None:
        """When any other provider last said something; None where there is no other."""
        return max((each[-1][0] for name, each in self._samples.items() if name != besides), default=None)

    def snapshot(self) -> ReferencePriceState:
        return ReferencePriceState(
            tuple((name, tuple(samples)) for name, samples in sorted(self._samples.items()))
        )

    @classmethod
    def restored(cls, state: ReferencePriceState) -> ReferencePrice:
        reference = cls()
        for name, samples in state.samples:
            reference._samples[name] = deque(samples, maxlen=KEEP)
        return reference


def _move_since(samples: deque[Sample], since: int, now: int) -> float | None:
    """The largest log move from the last price before `since`; None where nothing can be said."""
    before = None
    after = []
    for ts, price in samples:
        if ts < since:
            before = price
        elif ts <= now:
            after.append(price)
    if before is None or not after or now - samples[-1][0] > FRESH_NS:
        return None
    if len(samples) >= 5 and len({price for _, price in samples}) == 1:
        return None
    return max((math.log(price / before) for price in after), key=abs)
