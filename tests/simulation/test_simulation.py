"""Many seeded schedules of crashes, pauses, moves and a bad network: the invariants of `truth.py` hold.

`FINANCEHUB_SIM_SEED=n pytest tests/simulation/test_simulation.py` runs one schedule and tells its story.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.world import World

SEED = os.environ.get("FINANCEHUB_SIM_SEED")
FEW = range(50)
MANY = range(1_000, 2_000)
PER_TEST = 100


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
def test_nothing_is_lost_doubled_or_shown_too_early_in_fifty_schedules() -> None:
    happened = totals(FEW)
    assert happened["events"] > 400 * len(FEW)
    assert happened["reads"] > 10 * len(FEW)
    assert happened["armed"] > 2 * len(FEW)
    for misfortune in ("resumes", "lost", "duplicated", "lives", "restored", "held", "unknown", "set"):
        assert happened[misfortune] > len(FEW) / 2, f"schedules hardly meet {misfortune}: {happened}"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(SEED is not None, reason="one schedule was asked for")
@pytest.mark.parametrize("first", MANY[::PER_TEST])
def test_nothing_is_lost_doubled_or_shown_too_early_in_a_thousand_schedules(first: int) -> None:
    totals(range(first, first + PER_TEST))


def test_a_seed_gives_the_same_schedule_each_time() -> None:
    assert World(7).run() == World(7).run()
