"""Many seeded schedules of crashes, pauses, moves and a bad network: the invariants of `truth.py` hold.

`FINANCEHUB_SIM_SEED=n pytest tests/simulation/test_simulation.py` runs one schedule and tells its story.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.world import World

SEED = os.environ.get("FINANCEHUB_SIM_SEED")
SEEDS = range(100)
PER_TEST = 20
"""`make soak` runs a thousand: `tests.soak.simulation`."""


MISFORTUNES = (
    *("resumes", "lost", "duplicated", "lives", "restored", "held", "unknown", "set", "restarts", "tainted"),
    *("let_go", "of_anomaly_found", "of_pattern_found", "of_source_changed", "of_bar_corrected"),
    "of_book_broken",
)


def survive(seed: int) -> dict[str, int]:
    """Run one schedule; a failure names its seed and says what happened to whom."""
    world = World(seed)
    try:
        return world.run()
    except BaseException as error:
        story = "\n".join(world.story)
        raise AssertionError(
            f"FINANCEHUB_SIM_SEED={seed}: {error} at {world.loop.time():.3f} s\n{story}"
        ) from error


def totals(seeds: range) -> dict[str, int]:
    counts = [survive(seed) for seed in seeds]
    return {name: sum(count[name] for count in counts) for name in counts[0]}


if SEED is not None:  # defined only where asked for: a skipped test would count against the bound in CI

    def test_the_schedule_of_the_given_seed() -> None:
        print(survive(int(SEED)))


@pytest.mark.skipif(SEED is not None, reason="one schedule was asked for")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", SEEDS[::PER_TEST])
def test_nothing_is_lost_doubled_or_shown_too_early_in_a_hundred_schedules(first: int) -> None:
    happened = totals(range(first, first + PER_TEST))
    assert happened["events"] > 2_000 * PER_TEST
    assert happened["reads"] > 10 * PER_TEST
    assert happened["armed"] > 2 * PER_TEST
    for misfortune in MISFORTUNES:
        assert happened[misfortune] > PER_TEST / 4, f"schedules hardly meet {misfortune}: {happened}"


def test_a_seed_gives_the_same_schedule_each_time() -> None:
    assert World(7).run() == World(7).run()
