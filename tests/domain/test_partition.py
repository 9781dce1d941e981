"""Admission of batches, incarnations, timers and snapshots of a partition."""

from __future__ import annotations

import pytest

from domain.envelope import Admitted
from domain.errors import Conflict, Corrupt, OutOfSequence
from domain.market.decisions import AnomalyFound, BarClosed, BarCorrected, BookRestored
from domain.market.observations import Gap, Trade
from domain.partition import FOLD_VERSION, NEW_INCARNATION, MarketPartition, PartitionSettings
from tests.builders import (
    INSTRUMENT,
    PROVIDER,
    T0,
    a_batch,
    a_delta,
    a_gap,
    a_quote,
    a_snapshot,
    a_trade,
    an_info,
    at,
)
from tests.domain.folding import Folding, only


def test_an_admitted_batch_leaves_its_trace_and_its_events():
    partition = MarketPartition("market/00")
    trade = a_trade()
    assert partition.observe(a_batch(trade)) == (Admitted(PROVIDER, 1, 1, T0, 1), [trade])
    assert partition.last_sequence(PROVIDER) == (1, 1)
    assert partition.last_sequence("nobody") == (0, 0)


def test_a_batch_sent_again_is_recognised():
    partition = MarketPartition("market/00")
    batches = [a_batch(a_trade(), sequence=number) for number in (1, 2, 3)]
    for batch in batches:
        partition.observe(batch)
    before = partition.state_hash()
    for batch in batches:
        assert partition.observe(batch) == (None, [])
    assert partition.state_hash() == before


@pytest.mark.parametrize(("sequence", "incarnation", "expected"), [(3, 1, 2), (2, 2, 1), (0, 2, 1)])
def test_a_batch_ahead_of_the_next_one_is_refused(sequence: int, incarnation: int, expected: int):
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade()))
    before = partition.state_hash()
    with pytest.raises(OutOfSequence) as caught:
        partition.observe(a_batch(a_trade(), sequence=sequence, incarnation=incarnation))
    assert caught.value.expected == expected
    assert partition.state_hash() == before


def test_an_older_incarnation_is_refused():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade(), incarnation=3))
    with pytest.raises(Conflict):
        partition.observe(a_batch(a_trade(), incarnation=2, sequence=2))
    with pytest.raises(Conflict):
        partition.observe(a_batch(incarnation=2, sequence=0, clock=at(100)))


def test_senders_have_their_own_sequences_and_clocks():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade(), sender="a", clock=at(100)))
    admitted, _ = partition.observe(a_batch(a_quote(), sender="b", clock=at(5)))
    assert admitted == Admitted("b", 1, 1, at(5), 1)


def test_a_clock_never_goes_back():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade(), clock=at(9)))
    admitted, _ = partition.observe(a_batch(a_trade(), sequence=2, clock=at(4)))
    assert admitted is not None
    assert admitted.clock == at(9)
    admitted, _ = partition.observe(a_batch(a_trade(), sequence=1, incarnation=2, clock=at(4)))
    assert admitted is not None
    assert admitted.clock == at(9)


def test_a_heartbeat_with_nothing_due_leaves_no_trace():
    folding = Folding()
    folding.fold(a_trade(ts=at(0)), clock=at(0))
    before = folding.partition.state_hash()
    assert folding.partition.observe(a_batch(sequence=1, clock=at(1.9))) == (None, [])
    assert folding.partition.state_hash() == before


def test_a_heartbeat_closes_what_is_due():
    folding = Folding()
    folding.fold(a_trade(ts=at(0)), clock=at(0))
    admitted, events = folding.partition.observe(a_batch(sequence=1, clock=at(2)))
    assert admitted == Admitted(PROVIDER, 1, 1, at(2), 1)
    assert [type(event) for event in events] == [BarClosed]
    assert folding.partition.observe(a_batch(sequence=1, clock=at(2))) == (None, [])


