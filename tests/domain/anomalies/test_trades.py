"""Trades and quotes on their own: prints far from the market, rushes, one-sidedness, quotes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from domain.anomalies.found import Finding
from domain.anomalies.quote_detector import QuoteDetector
from domain.anomalies.surroundings import Alone
from domain.anomalies.trade_detector import TradeDetector
from domain.clock import NS_PER_MS, NS_PER_S
from domain.market.observations import Side
from tests.builders import T0, at
from tests.domain.anomalies.series import Known, TradeRow, told, trades

AT = 1500


def found_in(rows: Sequence[TradeRow], side: Side | None = None) -> list[Known]:
    detector = TradeDetector(Alone())
    return [(number, each) for number, row in enumerate(rows) for each in detector.observe(*row, side) or ()]


def repriced(
    rows: Sequence[TradeRow], factor: float, first: int, last: int, size: float = 1.0
) -> list[TradeRow]:
    return [
        (ts, price * factor, volume * size) if first <= number <= last else (ts, price, volume)
        for number, (ts, price, volume) in enumerate(rows)
    ]


def test_a_quiet_stream_has_no_anomaly() -> None:
    assert [told(found_in(trades(5000, seed=seed))) for seed in range(4)] == [[]] * 4


@pytest.mark.parametrize("factor", [10.0, 0.1, 100.0])
@pytest.mark.parametrize("count", [1, 6])
def test_prints_a_power_of_ten_off_are_one_slip(factor: float, count: int) -> None:
    known = found_in(repriced(trades(), factor, AT, AT + count - 1))
    assert told(known) == [("decimal_slip", "data_error", AT)]
    assert known[0][0] == AT + count


@pytest.mark.parametrize("ratio", [0.5, 0.25, 1 / 7, 10.0])
def test_a_new_level_by_a_round_ratio_is_a_split(ratio: float) -> None:
    known = found_in(repriced(trades(), ratio, AT, 2999))
    assert told(known) == [("split", "data_error", AT)]


@pytest.mark.parametrize("new_shares", [10.0, 14.0, 40.0, 100.0, 1 / 7, 1 / 14])
@pytest.mark.parametrize("move", [-0.06, 0.03, 0.06])
def test_a_split_of_any_ratio_with_a_move_on_top_is_no_event_nor_are_its_sizes(
    new_shares: float, move: float
) -> None:
    known = found_in(repriced(trades(), (1.0 + move) / new_shares, AT, 2999, size=new_shares))
    assert {each[1:] for each in told(known)} == {("data_error", AT)}
    assert known[0][1].evidence["ratio"] == pytest.approx(1.0 / new_shares, rel=0.1)


@pytest.mark.parametrize("new_shares", [1.5, 2.0, 3.0])
def test_a_gap_that_nobody_rushed_through_is_at_least_no_event(new_shares: float) -> None:
    known = found_in(repriced(trades(), 1.07 / new_shares, AT, 2999, size=new_shares))
    assert [each[0::2] for each in told(known)] in ([("price_spike", AT)], [("split", AT)])
    assert "market_event" not in {verdict for _, verdict, _ in told(known)}


def test_a_lone_print_of_ten_times_the_shares_at_a_tenth_of_the_price_is_nobodys_finger() -> None:
    rows = trades()
    rows[AT] = (rows[AT][0], rows[AT][1] / 12.0, 40.0)
    assert told(found_in(rows)) == [("price_spike", "data_error", AT)]


def test_the_same_error_again_after_it_has_ended_is_told_again() -> None:
    rows = repriced(trades(4000), 0.1, AT, AT + 600)
    rows = repriced(rows, 0.1, AT + 1000, AT + 1600)
    assert told(found_in(rows)) == [("split", "data_error", AT), ("split", "data_error", AT + 1000)]


def test_the_end_of_an_error_that_was_taken_for_a_new_level_is_no_second_event() -> None:
    assert told(found_in(repriced(trades(), 0.1, AT, AT + 600))) == [("split", "data_error", AT)]


def test_a_lone_small_print_is_an_error_and_a_large_one_somebodys_finger() -> None:
    small = found_in(repriced(trades(), 1.06, AT, AT))
    assert told(small) == [("price_spike", "data_error", AT)]
    assert small[0][0] == AT + 1
    rows = trades()
    rows[AT] = (rows[AT][0], rows[AT][1] * 1.06, 40.0)
    assert told(found_in(rows)) == [("fat_finger", "market_event", AT)]


def test_a_fall_that_is_traded_through_is_the_market() -> None:
    rows = trades()
    fallen = [
        (ts, price * max(0.93, 1 - 0.001 * max(0, number - AT)), size)
        for number, (ts, price, size) in enumerate(rows)
    ]
    assert [each[:2] for each in told(found_in(fallen))] == [("price_spike", "market_event")]


def test_one_event_is_one_anomaly() -> None:
    rows = trades()
    for number in range(AT, AT + 60, 10):
        rows = repriced(rows, 10.0, number, number)
    assert told(found_in(rows)) == [("decimal_slip", "data_error", AT)]


def test_a_rush_of_trades_is_a_burst() -> None:
    rows = trades()
    start = rows[AT][0]
    rush = [(start + n * 5 * NS_PER_MS, rows[AT][1], 1.0) for n in range(2000)]
    known = found_in([*rows[:AT], *rush])
    assert [each[:2] for each in told(known)] == [("trade_burst", "market_event")]
    assert known[0][1].evidence["trades_per_s"] > 10 * known[0][1].evidence["usual"]


def test_only_buyers_for_a_minute_is_one_sided_flow() -> None:
    assert [kind for kind, _, _ in told(found_in(trades(), "buy"))] == ["one_sided_flow"]
    detector = TradeDetector(Alone())
    mixed = [detector.observe(*row, "buy" if n % 3 else "sell") for n, row in enumerate(trades())]
    assert not any(mixed)


def test_a_trade_larger_than_any_in_memory_is_told_and_a_lesser_one_after_it_not() -> None:
    rows = trades()
    for number, size in ((AT, 2000.0), (AT + 900, 1500.0)):
        rows[number] = (rows[number][0], rows[number][1], size)
    assert told(found_in(rows)) == [("large_trade", "market_event", AT)]


@pytest.mark.parametrize(
    "bad", [(math.nan, 1.0), (-1.0, 1.0), (0.0, 1.0), (math.inf, 1.0), (100.0, -1.0), (100.0, math.nan)]
)
def test_an_impossible_trade_is_told_and_forgotten(bad: tuple[float, float]) -> None:
    rows = trades()
    rows[AT] = (rows[AT][0], *bad)
    assert told(found_in(rows)) == [("bad_value", "data_error", AT)]


def test_trades_without_size_and_at_one_moment_are_fine() -> None:
    assert found_in([(T0, 100.0, 0.0)] * 500) == []
    assert found_in([]) == []
    assert found_in([(T0, 100.0, 1.0)]) == []


def quotes(*changed: tuple[float, float, float], seconds: int = 200) -> list[Finding]:
    """Ten a second at 100 with a spread of 0.02; `changed`: (second from, bid, ask) for three seconds."""
    detector, found = QuoteDetector(), []
    for tick in range(10 * seconds):
        bid, ask = 99.99, 100.01
        for second, new_bid, new_ask in changed:
            if second <= tick / 10 < second + 5:
                bid, ask = new_bid, new_ask
        found += detector.observe(at(tick / 10), bid, ask, 1.0, float(tick)) or ()
    return found


def test_crossed_quotes_of_one_venue_are_an_error_at_once_and_once() -> None:
    assert [(each.kind, each.verdict, each.ts) for each in quotes((100, 100.2, 100.1))] == [
        ("crossed_quotes", "data_error", at(100))
    ]
    assert quotes((100, 100.0, 100.0)) == []


def test_quotes_gathered_from_several_venues_may_cross_for_a_moment() -> None:
    for lasting, kinds in ((0.5, []), (2.0, ["crossed_quotes"])):
        detector, found = QuoteDetector(gathered=True), []
        for tick in range(1000):
            crossed = 50.0 <= tick / 10 < 50.0 + lasting
            found += detector.observe(at(tick / 10), 100.2 if crossed else 99.9, 100.1, 1.0, 1.0) or ()
        assert [each.kind for each in found] == kinds
        assert all(each.verdict == "unclear" for each in found)


def test_a_spread_that_stays_wide_is_told_once() -> None:
    known = quotes((100, 99.5, 100.5))
    assert [(each.kind, each.verdict) for each in known] == [("spread_blowout", "market_event")]
    assert known[0].evidence["ratio"] == pytest.approx(50.0, rel=0.01)
    assert quotes((100, 99.98, 100.02)) == []


def test_an_impossible_quote_is_told() -> None:
    assert [each.kind for each in quotes((100, -1.0, 100.0))] == ["bad_value"]


def test_limits_are_of_the_second_that_has_passed() -> None:
    """The same move is a spike when it takes a moment and none when an hour has passed without trades."""
    rows = trades(AT)
    ts, price, _ = rows[-1]
    after = [(n * NS_PER_S, price * 1.01, 1.0) for n in range(1, 8)]
    assert found_in([*rows, *((ts + by, p, s) for by, p, s in after)]) != []
    assert found_in([*rows, *((ts + 3600 * NS_PER_S + by, p, s) for by, p, s in after)]) == []
