"""Several feeds bring one instrument: whoever spoke last decides nothing for the others."""

from __future__ import annotations

import pytest

from deployments.ws.channels import targets
from domain.anomalies.found import AnomalyFound
from domain.envelope import Admitted, Batch, MarketEvent
from domain.fed_by import MAX_FEEDS, WITNESS_WAIT_NS, FedBy, Timekeepers
from domain.keeper import SymbolKeeper
from domain.market.decisions import BarClosed, BookBroken, SourceChanged
from domain.market.gaps import CLOCK_SET_BACK, NEW_INCARNATION, WITNESS
from domain.market.observations import Gap, Observation, Trade
from domain.partition import MarketPartition, PartitionSettings
from tests.builders import INSTRUMENT, a_delta, a_gap, a_quote, a_snapshot, a_ticker, a_trade, an_info, at

A, B, C = "feed-a", "feed-b", "feed-c"
WAIT_S = WITNESS_WAIT_NS / 1e9


class Market:
    """Numbers the batches of several feeds and keeps what was recorded; each feed is its own provider."""

    def __init__(self) -> None:
        self.settings = PartitionSettings(keep_bars=5)
        self.partition = MarketPartition("market/00", self.settings)
        self.place: dict[str, tuple[int, int]] = {}
        self.log: list[tuple[Admitted, list[MarketEvent]]] = []

    def send(self, feed: str, clock: float, *events: Observation, wall: bool = True) -> list[MarketEvent]:
        """What came of it; without events a heartbeat."""
        incarnation, sequence = self.place.get(feed, (1, 0))
        self.place[feed] = incarnation, sequence + bool(events)
        batch = Batch(feed, *self.place[feed], at(clock), events, wall)
        admitted, recorded = self.partition.observe(batch)
        if admitted is not None:
            self.log.append((admitted, recorded))
        return recorded

    def restart(self, feed: str, clock: float, *events: Observation) -> list[MarketEvent]:
        self.place[feed] = self.place[feed][0] + 1, 0
        return self.send(feed, clock, *events)

    @property
    def keeper(self) -> SymbolKeeper:
        keeper = self.partition.keeper(INSTRUMENT)
        assert keeper is not None
        return keeper

    def minutes(self) -> list[tuple[int, bool]]:
        """(start, tainted) of the minutes that have closed."""
        events = [event for _, events in self.log for event in events]
        return [
            (bar.ts_event, bar.tainted)
            for bar in events
            if isinstance(bar, BarClosed) and bar.interval == "1m"
        ]

    def replays_alike(self) -> bool:
        replayed = MarketPartition("market/00", self.settings)
        for admitted, events in self.log:
            replayed.apply(admitted, events)
        return replayed.snapshot() == self.partition.snapshot()


def trade(second: float, feed: str = A) -> Trade:
    return a_trade(100.0, ts=at(second), trade_id=int(second * 10), provider=feed)


def traded_and_witnessed() -> Market:
    """Feed A brings trades, of which the bar of minute 1 is seen from its begin; B told of it last."""
    market = Market()
    for second in (1, 20, 59, 61, 80):
        market.send(A, second, trade(second))
        market.send(B, second + 0.5, a_quote(ts=at(second + 0.5), provider=B))
    return market


def gaps(events: list[MarketEvent]) -> list[tuple[str, str]]:
    return [(gap.provider, gap.reason) for gap in events if isinstance(gap, Gap)]


def test_a_feed_that_returns_opens_its_gap_though_another_spoke_last():
    market = traded_and_witnessed()
    recorded = market.restart(A, 101, trade(101))
    assert gaps(recorded) == [(A, NEW_INCARNATION)]
    market.send(A, 125, trade(125))
    assert market.minutes() == [(at(0), True), (at(60), True)], "20 s of minute 1 were not seen"
    assert market.replays_alike()


def test_the_restart_of_a_witness_taints_no_bar_and_breaks_no_book():
    market = traded_and_witnessed()
    market.send(A, 81, a_snapshot(ts=at(81), provider=A))
    market.send(B, 82, a_quote(ts=at(82), provider=B))
    assert gaps(market.restart(B, 90)) == [(B, NEW_INCARNATION)]
    assert market.keeper.book.usable
    assert market.keeper.gaps_open == ("quotes: new incarnation",)
    market.send(A, 91, trade(91))
    assert market.keeper.gaps_open, "what another feed brings does not end it"
    market.send(B, 92, a_quote(ts=at(92), provider=B))
    assert market.keeper.gaps_open == ()
    market.send(A, 125, trade(125))
    assert market.minutes()[-1] == (at(60), False)
    assert market.replays_alike()


