"""Long folds of three feeds, past every warm-up: replay == live, snapshot + tail == replay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import pytest

from domain.envelope import Admitted, Batch, MarketEvent
from domain.keeper_state import PartitionSettings
from domain.market.observations import Gap
from domain.partition import MarketPartition
from tests.builders import at
from tests.properties.long_story import FEEDS, NAMES, REFERENCE, Step, Story

SETTINGS = PartitionSettings(keep_bars=6)
SEEDS = range(6)
seeds = pytest.mark.parametrize("seed", SEEDS)
Log = list[tuple[Admitted, list[MarketEvent]]]


def new() -> MarketPartition:
    return MarketPartition("market/00", SETTINGS)


def step(partition: MarketPartition, what: Step) -> Log:
    if isinstance(what, Batch):
        admitted, events = partition.observe(what)
    else:
        admitted, events = partition.arm([what], incarnation=1, clock=at(0))
    return [] if admitted is None else [(admitted, list(events))]


def live(steps: Sequence[Step], partition: MarketPartition) -> Log:
    return [entry for what in steps for entry in step(partition, what)]


def replay(log: Log, partition: MarketPartition) -> MarketPartition:
    for admitted, events in log:
        partition.apply(admitted, events)
    return partition


@cache
def told(seed: int) -> tuple[list[Step], Log, bytes]:
    """The story, what was recorded of it, and the state at its end."""
    partition = new()
    steps = Story(seed).steps
    log = live(steps, partition)
    return steps, log, partition.snapshot()


def events_of(log: Log) -> list[MarketEvent]:
    return [event for _, events in log for event in events]


def test_the_stories_leave_every_warm_up() -> None:
    kinds: dict[str, int] = {}
    for seed in SEEDS:
        _, log, _ = told(seed)
        for event in events_of(log):
            kinds[event.kind] = kinds.get(event.kind, 0) + 1
    assert kinds.keys() >= {
        *(
            "anomaly_found",
            "bar_closed",
            "bar_corrected",
            "book_broken",
            "book_restored",
            "gap",
            "large_trade",
        ),
        *("late_trade", "pattern_found", "source_changed", "split", "ticker", "quote", "trade"),
    }
    assert kinds["anomaly_found"] > 5 * len(SEEDS)
    assert kinds["pattern_found"] > 2 * len(SEEDS)
    _, log, _ = told(0)
    partition = replay(log, new())
    for name in NAMES:
        keeper = partition.keeper(name)
        assert keeper is not None
        assert set(keeper.feeds.names) == set(FEEDS)
    assert all(value is not None for _, value in partition.indicators.newest(NAMES[0]).values())


@seeds
def test_a_replay_ends_in_the_bytes_of_the_live_fold(seed: int) -> None:
    _, log, state = told(seed)
    assert replay(log, new()).snapshot() == state


@seeds
def test_a_snapshot_and_the_tail_make_the_full_replay(seed: int) -> None:
    _, log, state = told(seed)
    partition, done = new(), 0
    for part in range(1, 5):
        cut = part * len(log) // 5
        partition = MarketPartition.restore(replay(log[done:cut], partition).snapshot(), SETTINGS)
        done = cut
    assert replay(log[done:], partition).snapshot() == state


@seeds
def test_a_restored_partition_decides_like_the_one_that_went_on(seed: int) -> None:
    steps, log, state = told(seed)
    partition, told_again, done = new(), Log(), 0
    for part in range(1, 6):
        cut = part * len(steps) // 5
        told_again += live(steps[done:cut], partition)
        partition = MarketPartition.restore(partition.snapshot(), SETTINGS)
        done = cut
    assert told_again == log
    assert partition.snapshot() == state


def singles(steps: Sequence[Step]) -> list[Step]:
    """Each event in a batch of its own, with the clock of the one that it came in."""
    made: list[Step] = []
    sequences: dict[tuple[str, int], int] = {}
    for what in steps:
        if not isinstance(what, Batch):
            made.append(what)
            continue
        key = what.sender, what.incarnation
        for events in [(event,) for event in what.events] or [()]:
            sequences[key] = sequences.get(key, 0) + len(events)
            made.append(Batch(*key, sequences[key], what.clock, events, what.wall))
    return made


def keepers(partition: MarketPartition) -> bytes:
    """Of all instruments, as bytes: what is not a number equals itself there."""
    known = map(partition.keeper, (*NAMES, REFERENCE))
    return msgspec.msgpack.encode([keeper and keeper.snapshot() for keeper in known])


@seeds
def test_how_events_are_grouped_into_batches_does_not_matter(seed: int) -> None:
    steps, log, state = told(seed)
    single = new()
    assert events_of(live(singles(steps), single)) == events_of(log)
    assert keepers(single) == keepers(MarketPartition.restore(state, SETTINGS))


@seeds
def test_timers_run_in_slices_give_the_same_events(seed: int) -> None:
    steps, log, state = told(seed)
    partition, sliced = new(), Log()
    for what in steps:
        while isinstance(what, Batch):
            admitted, events = partition.catch_up(what, 1)
            if admitted is None:
                break
            sliced.append((admitted, events))
        sliced += step(partition, what)
    assert events_of(sliced) == events_of(log)
    assert partition.snapshot() == state == replay(sliced, new()).snapshot()


@seeds
def test_nothing_changes_without_an_event_or_a_trace(seed: int) -> None:
    partition = new()
    before, known = partition.snapshot(), keepers(partition)
    for what in told(seed)[0][:700]:
        recorded = step(partition, what)
        after, now = partition.snapshot(), keepers(partition)
        assert recorded or after == before
        assert any(events for _, events in recorded) or now == known
        before, known = after, now


@seeds
def test_every_restart_of_a_feed_is_told_on_each_instrument_that_it_brings(seed: int) -> None:
    steps, _, _ = told(seed)
    partition, incarnation = new(), dict.fromkeys(FEEDS, 1)
    for what in steps:
        brought = {
            name for name in (*NAMES, REFERENCE) if isinstance(what, Batch) and brings(partition, name, what)
        }
        events = events_of(step(partition, what))
        if isinstance(what, Batch) and what.incarnation > incarnation[what.sender]:
            incarnation[what.sender] = what.incarnation
            gaps = {gap.instrument for gap in events if isinstance(gap, Gap) and gap.provider == what.sender}
            assert brought <= gaps


def brings(partition: MarketPartition, name: str, batch: Batch) -> bool:
    keeper = partition.keeper(name)
    return keeper is not None and batch.sender in keeper.feeds.names
