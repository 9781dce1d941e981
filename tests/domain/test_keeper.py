"""One instrument's fold: what is last, what is a repeat, what is skewed, which gaps are open."""

from __future__ import annotations

from domain.keeper import SymbolKeeper
from domain.market.bars import NEVER
from domain.market.decisions import BarClosed, BarCorrected, ClockSkewed
from domain.market.gaps import MAX_OPEN_GAPS
from domain.market.latest import MAX_PROVIDER_BARS
from domain.market.seen_ids import MAX_SERIES, SeenSeries, Verdict
from domain.partition import PartitionSettings
from tests.builders import (
    INSTRUMENT,
    T0,
    a_bar,
    a_gap,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    an_fx_rate,
    an_info,
    at,
)
from tests.domain.folding import Folding, only


def a_keeper(**settings: object) -> SymbolKeeper:
    return SymbolKeeper(INSTRUMENT, PartitionSettings(**settings))


def test_the_last_trade_is_the_newest_by_event_time_then_by_arrival():
    keeper = a_keeper()
    for trade in (a_trade(1, ts=at(1)), a_trade(2, ts=at(3)), a_trade(3, ts=at(2)), a_trade(4, ts=at(3))):
        keeper.observe(trade, at(3))
    assert keeper.last_trade is not None
    assert keeper.last_trade.price == 4.0


def test_a_repeated_trade_is_not_admitted_and_changes_nothing():
    keeper = a_keeper()
    keeper.observe(a_trade(trade_id=7), T0)
    before = keeper.snapshot()
    assert keeper.observe(a_trade(99, trade_id=7), T0) is None
    assert keeper.snapshot() == before


def test_equal_trades_without_ids_are_all_counted():
    keeper = a_keeper()
    assert [keeper.observe(a_trade(), T0) for _ in range(3)] == [(), (), ()]
    assert keeper.builders["1s"].forming()[0].trades == 3


def test_ids_are_told_apart_by_provider():
    keeper = a_keeper()
    keeper.apply(a_trade(trade_id=7), T0)
    keeper.apply(a_trade(trade_id=7, provider="other"), T0)
    assert keeper.observe(a_trade(trade_id=7, provider="other"), T0) is None
    seen = SeenSeries()
    assert [seen.admit(name, "7") for name in ("a", "b", "a")] == [Verdict.NEW, Verdict.NEW, Verdict.REPEAT]


def test_the_number_of_id_series_is_bounded():
    seen = SeenSeries()
    for index in range(MAX_SERIES + 3):
        seen.admit(f"p{index}", "1")
    assert len(seen.snapshot()) == MAX_SERIES
    assert seen.admit("p10", "1") is Verdict.NEW


def test_a_backfilled_trade_amends_bars_but_is_never_last():
    keeper = a_keeper()
    keeper.observe(a_trade(10, ts=at(0.2), trade_id=1), at(0.2))
    keeper.observe(a_trade(12, ts=at(0.4), trade_id=3), at(0.4))
    assert keeper.observe(a_trade(11, ts=at(0.4), trade_id=2), at(0.5)) == ()
    assert keeper.last_trade is not None
    assert keeper.last_trade.trade_id == "3"
    assert keeper.builders["1s"].forming()[0].trades == 3


def test_a_backfilled_trade_corrects_a_closed_bar():
    folding = Folding(PartitionSettings(intervals=("1s",)))
    folding.fold(a_trade(10, ts=at(0), trade_id=1), a_trade(12, ts=at(1), trade_id=3), clock=at(1))
    folding.beat(at(5))
    recorded = folding.fold(a_trade(11, ts=at(0.5), trade_id=2), clock=at(6))
    assert [(bar.ts_event, bar.revision, bar.trades) for bar in only(recorded, BarCorrected)] == [(T0, 1, 2)]
    assert folding.fold(a_trade(11, ts=at(0.5), trade_id=2), clock=at(6)) == []


def test_an_event_time_within_the_tolerance_is_taken_as_it_is():
    keeper = a_keeper()
    assert keeper.observe(a_trade(ts=at(5)), T0) == ()
    assert [bar.ts_event for bar in keeper.builders["1s"].forming()] == [at(5)]


def test_an_event_time_too_far_ahead_is_clamped_tainted_and_told():
    keeper = a_keeper(intervals=("1s",))
    skewed = a_trade(ts=at(3600))
    decisions = keeper.observe(skewed, at(0.5))
    assert [(each.ts_event, each.ts_recv, each.ahead_ns) for each in only(list(decisions), ClockSkewed)] == [
        (at(3600), at(0.5), at(3599.5) - T0)
    ]
    assert keeper.last_trade is skewed
    forming = keeper.builders["1s"].forming()
    assert [(bar.ts_event, bar.tainted) for bar in forming] == [(T0, True)]


def test_a_skewed_trade_does_not_make_the_next_one_late():
    keeper = a_keeper()
    keeper.observe(a_trade(1, ts=at(3600)), at(1))
    keeper.observe(a_trade(2, ts=at(1)), at(1))
    assert keeper.last_trade is not None
    assert keeper.last_trade.price == 2.0


def test_skew_is_told_once_per_cool_down():
    keeper = a_keeper(skew_cooldown_ns=at(60) - T0)
    told = []
    for second in (0, 1, 59, 60, 61, 120):
        told.extend(keeper.observe(a_quote(ts=at(second + 100)), at(second)) or ())
    assert [each.ts_recv for each in told] == [at(0), at(60), at(120)]