def test_a_restart_is_told_on_the_channels_that_it_concerns():
    """Whoever follows the book takes it for broken with a gap of `feed`, and waits for a snapshot."""
    market = Market()
    market.send(A, 1, a_snapshot(provider=A), trade(1))
    market.send(B, 2, a_quote(ts=at(2), provider=B), a_ticker(ts=at(2), provider=B))
    market.send(C, 3, a_ticker(ts=at(3), provider=C))
    told = {
        feed: [gap.channel for gap in market.restart(feed, 4) if isinstance(gap, Gap)] for feed in (C, B, A)
    }
    assert told == {C: [WITNESS], B: ["quotes", "ticker"], A: ["feed"]}
    notices = {channel: {each.channel for each in targets(a_gap(channel))} for channel in (WITNESS, "quotes")}
    assert notices == {WITNESS: {"status", WITNESS}, "quotes": {"status", "quotes"}}
    market.send(C, 5, a_ticker(ts=at(5), provider=C))
    market.send(B, 5, a_quote(ts=at(5), provider=B))
    assert market.keeper.gaps_open == ("feed: new incarnation",)
    market.send(B, 100, a_snapshot(ts=at(100), provider=B))
    assert [gap.channel for gap in market.restart(A, 101) if isinstance(gap, Gap)] == ["trades"]
    market.send(A, 102, trade(102))
    assert market.keeper.gaps_open == ()
    assert market.replays_alike()


def test_each_of_two_gaps_ends_with_its_own_feed():
    market = traded_and_witnessed()
    market.restart(A, 90)
    market.restart(B, 91)
    market.send(B, 92, a_quote(ts=at(92), provider=B))
    assert market.keeper.gaps_open == ("feed: new incarnation",)
    market.send(A, 93, trade(93))
    assert market.keeper.gaps_open == ()
    assert market.replays_alike()


def test_bars_close_by_the_clock_of_their_feed_though_another_spoke_last_and_is_gone():
    market = traded_and_witnessed()
    for second in range(81, 130):
        market.send(A, second)
    assert market.minutes() == [(at(0), True), (at(60), False)]
    assert market.replays_alike()


def test_a_witness_closes_the_bars_of_a_feed_that_is_gone_but_waits_for_it():
    market = traded_and_witnessed()
    assert market.partition.next_deadline(A) == at(82)
    assert market.partition.next_deadline(B) == at(82 + WAIT_S)
    market.send(B, 121 + WAIT_S - 0.1)
    assert len(market.minutes()) == 1
    market.send(B, 121 + WAIT_S)
    assert market.minutes() == [(at(0), True), (at(60), False)]
    assert market.replays_alike()


def test_a_witness_whose_clock_is_a_little_ahead_makes_no_trade_late():
    market = traded_and_witnessed()
    for second in range(81, 125):
        market.send(B, second + 8, a_quote(ts=at(second), provider=B))
        market.send(A, second, trade(second))
    kinds = {event.kind for _, events in market.log for event in events}
    assert "bar_closed" in kinds
    assert not kinds & {"bar_corrected", "late_trade"}


def test_two_feeds_of_one_provider_both_tell_the_time():
    market = Market()
    market.send(A, 1, a_trade(ts=at(1), trade_id=1))
    market.send(B, 2, a_trade(ts=at(2), trade_id=2))
    assert market.partition.next_deadline(A) == market.partition.next_deadline(B) == at(3)
    assert gaps(market.restart(A, 20)) == [(A, NEW_INCARNATION)]
    market.send(B, 21, a_trade(ts=at(21), trade_id=3))
    market.send(B, 70)
    assert market.minutes() == [(at(0), True)]
    assert market.replays_alike()


def test_a_feed_of_a_second_pair_of_hands_that_filled_one_hole_is_not_the_feed_of_the_trades():
    market = Market()
    for second in (1, 59, 61, 62):
        market.send(A, second, a_trade(ts=at(second), trade_id=2 * second))
    market.send(B, 63, a_trade(ts=at(61.5), trade_id=123))
    market.restart(A, 90, a_trade(ts=at(90), trade_id=180))
    market.send(A, 125)
    assert market.minutes()[-1] == (at(60), True)
    assert market.replays_alike()


def test_a_feed_whose_events_are_let_go_is_none_of_the_instrument():
    market = traded_and_witnessed()
    before = market.keeper.snapshot()
    assert market.send(C, 81, a_trade(ts=at(81), trade_id=1, provider=C)) == []
    assert market.keeper.snapshot() == before
    assert gaps(market.restart(C, 90, a_trade(ts=at(90), trade_id=2, provider=C))) == []
    assert list(market.keeper.feeds.names) == [A, B]
    assert market.replays_alike()


def quiet(market: Market) -> None:
    """A hundred trades that leave the timer of silence behind: it is looked at too early."""
    for second in range(100):
        market.send(A, second, trade(second))


