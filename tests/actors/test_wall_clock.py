"""The clock of an actor's process: steady, but not for ever after it was ahead."""

from __future__ import annotations

from actors.runtime import WallClock
from domain.clock import NS_PER_S


def test_small_steps_back_stand_still_and_a_clock_that_was_set_right_is_believed() -> None:
    wall = iter([100, 103, 99, 101, 104, 200_000, 105, 104, 106])
    clock = WallClock(lambda: next(wall) * NS_PER_S)
    assert [clock.now_ns() // NS_PER_S for _ in range(9)] == [100, 103, 103, 103, 104, 200_000, 105, 105, 106]