def test_a_heartbeat_must_know_the_last_batch():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade()))
    partition.observe(a_batch(a_trade(), sequence=2))
    assert partition.observe(a_batch(sequence=1, clock=at(100))) == (None, [])
    with pytest.raises(OutOfSequence):
        partition.observe(a_batch(sequence=4, clock=at(100)))


def test_the_first_heartbeat_of_a_feed_says_nothing():
    assert MarketPartition("market/00").observe(a_batch(sequence=0)) == (None, [])


def test_a_batch_of_repeats_is_admitted_without_events():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade(trade_id=1)))
    assert partition.observe(a_batch(a_trade(trade_id=1), sequence=2)) == (
        Admitted(PROVIDER, 1, 2, T0, 0),
        [],
    )
    assert partition.repeats == 1


def test_a_new_incarnation_opens_a_gap_on_what_the_old_one_fed():
    folding = Folding()
    folding.fold(a_snapshot(), a_trade(instrument="A.SIM"), clock=T0)
    folding.partition.observe(a_batch(a_trade(instrument="OTHER.SIM", provider="b"), sender="b"))
    recorded = folding.fold(a_quote(ts=at(1)), clock=at(1), incarnation=2)
    gaps = only(recorded, Gap)
    assert [(gap.instrument, gap.channel, gap.reason, gap.ts_event) for gap in gaps] == [
        ("A.SIM", "feed", NEW_INCARNATION, at(1)),
        (INSTRUMENT, "feed", NEW_INCARNATION, at(1)),
    ]
    assert recorded[-1] == a_quote(ts=at(1))
    assert not folding.keeper.book.usable
    assert len(only(folding.fold(a_snapshot(), clock=at(1), incarnation=2), BookRestored)) == 1
    assert only(folding.recorded(Gap), Gap) == gaps, "one gap per incarnation"


def test_a_heartbeat_of_a_new_incarnation_opens_the_gap_already():
    folding = Folding()
    folding.fold(a_snapshot(), clock=T0)
    assert len(only(folding.fold(clock=at(1), incarnation=2), Gap)) == 1
    assert folding.partition.last_sequence(PROVIDER) == (2, 0)
    assert only(folding.fold(a_quote(), clock=at(1), incarnation=2), Gap) == []
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_bar_that_its_feed_did_not_see_the_end_of_is_tainted():
    folding = Folding()
    for second in (1, 62, 123):
        folding.fold(a_trade(ts=at(second)), clock=at(second))
    folding.fold(a_trade(ts=at(600)), clock=at(600), incarnation=2)
    minutes = [bar for bar in folding.recorded(BarClosed) if bar.interval == "1m"]
    first, watched, left = [(bar.ts_event, bar.tainted) for bar in minutes]
    assert first == (T0, True), "its begin was not seen"
    assert watched == (at(60), False)
    assert left == (at(120), True)
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_the_time_a_feed_was_away_is_no_silence_of_the_market():
    def silenced(incarnation: int) -> list[AnomalyFound]:
        folding = Folding()
        for second in range(600):
            folding.fold(a_trade(100 + second % 2 / 100, ts=at(second)), clock=at(second))
        back = at(600 + 6 * 3600)
        folding.fold(a_trade(ts=back), clock=back, incarnation=incarnation)
        return folding.recorded(AnomalyFound)

    assert [each.anomaly for each in silenced(1)] == ["halt"], "a market that is watched and says nothing"
    assert silenced(2) == []


def test_feeds_that_take_turns_leave_no_heap_of_timers_behind():
    partition = MarketPartition("market/00")
    for sequence in range(1, 1001):
        for sender in ("a", "b"):
            partition.observe(a_batch(a_trade(), sender=sender, sequence=sequence, clock=T0))
    assert len(partition._timers) < 200
    assert len(partition.observe(a_batch(sender="b", sequence=1000, clock=at(99)))[1]) == 2