@pytest.mark.parametrize("clock", [100.5, 103, 109])
def test_timers_that_find_nothing_change_nothing(clock: float):
    market = Market()
    quiet(market)
    market.send(A, 100.2)
    dropped = market.send(C, clock, a_trade(ts=at(clock), trade_id=1, provider=C))
    assert {type(event) for event in dropped} <= {BarClosed}
    for feed in (A, C):
        before = market.partition.snapshot()
        assert market.send(feed, clock + 0.1) or market.partition.snapshot() == before
    assert market.replays_alike()


def test_the_feed_of_a_lost_book_is_asked_for_it_whoever_spoke_last():
    market = Market()
    market.send(A, 1, a_snapshot(provider=A))
    broken = market.send(A, 2, a_delta([(105.0, 1.0)], ts=at(2), provider=A))
    assert [type(event) for event in broken[1:]] == [BookBroken]
    market.send(B, 3, a_ticker(ts=at(3), provider=B))
    assert market.partition.lost_books(A) == (INSTRUMENT,)
    assert market.partition.lost_books(B) == ()
    restored = MarketPartition.restore(market.partition.snapshot(), market.settings)
    assert (restored.lost_books(A), restored.lost_books(B)) == ((INSTRUMENT,), ())
    market.restart(B, 4)
    assert market.partition.lost_books(A) == (INSTRUMENT,), "the gap of another feed says nothing of the book"


def test_the_feed_of_a_book_that_was_taken_over_is_the_new_one():
    market = Market()
    market.send(A, 1, a_snapshot(provider=A))
    market.send(B, 2, a_quote(ts=at(2), provider=B))
    events = market.send(B, 100, a_delta([(98.0, 1.0)], ts=at(100), provider=B))
    assert [type(event) for event in events[1:]] == [SourceChanged, BookBroken]
    assert (market.partition.lost_books(A), market.partition.lost_books(B)) == ((), (INSTRUMENT,))
    market.send(B, 101, a_snapshot(ts=at(101), provider=B))
    market.restart(A, 102)
    assert market.keeper.book.usable, "it brings that book no longer"
    market.restart(B, 103)
    assert not market.keeper.book.usable
    assert market.replays_alike()


def test_a_silence_is_told_though_a_witness_began_again_meanwhile():
    def told(witness: str) -> list[str]:
        market = Market()
        market.send(B, 0, a_ticker(ts=at(0), provider=B))
        quiet(market)
        if witness:
            market.restart(witness, 101)
        for second in range(102, 200):
            market.send(A, second)
        events = [event for _, events in market.log for event in events]
        assert market.replays_alike()
        return [each.anomaly for each in events if isinstance(each, AnomalyFound)]

    assert told("") == ["halt"]
    assert told(B) == ["halt"]
    assert told(A) == [], "it was ours"


def test_a_witness_whose_clock_is_set_back_taints_nothing_of_the_others():
    market = Market()
    market.send(B, 0, an_info(provider=B))
    for second in (1, 59, 61):
        market.send(A, second, trade(second))
    market.send(B, 86_400, a_ticker(ts=at(62), provider=B))
    assert gaps(market.restart(B, 70)) == [(B, CLOCK_SET_BACK)]
    market.send(A, 125, trade(125))
    assert market.minutes()[0] == (at(0), True)
    assert market.keeper.gaps_open == ("feed: clock set back",)
    assert market.replays_alike()


def test_no_gap_is_left_open_of_a_feed_that_does_not_bring_the_instrument():
    market = Market()
    for feed in (A, B):
        market.send(feed, 86_400, a_ticker(ts=at(86_400), instrument=f"OF-{feed}.SIM", provider=feed))
    market.send(B, 86_400, a_trade(ts=at(86_400), trade_id=1, provider=B))
    assert len(gaps(market.restart(A, 10))) == 3, "all that was dated ahead is set back"
    assert market.keeper.gaps_open == ()
    market.send(B, 86_401)
    market.restart(B, 11, a_trade(ts=at(11), trade_id=2, provider=B))
    assert market.keeper.gaps_open == ()
    assert market.replays_alike()


def test_feeds_that_come_and_go_leave_no_heaps_of_timers_behind():
    market = Market()
    market.send(A, 0, a_ticker(ts=at(0), provider=A))
    for number in range(500):
        market.send(f"recording-{number}", 1, a_ticker(ts=at(1), provider="r"))
    market.send(A, 2)
    assert len(market.partition._timers._groups) < 100
    assert len(market.keeper.feeds.names) == MAX_FEEDS
    assert len(market.partition._timers._of_feed) < 200


