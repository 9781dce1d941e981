"""Prices and activity of the simulated market, and what a provider says about them.

Per asset class one common factor; per instrument log-price = beta * common + own noise, both scaled by
a volatility regime (calm, normal, wild: a Markov chain) and with trade intensity that excites itself
(each trade raises it, it decays in about two seconds, 0.4 children per trade), so that trades burst.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from actors.feeds.sim.book import Ladder
from actors.feeds.sim.catalog import SimInstrument, describe
from actors.feeds.sim.incidents import Incident
from domain.clock import NS_PER_MS, NS_PER_S
from domain.market.observations import (
    BookDelta,
    BookSnapshot,
    Gap,
    InstrumentInfo,
    Level,
    Observation,
    Quote,
    Side,
    Ticker,
    Trade,
)

STEP_NS = 50 * NS_PER_MS
SECONDS_PER_YEAR = 365.25 * 86_400
REGIMES = (0.5, 1.0, 3.0)
REGIME_CHANGE_PER_S = 0.01
EXCITATION_PER_TRADE = 0.2
EXCITATION_DECAY_PER_S = 0.5
WHALE_CHANCE = 0.002
FLASH_CRASH_DEPTH = 0.08
FEED_DELAY_NS = 2 * NS_PER_MS


class _Line:
    """One instrument's moving parts."""

    def __init__(self, about: SimInstrument, rng: random.Random, price: float, first_id: int) -> None:
        self.about = about
        self.rng = rng
        self.mid = price
        self.regime = 1
        self.excitement = 0.0
        self.last_side: Side = "buy"
        self.trade_id = first_id
        self.ladder = Ladder(about, price, rng)
        self.day_open = price
        self.day_high = self.day_low = price
        self.day_volume = 0.0
        self.halted = False
        self.synced = False
        self.lost_from: int | None = None
        self.next_ticker = 0


