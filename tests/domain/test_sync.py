"""The two documented rules of Binance for a book from a snapshot and numbered diffs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.clock import NS_PER_MS
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation
from domain.market.sync import LINKED, MAX_BEHIND_NS, SPOT, BookSync, SequenceRule, Step


def diff(first: int, last: int, prev: int | None = None) -> BookDelta:
    return BookDelta("p", "I.V", last, last, ((float(last), 1.0),), (), (first, last), prev)


def snapshot(at: int) -> BookSnapshot:
    return BookSnapshot("p", "I.V", at, at, ((1.0, 1.0),), ((2.0, 1.0),), (at, at))


def told(step: Step) -> list[tuple[object, ...]]:
    """Observations in short: what, up to which id, after which id."""
    return [_short(each) for each in step.observations]


def _short(each: Observation) -> tuple[object, ...]:
    if isinstance(each, BookSnapshot):
        return "snapshot", each.sequence[1] if each.sequence else None
    if isinstance(each, BookDelta):
        return "delta", each.sequence[1] if each.sequence else None, each.prev_sequence
    assert isinstance(each, Gap)
    return ("gap", each.first, each.last) if each.opened else ("closed", each.first, each.last)


def live_at(rule: SequenceRule, at: int, first_diff: BookDelta) -> BookSync:
    sync = BookSync(rule)
    sync.on_delta(first_diff)
    assert sync.on_snapshot(snapshot(at)).observations
    return sync


@pytest.mark.parametrize(
    ("delta", "covered", "bridges"),
    [
        pytest.param(diff(90, 99), True, False, id="wholly before the snapshot"),
        pytest.param(diff(95, 100), True, False, id="ends with the snapshot"),
        pytest.param(diff(100, 101), False, True, id="spans its end"),
        pytest.param(diff(101, 101), False, True, id="begins right after it"),
        pytest.param(diff(102, 105), False, False, id="leaves an id out"),
    ],
)
def test_spot_first_diff_after_snapshot_100(delta: BookDelta, covered: bool, bridges: bool) -> None:
    assert SPOT.covered(delta, 100) is covered
    assert SPOT.bridges(delta, 100) is bridges


@pytest.mark.parametrize(
    ("delta", "covered", "bridges"),
    [
        pytest.param(diff(90, 99, 80), True, False, id="wholly before the snapshot"),
        pytest.param(diff(95, 100, 90), False, True, id="ends with the snapshot: kept"),
        pytest.param(diff(100, 110, 90), False, True, id="begins with it"),
        pytest.param(diff(105, 110, 100), False, True, id="linked to the snapshot's own id"),
        pytest.param(diff(105, 110, 104), False, False, id="linked to an update that the snapshot lacks"),
        pytest.param(diff(101, 110, 90), False, False, id="begins after the snapshot"),
    ],
)
def test_linked_first_diff_after_snapshot_100(delta: BookDelta, covered: bool, bridges: bool) -> None:
    assert LINKED.covered(delta, 100) is covered
    assert LINKED.bridges(delta, 100) is bridges


@pytest.mark.parametrize(
    ("rule", "delta", "follows"),
    [
        (SPOT, diff(101, 105), True),
        (SPOT, diff(100, 105), False),
        (SPOT, diff(102, 105), False),
        (LINKED, diff(150, 160, 100), True),
        (LINKED, diff(101, 160, 99), False),
        (LINKED, diff(150, 160, None), False),
    ],
)
def test_each_later_diff_follows_the_one_before(rule: SequenceRule, delta: BookDelta, follows: bool) -> None:
    assert rule.follows(delta, 100) is follows


def test_diffs_wait_for_the_snapshot_and_those_it_contains_are_dropped() -> None:
    sync = BookSync(SPOT)
    assert sync.on_delta(diff(95, 98)).wants_snapshot
    assert told(sync.on_delta(diff(99, 101))) == []
    assert told(sync.on_delta(diff(102, 103))) == []

    step = sync.on_snapshot(snapshot(100))

    assert told(step) == [("snapshot", 100), ("delta", 101, 100), ("delta", 103, 101)]
    assert not step.resynced


def test_linked_diffs_carry_the_last_applied_id_whatever_the_venue_linked_to() -> None:
    sync = BookSync(LINKED)
    sync.on_delta(diff(90, 110, 80))
    sync.on_delta(diff(150, 160, 110))

    assert told(sync.on_snapshot(snapshot(100))) == [
        ("snapshot", 100),
        ("delta", 110, 100),
        ("delta", 160, 110),
    ]


def test_a_snapshot_older_than_the_first_diff_is_asked_for_again() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(105, 106))

    step = sync.on_snapshot(snapshot(100))
    assert (told(step), step.wants_snapshot) == ([], True)

    assert told(sync.on_snapshot(snapshot(105))) == [("snapshot", 105), ("delta", 106, 105)]


def test_a_snapshot_before_any_diff_is_held_until_the_first_one_joins_it() -> None:
    sync = BookSync(SPOT)
    assert told(sync.on_snapshot(snapshot(100))) == []
    assert not sync.usable
    step = sync.on_delta(diff(101, 102))
    assert told(step) == [("snapshot", 100), ("delta", 102, 100)]
    assert not step.wants_snapshot


def test_a_held_snapshot_that_the_first_diff_does_not_join_is_replaced() -> None:
    sync = BookSync(SPOT)
    sync.on_snapshot(snapshot(100))
    step = sync.on_delta(diff(200, 201))
    assert (told(step), step.wants_snapshot) == ([], True)


def test_a_snapshot_newer_than_all_diffs_starts_the_book_and_the_next_diff_may_overlap_it() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(90, 95))
    assert told(sync.on_snapshot(snapshot(100))) == [("snapshot", 100)]
    assert told(sync.on_delta(diff(96, 99))) == []
    assert told(sync.on_delta(diff(98, 103))) == [("delta", 103, 100)]


@pytest.mark.parametrize(
    ("rule", "first", "second", "after_loss", "missing"),
    [
        (SPOT, diff(100, 101), diff(102, 102), diff(105, 106), (103, 104)),
        (LINKED, diff(100, 101, 90), diff(110, 120, 101), diff(150, 160, 140), (121, 140)),
    ],
)
def test_a_missing_diff_is_a_gap_until_a_newer_snapshot(
    rule: SequenceRule,
    first: BookDelta,
    second: BookDelta,
    after_loss: BookDelta,
    missing: tuple[int, int],
) -> None:
    sync = live_at(rule, 100, first)
    sync.on_delta(second)

    broken = sync.on_delta(after_loss)
    assert told(broken) == [("gap", *missing)]
    assert broken.wants_snapshot
    assert not sync.usable

    fresh = after_loss.sequence[1] if after_loss.sequence else 0
    step = sync.on_snapshot(snapshot(fresh))
    assert told(step)[:2] == [("snapshot", fresh), ("closed", *missing)]
    assert step.resynced
    assert sync.usable


def test_a_snapshot_from_before_the_gap_does_not_close_it() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    sync.on_delta(diff(110, 111))
    step = sync.on_snapshot(snapshot(105))
    assert (told(step), step.wants_snapshot, sync.usable) == ([], True, False)


def test_a_hole_among_the_buffered_diffs_is_a_gap_of_its_own() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(100, 101))
    sync.on_delta(diff(104, 105))
    sync.on_delta(diff(106, 107))

    step = sync.on_snapshot(snapshot(100))
    assert told(step) == [("snapshot", 100), ("delta", 101, 100), ("gap", 102, 103)]
    assert step.wants_snapshot

    assert told(sync.on_snapshot(snapshot(105))) == [
        ("snapshot", 105),
        ("closed", 102, 103),
        ("delta", 107, 105),
    ]


def test_a_hole_that_the_snapshot_covers_is_no_gap() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(90, 91))
    sync.on_delta(diff(98, 99))
    assert told(sync.on_snapshot(snapshot(99))) == [("snapshot", 99)]


def test_repeated_diffs_are_dropped() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    sync.on_delta(diff(102, 103))
    assert told(sync.on_delta(diff(102, 103))) == []
    assert told(sync.on_delta(diff(104, 104))) == [("delta", 104, 103)]


def test_two_sockets_may_cut_the_same_stream_differently_while_they_overlap() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    assert told(sync.on_delta(diff(102, 105), overlapping=True)) == [("delta", 105, 101)]
    assert told(sync.on_delta(diff(101, 104), overlapping=True)) == []
    assert told(sync.on_delta(diff(104, 107), overlapping=True)) == [("delta", 107, 105)]
    assert told(sync.on_delta(diff(110, 111), overlapping=True)) == [("gap", 108, 109)]


def test_without_an_overlap_a_diff_that_reaches_back_is_a_gap() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    assert told(sync.on_delta(diff(101, 104))) == [("gap", 102, 102)]


def test_an_interruption_makes_the_book_unusable_until_the_next_snapshot() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    sync.interrupt()
    assert not sync.usable
    assert sync.on_delta(diff(102, 103)).wants_snapshot
    step = sync.on_snapshot(snapshot(103))
    assert told(step) == [("snapshot", 103)]
    assert step.resynced


def test_an_interruption_before_the_first_snapshot_is_still_initial_synchronisation() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(100, 101))
    sync.interrupt()
    sync.on_delta(diff(105, 106))
    step = sync.on_snapshot(snapshot(105))
    assert told(step) == [("snapshot", 105), ("delta", 106, 105)]
    assert not step.resynced


def test_a_gap_is_closed_once() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    sync.on_delta(diff(105, 106))
    sync.on_snapshot(snapshot(106))
    sync.interrupt()
    sync.on_delta(diff(110, 111))
    assert told(sync.on_snapshot(snapshot(111))) == [("snapshot", 111)]


def test_a_snapshot_while_the_book_is_usable_changes_nothing() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    assert told(sync.on_snapshot(snapshot(300))) == []
    assert told(sync.on_delta(diff(102, 102))) == [("delta", 102, 101)]


def test_the_buffer_is_bounded_and_an_overflow_needs_a_newer_snapshot() -> None:
    sync = BookSync(SPOT, max_buffered=2)
    for last in (101, 102, 103):
        sync.on_delta(diff(last, last))
    assert sync.on_snapshot(snapshot(100)).wants_snapshot
    assert told(sync.on_snapshot(snapshot(101)))[0] == ("snapshot", 101)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=25),
    lost=st.sets(st.integers(0, 24), max_size=4),
    answers=st.lists(st.integers(0, 24), max_size=6),
    linked=st.booleans(),
)
def test_what_comes_out_is_always_contiguous(
    lengths: list[int], lost: set[int], answers: list[int], linked: bool
) -> None:
    """Whatever is lost and whenever a snapshot answers: no delta is ever given out after a hole."""
    sync = BookSync(LINKED if linked else SPOT)
    at, prev, book = 100, 99, None
    for index, length in enumerate(lengths):
        delta = diff(at, at + length - 1, prev if linked else None)
        prev, at = at + length - 1, at + length
        steps = [] if index in lost else [sync.on_delta(delta)]
        steps += [sync.on_snapshot(snapshot(prev - back)) for back in answers if back == index % 7]
        for each in (each for step in steps for each in step.observations):
            if isinstance(each, BookSnapshot):
                book = each.sequence[1] if each.sequence else None
            elif isinstance(each, BookDelta):
                assert each.sequence is not None
                assert each.prev_sequence == book
                assert book is not None
                assert each.sequence[0] <= book + 1
                book = each.sequence[1]
            elif isinstance(each, Gap) and each.opened:
                book = None


def test_a_book_that_proved_wrong_begins_anew_from_a_new_snapshot() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    gap = Gap("p", "I.V", 5, 5, "book", "keeper")
    doubt = sync.distrust(gap)
    assert (doubt.observations, doubt.wants_snapshot, sync.usable) == ([gap], True, False)
    assert sync.distrust(gap) == Step(), "a snapshot is awaited already"
    assert told(sync.on_delta(diff(102, 103))) == []
    healed = sync.on_snapshot(snapshot(102))
    assert told(healed) == [("snapshot", 102), ("closed", None, None), ("delta", 103, 102)]
    assert healed.resynced
    assert told(sync.on_delta(diff(104, 104))) == [("delta", 104, 103)]


def test_a_book_that_never_was_cannot_prove_wrong() -> None:
    sync = BookSync(SPOT)
    sync.on_delta(diff(1, 2))
    assert sync.distrust(Gap("p", "I.V", 5, 5, "book", "keeper")) == Step()
    assert told(sync.on_snapshot(snapshot(1))) == [("snapshot", 1), ("delta", 2, 1)]


MS = NS_PER_MS


def timed(first: int, last: int, at_ms: int, prev: int | None = None) -> BookDelta:
    return replace(diff(first, last, prev), ts_event=at_ms * MS, ts_recv=at_ms * MS)


@pytest.mark.parametrize("rule", [SPOT, LINKED])
def test_diffs_below_the_mark_that_continue_each_other_later_begin_the_book_anew(rule: SequenceRule) -> None:
    sync = live_at(rule, 100, timed(100, 101, 1, 99))
    assert told(sync.on_delta(timed(102, 105, 10, 101))) == [("delta", 105, 101)]
    assert told(sync.on_delta(timed(1, 3, 20, 0))) == []
    anew = sync.on_delta(timed(4, 6, 30, 3))
    assert (told(anew), anew.wants_snapshot, sync.usable) == ([("gap", None, None)], True, False)
    synced = sync.on_snapshot(snapshot(4))
    assert told(synced) == [("snapshot", 4), ("closed", None, None), ("delta", 6, 4)]
    assert told(sync.on_delta(timed(7, 9, 40, 6))) == [("delta", 9, 6)]


def test_diffs_below_the_mark_that_are_not_later_are_repeats_however_many_come() -> None:
    sync = live_at(SPOT, 100, timed(100, 101, 1))
    sync.on_delta(timed(102, 105, 10))
    for _ in range(3):
        for repeat in (timed(100, 101, 1), timed(102, 103, 11), timed(104, 105, 12)):
            assert told(sync.on_delta(repeat)) == []
    assert sync.usable


def test_two_sockets_of_one_stream_prove_no_new_numbering() -> None:
    sync = live_at(SPOT, 100, timed(100, 101, 1))
    for at, (first, last) in enumerate([(102, 105), (104, 105), (106, 110), (106, 110)]):
        sync.on_delta(timed(first, last, 10 * at + 10), overlapping=True)
    assert sync.usable


def test_an_interruption_tells_its_gap_unless_one_is_open() -> None:
    sync = live_at(SPOT, 100, diff(100, 101))
    lost = Gap("p", "I.V", 200, 200, "book", "gone")
    assert told(sync.interrupt(lost)) == [("gap", None, None)]
    assert told(sync.interrupt(lost)) == []
    sync.on_delta(diff(300, 305))
    assert told(sync.on_snapshot(snapshot(299))) == [
        ("snapshot", 299),
        ("closed", None, None),
        ("delta", 305, 299),
    ]


def test_a_stream_that_stays_behind_its_snapshot_for_long_is_of_another_numbering() -> None:
    sync = live_at(SPOT, 9_000, timed(1, 3, 0))
    behind = MAX_BEHIND_NS // MS
    assert told(sync.on_delta(timed(4, 6, behind))) == []
    assert told(sync.on_delta(timed(7, 9, behind + 1))) == [("gap", None, None)]
    assert told(sync.on_snapshot(snapshot(8))) == [("snapshot", 8), ("closed", None, None), ("delta", 9, 8)]