def test_the_newest_quote_ticker_and_rate_are_kept():
    keeper = a_keeper()
    for event in (
        a_quote(bid=1.0, ts=at(2)),
        a_quote(bid=2.0, ts=at(1)),
        a_ticker(1.0, ts=at(1)),
        a_ticker(2.0, ts=at(1)),
        an_fx_rate(1.5, ts=at(2)),
        an_fx_rate(1.6, ts=at(1)),
    ):
        assert keeper.observe(event, at(2)) == ()
    assert keeper.last_quote is not None and keeper.last_quote.bid == 1.0
    assert keeper.last_ticker is not None and keeper.last_ticker.last == 2.0
    assert keeper.latest.fx is not None and keeper.latest.fx.rate == 1.5


def test_what_a_venue_says_last_about_an_instrument_counts():
    keeper = a_keeper()
    keeper.observe(an_info(aliases=["old"]), T0)
    keeper.observe(an_info(aliases=["new"]), T0)
    assert keeper.info is not None
    assert keeper.info.aliases == ("new",)


def test_gaps_are_open_until_they_are_closed():
    keeper = a_keeper()
    keeper.observe(a_gap("trades", reason="ids 5 to 9"), T0)
    keeper.observe(a_gap("book", reason="checksum"), T0)
    assert keeper.gaps_open == ("book: checksum", "trades: ids 5 to 9")
    keeper.observe(a_gap("trades", opened=False), T0)
    assert keeper.gaps_open == ("book: checksum",)


def test_a_feeds_gap_ends_with_new_data_where_there_is_no_book():
    keeper = a_keeper()
    keeper.observe(a_gap("feed"), T0)
    keeper.observe(an_info(), T0)
    assert keeper.gaps_open == ("feed: connection lost",)
    keeper.observe(a_trade(), T0)
    assert keeper.gaps_open == ()


def test_a_feeds_gap_ends_with_the_snapshot_where_there_is_a_book():
    keeper = a_keeper()
    keeper.observe(a_snapshot(), T0)
    keeper.observe(a_gap("feed"), T0)
    keeper.observe(a_trade(), T0)
    assert keeper.gaps_open == ("feed: connection lost",)
    keeper.observe(a_snapshot(), T0)
    assert keeper.gaps_open == ()


def test_what_providers_can_make_it_remember_is_bounded():
    keeper = a_keeper()
    for index in range(50):
        keeper.observe(a_gap(f"channel{index}", reason="x" * 10_000), T0)
        keeper.observe(a_bar(interval=f"{index}m"), T0)
    assert len(keeper.gaps_open) == MAX_OPEN_GAPS
    assert max(map(len, keeper.gaps_open)) < 250
    assert len(keeper.latest.bars) == MAX_PROVIDER_BARS


def test_the_next_deadline_is_the_earliest_close():
    keeper = a_keeper()
    assert keeper.deadline == NEVER
    keeper.observe(a_trade(ts=at(0.5)), at(0.5))
    assert keeper.deadline == at(2)
    assert [bar.interval for bar in only(list(keeper.run_timers(at(2))), BarClosed)] == ["1s"]
    assert keeper.deadline == at(61)
    assert keeper.run_timers(at(61) - 1) == ()
    assert [bar.interval for bar in only(list(keeper.run_timers(at(61))), BarClosed)] == ["1m"]
    assert keeper.deadline == NEVER


def test_a_recorded_decision_stands_whatever_the_trades_say():
    keeper = a_keeper(intervals=("1s",))
    keeper.apply(a_trade(10, 2, ts=T0), T0)
    closed = BarClosed("sim", INSTRUMENT, T0, at(2), "1s", 1.0, 4.0, 0.5, 3.0, 7.0, 9, 2.0, 0, True)
    keeper.apply(closed, at(2))
    assert keeper.builders["1s"].closed == (closed,)
    elsewhere = BarClosed("sim", INSTRUMENT, at(60), at(99), "1s", 1.0, 4.0, 0.5, 3.0, 7.0, 9, 2.0)
    unknown = BarClosed("sim", INSTRUMENT, T0, at(99), "5m", 1.0, 4.0, 0.5, 3.0, 7.0, 9, 2.0)
    keeper.apply(elsewhere, at(99))
    keeper.apply(unknown, at(99))
    assert keeper.builders["1s"].closed == (closed, elsewhere)


def test_the_first_provider_of_tickers_and_of_quotes_is_the_record_and_others_do_not_mix_in():
    keeper = a_keeper()
    first_ticker, first_quote = a_ticker(1.0, ts=at(1)), a_quote(bid=1.0, ts=at(1))
    other_ticker = a_ticker(2.0, ts=at(2), provider="other")
    other_quote = a_quote(bid=2.0, ts=at(2), provider="other")
    for event in (first_ticker, other_quote):
        assert keeper.observe(event, at(2)) == ()
    before = keeper.snapshot()
    for event in (other_ticker, first_quote):
        assert keeper.observe(event, at(2)) == (), "it is a fact of the log all the same"
    assert (keeper.last_ticker, keeper.last_quote) == (first_ticker, other_quote)
    assert keeper.snapshot().latest == before.latest, "to the signals they are witnesses"
    newer = a_ticker(3.0, ts=at(3))
    restored = SymbolKeeper.restored(before, PartitionSettings())
    for each in (keeper, restored):
        each.observe(a_ticker(9.0, ts=at(9), provider="other"), at(9))
        each.observe(newer, at(9))
        assert each.last_ticker == newer


def test_another_providers_ticker_does_not_end_a_feeds_gap():
    keeper = a_keeper()
    keeper.observe(a_ticker(), T0)
    keeper.observe(a_gap("feed"), T0)
    keeper.observe(a_ticker(provider="other"), T0)
    assert keeper.gaps_open == ("feed: connection lost",)
    keeper.observe(a_ticker(), T0)
    assert keeper.gaps_open == ()