def test_a_bar_closes_on_the_clock_of_its_own_feed():
    partition = MarketPartition("market/00")
    partition.observe(a_batch(a_trade(), sender="slow", clock=T0))
    fast = a_batch(a_trade(instrument="X.SIM", ts=at(500)), sender="fast", clock=at(500))
    assert only(partition.observe(fast)[1], BarClosed) == []


def test_a_feed_that_takes_over_first_closes_what_its_clock_makes_due():
    partition = MarketPartition("market/00", PartitionSettings(intervals=("1s",)))
    partition.observe(a_batch(a_trade(), sender="slow", clock=T0))
    _, events = partition.observe(a_batch(a_trade(ts=at(50)), sender="fast", clock=at(50)))
    assert [type(event) for event in events] == [BarClosed, Trade]
    partition.observe(a_batch(a_trade(ts=at(52)), sender="fast", sequence=2, clock=at(53)))
    partition.observe(a_batch(a_trade(ts=at(3)), sender="slow", sequence=2, clock=at(3)))
    _, events = partition.observe(a_batch(sender="slow", sequence=2, clock=at(5)))
    assert [(type(event), event.ts_event) for event in events] == [(BarCorrected, at(3))]


def test_instruments_are_listed_as_described_or_as_their_id_says():
    folding = Folding()
    folding.fold(a_trade(instrument="ETH-EUR.SIM"), an_info(aliases=["bitcoin"]), clock=T0)
    listed = folding.partition.instruments()
    assert [(info.instrument, info.quote, info.aliases) for info in listed] == [
        (INSTRUMENT, "USD", ("bitcoin",)),
        ("ETH-EUR.SIM", "EUR", ()),
    ]
    assert folding.partition.keeper("unknown") is None


def test_an_instrument_never_described_has_the_provider_and_time_of_its_newest_value():
    partition = MarketPartition("market/00")
    values = [
        a_trade(ts=at(2), instrument="A-USD.SIM"),
        a_quote(1.0, 2.0, ts=at(1), instrument="A-USD.SIM"),
        a_quote(1.0, 2.0, ts=at(3), instrument="B-USD.SIM"),
        a_snapshot(ts=at(4), sequence=1, instrument="C-USD.SIM"),
    ]
    partition.observe(a_batch(*values, sender="replay-of-it", clock=at(5)))
    assert [(info.provider, info.ts_event) for info in partition.instruments()] == [
        (PROVIDER, at(2)),
        (PROVIDER, at(3)),
        ("replay-of-it", at(4)),
    ]


def a_busy_folding() -> Folding:
    folding = Folding()
    folding.fold(a_snapshot(sequence=1, depth=2), an_info(), a_trade(10, ts=at(0.5), trade_id=4), clock=at(1))
    folding.fold(a_delta([(99.5, 1.0)], sequence=(2, 2), prev_sequence=1), a_quote(), clock=at(1))
    folding.fold(a_trade(11, ts=at(9.5), trade_id=9), a_trade(1, ts=at(900)), clock=at(9))
    folding.fold(a_trade(12, ts=at(0.7), trade_id=5), clock=at(12))
    folding.fold(a_snapshot(), a_trade(9, ts=at(13)), clock=at(13), incarnation=2)
    return folding


def test_replay_of_the_log_ends_in_the_same_bytes():
    folding = a_busy_folding()
    assert len(folding.recorded(BarCorrected)) == 1
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_snapshot_taken_up_goes_on_as_the_original():
    folding = a_busy_folding()
    restored = MarketPartition.restore(folding.partition.snapshot())
    assert restored.snapshot() == folding.partition.snapshot()
    tail = a_batch(a_trade(8, ts=at(14)), incarnation=2, sequence=2, clock=at(200))
    assert restored.observe(tail) == folding.partition.observe(tail)
    assert restored.state_hash() == folding.partition.state_hash()
    assert restored.next_deadline(PROVIDER) == folding.partition.next_deadline(PROVIDER)


