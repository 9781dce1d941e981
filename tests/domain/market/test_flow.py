"""Buy pressure and trades far above the usual size."""

from __future__ import annotations

import random
import statistics

import pytest

from domain.market.decisions import LargeTrade
from domain.market.flow import (
    DEFAULT_NOTIONAL_FLOOR,
    LARGE_MULTIPLE,
    MIN_SIZES,
    SIZE_TRADES,
    TradeFlow,
    notional_floor,
    pressure,
)
from tests.builders import T0, a_trade, an_info, at
from tests.domain.folding import Folding, only


@pytest.mark.parametrize(
    ("share", "label"),
    [
        (1.0, "strong_buy"),
        (0.6001, "strong_buy"),
        (0.60, "buy"),
        (0.5201, "buy"),
        (0.52, "neutral"),
        (0.48, "neutral"),
        (0.4799, "sell"),
        (0.40, "sell"),
        (0.3999, "strong_sell"),
        (0.0, "strong_sell"),
    ],
)
def test_the_label_follows_the_thresholds(share: float, label: str):
    assert pressure(share) == label


def test_the_buy_share_is_by_volume_over_trades_of_known_side():
    flow = TradeFlow()
    for _ in range(10):
        flow.add(3.0, "buy")
        flow.add(1.0, "sell")
        flow.add(50.0, None)
    figures = flow.figures()
    assert figures["buy_share"] == 0.75
    assert figures["pressure"] == "strong_buy"
    assert (figures["buy_volume"], figures["sell_volume"], figures["sided_trades"]) == (30.0, 10.0, 20)


def test_the_buy_share_needs_twenty_sided_trades():
    flow = TradeFlow()
    for _ in range(19):
        flow.add(1.0, "buy")
    assert (flow.figures()["buy_share"], flow.figures()["pressure"]) == (None, None)
    flow.add(1.0, "buy")
    assert flow.figures()["buy_share"] == 1.0


def test_only_the_last_hundred_trades_make_the_buy_share():
    flow = TradeFlow()
    for side in ["sell"] * 1500 + ["buy"] * 100:
        flow.add(1.0, side)
    assert flow.figures()["buy_share"] == 1.0
    assert flow.figures()["trades"] == 1600


def test_a_size_cannot_be_unusual_before_a_hundred_trades():
    flow = TradeFlow()
    for _ in range(MIN_SIZES - 1):
        flow.add(1.0, "buy")
    assert flow.multiple(1000.0) is None
    assert flow.figures()["usual_size"] is None
    flow.add(1.0, "buy")
    assert flow.multiple(1000.0) == 1000.0
    assert flow.multiple(LARGE_MULTIPLE) == LARGE_MULTIPLE
    assert flow.multiple(4.99) is None


def test_large_trades_do_not_raise_the_usual_size():
    flow = TradeFlow()
    for index in range(500):
        flow.add(1000.0 if index % 10 == 0 else 1.0, "buy")
    assert flow.figures()["usual_size"] == 1.0
    assert flow.figures()["large_from_size"] == 5.0


def test_the_shortcut_never_changes_the_answer():
    choose = random.Random(11)
    flow, sizes = TradeFlow(), []
    found = 0
    for index in range(4000):
        scale = 1.0 if index < 2000 else 20.0 if index < 3000 else 0.05
        size = choose.lognormvariate(0.0, 1.0) * scale
        if len(sizes) >= MIN_SIZES:
            usual = statistics.median(sizes[-SIZE_TRADES:])
            expected = size / usual if size >= 5 * usual else None
            assert flow.multiple(size) == expected
            found += expected is not None
        flow.add(size, "buy")
        sizes.append(size)
    assert found > 50


def test_a_window_of_empty_trades_makes_nothing_large():
    flow = TradeFlow()
    for _ in range(200):
        flow.add(0.0, None)
    assert flow.multiple(1.0) is None


def test_a_state_put_down_is_taken_up_exactly():
    flow = TradeFlow()
    for index in range(1234):
        flow.add(float(index), ("buy", "sell", None)[index % 3])
    again = TradeFlow.restored(flow.snapshot())
    assert again.snapshot() == flow.snapshot()
    assert again.figures() == flow.figures()
    for each in (flow, again):
        each.add(7.0, "sell")
    assert again.snapshot() == flow.snapshot()


def usual_trades(price: float = 60_000.0, instrument: str = "BTC-USD.SIM") -> list:
    return [
        a_trade(price, 0.5, ts=at(index / 1000), trade_id=index, instrument=instrument)
        for index in range(100)
    ]


def test_a_large_trade_is_a_decision():
    folding = Folding()
    folding.fold(*usual_trades(), clock=at(1))
    recorded = folding.fold(a_trade(60_000, 3, ts=at(1), trade_id=100, side="sell"), clock=at(1))
    assert [
        (each.trade_id, each.price, each.size, each.notional, each.multiple)
        for each in only(recorded, LargeTrade)
    ] == [("100", 60_000.0, 3.0, 180_000.0, 6.0)]


def test_a_trade_below_the_notional_floor_is_not_large():
    folding = Folding()
    folding.fold(*usual_trades(price=100.0), clock=at(1))
    assert only(folding.fold(a_trade(100, 3, ts=at(1)), clock=at(1)), LargeTrade) == []


def test_the_floor_is_in_the_quote_currency():
    assert notional_floor("JPY") == 15_000_000.0
    assert notional_floor(None) == notional_floor("USDT") == DEFAULT_NOTIONAL_FLOOR
    folding = Folding()
    folding.fold(*usual_trades(), an_info(quote="JPY"), clock=at(1))
    assert only(folding.fold(a_trade(60_000, 3, ts=at(1)), clock=at(1)), LargeTrade) == []
    assert only(folding.fold(a_trade(60_000, 300, ts=at(1)), clock=at(1)), LargeTrade) != []


def test_a_backfilled_trade_is_never_large_and_stays_out_of_the_flow():
    folding = Folding()
    folding.fold(*usual_trades()[:99], a_trade(60_000, 0.5, ts=at(2), trade_id=101), clock=at(2))
    flow_before = folding.keeper.flow.figures()
    recorded = folding.fold(a_trade(60_000, 50, ts=at(1.9), trade_id=100), clock=at(2))
    assert only(recorded, LargeTrade) == []
    assert folding.keeper.flow.figures() == flow_before


def test_a_trade_a_little_out_of_order_still_counts_as_flow():
    folding = Folding()
    folding.fold(a_trade(ts=at(2)), clock=T0 + 2)
    folding.fold(a_trade(ts=at(1.5)), a_trade(ts=at(0.9)), clock=at(2))
    assert folding.keeper.flow.trades == 2
