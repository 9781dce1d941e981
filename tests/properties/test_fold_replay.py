"""Whatever comes in: replay == live, snapshot + tail == full replay, grouping does not matter."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.envelope import Admitted, Batch, MarketEvent
from domain.market.decisions import BarClosed, BarCorrected, BookBroken, LateTrade
from domain.market.gaps import RENUMBERED
from domain.market.intervals import INTERVAL_NS
from domain.market.observations import BookDelta, BookSnapshot, Observation, SplitAnnounced, Ticker, Trade
from domain.partition import MarketPartition, PartitionSettings
from tests.builders import (
    PROVIDER,
    a_bar,
    a_delta,
    a_gap,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    an_info,
    an_order,
    at,
)

SMALL = PartitionSettings(keep_bars=3)
INSTRUMENTS = ("A-USD.SIM", "B-EUR.SIM")
REFERENCE = "A-USD.CRYPTO"
SENDERS = (PROVIDER, "other", "third")
PROVIDERS = (PROVIDER, PROVIDER, PROVIDER, "x")

Log = list[tuple[Admitted, list[MarketEvent]]]

instruments = st.sampled_from(INSTRUMENTS)
providers = st.sampled_from(PROVIDERS)
prices = st.floats(90.0, 110.0, width=32)
sizes = st.sampled_from((0.0, 0.1, 1.0, 2.5, 7000.0))
levels = st.lists(st.tuples(st.integers(95, 105).map(float), sizes), max_size=4)
seconds = st.one_of(st.floats(0.0, 30.0), st.floats(0.0, 90.0))
times = st.one_of(seconds, seconds, seconds, st.floats(-300.0, 7200.0)).map(at)

trades = st.builds(
    a_trade,
    prices,
    sizes,
    ts=times,
    trade_id=st.none() | st.integers(0, 40) | st.just("x"),
    side=st.sampled_from(("buy", "sell", None)),
    instrument=instruments,
    provider=providers,
    ts_recv=st.none() | times,
)
books = st.one_of(
    st.builds(
        a_snapshot,
        levels,
        levels,
        sequence=st.none() | st.integers(0, 9),
        depth=st.none() | st.integers(1, 3),
        ts=times,
        instrument=instruments,
        provider=providers,
    ),
    st.builds(
        a_delta,
        levels,
        levels,
        sequence=st.none() | st.integers(0, 9).map(lambda last: (last, last + 1)),
        prev_sequence=st.none() | st.integers(0, 9),
        ts=times,
        instrument=instruments,
        provider=providers,
    ),
    st.builds(
        an_order,
        st.sampled_from(("add", "modify", "delete")),
        st.sampled_from("abcd"),
        side=st.sampled_from(("buy", "sell")),
        price=st.integers(95, 105).map(float),
        size=sizes,
        ts=times,
        instrument=instruments,
    ),
)
others = st.one_of(
    st.builds(a_quote, prices, prices, ts=times, instrument=instruments, provider=providers),
    st.builds(a_ticker, prices, ts=times, instrument=instruments, provider=st.sampled_from((PROVIDER, "x"))),
    st.builds(a_bar, prices, ts=times, instrument=instruments),
    st.builds(
        SplitAnnounced,
        provider=st.sampled_from((PROVIDER, "x")),
        instrument=instruments,
        ts_event=times,
        ts_recv=times,
        effective=times,
        split_from=st.sampled_from((0.0, 1.0, 2.0, float("nan"))),
        split_to=st.sampled_from((1.0, 2.0, 5.0, 1e9)),
    ),
    st.builds(an_info, instruments, quote=st.sampled_from((None, "USD", "BTC"))),
    st.builds(
        a_gap,
        st.sampled_from(("trades", "book", "feed", "quotes")),
        opened=st.booleans(),
        reason=st.sampled_from(("connection lost", RENUMBERED)),
        instrument=instruments,
        provider=providers,
    ),
)
samples = st.builds(
    a_ticker,
    st.one_of(prices, st.sampled_from((10.0, 100.0, 1000.0, 0.0))),
    ts=times,
    instrument=st.just(REFERENCE),
    provider=st.sampled_from(("x", "y", "z")),
)
lost = st.builds(
    a_gap,
    st.just("feed"),
    opened=st.booleans(),
    instrument=st.just(REFERENCE),
    provider=st.sampled_from(("x", "y", "z")),
)
observations = st.one_of(trades, trades, books, others, samples, lost)


STEPS = (-1.0, 0.0, 0.3, 1.0, 2.0, 20.0)
SET_STEPS = (*STEPS, -100.0, -90_000.0, 90_000.0)


@st.composite
def batches(draw: st.DrawFn, steps: Sequence[float] = STEPS, *, wall: bool = False) -> list[Batch]:
    """Batches as three feeds may send them: clocks that mostly advance, heartbeats, new incarnations."""
    sent: list[Batch] = []
    place = dict.fromkeys(SENDERS, (1, 0))
    clocks = dict.fromkeys(SENDERS, 0.0)
    for _ in range(draw(st.integers(1, 12))):
        sender = draw(st.sampled_from(SENDERS[:1] * 2 + SENDERS))
        incarnation, sequence = place[sender]
        if draw(st.integers(0, 7)) == 0:
            incarnation, sequence = incarnation + 1, 0
        events = tuple(draw(st.lists(observations, max_size=10)))
        clocks[sender] += draw(st.sampled_from(steps))
        place[sender] = (incarnation, sequence + 1 if events else sequence)
        sent.append(Batch(sender, *place[sender], at(clocks[sender]), events, wall))
    return sent


def live(sent: Sequence[Batch], partition: MarketPartition) -> Log:
    outcomes = [partition.observe(batch) for batch in sent]
    return [(admitted, events) for admitted, events in outcomes if admitted is not None]


def replay(log: Log, partition: MarketPartition) -> MarketPartition:
    for admitted, events in log:
        partition.apply(admitted, events)
    return partition


def new() -> MarketPartition:
    return MarketPartition("market/00", SMALL)


any_batches = st.one_of(batches(), batches(SET_STEPS, wall=True))


@settings(max_examples=80, deadline=None)
@given(any_batches)
def test_a_replay_ends_in_the_bytes_of_the_live_fold(sent: list[Batch]):
    partition = new()
    log = live(sent, partition)
    assert replay(log, new()).snapshot() == partition.snapshot()


@settings(max_examples=60, deadline=None)
@given(any_batches)
def test_nothing_changes_without_an_event_or_a_trace(sent: list[Batch]):
    partition = new()
    for batch in singles(sent):
        before, keepers = partition.snapshot(), states(partition)
        admitted, events = partition.observe(batch)
        assert admitted or partition.snapshot() == before
        assert events or states(partition) == keepers


@settings(max_examples=60, deadline=None)
@given(any_batches, st.data())
def test_a_snapshot_and_the_tail_make_the_full_replay(sent: list[Batch], data: st.DataObject):
    partition = new()
    log = live(sent, partition)
    cut = data.draw(st.integers(0, len(log)))
    head = replay(log[:cut], new()).snapshot()
    resumed = MarketPartition.restore(head, SMALL)
    assert resumed.snapshot() == head
    assert replay(log[cut:], resumed).state_hash() == partition.state_hash()


@settings(max_examples=50, deadline=None)
@given(any_batches, st.data())
def test_a_restored_partition_decides_like_the_one_that_went_on(sent: list[Batch], data: st.DataObject):
    partition = new()
    cut = data.draw(st.integers(0, len(sent)))
    live(sent[:cut], partition)
    restored = MarketPartition.restore(partition.snapshot(), SMALL)
    assert live(sent[cut:], restored) == live(sent[cut:], partition)
    assert restored.snapshot() == partition.snapshot()


def sliced(sent: Sequence[Batch], partition: MarketPartition, most: int) -> Log:
    """Live, with what time makes due done in slices."""
    log: Log = []
    for batch in sent:
        while True:
            admitted, events = partition.catch_up(batch, most)
            if admitted is None:
                break
            log.append((admitted, events))
        log += live([batch], partition)
    return log


@settings(max_examples=80, deadline=None)
@given(any_batches, st.integers(1, 2))
def test_timers_run_in_slices_give_the_same_events(sent: list[Batch], most: int):
    whole, cut = new(), new()
    at_once = [event for _, events in live(sent, whole) for event in events]
    log = sliced(sent, cut, most)
    assert [event for _, events in log for event in events] == at_once
    assert cut.snapshot() == whole.snapshot() == replay(log, new()).snapshot()


def singles(sent: Sequence[Batch]) -> list[Batch]:
    """The same observations one by one, each with the clock of its batch."""
    sequences: dict[tuple[str, int], int] = {}
    split: list[Batch] = []
    for batch in sent:
        key = (batch.sender, batch.incarnation)
        for events in [(event,) for event in batch.events] or [()]:
            sequences[key] = sequences.get(key, 0) + len(events)
            split.append(Batch(*key, sequences[key], batch.clock, events, batch.wall))
    return split


def states(partition: MarketPartition) -> list[object]:
    keepers = [partition.keeper(instrument) for instrument in (*INSTRUMENTS, REFERENCE)]
    return [keeper and keeper.snapshot() for keeper in keepers]


@settings(max_examples=60, deadline=None)
@given(any_batches)
def test_how_observations_are_grouped_into_batches_does_not_matter(sent: list[Batch]):
    grouped, single = new(), new()
    in_groups = [event for _, events in live(sent, grouped) for event in events]
    one_by_one = [event for _, events in live(singles(sent), single) for event in events]
    assert one_by_one == in_groups
    assert states(single) == states(grouped)


@settings(max_examples=60, deadline=None)
@given(any_batches)
def test_batches_sent_again_change_nothing(sent: list[Batch]):
    once, twice = new(), new()
    log = live(sent, once)
    again = [outcome for batch in sent for outcome in live([batch, batch], twice)]
    assert again == log
    assert twice.state_hash() == once.state_hash()


@settings(max_examples=40, deadline=None)
@given(batches())
def test_what_a_provider_has_sampled_is_recorded_once_and_in_order(sent: list[Batch]):
    newest: dict[str, int] = {}
    for admitted, events in live(sent, new()):
        for event in events:
            if isinstance(event, Ticker) and event.instrument == REFERENCE and event.last > 0.0:
                ts = clamped(event, admitted.clock)
                assert ts > newest.get(event.provider, -1)
                newest[event.provider] = ts


def clamped(trade: Trade | Ticker, clock: int) -> int:
    return clock if trade.ts_event > clock + SMALL.skew_tolerance_ns else trade.ts_event


@settings(max_examples=60, deadline=None)
@given(batches())
def test_every_admitted_trade_is_in_a_bar_or_recorded_as_late(sent: list[Batch]):
    partition = new()
    log = live(sent, partition)
    counted: dict[tuple[str, str, int], int] = {}
    expected: dict[tuple[str, str, int], int] = {}
    for admitted, events in log:
        for event in events:
            if isinstance(event, BarClosed | BarCorrected):
                counted[(event.instrument, event.interval, event.ts_event)] = event.trades
            for interval in SMALL.intervals if isinstance(event, Trade) else ():
                ts = clamped(event, admitted.clock)
                key = (event.instrument, interval, ts - ts % INTERVAL_NS[interval])
                expected[key] = expected.get(key, 0) + 1
            if isinstance(event, LateTrade):
                expected[(event.instrument, event.interval, event.bar_start)] -= 1
    for instrument in INSTRUMENTS:
        keeper = partition.keeper(instrument)
        for builder in keeper.builders.values() if keeper else ():
            for bar in builder.forming():
                counted[(instrument, builder.interval, bar.ts_event)] = bar.trades
    assert counted == {key: count for key, count in expected.items() if count}


@settings(max_examples=60, deadline=None)
@given(batches())
def test_closed_bars_come_in_order_and_revisions_count_up(sent: list[Batch]):
    newest: dict[tuple[str, str], int] = {}
    revisions: dict[tuple[str, str, int], int] = {}
    for _, events in live(sent, new()):
        for event in events:
            if isinstance(event, BarClosed):
                key = (event.instrument, event.interval)
                assert event.ts_event > newest.get(key, -1)
                newest[key] = event.ts_event
            if isinstance(event, BarClosed | BarCorrected):
                bar = (event.instrument, event.interval, event.ts_event)
                assert event.revision == revisions.get(bar, -1) + 1
                revisions[bar] = event.revision
                assert event.low <= min(event.open, event.close)
                assert max(event.open, event.close) <= event.high


@settings(max_examples=60, deadline=None)
@given(batches())
def test_a_shown_book_is_synchronised_sorted_and_not_crossed(sent: list[Batch]):
    partition = new()
    synchronised: set[str] = set()
    for batch in singles(sent):
        _, events = partition.observe(batch)
        for event in events:
            if isinstance(event, BookSnapshot):
                synchronised.add(event.instrument)
        for instrument in INSTRUMENTS:
            check_book(partition, instrument, instrument in synchronised)


def check_book(partition: MarketPartition, instrument: str, synchronised: bool) -> None:
    keeper = partition.keeper(instrument)
    if keeper is None:
        return
    bids, asks = keeper.book.top(50)
    assert synchronised or not keeper.book.usable
    assert keeper.book.usable or (bids, asks) == ((), ())
    assert [price for price, _ in bids] == sorted({price for price, _ in bids}, reverse=True)
    assert [price for price, _ in asks] == sorted({price for price, _ in asks})
    assert all(size > 0.0 for _, size in bids + asks)
    assert not bids or not asks or bids[0][0] < asks[0][0]


def lost(partition: MarketPartition) -> list[str]:
    """By the definition: broken, and no gap of the feed says so."""
    keepers = [partition.keeper(instrument) for instrument in INSTRUMENTS]
    return [keeper.instrument for keeper in keepers if keeper is not None and keeper.book_lost]


@settings(max_examples=60, deadline=None)
@given(batches(), st.integers(1, 5))
def test_a_book_that_the_fold_breaks_is_lost_until_a_gap_or_a_snapshot_comes(
    sent: list[Batch], asked_every: int
):
    partition = new()
    broken: set[str] = set()
    for number, batch in enumerate(singles(sent), start=1):
        _, events = partition.observe(batch)
        broken |= {event.instrument for event in events if isinstance(event, BookBroken)}
        broken &= set(lost(partition))
        if number % asked_every == 0:
            told = {each for sender in SENDERS for each in partition.lost_books(sender)}
            assert broken <= told <= set(lost(partition))
    restored = MarketPartition.restore(partition.snapshot(), SMALL)
    assert {each for sender in SENDERS for each in restored.lost_books(sender)} == set(lost(restored))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(a_delta, levels, levels), max_size=20))
def test_a_book_of_deltas_is_the_book_of_a_plain_mapping(deltas: list[BookDelta]):
    partition = new()
    start: list[Observation] = [a_snapshot(bids=[(1.0, 1.0)], asks=[(200.0, 1.0)])]
    partition.observe(Batch(PROVIDER, 1, 1, at(0), tuple(start)))
    keeper = partition.keeper(start[0].instrument)
    assert keeper is not None
    bids, asks = {1.0: 1.0}, {200.0: 1.0}
    for number, delta in enumerate(deltas):
        partition.observe(Batch(PROVIDER, 1, number + 2, at(0), (delta,)))
        for side, changes in ((bids, delta.bids), (asks, delta.asks)):
            for price, size in changes:
                side[price] = size
                if size == 0.0:
                    del side[price]
        if bids and asks and max(bids) >= min(asks):
            assert not keeper.book.usable
            return
        expected = (tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())))
        assert keeper.book.top(50) == expected
