"""A node that falls silent without ending, as when its network is cut, is noticed within seconds."""

from __future__ import annotations

import pytest

from tests.scenarios.cluster import TwoNodes, health_checks

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

NOTICED_WITHIN_S = 25.0
"""Ray's pause of 5 s before a new node's first check, then five checks, each a second after the last and
waiting a second, are 15 s; the rest is a busy machine's. With Ray's own time-out it takes a minute."""


def test_the_head_asks_every_second_and_waits_a_second_for_the_answer() -> None:
    assert health_checks() == {
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "1000",
    }


def test_a_silent_node_is_taken_for_dead_within_seconds() -> None:
    with TwoNodes() as cluster:
        seconds = cluster.silence_second_node()
    assert seconds is not None and seconds <= NOTICED_WITHIN_S
