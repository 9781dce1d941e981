"""Repeats by the venue's numbers: a high-water mark plus the missing ranges."""

from __future__ import annotations

import random

from domain.market.seen_ids import MAX_RANGES, SeenIds, Verdict

NEW, FILLS, REPEAT = Verdict.NEW, Verdict.FILLS, Verdict.REPEAT


def verdicts(seen: SeenIds, *ids: object) -> list[Verdict]:
    return [seen.admit(str(each)) for each in ids]


def test_the_next_number_is_new_and_any_seen_one_a_repeat():
    seen = SeenIds()
    assert verdicts(seen, 7, 8, 9) == [NEW, NEW, NEW]
    assert verdicts(seen, 8, 9, 7) == [REPEAT, REPEAT, REPEAT]


def test_a_number_from_a_missing_range_is_let_in_once():
    seen = SeenIds()
    assert verdicts(seen, 0, 5) == [NEW, NEW]
    assert seen.missing == ((1, 4),)
    assert verdicts(seen, 3, 3, 1, 4, 2, 2) == [FILLS, REPEAT, FILLS, FILLS, FILLS, REPEAT]
    assert seen.missing == ()
    assert verdicts(seen, 6) == [NEW]


def test_numbers_before_the_first_one_seen_are_missing_too():
    seen = SeenIds()
    assert verdicts(seen, 100, 98, 98, 0) == [NEW, FILLS, REPEAT, FILLS]
    assert seen.missing == ((1, 97), (99, 99))


def test_ids_that_are_no_numbers_are_never_judged():
    seen = SeenIds()
    assert verdicts(seen, "a1", "a1", "", "1.5", -3, -3, 10**30, 10**30) == [NEW] * 8
    assert verdicts(seen, 1, 1) == [NEW, REPEAT]


def test_the_lowest_range_is_forgotten_and_its_numbers_are_let_in():
    seen = SeenIds()
    first = 1000
    seen.admit(str(first))
    for outage in range(1, MAX_RANGES + 1):
        for offset in range(1, 10):
            seen.admit(str(first + 10 * outage + offset))
    assert len(seen.missing) == MAX_RANGES
    assert verdicts(seen, 5, 5) == [FILLS, FILLS], "forgotten: a trade lost is worse than one doubled"
    assert verdicts(seen, first + 15) == [REPEAT]
    assert verdicts(seen, first + 20, first + 20) == [FILLS, REPEAT]


def test_numbers_that_do_not_count_trades_are_no_longer_judged():
    seen = SeenIds()
    numbers = random.Random(3).sample(range(10**12), 500)
    verdicts(seen, *numbers)
    assert seen.missing == ()
    assert verdicts(seen, numbers[0], numbers[0]) == [NEW, NEW]


def test_the_memory_of_ids_is_exact_against_a_set():
    choose = random.Random(7)
    seen, model = SeenIds(), set()
    for _ in range(3000):
        number = choose.randrange(60)
        verdict = seen.admit(str(number))
        assert (verdict is REPEAT) == (number in model)
        model.add(number)


def test_a_state_put_down_is_taken_up_exactly():
    seen = SeenIds()
    verdicts(seen, 5, 9, 7)
    again = SeenIds.restored(seen.snapshot())
    assert again.snapshot() == seen.snapshot()
    assert verdicts(again, 7, 8, 10) == [REPEAT, FILLS, NEW]