def test_gaps_that_a_session_told_end_with_its_feeds_own_where_the_feed_begins_again():
    """The new session knows nothing of them, and would end none."""
    market = Market()
    market.send(A, 1, trade(1), a_snapshot(ts=at(1), provider=A))
    told = [
        a_gap(channel=channel, provider=A, ts=at(2), reason="socket lost")
        for channel in ("quotes", "bars", "ticker", "trades", "book")
    ]
    market.send(A, 2, *told)
    market.restart(A, 30)
    assert market.keeper.gaps_open == ("book: socket lost", f"feed: {NEW_INCARNATION}")
    market.send(A, 31, trade(31), a_snapshot(ts=at(31), provider=A))
    assert market.keeper.gaps_open == ()
    assert market.replays_alike()


def test_a_feed_that_others_have_followed_leaves_no_gap_where_it_begins_again():
    market = Market()
    market.send(A, 1, a_quote(ts=at(1), provider=A), trade(1))
    for second in range(2, 200, 3):
        market.send(B, second, trade(second, B), a_quote(ts=at(second), provider=B))
    assert (market.keeper.source_of("trade"), market.keeper.source_of("quote")) == (B, B)
    market.restart(A, 201)
    assert market.keeper.gaps_open == ()
    market.restart(B, 202)
    assert market.keeper.gaps_open == (f"feed: {NEW_INCARNATION}",)
    assert market.replays_alike()


def test_timers_that_were_left_behind_admit_no_empty_batch():
    market = Market()
    market.send(A, 1, trade(1))
    market.send(A, 100)
    market.send(A, 101, trade(101))
    market.send(B, 101, a_trade(100.0, ts=at(101), trade_id=1011, provider=A))  # other feeds tell its time
    market.send(B, 400)
    restored = MarketPartition.restore(market.partition.snapshot(), market.settings)
    due = Batch(A, *market.place[A], at(200), ())
    assert market.partition.catch_up(due, 0) == (None, []) == restored.catch_up(due, 0)
    assert market.partition.snapshot() == restored.snapshot()


def test_a_gap_of_a_provider_that_is_no_longer_the_source_is_over():
    market = Market()
    market.send(A, 1, a_quote(ts=at(1), provider=A))
    market.send(A, 2, a_gap("feed", ts=at(2), provider=A))
    assert market.keeper.gaps_open
    market.send(B, 70, a_quote(ts=at(70), provider=B))
    assert market.keeper.gaps_open == ()
    assert market.replays_alike()


def test_the_feeds_of_an_instrument_are_bounded_and_those_of_record_stay():
    market = Market()
    market.send(A, 0, a_snapshot(provider=A), trade(0))
    for number in range(3 * MAX_FEEDS):
        market.send(f"witness-{number:02}", 1 + number / 100, a_ticker(ts=at(1), provider="w"))
    names = list(market.keeper.feeds.names)
    assert len(names) == MAX_FEEDS
    assert names[0] == A, "it brings trades and the book, the others last values"
    assert names[-1] == f"witness-{3 * MAX_FEEDS - 1:02}"
    assert gaps(market.restart(A, 2)) == [(A, NEW_INCARNATION)]
    assert market.replays_alike()
    assert len(market.partition._timers) < 200


def test_where_all_bring_what_is_of_record_the_first_goes():
    feeds = FedBy()
    for number in range(MAX_FEEDS + 1):
        assert feeds.brought("trade", f"f{number:02}", "provider")
    assert len(feeds.names) == MAX_FEEDS
    assert not feeds.brings("trade", "f00")
    assert feeds.brings("trade", "f01")


def test_another_source_forgets_who_brought_the_one_before():
    feeds = FedBy()
    assert feeds.brought("trade", A, "p")
    assert feeds.brought("trade", B, "p")
    assert not feeds.brought("trade", A, "p")
    assert feeds.brought("trade", C, "q")
    assert [feeds.brings("trade", each) for each in (A, B, C)] == [False, False, True]
    assert feeds.snapshot() == ((A, 0), (B, 0), (C, 1))
    again = FedBy(feeds.snapshot(), {"trade": "q", "book": "", "quote": "", "ticker": ""})
    assert again.snapshot() == feeds.snapshot()
    assert again.timekeepers() == feeds.timekeepers() == Timekeepers((C,), (A, B))


def test_time_is_told_by_the_feeds_of_the_trades_else_of_the_quotes_else_by_all():
    feeds = FedBy()
    feeds.join(A)
    feeds.join(B)
    assert feeds.timekeepers() == Timekeepers((A, B), ())
    feeds.brought("quote", B, "b")
    assert feeds.timekeepers() == Timekeepers((B,), (A,))
    feeds.brought("trade", A, "a")
    assert feeds.timekeepers() == Timekeepers((A,), (B,))
    assert (feeds.wait_ns(A), feeds.wait_ns(B), feeds.wait_ns("unknown")) == (
        0,
        WITNESS_WAIT_NS,
        WITNESS_WAIT_NS,
    )
