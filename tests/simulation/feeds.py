"""The feeds of a schedule, and the venues that they tell of: up to three feeds bring one instrument.

    home      the venue's own feed: trades with dense ids, quotes, the book
    second    another line to the same venue, as the same provider: trades it has told already, and quotes
    witness   another provider's prices of the same: quotes, tickers, trades of its own, sometimes a book
    echo      another provider's trades and nothing else: all let go while the home trades

Their time runs TIME_RUNS times as fast as the shards', and a feed's first life begins with an hour of it,
so that bars, detectors and figures have left their warm-up before anything happens.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from actors.sender import Sender, SenderSettings
from domain.clock import NS_PER_S
from domain.errors import Retryable
from domain.market.observations import BookDelta, BookSnapshot, Observation, Quote, Ticker, Trade
from tests.simulation.loop import Process
from tests.simulation.network import SimLog
from tests.simulation.parties import Routes

if TYPE_CHECKING:
    from tests.simulation.world import World

TIME_RUNS = 10
"""Seconds of a feed in one of the schedule: a source's patience is over within six."""
REFERENCE = "C0-USD.CRYPTO"
SENDING = SenderSettings(
    flush_ms=20.0,
    batch_events=6,
    call_events=40,
    buffer_events=400,
    call_timeout_s=1.0,
    backoff_base_s=0.05,
    backoff_cap_s=0.5,
)
Role = Literal["home", "second", "witness", "echo"]


class Venue:
    """What an exchange, or a provider of its own prices, does with one instrument, whoever listens."""

    def __init__(self, instrument: str, provider: str) -> None:
        self.instrument = instrument
        self.provider = provider
        self.trades: list[Trade] = []
        self._book = 0
        self._count = 0

    def price(self, now_ns: int) -> float:
        """A wave of a quarter of an hour, on which figures are found, and a little of its own."""
        wave = 100.0 + 4.0 * math.sin(now_ns / (150.0 * NS_PER_S))
        return round(wave + (len(self.trades) * 7 % 5) / 100.0, 2)

    def trade(self, now_ns: int) -> Trade:
        number = len(self.trades) + 1
        side: Literal["buy", "sell"] = "buy" if number % 3 else "sell"
        price = self.price(now_ns)
        trade = Trade(self.provider, self.instrument, now_ns, now_ns, price, 1.0, side, str(number))
        self.trades.append(trade)
        return trade

    def quote(self, now_ns: int) -> Quote:
        """No two are equal, so that each can be looked for in the log."""
        self._count += 1
        price = self.price(now_ns)
        return Quote(
            self.provider, self.instrument, now_ns, now_ns, price - 0.1, float(self._count), price + 0.1, 2.0
        )

    def ticker(self, now_ns: int, instrument: str | None = None) -> Ticker:
        self._count += 1
        price = self.price(now_ns)
        return Ticker(
            self.provider, instrument or self.instrument, now_ns, now_ns, price, volume=float(self._count)
        )

    def delta(self, now_ns: int, *, missed: bool = False) -> BookDelta:
        self._book += 1 + missed
        levels = ((90.0 - self._book % 7, float(self._book)),)
        return BookDelta(
            self.provider,
            self.instrument,
            now_ns,
            now_ns,
            levels,
            (),
            (self._book, self._book),
            self._book - 1,
        )

    def book(self, now_ns: int) -> BookSnapshot:
        self._book += 1
        return BookSnapshot(
            self.provider,
            self.instrument,
            now_ns,
            now_ns,
            ((90.0, 1.0),),
            ((110.0, 1.0),),
            (self._book, self._book),
        )


class Line:
    """What one feed tells of one instrument."""

    def __init__(self, venue: Venue, role: Role) -> None:
        self.venue = venue
        self.role = role

    def begin(self, now_ns: int) -> list[Observation]:
        return [self.venue.book(now_ns)] if self.role == "home" else []

    def missed(self, chance: random.Random) -> list[Observation]:
        """The venue's last trades, asked for after a start: known ones, and ones that were missed."""
        return list(self.venue.trades[-chance.randrange(1, 12) :])

    def news(self, now_ns: int, chance: random.Random) -> list[Observation]:
        venue = self.venue
        if self.role == "second":
            return [*self.missed(chance), venue.quote(now_ns)]
        if self.role == "echo":
            return [venue.trade(now_ns)]
        if self.role == "home" and chance.random() < 0.04:
            return [venue.delta(now_ns, missed=True)]
        if self.role == "home":
            makers = (venue.trade, venue.trade, venue.quote, venue.delta)
        else:
            makers = (
                venue.quote,
                venue.ticker,
                venue.trade,
                venue.book if chance.random() < 0.1 else venue.quote,
            )
        return [chance.choice(makers)(now_ns) for _ in range(chance.randrange(1, 9))]

    def before(self, now_ns: int) -> Observation:
        """Of the prologue."""
        if self.role in ("home", "echo"):
            return self.venue.trade(now_ns)
        return self.venue.quote(now_ns) if self.role == "second" else self.venue.ticker(now_ns)

    def last_word(self, now_ns: int) -> Observation:
        """So that no batch of repeats stays held."""
        return self.venue.quote(now_ns) if self.role == "second" else self.venue.trade(now_ns)