def test_after_a_replay_the_timers_run_on():
    folding = Folding()
    folding.fold(a_trade(), clock=T0)
    replayed = folding.replayed()
    assert replayed.next_deadline(PROVIDER) == at(2)
    assert [type(event) for event in replayed.observe(a_batch(sequence=1, clock=at(2)))[1]] == [BarClosed]


def test_a_snapshot_fits_only_its_own_fold():
    snapshot = a_busy_folding().partition.snapshot()
    with pytest.raises(Conflict, match="other settings"):
        MarketPartition.restore(snapshot, PartitionSettings(keep_bars=7))
    older = bytes([snapshot[0], FOLD_VERSION + 1]) + snapshot[2:]
    with pytest.raises(Conflict, match="fold version"):
        MarketPartition.restore(older)


@pytest.mark.parametrize("damaged", [b"", b"\x93", b"nonsense"])
def test_a_damaged_snapshot_is_refused(damaged: bytes):
    with pytest.raises(Corrupt):
        MarketPartition.restore(damaged)


@pytest.mark.parametrize(
    "admitted",
    [
        Admitted(PROVIDER, 1, 1, T0, 2),
        Admitted(PROVIDER, 1, 2, T0, 1),
        Admitted(PROVIDER, 0, 1, T0, 1),
    ],
)
def test_a_trace_that_does_not_follow_stops_the_replay(admitted: Admitted):
    partition = MarketPartition("market/00")
    partition.apply(Admitted(PROVIDER, 1, 0, T0, 0), [])
    with pytest.raises(Corrupt):
        partition.apply(admitted, [a_trade()])


def test_one_batch_or_many_give_the_same_events():
    trades: list[Trade] = [a_trade(price, ts=at(price / 7), trade_id=price) for price in range(40)]
    whole, single = Folding(), Folding()
    whole.fold(*trades, clock=at(3))
    for trade in trades:
        single.fold(trade, clock=at(3))
    assert [event for _, events in whole.log for event in events] == [
        event for _, events in single.log for event in events
    ]
    assert whole.keeper.snapshot() == single.keeper.snapshot()


CROSSED = a_delta(bids=[(105.0, 1.0)])


def test_a_book_that_only_the_fold_knows_to_be_broken_is_lost_until_its_snapshot():
    folding = Folding()
    folding.fold(a_snapshot(), a_snapshot(instrument="A.SIM"), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == ()
    folding.fold(CROSSED, a_trade(instrument="B.SIM"), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == (INSTRUMENT,)
    assert folding.partition.lost_books("another feed") == ()
    folding.fold(a_trade(), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == (INSTRUMENT,)
    folding.fold(a_snapshot(), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == ()


@pytest.mark.parametrize("channel", ["book", "feed"])
def test_a_book_whose_gap_the_feed_has_told_is_not_lost(channel: str):
    folding = Folding()
    folding.fold(a_snapshot(), a_gap(channel), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == ()
    folding.fold(a_snapshot(), CROSSED, clock=T0)
    folding.fold(a_gap("trades"), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == (INSTRUMENT,)
    folding.fold(a_gap(channel), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == ()


def test_a_crossed_snapshot_leaves_the_book_lost():
    folding = Folding()
    folding.fold(a_gap("book"), a_snapshot(bids=[(105.0, 1.0)]), clock=T0)
    assert folding.partition.lost_books(PROVIDER) == (INSTRUMENT,)


def test_a_lost_book_is_still_known_after_a_replay_and_in_a_snapshot_taken_up():
    folding = Folding()
    folding.fold(a_snapshot(), CROSSED, clock=T0)
    assert folding.replayed().lost_books(PROVIDER) == (INSTRUMENT,)
    restored = MarketPartition.restore(folding.partition.snapshot())
    assert restored.lost_books(PROVIDER) == (INSTRUMENT,)
    restored.observe(a_batch(a_snapshot(), sequence=2, clock=T0))
    assert restored.lost_books(PROVIDER) == ()
