"""Numbers below the mark: repeats where they were seen, a new numbering where they are a run of their own."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MS, NS_PER_S
from domain.market.gaps import RENUMBERED as ANEW
from domain.market.renumbering import MAX_STEP
from domain.market.seen_ids import MAX_RANGES, SeenIds, SeenSeries, Verdict
from tests.builders import a_gap, a_trade, at
from tests.domain.folding import Folding

NEW, FILLS, REPEAT, RENUMBERED = Verdict.NEW, Verdict.FILLS, Verdict.REPEAT, Verdict.RENUMBERED


def verdicts(seen: SeenIds, *trades: tuple[int, float]) -> list[Verdict]:
    """Of (id, seconds)."""
    return [seen.admit(str(number), at(second)) for number, second in trades]


def counted_to(mark: int, second: float = 10.0) -> SeenIds:
    """Ids 0 to `mark` seen, the last one at `second`."""
    seen = SeenIds()
    for number in range(mark + 1):
        seen.admit(str(number), at(second) - (mark - number) * NS_PER_MS)
    return seen


def test_small_ids_of_later_trades_that_continue_each_other_are_a_new_numbering():
    seen = counted_to(50)
    assert verdicts(seen, (0, 11), (1, 12), (2, 13), (3, 14)) == [FILLS, RENUMBERED, NEW, NEW]
    assert verdicts(seen, (3, 14), (1, 12)) == [REPEAT, REPEAT]
    assert verdicts(seen, (51, 20)) == [NEW]
    assert seen.missing == ((4, 50),)


def test_the_same_where_the_small_ids_had_never_been_seen():
    seen = SeenIds()
    assert verdicts(seen, (50_000, 1), (50_001, 2)) == [NEW, NEW]
    assert verdicts(seen, (0, 600), (1, 601), (2, 602)) == [FILLS, RENUMBERED, NEW]
    assert seen.missing == ()


def test_a_new_numbering_may_begin_anywhere_below_the_mark_and_leave_numbers_out():
    seen = counted_to(500)
    assert verdicts(seen, (100, 11), (103, 12), (104, 13)) == [FILLS, RENUMBERED, NEW]
    assert seen.missing == ((0, 99), (101, 102))
    assert verdicts(seen, (99, 14)) == [FILLS], "later than all others: perhaps the next numbering"
    assert verdicts(seen, (102, 11.5)) == [FILLS]
    assert verdicts(seen, (102, 11.5)) == [REPEAT]


def test_what_was_seen_is_a_repeat_however_often_and_in_whatever_order_it_comes():
    seen = counted_to(50)
    page = [(number, 10 - (50 - number) / 1000) for number in range(51)]
    assert verdicts(seen, *page, *reversed(page)) == [REPEAT] * 102


def test_another_precision_of_a_time_is_no_later_time():
    seen = counted_to(50)
    assert seen.admit("50", at(10) + NS_PER_MS - 1) is REPEAT
    assert seen.admit("49", at(10) + 2 * NS_PER_MS) is REPEAT


def test_a_single_odd_trade_is_no_new_numbering():
    seen = counted_to(50)
    assert verdicts(seen, (7, 11), (51, 12), (8, 13), (52, 14)) == [FILLS, NEW, FILLS, NEW]
    assert seen.missing == ()


def test_two_odd_trades_that_do_not_continue_each_other_are_no_new_numbering():
    seen = counted_to(500)
    assert verdicts(seen, (7, 11), (7 + MAX_STEP + 1, 12), (3, 13)) == [FILLS, FILLS, FILLS]
    assert verdicts(seen, (501, 14)) == [NEW]


def test_trades_that_were_overtaken_fill_their_holes_though_they_are_stamped_later():
    seen = SeenIds()
    assert verdicts(seen, (5_000, 10), (5_005, 10.001)) == [NEW, NEW]
    assert verdicts(seen, (5_001, 10.006), (5_002, 10.007), (5_006, 10.008)) == [FILLS, FILLS, NEW]
    assert seen.missing == ((0, 4_999), (5_003, 5_004))
    assert verdicts(seen, (5_003, 30), (5_004, 31)) == [FILLS, RENUMBERED], (
        "nothing was overtaken for so long"
    )


def test_a_suspect_that_comes_twice_is_let_in_once():
    seen = counted_to(50)
    before = seen.admit("7", at(11)), seen.snapshot()
    assert (seen.admit("7", at(11)), seen.snapshot()) == (REPEAT, before[1])


def test_trades_of_the_old_numbering_no_longer_move_the_marks():
    seen = counted_to(50)
    verdicts(seen, (0, 11), (1, 12))
    assert verdicts(seen, (50, 10), (30, 9)) == [FILLS, FILLS]
    assert verdicts(seen, (2, 13)) == [NEW]


def test_a_feed_that_knows_of_a_new_numbering_makes_the_first_of_it_new():
    seen = SeenSeries()
    for number in range(5):
        seen.admit("a", str(number), at(number))
        seen.admit("b", str(number), at(number))
    seen.begin_anew("a")
    seen.begin_anew("nobody")
    assert seen.admit("a", "0", at(20)) is NEW
    assert seen.admit("a", "1", at(21)) is NEW
    assert seen.admit("b", "0", at(0)) is REPEAT


def test_a_numbering_may_begin_anew_more_than_once():
    seen = counted_to(50)
    verdicts(seen, (0, 11), (1, 12), (2, 13))
    assert verdicts(seen, (0, 21), (1, 22), (2, 23)) == [FILLS, RENUMBERED, NEW]


def test_trades_without_a_time_prove_nothing():
    seen = counted_to(50)
    assert [seen.admit(str(number)) for number in (0, 1, 2)] == [REPEAT] * 3


trades = st.tuples(
    st.integers(0, 12) | st.integers(0, 3 * MAX_STEP), st.integers(0, 40).map(lambda tick: tick * NS_PER_MS)
)
steps = st.lists(trades | st.just("anew"), max_size=80)


def step(seen: SeenIds, each: tuple[int, int] | str) -> Verdict | None:
    if isinstance(each, str):
        seen.begin_anew()
        return None
    return seen.admit(str(each[0]), each[1] and each[1] + NS_PER_S)


@settings(max_examples=200, deadline=None)
@given(before=steps, after=steps)
def test_a_state_taken_up_goes_on_as_the_one_put_down(before, after):
    seen = SeenIds()
    for each in before:
        step(seen, each)
    again = SeenIds.restored(seen.snapshot())
    assert [step(again, each) for each in after] == [step(seen, each) for each in after]
    assert again.snapshot() == seen.snapshot()


@settings(max_examples=200, deadline=None)
@given(steps)
def test_a_repeat_changes_nothing_and_the_state_stays_bounded(seen_so_far):
    seen = SeenIds()
    for each in seen_so_far:
        before = seen.snapshot()
        if step(seen, each) is REPEAT:
            assert seen.snapshot() == before
        assert len(seen.missing) <= MAX_RANGES


@settings(max_examples=100, deadline=None)
@given(mark=st.integers(1, 400), first=st.integers(0, 400), length=st.integers(2, 30))
def test_of_a_new_numbering_nothing_is_dropped_and_all_but_its_first_is_new(mark, first, length):
    first = min(first, mark - 1)
    seen = counted_to(mark)
    run = verdicts(seen, *((first + index, 11 + index) for index in range(length)))
    assert run == [FILLS, RENUMBERED] + [NEW] * (length - 2)


def told(folding: Folding) -> tuple[float, int]:
    """Last price, and trades of the bar that forms."""
    assert folding.keeper.last_trade is not None
    return folding.keeper.last_trade.price, folding.keeper.builders["1m"].forming()[-1].trades


def replayed(folding: Folding) -> bytes:
    again = Folding()
    for admitted, events in folding.log:
        again.partition.apply(admitted, events)
    return again.partition.state_hash()


def test_the_trades_of_a_new_numbering_count_though_the_feed_tells_nothing():
    folding = Folding()
    folding.fold(*(a_trade(10, ts=at(second), trade_id=50 + second) for second in range(3)), clock=at(3))
    folding.fold(
        *(a_trade(11 + second, ts=at(5 + second), trade_id=second) for second in range(3)), clock=at(9)
    )
    assert told(folding) == (13.0, 6)
    assert replayed(folding) == folding.partition.state_hash()


def test_a_gap_that_tells_of_a_new_numbering_makes_its_first_trade_the_last_one():
    folding = Folding()
    folding.fold(*(a_trade(10, ts=at(second), trade_id=second) for second in range(3)), clock=at(3))
    anew = a_gap("trades", reason=ANEW, ts=at(5))
    folding.fold(anew, a_trade(11, ts=at(5), trade_id=0), clock=at(6))
    assert told(folding) == (11.0, 4)
    assert replayed(folding) == folding.partition.state_hash()


def test_the_bars_over_a_new_numbering_are_tainted():
    folding = Folding()
    folding.fold(a_trade(10, ts=at(0), trade_id=50), a_trade(10, ts=at(1), trade_id=51), clock=at(1))
    folding.fold(a_trade(11, ts=at(70), trade_id=0), a_trade(12, ts=at(71), trade_id=1), clock=at(71))
    assert folding.keeper.builders["1m"].forming()[-1].tainted
