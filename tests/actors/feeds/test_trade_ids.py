"""Dense trade ids: gaps open once, fill up in any order, close once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.trade_ids import MAX_RANGES, TradeIds


def test_the_first_id_is_no_gap() -> None:
    ids = TradeIds()
    assert ids.gap_before(500) is None
    assert ids.take(500)
    assert ids.high == 500
    assert ids.open_gaps() == []


def test_a_hole_is_a_gap_until_all_of_it_has_come() -> None:
    ids = TradeIds()
    ids.take(10)
    assert ids.gap_before(14) == (11, 13)
    assert ids.take(14)
    assert ids.take(12)
    assert ids.closed_gaps() == []
    assert ids.still_missing((11, 13))
    assert ids.take(11)
    assert ids.take(13)
    assert ids.closed_gaps() == [(11, 13)]
    assert ids.closed_gaps() == []


def test_a_repeat_is_not_new() -> None:
    ids = TradeIds()
    assert ids.take(10)
    assert not ids.take(10)
    assert not ids.take(9)
    assert ids.take(11)


def test_a_revealed_id_is_itself_missing() -> None:
    ids = TradeIds()
    ids.take(10)
    assert ids.reveal(12) == (11, 12)
    assert ids.is_missing(12)
    assert ids.take(12)
    assert ids.take(11)
    assert ids.closed_gaps() == [(11, 12)]
    assert ids.reveal(12) is None


def test_revealing_before_the_first_trade_only_sets_the_mark() -> None:
    ids = TradeIds()
    assert ids.reveal(20) is None
    assert ids.gap_before(22) == (21, 21)


def test_memory_is_bounded_and_what_is_forgotten_never_closes() -> None:
    ids = TradeIds()
    ids.take(0)
    for trade_id in range(2, 2 * MAX_RANGES + 10, 2):
        ids.take(trade_id)
    assert len(ids.open_gaps()) == MAX_RANGES
    assert not ids.take(1)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80))
@settings(max_examples=100)
def test_every_id_from_the_first_on_is_taken_exactly_once(sequence: list[int]) -> None:
    ids = TradeIds()
    taken = [each for each in sequence if ids.take(each)]
    expected = {each for each in sequence if each >= sequence[0]}
    assert sorted(taken) == sorted(expected)
    missing = {each for each in range(sequence[0], (ids.high or 0) + 1) if ids.is_missing(each)}
    assert missing == set(range(sequence[0], (ids.high or 0) + 1)) - expected