class Market:
    """All instruments, advanced in steps of 50 ms. One owner; `step` is the only door."""

    def __init__(
        self,
        instruments: Sequence[str],
        *,
        seed: int,
        start_ns: int,
        rate: float = 1.0,
        incidents: Sequence[Incident] = (),
        provider: str = "sim",
        prices: Mapping[str, float] | None = None,
    ) -> None:
        """`rate` scales the number of trades. `prices` continues from earlier last prices.

        Trade ids count up from the start time, so that a later run never repeats one.
        """
        self._provider = provider
        self._rate = rate
        self._now = start_ns
        self._factor_rng = random.Random(f"{seed}/factors")
        begin = prices or {}
        self._lines = [
            _Line(
                about := describe(name),
                random.Random(f"{seed}/{name}"),
                begin.get(name, about.price),
                start_ns // NS_PER_MS,
            )
            for name in instruments
        ]
        self._incidents = list(incidents)

    @property
    def now(self) -> int:
        return self._now

    def describe(self) -> list[Observation]:
        """What the venue says about its instruments, before anything moves."""
        return [_info(line.about, self._provider, self._now) for line in self._lines]

    def step(self, until_ns: int) -> list[Observation]:
        """Everything that happens up to a time, in order; at most whole steps."""
        out: list[Observation] = []
        while self._now + STEP_NS <= until_ns:
            self._now += STEP_NS
            common = {name: self._factor_rng.gauss(0.0, 1.0) for name in ("crypto", "equity", "fx")}
            for line in self._lines:
                self._step_line(line, common[line.about.asset_class], out)
        return out

    def skip(self, by_ns: int) -> None:
        """Let time pass in which nothing happens."""
        self._now += by_ns

    def resync(self, instrument: str) -> None:
        """Send a snapshot again at the next step (a consumer lost its book)."""
        for line in self._lines:
            if line.about.instrument == instrument:
                line.synced = False

    def _step_line(self, line: _Line, common: float, out: list[Observation]) -> None:
        active: dict[str, Incident] = {
            i.kind: i
            for i in self._incidents
            if i.instrument == line.about.instrument and i.covers(self._now)
        }
        if "halt" in active:
            self._halt(line, out)
            return
        line.halted = False
        if "frozen_feed" in active:
            self._frozen(line, out)
            return
        self._move(line, common, active.get("flash_crash"))
        scale = 0.25 if "split" in active else 1.0
        says = _Speaker(line, self._provider, self._now, scale)
        bids, asks = line.ladder.move(line.mid, 4 if "flash_crash" in active else 1)
        self._book(line, says, bids, asks, lose="gap" in active, out=out)
        out.append(says.quote())
        self._trades(line, says, active, out)
        if self._now >= line.next_ticker:
            line.next_ticker = self._now + NS_PER_S
            out.append(says.ticker())

    def _move(self, line: _Line, common: float, crash: Incident | None) -> None:
        dt_s = STEP_NS / NS_PER_S
        if line.rng.random() < REGIME_CHANGE_PER_S * dt_s:
            line.regime = line.rng.choice((0, 1, 1, 2))
        about = line.about
        sigma = about.volatility * REGIMES[line.regime] * math.sqrt(dt_s / SECONDS_PER_YEAR)
        own = line.rng.gauss(0.0, 1.0)
        drift = about.beta * common + math.sqrt(1 - about.beta**2) * own
        line.mid *= math.exp(sigma * drift)
        if crash is not None:
            line.mid *= _crash_factor(crash, self._now) / _crash_factor(crash, self._now - STEP_NS)
        line.excitement *= math.exp(-EXCITATION_DECAY_PER_S * dt_s)

    def _book(
        self, line: _Line, says: _Speaker, bids: list[Level], asks: list[Level], *, lose: bool,
        out: list[Observation],
    ) -> None:  # fmt: skip
        if lose:
            line.lost_from = line.lost_from or line.ladder.sequence
            line.synced = False
            return
        if line.lost_from is not None:
            out.append(says.gap("book", "injected", line.lost_from, line.ladder.sequence - 1))
            line.lost_from = None
        if not line.synced:
            line.synced = True
            out.append(says.snapshot())
        elif bids or asks:
            out.append(says.delta(bids, asks))

    def _trades(
        self, line: _Line, says: _Speaker, active: Mapping[str, Incident], out: list[Observation]
    ) -> None:
        burst = 10.0 if "flash_crash" in active else 1.0
        normal = line.about.trades_per_s * self._rate
        intensity = normal * REGIMES[line.regime] * burst * (1 + line.excitement)
        for _ in range(_poisson(intensity * STEP_NS / NS_PER_S, line.rng)):
            line.excitement = min(6.0, line.excitement + EXCITATION_PER_TRADE / normal)
            trade, delta = says.trade(sells="flash_crash" in active)
            slipped = says.slipped(trade, 10.0) if "decimal_slip" in active else trade
            out.append(slipped)
            if "duplicate" in active:
                out.append(slipped)
            if delta is not None and line.synced:
                out.append(delta)
        finger = active.get("fat_finger")
        if finger is not None and self._now - STEP_NS < finger.start + STEP_NS:
            trade, delta = says.trade(sells=False)
            out.append(says.slipped(trade, 1.06, size_factor=60.0))
            if delta is not None and line.synced:
                out.append(delta)
            self._incidents.remove(finger)

    def _halt(self, line: _Line, out: list[Observation]) -> None:
        if not line.halted:
            line.halted, line.synced = True, False
            out.append(_Speaker(line, self._provider, self._now, 1.0).gap("book", "halted", None, None))

    def _frozen(self, line: _Line, out: list[Observation]) -> None:
        says = _Speaker(line, self._provider, self._now, 1.0)
        out.append(says.quote())
        if line.rng.random() < 0.2:
            (bid, _), _ = line.ladder.best()
            out.append(says.print_at(bid, line.about.lot, "sell"))


