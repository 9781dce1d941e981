"""Feeds that meet in a reference instrument: one that is known to be down is not called frozen."""

from __future__ import annotations

from domain.anomalies.found import AnomalyFound
from domain.envelope import Admitted, Batch, MarketEvent
from domain.market.gaps import NEW_INCARNATION
from domain.market.observations import Gap, Observation
from domain.partition import MarketPartition
from tests.builders import a_ticker, at

REFERENCE = "BTC-USD.CRYPTO"
FEEDS = ("binance", "coinbase", "kraken")
BIAS = {"binance": 1.001, "coinbase": 1.0, "kraken": 0.9995}


class Market:
    """Three feeds of one partition, each telling its price once a second."""

    def __init__(self) -> None:
        self.partition = MarketPartition("market/00")
        self.place = dict.fromkeys(FEEDS, (1, 0))
        self.log: list[tuple[Admitted, list[MarketEvent]]] = []

    def tell(self, feed: str, clock: float, *events: Observation) -> None:
        incarnation, sequence = self.place[feed]
        sequence += bool(events)
        self.place[feed] = (incarnation, sequence)
        admitted, told = self.partition.observe(Batch(feed, incarnation, sequence, at(clock), events, True))
        if admitted is not None:
            self.log.append((admitted, told))

    def restart(self, feed: str, clock: float) -> None:
        """Its first heartbeat; the venue is not reached yet."""
        self.place[feed] = (self.place[feed][0] + 1, 0)
        self.tell(feed, clock)

    def play(self, seconds: range, silent: str = "") -> None:
        for second in seconds:
            price = 100.0 * (1.0 + (second * 7 % 5) / 10_000)
            for number, feed in enumerate(FEEDS):
                if feed != silent:
                    moment = second + number / 50
                    ticker = a_ticker(price * BIAS[feed], ts=at(moment), instrument=REFERENCE, provider=feed)
                    self.tell(feed, moment, ticker)

    def told(self) -> list[tuple[str, str]]:
        events = [event for _, events in self.log for event in events]
        return [(each.provider, each.anomaly) for each in events if isinstance(each, AnomalyFound)]

    def replays_alike(self) -> bool:
        replayed = MarketPartition("market/00")
        for admitted, events in self.log:
            replayed.apply(admitted, events)
        return replayed.snapshot() == self.partition.snapshot()


def test_a_feed_that_says_nothing_while_others_move_is_frozen() -> None:
    market = Market()
    market.play(range(100))
    market.play(range(100, 200), silent="binance")
    assert market.told() == [("binance", "frozen_feed")]


def test_a_feed_that_began_again_and_has_not_reached_its_venue_is_not_frozen() -> None:
    """Whichever feed spoke last, the one that begins again opens its gap on what it told."""
    for feed in FEEDS:
        market = Market()
        market.play(range(100))
        market.play(range(100, 103), silent=feed)
        market.restart(feed, 103)
        market.play(range(103, 200), silent=feed)
        market.play(range(200, 300))
        assert market.told() == [], feed
        gaps = [event for _, events in market.log for event in events if isinstance(event, Gap)]
        assert [(gap.instrument, gap.provider, gap.reason) for gap in gaps] == [
            (REFERENCE, feed, NEW_INCARNATION)
        ]
        assert market.replays_alike()


def test_what_a_feed_was_down_for_is_no_habit_of_it() -> None:
    market = Market()
    market.play(range(100))
    market.restart("coinbase", 101)
    market.play(range(101, 400), silent="coinbase")
    market.play(range(400, 500))
    market.play(range(500, 560), silent="coinbase")
    assert market.told() == [("coinbase", "frozen_feed")], "as soon as if it had never been away"
    assert market.replays_alike()
