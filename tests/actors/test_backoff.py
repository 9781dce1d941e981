"""Delays between attempts."""

from __future__ import annotations

from actors.backoff import Backoff


def test_delays_stay_under_a_doubling_ceiling_and_its_cap() -> None:
    backoff = Backoff(0.1, 2.0, seed=1)
    ceilings = []
    for _ in range(200):
        ceilings.append(backoff.ceiling_s())
        assert 0.0 <= backoff.next_s() <= ceilings[-1]
    assert ceilings[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert set(ceilings[5:]) == {2.0}


def test_jitter_spreads_callers_and_a_seed_repeats_them() -> None:
    first, again, other = (Backoff(1.0, 60.0, seed) for seed in ("a", "a", "b"))
    delays = [first.next_s() for _ in range(8)]
    assert delays == [again.next_s() for _ in range(8)]
    assert delays != [other.next_s() for _ in range(8)]


def test_reset_begins_again_at_the_base() -> None:
    backoff = Backoff(0.5, 8.0, seed=3)
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.ceiling_s() == 0.5