class _Speaker:
    """Says as a provider what a line does at a moment; `scale` multiplies every price (a split)."""

    def __init__(self, line: _Line, provider: str, now: int, scale: float) -> None:
        self._line = line
        self._scale = scale
        self._provider = provider
        self._instrument = line.about.instrument
        self._ts_event = now
        self._ts_recv = now + FEED_DELAY_NS

    def quote(self) -> Quote:
        (bid, bid_size), (ask, ask_size) = self._line.ladder.best()
        return Quote(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._price(bid), bid_size, self._price(ask), ask_size,
        )  # fmt: skip

    def snapshot(self) -> BookSnapshot:
        bids, asks = self._line.ladder.levels()
        sequence = self._line.ladder.sequence
        return BookSnapshot(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._levels(bids), self._levels(asks), (sequence, sequence),
        )  # fmt: skip

    def delta(self, bids: Sequence[Level], asks: Sequence[Level]) -> BookDelta:
        sequence = self._line.ladder.sequence
        return BookDelta(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._levels(bids), self._levels(asks), (sequence, sequence), sequence - 1,
        )  # fmt: skip

    def trade(self, *, sells: bool) -> tuple[Trade, BookDelta | None]:
        """An aggressor at the best price, and the level it changed."""
        line = self._line
        side: Side = line.last_side if line.rng.random() < 0.65 else line.rng.choice(("buy", "sell"))
        if sells and line.rng.random() < 0.8:
            side = "sell"
        line.last_side = side
        price, changed = line.ladder.take(buy=side == "buy", size=(size := self._size()))
        bids, asks = ([], changed) if side == "buy" else (changed, [])
        return self.print_at(price, size, side), self.delta(bids, asks)

    def print_at(self, price: float, size: float, side: Side) -> Trade:
        line = self._line
        line.trade_id += 1
        line.day_volume += size
        line.day_high, line.day_low = max(line.day_high, price), min(line.day_low, price)
        return Trade(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._price(price), size, side, str(line.trade_id),
        )  # fmt: skip

    def slipped(self, trade: Trade, factor: float, *, size_factor: float = 1.0) -> Trade:
        return Trade(
            trade.provider, trade.instrument, trade.ts_event, trade.ts_recv,
            round(trade.price * factor, self._line.about.price_precision),
            round(trade.size * size_factor, self._line.about.size_precision),
            trade.side, trade.trade_id,
        )  # fmt: skip

    def ticker(self) -> Ticker:
        line = self._line
        last = self._price(line.mid)
        opened = self._price(line.day_open)
        return Ticker(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            last=last, open=opened, high=self._price(line.day_high), low=self._price(line.day_low),
            volume=round(line.day_volume, line.about.size_precision),
            change_pct=round((last / opened - 1) * 100, 4),
        )  # fmt: skip

    def gap(self, channel: str, reason: str, first: int | None, last: int | None) -> Gap:
        return Gap(
            self._provider, self._instrument, self._ts_event, self._ts_recv, channel, reason, first, last
        )

    def _size(self) -> float:
        about, rng = self._line.about, self._line.rng
        size = about.typical_size * rng.lognormvariate(-0.6, 1.0)
        if rng.random() < WHALE_CHANCE:
            size *= 25
        return round(max(1, round(size / about.lot)) * about.lot, about.size_precision)

    def _price(self, price: float) -> float:
        return round(price * self._scale, self._line.about.price_precision)

    def _levels(self, levels: Sequence[Level]) -> tuple[Level, ...]:
        if self._scale == 1.0:
            return tuple(levels)
        return tuple((self._price(price), size) for price, size in levels)


def _info(about: SimInstrument, provider: str, now: int) -> InstrumentInfo:
    return InstrumentInfo(
        provider=provider,
        instrument=about.instrument,
        ts_event=now,
        ts_recv=now,
        venue_symbol=about.instrument.rpartition(".")[0],
        base=about.base,
        quote=about.quote,
        asset_class=about.asset_class,
        price_precision=about.price_precision,
        size_precision=about.size_precision,
        tick_size=about.tick,
        lot_size=about.lot,
    )


def _crash_factor(crash: Incident, now: int) -> float:
    """1 before, down to 1 - depth at a third of the way, back to 1 - depth/4 at the end."""
    progress = min(1.0, max(0.0, (now - crash.start) / (crash.end - crash.start)))
    if progress < 1 / 3:
        return 1 - FLASH_CRASH_DEPTH * 3 * progress
    return 1 - FLASH_CRASH_DEPTH * (1 - 0.75 * (progress - 1 / 3) * 1.5)


def _poisson(mean: float, rng: random.Random) -> int:
    """Knuth for small means; a rounded normal beyond 30, where it is indistinguishable here."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