class Feed:
    """A feed's process: numbered observations of its lines into a Sender."""

    def __init__(self, world: World, name: str, lines: list[Line]) -> None:
        self.world = world
        self.name = name
        self.lines = lines
        self.lives = 0
        self.process = Process(name)
        self.sender: Sender | None = None
        self.stopping = False
        self.finished = False
        self.quiet_until_s = 0.0
        self.ahead_ns = 0
        """How wrong its host's clock is; venues' times are right."""
        self._random = random.Random(f"feed-{world.seed}-{name}")
        self._sampled = 0
        self._broken: set[str] = set()

    def begin(self) -> None:
        self.lives += 1
        self.sender = None
        self._broken.clear()
        self.process = Process(f"{self.name}#{self.lives}")
        self.process.spawn(self.world.loop, self._run())

    async def _run(self) -> None:
        routes = Routes(self.world)
        sender = await self._connect(routes)
        sender.on_broken = self._broken.update
        sender.watch([line.venue.instrument for line in self.lines])
        if self.lives == 1:
            await self._prologue(sender)
        self.sender = sender
        for line in self.lines:
            self._add(sender, [*line.missed(self._random), *line.begin(self.world.now_ns())])
        while not self.stopping:
            await asyncio.sleep(self._random.uniform(0.02, 0.25))
            if sender.full:
                await sender.room()
            self._mend_books(sender)
            if self._random.random() < 0.15 or self.world.loop.time() < self.quiet_until_s:
                sender.heartbeat(self.now_ns())
            else:
                self._add(sender, self._news())
        await sender.room()
        for line in self.lines:
            self._add(sender, [line.last_word(self.world.now_ns())])
        self.finished = True
        while True:
            await asyncio.sleep(0.3)
            self._mend_books(sender)
            sender.heartbeat(self.now_ns())

    def _mend_books(self, sender: Sender) -> None:
        """A shard has found them broken: as a session does, tell them anew."""
        for line in self.lines:
            if line.role == "home" and line.venue.instrument in self._broken:
                self._add(sender, [line.venue.book(self.world.now_ns())])
        self._broken.clear()

    async def _prologue(self, sender: Sender) -> None:
        """The hour before, in batches of their own times; a feed killed meanwhile has missed the rest."""
        for before_s in _moments():
            now_ns = self.world.start_ns - int(before_s * NS_PER_S)
            for line in self.lines:
                if sender.full:
                    await sender.room()
                sender.add([line.before(now_ns)], now_ns)

    async def _connect(self, routes: Routes) -> Sender:
        log = SimLog(self.world.network, self.world.log, lambda _head: None)
        while True:
            try:
                claimed = await log.claim(f"provider/{self.name}", f"{self.name}#{self.lives}")
            except Retryable:
                await asyncio.sleep(0.1)
            else:
                return Sender(
                    self.name,
                    claimed.epoch,
                    self.world.partition_count,
                    routes.slots,
                    refresh=routes.refresh,
                    settings=SENDING,
                    wall=True,
                )

    def now_ns(self) -> int:
        return self.world.now_ns() + self.ahead_ns

    def _add(self, sender: Sender, observations: list[Observation]) -> None:
        sender.add(observations, self.now_ns())

    def _news(self) -> list[Observation]:
        now_ns = self.world.now_ns()
        line = self._random.choice(self.lines)
        if self._random.random() < 0.05:
            return line.missed(self._random)
        told = line.news(now_ns, self._random)
        if now_ns > self._sampled:
            self._sampled = now_ns
            venue = Venue(REFERENCE, self.name)
            told.append(venue.ticker(now_ns))
        return told


def _moments() -> Iterator[float]:
    """Seconds before the begin: 45 min with a trade each half minute, then a minute and a half by seconds."""
    yield from range(45 * 60 + 90, 90, -30)
    yield from range(90, 0, -1)
