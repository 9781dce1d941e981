"""One source of record per instrument and kind, its change an event."""

from __future__ import annotations

from domain.market.decisions import BarClosed, BookBroken, BookRestored, SourceChanged
from domain.market.observations import Trade
from domain.market.sources import SOURCE_SILENCE_NS
from tests.builders import PROVIDER, T0, a_delta, a_gap, a_quote, a_snapshot, a_ticker, a_trade, an_order, at
from tests.domain.folding import Folding

LATER = T0 + SOURCE_SILENCE_NS
OTHER = "other"
BIDS, ASKS = ((99.0, 1.0),), ((101.0, 1.0),)


def replays_alike(folding: Folding) -> bool:
    return folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_second_provider_does_not_double_the_volume():
    folding = Folding()
    for number in range(1, 4):
        ts = at(number / 10)
        folding.fold(
            a_trade(10, 2, ts=ts, trade_id=number),
            a_trade(10, 2, ts=ts, trade_id=number, provider=OTHER),
            clock=ts,
        )
    folding.beat(at(2))
    (bar,) = (bar for bar in folding.recorded(BarClosed) if bar.interval == "1s")
    assert (bar.volume, bar.trades) == (6.0, 3)
    assert {trade.provider for trade in folding.recorded(Trade)} == {PROVIDER}
    assert folding.partition.repeats == 3
    assert folding.keeper.flow.trades == 3
    assert replays_alike(folding)


def test_a_silent_source_of_trades_gives_way_and_that_is_an_event():
    folding = Folding()
    folding.fold(a_trade(10, ts=T0, trade_id=5), clock=T0)
    almost = a_trade(11, ts=LATER - 1, trade_id=5, provider=OTHER)
    assert almost not in folding.fold(almost, clock=LATER - 1)
    first = a_trade(11, ts=LATER, trade_id=6, provider=OTHER)
    changed = SourceChanged(OTHER, first.instrument, LATER, LATER, "trade", PROVIDER)
    recorded = [each for each in folding.fold(first, clock=LATER) if not isinstance(each, BarClosed)]
    assert recorded == [first, changed]
    folding.fold(a_trade(12, ts=LATER + 1, trade_id=6), clock=LATER + 1)
    assert folding.keeper.last_trade == first, "the old source is now one of the others"
    bar = folding.keeper.builders["1s"].forming()[-1]
    assert (bar.trades, bar.tainted) == (1, True), "what traded in the silence is not known"
    assert len(folding.recorded(SourceChanged)) == 1
    assert replays_alike(folding)


def test_a_book_takes_no_change_of_another_provider():
    folding = Folding()
    folding.fold(a_snapshot(BIDS, ASKS, sequence=(1, 1)), clock=T0)
    assert folding.fold(a_delta(((98.0, 5.0),), ts=at(1), provider=OTHER), clock=at(1)) == []
    assert folding.fold(a_snapshot(((50.0, 1.0),), ts=at(1), provider=OTHER), clock=at(1)) == []
    assert folding.fold(an_order(ts=at(1), provider=OTHER), clock=at(1)) == []
    assert folding.keeper.book.top(5) == (BIDS, ASKS)
    assert folding.keeper.record.source == PROVIDER
    assert replays_alike(folding)


def test_a_silent_source_of_a_book_gives_way_to_anothers_snapshot():
    folding = Folding()
    folding.fold(a_snapshot(BIDS, ASKS), clock=T0)
    snapshot = a_snapshot(((50.0, 1.0),), ((51.0, 1.0),), ts=LATER, provider=OTHER)
    changed = SourceChanged(OTHER, snapshot.instrument, LATER, LATER, "book", PROVIDER)
    assert folding.fold(snapshot, clock=LATER) == [snapshot, changed]
    assert folding.keeper.book.top(5) == (((50.0, 1.0),), ((51.0, 1.0),))
    assert folding.fold(a_delta(((49.0, 1.0),), ts=LATER), clock=LATER) == []
    assert replays_alike(folding)


def test_a_change_of_the_new_sources_book_breaks_ours_until_its_snapshot():
    folding = Folding()
    folding.fold(a_snapshot(BIDS, ASKS), clock=T0)
    folding.fold(a_gap("feed", ts=at(1)), clock=at(1))
    delta = a_delta(((49.0, 1.0),), ts=LATER, provider=OTHER)
    recorded = folding.fold(delta, clock=LATER)
    assert [type(event) for event in recorded] == [type(delta), SourceChanged, BookBroken]
    assert recorded[-1].reason == "source"
    assert folding.partition.lost_books(PROVIDER) == (delta.instrument,), "its feed is asked for a snapshot"
    assert folding.fold(a_delta(((98.0, 1.0),), ts=LATER + 1), clock=LATER + 1) == [], "it had its time"
    snapshot = a_snapshot(((50.0, 1.0),), ((51.0, 1.0),), ts=LATER + 2, provider=OTHER)
    assert [type(event) for event in folding.fold(snapshot, clock=LATER + 2)] == [
        type(snapshot),
        BookRestored,
    ]
    assert folding.keeper.book.usable
    assert replays_alike(folding)


def test_silent_sources_of_quotes_and_tickers_give_way_too():
    folding = Folding()
    folding.fold(a_quote(bid=1.0, ts=T0), a_ticker(1.0, ts=T0), clock=T0)
    events = (a_quote(bid=2.0, ts=LATER, provider=OTHER), a_ticker(2.0, ts=LATER, provider=OTHER))
    folding.fold(*events, clock=LATER)
    assert (folding.keeper.last_quote, folding.keeper.last_ticker) == events
    assert [event.of for event in folding.recorded(SourceChanged)] == ["quote", "ticker"]
    assert replays_alike(folding)


def test_a_gap_of_another_provider_concerns_nobody():
    folding = Folding()
    folding.fold(a_snapshot(BIDS, ASKS), a_trade(ts=T0), a_trade(ts=at(1)), clock=at(1))
    folding.beat(at(2))
    for channel in ("feed", "book", "trades"):
        folding.fold(a_gap(channel, ts=at(2), provider=OTHER), clock=at(2))
    assert folding.keeper.gaps_open == ()
    assert folding.keeper.book.usable
    folding.fold(a_gap("feed", ts=at(2)), clock=at(2))
    assert folding.keeper.gaps_open
    assert not folding.keeper.book.usable
    assert replays_alike(folding)


def test_a_restart_remembers_the_source_of_the_book():
    folding = Folding()
    folding.fold(a_snapshot(BIDS, ASKS), clock=T0)
    restored = folding.partition.restore(folding.partition.snapshot())
    keeper = restored.keeper(folding.keeper.instrument)
    assert keeper is not None
    assert keeper.observe(a_delta(((98.0, 5.0),), ts=at(1), provider=OTHER), at(1)) is None


def test_a_gap_in_the_trades_of_a_source_ends_where_another_takes_over():
    folding = Folding()
    folding.fold(a_trade(10, ts=T0, trade_id=1), clock=T0)
    folding.fold(a_gap("trades", ts=at(1)), clock=at(1))
    assert folding.keeper.gaps_open
    folding.fold(a_trade(11, ts=LATER, trade_id=1, provider=OTHER), clock=LATER)
    assert folding.keeper.gaps_open == (), "what the old source still misses concerns nobody"
    assert replays_alike(folding)
