"""What the scanner promises: no repaint, no look-ahead, state that survives, bad bars that do no harm."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.patterns.events import PatternEvent
from domain.patterns.scanner import PatternScanner, ScannerState
from domain.patterns.swings import AverageRange, Zigzag
from tests.bench.patterns import scan
from tests.patterns_set import FIGURES, NOISE, random_walk, samples

seeds = st.integers(0, 10_000)
NEXT = {"forming": {"confirmed", "invalidated"}, "confirmed": {"target_hit", "invalidated"}}


def some_bars(seed: int, length: int = 400) -> np.ndarray:
    """A random walk in which every third seed has a drawn figure set."""
    rng = np.random.default_rng(seed)
    walk = random_walk(length, rng)
    if seed % 3:
        return walk
    name = sorted(FIGURES)[seed % len(FIGURES)]
    figure = next(samples(name, 1, NOISE["middle"], seed)).bars
    return np.concatenate((walk[:50], figure * (walk[49, 3] / figure[0, 0]), walk[50:150]))


@given(seed=seeds, cut=st.integers(1, 399))
@settings(max_examples=25, deadline=None)
def test_the_events_of_a_prefix_are_those_of_the_whole_up_to_there(seed: int, cut: int) -> None:
    bars = some_bars(seed)
    assert scan(bars[:cut]) == [event for event in scan(bars) if event.row < cut]


@given(seed=seeds, cut=st.integers(0, 399))
@settings(max_examples=25, deadline=None)
def test_a_restored_scanner_goes_on_as_if_it_had_never_stopped(seed: int, cut: int) -> None:
    bars = some_bars(seed).tolist()
    first = PatternScanner()
    for row, bar in enumerate(bars[:cut]):
        first.observe(row, *bar)
    stored = msgspec.msgpack.encode(first.snapshot())
    second = PatternScanner()
    second.restore(msgspec.msgpack.decode(stored, type=ScannerState))
    for row, bar in enumerate(bars[cut:], cut):
        assert first.observe(row, *bar) == second.observe(row, *bar)
    assert msgspec.msgpack.encode(first.snapshot()) == msgspec.msgpack.encode(second.snapshot())


@given(seed=seeds, cut=st.integers(1, 399))
@settings(max_examples=25, deadline=None)
def test_after_a_cut_a_scanner_sees_what_a_new_one_sees_and_every_figure_of_before_has_ended(
    seed: int, cut: int
) -> None:
    bars = some_bars(seed).tolist()
    cut = min(cut, len(bars) - 1)
    scanner, anew = PatternScanner(), PatternScanner()
    before = [event for row, bar in enumerate(bars[:cut]) for event in scanner.observe(row, *bar)]
    scanner.cut("split")
    restored = PatternScanner()
    restored.restore(scanner.snapshot())
    after = [event for row, bar in enumerate(bars[cut:], cut) for event in restored.observe(row, *bar)]
    fresh = [event for row, bar in enumerate(bars[cut:], cut) for event in anew.observe(row, *bar)]
    ended = [event for event in after if event.reason == "split"]
    assert {event.row for event in ended} <= {cut}
    told = {event.figure: event.state for event in before}
    alive = {figure for figure, state in told.items() if state in ("forming", "confirmed")}
    assert {event.figure for event in ended} == alive
    rest = after[len(ended) :]
    assert [
        (event.row, event.pattern, event.state, [(anchor.row, anchor.price) for anchor in event.anchors])
        for event in rest
    ] == [
        (
            event.row + cut,
            event.pattern,
            event.state,
            [(anchor.row + cut, anchor.price) for anchor in event.anchors],
        )
        for event in fresh
    ]
    assert min((event.figure for event in rest), default=max(told, default=0) + 1) > max(told, default=0)


def test_a_snapshot_does_not_change_while_the_scanner_goes_on() -> None:
    bars = some_bars(5).tolist()
    scanner = PatternScanner()
    for row, bar in enumerate(bars[:200]):
        scanner.observe(row, *bar)
    snapshot = scanner.snapshot()
    before = msgspec.msgpack.encode(snapshot)
    for row, bar in enumerate(bars[200:], 200):
        scanner.observe(row, *bar)
    assert msgspec.msgpack.encode(snapshot) == before


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_every_figure_lives_from_forming_to_one_end_and_its_anchors_lie_in_the_past(seed: int) -> None:
    bars = some_bars(seed)
    lives: dict[int, list[PatternEvent]] = defaultdict(list)
    for event in scan(bars):
        lives[event.figure].append(event)
        assert all(anchor.row < event.row for anchor in event.anchors)
        assert list(event.anchors) == sorted(event.anchors, key=lambda anchor: anchor.row)
        assert all(anchor.price in bars[anchor.row, 1:3] for anchor in event.anchors)
        assert 0.0 <= event.confidence <= 1.0
        assert (event.reason is None) == (event.state != "invalidated")
    for life in lives.values():
        assert life[0].state == "forming"
        for before, after in pairwise(life):
            assert after.state in NEXT[before.state] and after.row >= before.row
            assert after.pattern == before.pattern


@given(seed=seeds, factor=st.sampled_from([2.0**-20, 2.0**13]))
@settings(max_examples=15, deadline=None)
def test_patterns_do_not_depend_on_the_unit_of_price(seed: int, factor: float) -> None:
    bars = some_bars(seed)
    plain, scaled = scan(bars), scan(bars * factor)
    assert [(each.pattern, each.state, each.row, each.confidence) for each in plain] == [
        (each.pattern, each.state, each.row, each.confidence) for each in scaled
    ]


def test_a_bar_that_cannot_be_drawn_only_shifts_the_rows_after_it() -> None:
    bars = some_bars(3).tolist()
    bad = (
        (math.nan, 1.0, 1.0, 1.0),
        (1.0, math.inf, 1.0, 1.0),
        (1.0, 2.0, -1.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),
        (1.0, 0.5, 2.0, 1.0),
        (5.0, 2.0, 1.0, 1.5),
    )
    scanner = PatternScanner()
    for row, bar in enumerate([*bad, *bars]):
        events = scanner.observe(row, *bar)
        assert row >= len(bad) or events == []
    assert scanner.left_out == len(bad) and scanner.row == len(bad) + len(bars)
    shifted = PatternScanner()
    found = [event for row, bar in enumerate([*bad, *bars]) for event in shifted.observe(row, *bar)]
    assert [(each.pattern, each.state, each.row - len(bad)) for each in found] == [
        (each.pattern, each.state, each.row) for each in scan(np.array(bars))
    ]


def test_bad_bars_amid_good_ones_do_no_harm() -> None:
    bars = some_bars(6)
    bars[::17] = math.nan
    assert scan(bars) == [event for event in scan(bars) if event.row % 17]


def test_constant_prices_and_single_bars_say_nothing() -> None:
    assert scan(np.full((500, 4), 7.0)) == []
    assert scan(np.full((1, 4), 7.0)) == []
    assert scan(np.empty((0, 4))) == []


def test_the_scanner_holds_a_bounded_state() -> None:
    scanner = PatternScanner()
    sizes = []
    for row, bar in enumerate(random_walk(9000, np.random.default_rng(8)).tolist()):
        scanner.observe(row, *bar)
        if row % 500 == 499:
            sizes.append(len(msgspec.msgpack.encode(scanner.snapshot())))
    assert max(sizes[4:]) < 60_000


def test_pivots_alternate_and_are_known_only_after_a_turn() -> None:
    bars = random_walk(2000, np.random.default_rng(2))
    zigzag = Zigzag(keep=1000)
    for row, (_, high, low, _) in enumerate(bars.tolist()):
        if zigzag.update(row, row, high, low, 1.0):
            assert zigzag.pivots[-1].known == row > zigzag.pivots[-1].row
    sides = [pivot.side for pivot in zigzag.pivots]
    assert len(sides) > 20 and all(before == -after for before, after in pairwise(sides))
    for before, after in pairwise(zigzag.pivots):
        between = bars[before.row + 1 : after.row + 1]
        assert after.price == (between[:, 1].max() if after.side > 0 else between[:, 2].min())
        assert abs(after.price - before.price) >= 1.0


def test_average_range_is_a_mean_that_becomes_wilders_smoothing() -> None:
    average = AverageRange(period=2)
    assert average.update(12.0, 10.0, 11.0) == 2.0
    assert average.update(15.0, 14.0, 14.0) == 3.0  # true range 15 - 11
    assert average.update(14.0, 13.0, 13.0) == 2.0  # (3 + 1) / 2


def test_a_scanner_for_rough_prices_takes_what_the_other_leaves() -> None:
    walk = random_walk(1000, np.random.default_rng(12))
    rough = PatternScanner(rough=True)
    found = [event for row, bar in enumerate(walk.tolist()) for event in rough.observe(row, *bar)]
    count = [sum(event.state == "confirmed" for event in events) for events in (found, scan(walk))]
    assert count[0] > 2 * count[1]
    assert all(0.0 < event.confidence <= 1.0 for event in found)
