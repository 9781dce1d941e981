"""The simulator is seeded, self-consistent, and does what its incidents say."""

from __future__ import annotations

from collections import Counter

import pytest

from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import Market
from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation, Quote, Trade

START = 1_700_000_000 * NS_PER_S
BTC, AAPL, EUR = "BTC-USD.SIM", "AAPL.SIM", "EUR-USD.SIM"


def a_run(seconds: float, *incidents: str, seed: int = 7, rate: float = 1.0) -> list[Observation]:
    specs = [parse_incident(spec, START) for spec in incidents]
    market = Market((BTC, AAPL, EUR), seed=seed, start_ns=START, incidents=specs, rate=rate)
    return market.step(START + int(seconds * NS_PER_S))


def trades_of(run: list[Observation], instrument: str) -> list[Trade]:
    return [event for event in run if isinstance(event, Trade) and event.instrument == instrument]


def test_same_seed_same_market_whatever_the_steps() -> None:
    once = a_run(10)
    market = Market((BTC, AAPL, EUR), seed=7, start_ns=START)
    stepped = [event for tick in range(100) for event in market.step(START + (tick + 1) * NS_PER_S // 10)]
    assert stepped == once
    assert a_run(10, seed=8) != once


def test_trade_ids_are_dense_and_prices_lie_on_the_tick_grid() -> None:
    trades = trades_of(a_run(60), BTC)
    ids = [int(trade.trade_id or 0) for trade in trades]
    assert len(ids) > 100
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert all(trade.price == round(trade.price, 2) and trade.size > 0 for trade in trades)


def test_a_later_run_repeats_no_trade_id_and_continues_the_price() -> None:
    first = trades_of(a_run(30), BTC)
    later = Market((BTC,), seed=7, start_ns=START + 31 * NS_PER_S, prices={BTC: first[-1].price})
    second = trades_of(later.step(START + 60 * NS_PER_S), BTC)
    assert int(second[0].trade_id or 0) > int(first[-1].trade_id or 0)
    assert second[0].price == pytest.approx(first[-1].price, rel=0.01)


@pytest.mark.parametrize("instrument", [BTC, AAPL, EUR])
def test_deltas_over_the_snapshot_give_an_uncrossed_book_that_equals_the_quote(instrument: str) -> None:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    sequence = None
    checked = 0
    for event in a_run(20):
        if event.instrument != instrument:
            continue
        if isinstance(event, BookSnapshot):
            bids, asks = dict(event.bids), dict(event.asks)
            assert event.sequence is not None
            sequence = event.sequence[1]
        elif isinstance(event, BookDelta):
            assert event.prev_sequence == sequence and event.sequence is not None
            sequence = event.sequence[1]
            for side, levels in ((bids, event.bids), (asks, event.asks)):
                for price, size in levels:
                    side[price] = size
                    if size == 0:
                        del side[price]
            assert max(bids) < min(asks)
        elif isinstance(event, Quote):
            assert (event.bid, event.ask) == (max(bids), min(asks))
            checked += 1
    assert checked > 300


def test_trades_come_in_bursts() -> None:
    counts = Counter(trade.ts_event // NS_PER_S for trade in trades_of(a_run(200), BTC))
    mean = sum(counts.values()) / 200
    variance = sum((counts.get(START // NS_PER_S + second, 0) - mean) ** 2 for second in range(200)) / 200
    assert variance > 1.2 * mean, "a Poisson stream would have variance = mean"


def test_rate_scales_the_number_of_trades() -> None:
    assert len(trades_of(a_run(60, rate=10), BTC)) > 5 * len(trades_of(a_run(60), BTC))


def test_lost_delta_is_told_as_a_gap_followed_by_a_snapshot() -> None:
    run = [event for event in a_run(10, f"gap:{AAPL}@5") if event.instrument == AAPL]
    opened, closed = [event for event in run if isinstance(event, Gap)]
    assert opened.channel == "book" and opened.first is not None and opened.last is not None
    at = run.index(opened)
    assert isinstance(run[at + 1], BookSnapshot)
    assert run[at + 2] is closed and not closed.opened


def test_a_consumer_that_lost_its_book_is_told_a_gap_and_a_snapshot() -> None:
    market = Market((BTC, AAPL), seed=7, start_ns=START)
    market.step(START + NS_PER_S)
    market.resync(AAPL)
    market.resync("NOTHING.SIM")
    run = market.step(START + 2 * NS_PER_S)
    assert [event.instrument for event in run if isinstance(event, Gap | BookSnapshot)] == [AAPL] * 3
    opened, snapshot, closed = [event for event in run if isinstance(event, Gap | BookSnapshot)]
    assert isinstance(opened, Gap) and (opened.channel, opened.reason) == ("book", "keeper")
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(closed, Gap) and not closed.opened


def test_duplicates_repeat_each_trade_id() -> None:
    ids = Counter(trade.trade_id for trade in trades_of(a_run(20, f"duplicate:{BTC}@5+5"), BTC))
    assert set(ids.values()) == {1, 2}


def test_nothing_trades_in_a_halt() -> None:
    run = a_run(60, f"halt:{BTC}@10+30")
    inside = [
        e for e in run if e.instrument == BTC and START + 10 * NS_PER_S < e.ts_event < START + 40 * NS_PER_S
    ]
    assert [type(event) for event in inside] in ([], [Gap])


def test_flash_crash_falls_and_comes_most_of_the_way_back() -> None:
    prices = [trade.price for trade in trades_of(a_run(60, f"flash_crash:{BTC}@20+20"), BTC)]
    assert min(prices) / prices[0] == pytest.approx(0.92, abs=0.01)
    assert prices[-1] / prices[0] == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize(("kind", "low", "high"), [("decimal_slip", 9.5, 10.5), ("fat_finger", 1.05, 1.07)])
def test_single_bad_prints_stand_out(kind: str, low: float, high: float) -> None:
    prices = [trade.price for trade in trades_of(a_run(30, f"{kind}:{BTC}@10"), BTC)]
    assert low < max(prices) / prices[0] < high


def test_split_quarters_every_price_from_then_on() -> None:
    prices = [trade.price for trade in trades_of(a_run(60, f"split:{AAPL}@30"), AAPL)]
    assert prices[-1] / prices[0] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_book_after_a_split_locks_no_snapshot(seed: int) -> None:
    specs = [parse_incident(f"split:{AAPL}@1", START)]
    market = Market((AAPL,), seed=seed, start_ns=START, incidents=specs)
    for tenth in range(1, 200):
        market.resync(AAPL)
        for event in market.step(START + tenth * NS_PER_S // 10):
            if isinstance(event, BookSnapshot):
                assert event.bids[0][0] < event.asks[0][0]


def test_frozen_feed_repeats_one_price() -> None:
    run = trades_of(a_run(60, f"frozen_feed:{BTC}@10+40"), BTC)
    inside = {t.price for t in run if START + 10 * NS_PER_S <= t.ts_event < START + 50 * NS_PER_S}
    assert len(inside) == 1


@pytest.mark.parametrize("spec", ["boom:BTC-USD.SIM@1", "gap:BTC-USD.SIM", "gap@1", ""])
def test_unknown_incident_says_the_grammar(spec: str) -> None:
    with pytest.raises(Malformed, match="KIND:INSTRUMENT@SECONDS"):
        parse_incident(spec, START)
