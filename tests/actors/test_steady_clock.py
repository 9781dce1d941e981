"""A feed's clock under a machine whose clock is set."""

from __future__ import annotations

import pytest

from actors.steady_clock import STEP_NS, ClockSet, SteadyClock
from domain.clock import NS_PER_MS, NS_PER_S, ManualClock

START = 1_700_000_000 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S


class Machine:
    """Wall and monotonic time in the test's hand."""

    def __init__(self) -> None:
        self.wall = ManualClock(START)
        self.up = ManualClock(77)
        self.clock = SteadyClock(self.wall, self.up.now_ns)

    def run(self, by_ns: int, *, wall_ns: int | None = None) -> int:
        """Time passes; wall time by another amount where given."""
        self.up.advance(by_ns)
        self.wall.advance(by_ns if wall_ns is None else wall_ns)
        return self.clock.now_ns()


def test_an_undisturbed_clock_is_wall_time_however_rarely_it_is_read() -> None:
    machine = Machine()
    for by_ns in (1, NS_PER_MS, NS_PER_S, 60 * NS_PER_S, DAY_NS):
        assert machine.run(by_ns) == machine.wall.now_ns()
    machine.clock.require()


def test_a_clock_that_is_corrected_slowly_is_followed() -> None:
    machine = Machine()
    for _ in range(2_000):
        machine.run(NS_PER_S, wall_ns=NS_PER_S + NS_PER_S // 100)
    assert machine.clock.now_ns() == machine.wall.now_ns()
    machine.clock.require()


def test_a_small_step_back_is_held_until_wall_time_has_caught_up() -> None:
    machine = Machine()
    assert machine.run(NS_PER_S, wall_ns=-3 * NS_PER_S) == START
    assert machine.run(2 * NS_PER_S) == START
    assert machine.run(2 * NS_PER_S) == START + NS_PER_S
    machine.clock.require()


@pytest.mark.parametrize(("step_ns", "told"), [(2 * DAY_NS, "172800.0 s ahead"), (-DAY_NS, "86400.0 s back")])
def test_a_clock_that_was_set_stands_still_and_says_so(step_ns: int, told: str) -> None:
    machine = Machine()
    before = machine.run(NS_PER_S)
    assert machine.run(NS_PER_S, wall_ns=NS_PER_S + step_ns) == before
    with pytest.raises(ClockSet, match=told):
        machine.clock.require()
    assert machine.run(NS_PER_S, wall_ns=NS_PER_S - step_ns) == before, "what came between is not known"
    with pytest.raises(ClockSet):
        machine.clock.require()


def test_a_machine_that_slept_was_set_ahead() -> None:
    """The monotonic clock of Linux stops in a suspended machine."""
    machine = Machine()
    machine.run(50 * NS_PER_MS, wall_ns=8 * 3_600 * NS_PER_S)
    with pytest.raises(ClockSet, match="ahead"):
        machine.clock.require()


def test_a_process_that_was_held_up_was_not_set() -> None:
    machine = Machine()
    assert machine.run(90 * NS_PER_S) == machine.wall.now_ns()
    machine.clock.require()


def test_many_small_steps_back_make_a_large_one() -> None:
    machine = Machine()
    for _ in range(4):
        machine.run(NS_PER_MS, wall_ns=-STEP_NS // 3)
    with pytest.raises(ClockSet, match="back"):
        machine.clock.require()
