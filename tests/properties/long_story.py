"""A long seeded story of one partition: three feeds on two instruments, until every warm-up is over.

    feed-a   trades, quotes and the book of both, as provider `a`
    feed-b   a witness with quotes, tickers and trades of its own, as provider `b`
    feed-c   a second line to the venue of `feed-a`, with the same ids: of use where that one is down

All three sample a reference. First two busy minutes (detectors), then quiet hours of waves (bars, indicators,
figures), busy again at the end. Feeds are restarted, fall silent, run ahead and repeat themselves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from domain.envelope import Batch
from domain.indicators.armed import SENDER, Arming, IndicatorArmed
from domain.market.observations import Observation, SplitAnnounced, Trade
from tests.builders import a_delta, a_gap, a_quote, a_snapshot, a_ticker, a_trade, an_info, at

NAMES = ("X-USD.SIM", "Y-EUR.SIM")
REFERENCE = "X-USD.CRYPTO"
FEEDS = ("feed-a", "feed-b", "feed-c")
BUSY_S, QUIET_MIN = 100, 200
Step = Batch | Arming


class Story:
    """`steps` in the order in which the partition gets them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"story-{seed}")
        self.steps: list[Step] = []
        self._place = dict.fromkeys(FEEDS, (1, 0))
        self._ahead = {feed: self.random.choice((0.0, 0.0, -1.5, 4.0)) for feed in FEEDS}
        self._down_until = dict.fromkeys(FEEDS, 0.0)
        self._prices = dict.fromkeys(NAMES, 100.0)
        self._told: dict[str, list[Trade]] = {name: [] for name in NAMES}
        self._books = dict.fromkeys(NAMES, 0)
        self._incidents = (
            (4, self._restart),
            (4, self._silence),
            (2, self._set_clock),
            (3, self._gap),
            (3, self._slip),
            (2, self._halt),
            (2, self._again),
            (1, self._split),
        )
        self._play()

    def _play(self) -> None:
        for interval, specs in (("1s", ("sma(3)", "rsi(4)")), ("1m", ("ema(3)",))):
            self.steps.append(IndicatorArmed(SENDER, NAMES[0], at(0), at(0), interval, specs))
        for moment in self._moments():
            if self.random.random() < 0.04:
                weights = [weight for weight, _ in self._incidents]
                [(_, incident)] = self.random.choices(self._incidents, weights)
                incident(moment)
            self._market(moment)
        self._send("feed-a", 2 * BUSY_S + 60 * QUIET_MIN + 400.0)

    def _moments(self) -> Iterator[float]:
        quiet_from, quiet_until = BUSY_S, BUSY_S + 60 * QUIET_MIN
        yield from (half / 2 for half in range(2 * BUSY_S))
        yield from range(quiet_from, quiet_until, 30)
        yield from (quiet_until + half / 2 for half in range(BUSY_S))

    def _market(self, moment: float) -> None:
        for number, name in enumerate(NAMES):
            wave = 100.0 + 4.0 * math.sin(moment / (350.0 + 150.0 * number))
            price = self._prices[name] = round(wave * math.exp(self.random.gauss(0.0, 0.0003)), 2)
            count = len(self._told[name]) + 1
            trade = a_trade(
                price,
                round(self.random.expovariate(1.0) + 0.01, 2)
                * (5_000 if self.random.random() < 0.004 else 1),
                ts=at(moment),
                trade_id=count,
                side=self.random.choice(("buy", "sell")),
                instrument=name,
                provider="a",
            )
            self._told[name].append(trade)
            self._send("feed-a", moment, trade, *self._beside(name, moment, price))
            self._witness(name, moment, price, count)
            if self.random.random() < 0.3:
                self._send("feed-c", moment, *self._told[name][-self.random.randrange(1, 5) :])

    def _beside(self, name: str, moment: float, price: float) -> list[Observation]:
        """What feed A tells besides: a quote, a change of the book."""
        told: list[Observation] = []
        if self.random.random() < 0.5:
            told.append(a_quote(price - 0.01, price + 0.01, ts=at(moment), instrument=name, provider="a"))
        if self.random.random() < 0.3:
            self._books[name] += 1
            first = self._books[name]
            if first == 1 or self.random.random() < 0.1:
                levels = [(90.0, 1.0)], [(111.0, 1.0)]
                told.append(a_snapshot(*levels, sequence=first, ts=at(moment), instrument=name, provider="a"))
            else:
                missed = self.random.random() < 0.05
                before = first - 1 - missed
                level = [(80.0 + first % 10, float(first))]
                told.append(
                    a_delta(
                        level,
                        sequence=(first, first),
                        prev_sequence=before,
                        ts=at(moment),
                        instrument=name,
                        provider="a",
                    )
                )
        return told

    def _witness(self, name: str, moment: float, price: float, count: int) -> None:
        if self.random.random() < 0.6:
            events: list[Observation] = [
                a_quote(price - 0.02, price + 0.02, ts=at(moment), instrument=name, provider="b"),
                a_ticker(price * 1.001, ts=at(moment), instrument=name, provider="b"),
                a_trade(price, ts=at(moment), trade_id=count, instrument=name, provider="b"),
            ]
            self._send("feed-b", moment, *self.random.sample(events, self.random.randrange(1, 4)))
        if name == NAMES[0] and moment % 1 == 0:
            for number, feed in enumerate(FEEDS):
                sample = a_ticker(
                    price * (1.0 + number / 1000), ts=at(moment), instrument=REFERENCE, provider=feed
                )
                self._send(feed, moment, sample)

    def _send(self, feed: str, moment: float, *events: Observation) -> None:
        if moment < self._down_until[feed]:
            return
        incarnation, sequence = self._place[feed]
        self._place[feed] = incarnation, sequence + bool(events)
        clock = at(moment + self._ahead[feed])
        self.steps.append(Batch(feed, *self._place[feed], clock, events, wall=True))

    # Incidents

    def _restart(self, moment: float) -> None:
        feed = self.random.choice(FEEDS)
        self._place[feed] = self._place[feed][0] + 1, 0
        self._down_until[feed] = moment + self.random.choice((0.0, 20.0, 90.0))
        self._send(feed, moment)

    def _silence(self, moment: float) -> None:
        """Heartbeats, perhaps, and nothing else."""
        feed = self.random.choice(FEEDS)
        until = moment + self.random.choice((15.0, 70.0, 200.0))
        if self.random.random() < 0.5:
            for second in range(int(moment), int(until), 5):
                self._send(feed, float(second))
        self._down_until[feed] = until

    def _set_clock(self, moment: float) -> None:
        feed = self.random.choice(FEEDS)
        self._ahead[feed] = 0.0 if self._ahead[feed] > 10.0 else self.random.choice((30.0, 86_400.0))
        self._place[feed] = self._place[feed][0] + 1, 0
        self._send(feed, moment)

    def _gap(self, moment: float) -> None:
        feed, name = self.random.choice(FEEDS), self.random.choice(NAMES)
        provider = "b" if feed == "feed-b" else "a"
        channel = self.random.choice(("feed", "trades", "book"))
        opened = self.random.random() < 0.7
        self._send(
            feed, moment, a_gap(channel, opened=opened, ts=at(moment), instrument=name, provider=provider)
        )

    def _slip(self, moment: float) -> None:
        name = self.random.choice(NAMES)
        trade = a_trade(10 * self._prices[name], ts=at(moment), instrument=name, provider="a")
        self._send("feed-a", moment, trade)

    def _halt(self, moment: float) -> None:
        self._send("feed-b", moment, an_info(self.random.choice(NAMES), ts=at(moment), provider="b"))
        self._send("feed-a", moment, a_gap("trading", reason="halted", ts=at(moment), provider="a"))

    def _again(self, moment: float) -> None:
        """Old trades, known ones and such as were missed, long after."""
        name = self.random.choice(NAMES)
        told = self._told[name]
        if told:
            first = self.random.randrange(len(told))
            self._send(self.random.choice(("feed-a", "feed-c")), moment, *told[first : first + 5])

    def _split(self, moment: float) -> None:
        name = self.random.choice(NAMES)
        split = SplitAnnounced("b", name, at(moment), at(moment), at(moment + 30), 1.0, 2.0)
        self._send("feed-b", moment, split)
