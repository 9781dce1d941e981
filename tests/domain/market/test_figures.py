"""Figures of a book, computed by hand."""

from __future__ import annotations

import math

import pytest

from domain.market import figures
from domain.market.book import OrderBook
from tests.builders import a_snapshot

BIDS = ((99.0, 3.0), (98.5, 2.0), (90.0, 100.0))
ASKS = ((101.0, 1.0), (101.5, 4.0), (110.0, 100.0))


def test_spread_mid_and_micro_price():
    assert figures.spread(BIDS, ASKS) == 2.0
    assert figures.mid(BIDS, ASKS) == 100.0
    assert figures.spread_bps(BIDS, ASKS) == 200.0
    assert figures.micro_price(BIDS, ASKS) == (99.0 * 1.0 + 101.0 * 3.0) / 4.0


def test_imbalance_counts_the_best_levels():
    assert figures.imbalance(BIDS, ASKS, levels=1) == 0.5
    assert figures.imbalance(BIDS, ASKS, levels=2) == 0.0
    assert figures.imbalance(ASKS, BIDS, levels=1) == -0.5


def test_depth_is_counted_within_one_percent_of_the_mid():
    assert figures.depth_near_mid(BIDS, ASKS) == (3.0, 1.0)
    assert figures.depth_near_mid(BIDS, ASKS, within=0.02) == (5.0, 5.0)


def test_the_price_of_a_size_walks_the_levels():
    assert figures.fill_price(ASKS, 1.0) == 101.0
    assert figures.fill_price(ASKS, 2.0) == (101.0 + 101.5) / 2.0
    assert figures.fill_price(ASKS, 105.0) == (101.0 + 4 * 101.5 + 100 * 110.0) / 105.0
    assert figures.fill_price(ASKS, 106.0) is None
    assert figures.fill_price(ASKS, 0.0) is None


def test_impact_is_in_percent_of_the_mid():
    assert figures.price_impact_pct(ASKS, 100.0, 2.0) == pytest.approx(1.25)
    assert figures.price_impact_pct(BIDS, 100.0, 3.0) == pytest.approx(1.0)
    assert figures.price_impact_pct(BIDS, None, 3.0) is None


def test_the_liquidity_score_is_the_stated_formula():
    tightness = 1.0 / (1.0 + 200.0 / 10.0)
    value = 1.0 * 100.0
    assert figures.liquidity_score(BIDS, ASKS) == pytest.approx(
        math.sqrt(tightness * value / (value + 100_000.0))
    )


def test_a_deeper_or_tighter_book_scores_higher_and_never_beyond_1():
    thin = figures.liquidity_score(((99.99, 10.0),), ((100.01, 10.0),))
    deep = figures.liquidity_score(((99.99, 1e9),), ((100.01, 1e9),))
    wide = figures.liquidity_score(((99.5, 10.0),), ((100.5, 10.0),))
    assert wide is not None and thin is not None and deep is not None
    assert 0.0 <= wide < thin < deep <= 1.0


@pytest.mark.parametrize(("bids", "asks"), [((), ASKS), (BIDS, ()), ((), ())])
def test_an_empty_side_gives_no_figures(bids: tuple, asks: tuple):
    book = OrderBook()
    book.apply_snapshot(a_snapshot(bids, asks))
    assert set(figures.book_figures(book).values()) == {None}


def test_an_unusable_book_gives_no_figures():
    assert set(figures.book_figures(OrderBook()).values()) == {None}


def test_all_figures_of_a_book():
    book = OrderBook()
    book.apply_snapshot(a_snapshot(BIDS, ASKS))
    found = figures.book_figures(book)
    assert found["mid"] == 100.0
    assert (found["bid_depth_1pct"], found["ask_depth_1pct"]) == (3.0, 1.0)
    assert found["buy_impact_pct"] == pytest.approx((101.0 + 4 * 101.5 + 95 * 110.0) / 100.0 - 100.0)
    assert found["sell_impact_pct"] == pytest.approx(100.0 - (3 * 99.0 + 2 * 98.5 + 95 * 90.0) / 100.0)


def test_prices_at_or_below_zero_have_no_relative_figures():
    book = OrderBook()
    book.apply_snapshot(a_snapshot(((-2.0, 1.0),), ((-1.0, 1.0),)))
    found = figures.book_figures(book)
    assert (found["mid"], found["spread"]) == (-1.5, 1.0)
    assert (found["spread_bps"], found["liquidity_score"], found["buy_impact_pct"]) == (None, None, None)
