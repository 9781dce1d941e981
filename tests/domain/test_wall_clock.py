"""A machine's clock that goes ahead by days and comes back, and event times from the future."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as altered

from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.market.decisions import BarClosed, BarCorrected, BookRestored, ClockSkewed, LateTrade
from domain.market.gaps import CLOCK_SET_BACK, NEW_INCARNATION
from domain.market.observations import Gap, Observation, Trade
from domain.partition import PartitionSettings
from tests.builders import (
    INSTRUMENT,
    PROVIDER,
    T0,
    a_bar,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    an_fx_rate,
    at,
)
from tests.domain.folding import Folding

DAYS = 2 * 86_400
BACK = 100
"""Seconds after T0 when the clock is right again."""
REFERENCE = "BTC-USD.CRYPTO"
OTHER = "another"


class Feed:
    """A live feed: numbers its batches; a new incarnation begins with whatever the clock says."""

    def __init__(self, folding: Folding, sender: str = PROVIDER) -> None:
        self.folding = folding
        self.sender = sender
        self.incarnation = 0
        self.sequence = 0

    def starts(self) -> None:
        self.incarnation, self.sequence = self.incarnation + 1, 0

    def tells(self, *events: Observation, clock: float, wall: bool = True) -> list[object]:
        self.sequence += bool(events)
        batch = Batch(self.sender, self.incarnation, self.sequence, at(clock), events, wall)
        admitted, recorded = self.folding.partition.observe(batch)
        if admitted is not None:
            self.folding.log.append((admitted, recorded))
        return list(recorded)


def a_day_of(feed: Feed, seconds: range, offset: int = 0) -> None:
    """One trade, quote, ticker and sample a second; those without a venue's time bear the feed's."""
    for second in seconds:
        real, told = at(second), at(second + offset)
        feed.tells(
            a_trade(100 + second % 3, ts=real, trade_id=second, ts_recv=told),
            a_quote(ts=told),
            a_ticker(100 + second % 3, ts=told),
            a_ticker(100 + second % 3, ts=told, instrument=REFERENCE),
            clock=second + offset,
        )


def a_fold_that_was_days_ahead() -> tuple[Folding, Feed]:
    folding = Folding()
    feed = Feed(folding)
    feed.starts()
    feed.tells(a_snapshot(ts=T0), clock=0)
    a_day_of(feed, range(50))
    feed.starts()
    feed.tells(a_snapshot(ts=at(50 + DAYS)), clock=50 + DAYS)
    a_day_of(feed, range(50, BACK), DAYS)
    return folding, feed


def test_a_clock_that_comes_back_is_believed_with_the_next_incarnation() -> None:
    folding, feed = a_fold_that_was_days_ahead()
    feed.starts()
    recorded = feed.tells(a_snapshot(ts=at(BACK)), clock=BACK)
    told = [(gap.instrument, gap.reason, gap.ts_event) for gap in recorded if isinstance(gap, Gap)]
    assert told == [(each, CLOCK_SET_BACK, at(BACK)) for each in (REFERENCE, INSTRUMENT)]
    assert [type(event) for event in recorded[-1:]] == [BookRestored]
    before = len(folding.log)
    a_day_of(feed, range(BACK, BACK + 130))
    events = [event for _, events in folding.log[before:] for event in events]
    kinds = {type(event) for event in events}
    assert BarClosed in kinds
    assert LateTrade not in kinds
    corrected = {(each.interval, each.ts_event) for each in events if isinstance(each, BarCorrected)}
    assert corrected <= {("1m", at(60))}, "only what the wrong clock closed before its time"
    keeper = folding.keeper
    newest = at(BACK + 129)
    assert keeper.last_trade is not None
    assert keeper.last_quote is not None
    assert keeper.last_ticker is not None
    assert {keeper.last_trade.ts_event, keeper.last_quote.ts_event, keeper.last_ticker.ts_event} == {newest}
    reference = folding.partition.keeper(REFERENCE)
    assert reference is not None
    consensus = reference.signals.consensus()
    assert consensus is not None
    assert consensus.ts_event == newest
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_no_trade_is_lost_or_doubled_by_a_clock_that_goes_ahead_and_back() -> None:
    folding, feed = a_fold_that_was_days_ahead()
    feed.starts()
    a_day_of(feed, range(BACK, BACK + 130))
    counted: dict[tuple[str, int], int] = {}
    for _, events in folding.log:
        for event in events:
            if isinstance(event, BarClosed | BarCorrected):
                counted[event.interval, event.ts_event] = event.trades
    for builder in folding.keeper.builders.values():
        for bar in builder.forming():
            counted[bar.interval, bar.ts_event] = bar.trades
    trades = BACK + 130
    assert len(folding.recorded(Trade)) == trades
    for interval in ("1s", "1m"):
        mine = {start: count for (of, start), count in counted.items() if of == interval}
        assert sum(mine.values()) == trades
        assert max(mine) <= at(trades)


def test_bars_of_a_future_that_did_not_come_do_not_hold_up_those_of_the_present() -> None:
    """Trades without a venue's time bear the feed's."""
    folding = Folding(PartitionSettings(keep_bars=5))
    feed = Feed(folding)
    feed.starts()
    for second in range(100):
        feed.tells(a_trade(ts=at(DAYS + second)), clock=DAYS + second)
    feed.starts()
    before = len(folding.log)
    for second in range(20):
        feed.tells(a_trade(ts=at(second + 0.5)), clock=second + 0.5)
    events = [event for _, events in folding.log[before:] for event in events]
    assert [bar.ts_event for bar in events if isinstance(bar, BarClosed)] == [at(s) for s in range(1, 18)]
    assert not [each for each in events if isinstance(each, BarCorrected)]
    assert {(each.interval, each.bar_start) for each in events if isinstance(each, LateTrade)} <= {
        ("1s", T0),
        ("1m", T0),
    }
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_what_another_feed_told_by_the_wrong_clock_is_set_back_too() -> None:
    folding = Folding()
    ours, other = Feed(folding), Feed(folding, OTHER)
    for feed in (ours, other):
        feed.starts()
    ours.tells(a_quote(ts=at(DAYS)), clock=DAYS)
    other.tells(a_trade(ts=at(DAYS), provider=OTHER), clock=DAYS)
    ours.starts()
    ours.tells(a_quote(ts=at(1)), clock=1)
    other.starts()
    other.tells(a_trade(ts=at(2), provider=OTHER), clock=2)
    assert folding.keeper.last_quote is not None
    assert folding.keeper.last_trade is not None
    assert (folding.keeper.last_quote.ts_event, folding.keeper.last_trade.ts_event) == (at(1), at(2))
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_small_difference_between_two_incarnations_sets_nothing_back() -> None:
    folding = Folding()
    feed = Feed(folding)
    feed.starts()
    feed.tells(a_quote(ts=at(10)), clock=10)
    feed.starts()
    recorded = feed.tells(a_quote(ts=at(6)), clock=6)
    assert CLOCK_SET_BACK not in [gap.reason for gap in recorded if isinstance(gap, Gap)]
    assert folding.log[-1][0].clock == at(10)


def test_the_clock_of_a_recording_that_is_played_again_never_goes_back() -> None:
    folding = Folding()
    feed = Feed(folding)
    for _ in range(2):
        feed.starts()
        for second in (0, 100):
            feed.tells(
                a_ticker(ts=at(second), instrument=REFERENCE),
                a_trade(ts=at(second), trade_id=second),
                clock=second,
                wall=False,
            )
    assert [admitted.clock for admitted, _ in folding.log] == [at(0), at(100), at(100), at(100)]
    again = [each for _, events in folding.log[2:] for each in events]
    assert {type(each) for each in again} == {Gap}


FUTURE = at(DAYS)
LATER = at(3)


@pytest.mark.parametrize(
    "skewed",
    [
        a_trade(66, ts=FUTURE, trade_id=1),
        a_quote(66, 67, ts=FUTURE),
        a_ticker(66, ts=FUTURE),
        a_snapshot(ts=FUTURE),
        a_bar(66, ts=FUTURE),
        an_fx_rate(66, ts=FUTURE, instrument=INSTRUMENT),
    ],
    ids=lambda event: event.kind,
)
def test_one_time_from_the_far_future_holds_nothing_up(skewed: Observation) -> None:
    folding = Folding()
    usual = (
        a_trade(ts=LATER, trade_id=2),
        a_quote(ts=LATER),
        a_ticker(ts=LATER),
        a_snapshot(ts=LATER),
        a_bar(ts=LATER),
        an_fx_rate(ts=LATER, instrument=INSTRUMENT),
    )
    folding.fold(skewed, clock=at(2))
    folding.fold(*usual, clock=LATER)
    keeper, latest = folding.keeper, folding.keeper.latest
    told = (keeper.last_trade, latest.quote, latest.ticker, latest.bars["1m"], latest.fx)
    assert told == tuple(each for each in usual if each.kind != "book_snapshot")
    assert keeper.book.ts_event == LATER
    assert all(bar.ts_event <= LATER for builder in keeper.builders.values() for bar in builder.forming())
    dated_ahead = skewed.kind in ("bar", "fx_rate")
    assert [each.ahead_ns for each in folding.recorded(ClockSkewed)] == (
        [] if dated_ahead else [DAYS * NS_PER_S - 2 * NS_PER_S]
    )
    folding.fold(a_quote(), clock=at(20))
    assert folding.log[-1][0].clock == at(20), "it moved no clock"
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_bar_from_the_far_future_does_not_blind_the_watch_for_later_ones() -> None:
    def volumes_told(*, first: int | None) -> list[str]:
        folding = Folding()
        if first is not None:
            folding.fold(a_bar(ts=first), clock=T0)
        for minute in range(120):
            volume = 500.0 if minute == 110 else 1.0 + minute % 3 / 10
            folding.fold(
                a_bar(100 + minute % 2, ts=at(60 * minute), volume=volume), clock=at(60 * minute + 60)
            )
        return [found.anomaly for found in folding.recorded(AnomalyFound)]

    usual = volumes_told(first=None)
    assert usual, "the surge is seen"
    assert volumes_told(first=FUTURE) == usual


TWENTY = [f"C{number:02}.SIM" for number in range(20)]


def many_waiting() -> Folding:
    folding = Folding()
    folding.fold(*(a_trade(instrument=name, ts=T0) for name in TWENTY), clock=T0)
    return folding


def caught_up(folding: Folding, batch: Batch, most: int) -> list[int]:
    """How many events each slice gave; then the batch itself is folded."""
    counts = []
    while True:
        admitted, events = folding.partition.catch_up(batch, most)
        if admitted is None:
            break
        assert (admitted.sender, admitted.clock) == (batch.sender, batch.clock)
        folding.log.append((admitted, events))
        counts.append(len(events))
    admitted, events = folding.partition.observe(batch)
    if admitted is not None:
        folding.log.append((admitted, events))
        counts.append(len(events))
    return counts


@pytest.mark.parametrize("most", [1, 3, 8])
@pytest.mark.parametrize("incarnation", [1, 2])
def test_what_a_jump_of_time_makes_due_is_done_in_slices_with_the_same_outcome(
    most: int, incarnation: int
) -> None:
    whole, sliced = many_waiting(), many_waiting()
    late = a_trade(instrument=TWENTY[7], ts=at(DAYS))
    sequence = 2 if incarnation == 1 else 1
    batch = Batch(PROVIDER, incarnation, sequence, at(DAYS), (late,))
    whole.log.append(whole.partition.observe(batch))
    counts = caught_up(sliced, batch, most)
    gaps = 20 * (incarnation == 2)
    assert max(counts[1:]) <= 2 * most + 1
    assert counts[0] <= gaps + 2 * most
    assert len(counts) >= 20 // most
    assert [event for _, events in sliced.log for event in events] == [
        event for _, events in whole.log for event in events
    ]
    assert sliced.partition.snapshot() == whole.partition.snapshot()
    assert sliced.replayed().snapshot() == sliced.partition.snapshot()


def test_a_few_timers_are_not_worth_a_slice_of_their_own() -> None:
    folding = many_waiting()
    batch = Batch(PROVIDER, 1, 1, at(DAYS), ())
    assert folding.partition.catch_up(batch, 20) == (None, [])
    assert folding.partition.catch_up(altered(batch, clock=at(1)), 1) == (None, [])


def test_a_batch_that_will_not_be_admitted_runs_no_timers() -> None:
    folding = many_waiting()
    again = Batch(PROVIDER, 1, 1, at(DAYS), (a_trade(),))
    assert folding.partition.catch_up(again, 1) == (None, [])
    assert folding.partition.next_deadline(PROVIDER) == at(2)


def test_a_clock_that_goes_back_from_the_right_time_is_not_believed_against_the_venues() -> None:
    """Their own times were those of the clock before: bars of days ago are not built anew."""
    folding = Folding()
    feed = Feed(folding)
    feed.starts()
    for second in range(DAYS, DAYS + 90):
        trade = a_trade(ts=at(second), trade_id=second, ts_recv=at(second) + 10**6)
        feed.tells(trade, clock=second + 0.001)
    feed.starts()
    before = len(folding.log)
    for second in range(DAYS + 90, DAYS + 95):
        wrong = second - DAYS
        feed.tells(a_trade(ts=at(second), trade_id=second, ts_recv=at(wrong)), clock=wrong)
    events = [event for _, events in folding.log[before:] for event in events]
    assert [gap.reason for gap in events if isinstance(gap, Gap)] == [NEW_INCARNATION]
    assert {admitted.clock for admitted, _ in folding.log[before:]} == {at(DAYS + 89.001)}
    starts = [bar.ts_event for builder in folding.keeper.builders.values() for bar in builder.forming()]
    starts += [event.ts_event for event in events if isinstance(event, BarClosed | BarCorrected)]
    assert min(starts) >= at(DAYS)
    feed.starts()
    feed.tells(a_trade(ts=at(DAYS + 200), trade_id=DAYS + 200), clock=DAYS + 200)
    assert folding.log[-1][0].clock == at(DAYS + 200), "when it is right again it goes on"
    assert folding.keeper.last_trade is not None
    assert folding.keeper.last_trade.ts_event == at(DAYS + 200)
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_one_venues_wrong_time_does_not_keep_a_wrong_clock() -> None:
    folding = Folding()
    feed = Feed(folding)
    feed.starts()
    names = ("A-USD.SIM", "B-USD.SIM", "C-USD.SIM")
    for number, name in enumerate(names):
        ts = at(DAYS) if number == 0 else at(1)
        trade = a_trade(ts=ts, instrument=name, trade_id=1, ts_recv=at(DAYS + 1))
        feed.tells(trade, clock=DAYS + 1)
    feed.starts()
    feed.tells(a_trade(ts=at(9), instrument=names[0], trade_id=2), clock=9)
    assert folding.log[-1][0].clock == at(9)
