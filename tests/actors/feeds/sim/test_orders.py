"""The simulator's book by order: every level is the sum of its orders, whatever happens to it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import STEP_NS, Market
from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.market.book import OrderBook
from domain.market.decisions import BookBroken
from domain.market.observations import BookDelta, BookOrder, BookSnapshot, Level, Observation, Quote
from domain.market.order_queue import OrderQueue
from domain.partition import MarketPartition

START = 1_700_000_000 * NS_PER_S
NAMES = ("BTC-USD.SIM", "AAPL.SIM", "EUR-USD.SIM")
LOT_DIGITS = {"BTC-USD.SIM": 4, "AAPL.SIM": 0, "EUR-USD.SIM": 0}


def a_market(seed: int, *incidents: str, orders: bool) -> Market:
    specs = [parse_incident(spec, START) for spec in incidents]
    return Market(NAMES, seed=seed, start_ns=START, incidents=specs, orders=orders, rate=3.0)


class Follower:
    """A partition that is fed step by step; keeps what its fold found broken."""

    def __init__(self) -> None:
        self.partition = MarketPartition("market/00")
        self.broken: list[BookBroken] = []
        self._sequence = 0

    def take(self, events: Sequence[Observation], clock: int) -> None:
        if events:
            self._sequence += 1
            _, recorded = self.partition.observe(Batch("sim", 1, self._sequence, clock, tuple(events)))
            self.broken += [event for event in recorded if isinstance(event, BookBroken)]

    def book(self, instrument: str) -> OrderBook | OrderQueue:
        keeper = self.partition.keeper(instrument)
        assert keeper is not None
        return keeper.book


def in_lots(levels: Sequence[Level], digits: int) -> list[Level]:
    """Sizes as the venue words them: a sum of floats may differ from it in the last bit."""
    return [(price, round(size, digits)) for price, size in levels]


@pytest.mark.parametrize("seed", range(4))
def test_the_levels_of_the_orders_are_the_ladder_at_every_step(seed: int) -> None:
    incidents = ("gap:AAPL.SIM@3", "halt:EUR-USD.SIM@4+2", "flash_crash:BTC-USD.SIM@5+3")
    by_level, by_order = (a_market(seed, *incidents, orders=orders) for orders in (False, True))
    ladders, queues = Follower(), Follower()
    compared = 0
    for step in range(1, 12 * NS_PER_S // STEP_NS):
        now = START + step * STEP_NS
        ladders.take(by_level.step(now), now)
        queues.take(by_order.step(now), now)
        for name in NAMES:
            ladder, queue = ladders.book(name), queues.book(name)
            assert isinstance(ladder, OrderBook) and isinstance(queue, OrderQueue)
            assert queue.usable == ladder.usable
            sides = zip(queue.top(99), ladder.top(99), strict=True)
            for of_orders, of_levels in sides:
                assert in_lots(of_orders, LOT_DIGITS[name]) == list(of_levels)
            compared += ladder.usable
    assert compared > 500
    assert ladders.broken == queues.broken == []


def test_the_market_is_the_same_with_and_without_orders() -> None:
    book_kinds = (BookSnapshot, BookDelta, BookOrder)
    runs = [a_market(7, orders=orders).step(START + 5 * NS_PER_S) for orders in (False, True)]
    plain, by_order = ([event for event in run if not isinstance(event, book_kinds)] for run in runs)
    assert plain == by_order
    assert not [event for event in runs[1] if isinstance(event, BookDelta)]
    assert all(event.bids == event.asks == () for event in runs[1] if isinstance(event, BookSnapshot))


def test_orders_are_added_once_and_trades_take_from_the_front_of_the_queue() -> None:
    alive: dict[tuple[str, str], BookOrder] = {}
    seen = {"add": 0, "modify": 0, "delete": 0}
    best_quotes = 0
    for event in a_market(7, orders=True).step(START + 20 * NS_PER_S):
        if isinstance(event, Quote):
            best_quotes += 1
        if not isinstance(event, BookOrder):
            continue
        seen[event.action] += 1
        key = (event.instrument, event.order_id)
        if event.action == "add":
            assert key not in alive
            alive[key] = event
        elif event.action == "modify":
            assert 0 < event.size < alive[key].size
            alive[key] = event
        else:
            assert (alive[key].side, alive[key].price) == (event.side, event.price)
            del alive[key]
    assert min(seen.values()) > 20 and best_quotes > 300


def test_a_book_by_order_that_was_lost_is_told_whole_again() -> None:
    market, queues = a_market(3, orders=True), Follower()
    queues.take(market.step(START + NS_PER_S), START + NS_PER_S)
    before = queues.book("AAPL.SIM")
    market.resync("AAPL.SIM")
    told = [each for each in market.step(START + NS_PER_S + STEP_NS) if each.instrument == "AAPL.SIM"]
    queues.take(told, START + NS_PER_S + STEP_NS)
    after = queues.book("AAPL.SIM")
    assert isinstance(after, OrderQueue) and after is before
    assert after.usable
    assert [len(side) for side in after.top(99)] == [25, 25]
