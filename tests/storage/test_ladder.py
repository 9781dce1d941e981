"""Which snapshots stay."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ladder import DAILY_FOR_NS, DAY_NS, HOUR_NS, HOURLY_FOR_NS, NEWEST_KEPT, thin
from tests.builders import T0

TIMES = st.lists(st.integers(0, 40 * 24 * 60), max_size=60).map(
    lambda ages: sorted(T0 - minutes * HOUR_NS // 60 for minutes in ages)
)


def kept(times: list[int], now: int) -> list[int]:
    dropped = set(thin(times, now))
    return [time for index, time in enumerate(times) if index not in dropped]


@settings(max_examples=100, deadline=None)
@given(TIMES)
def test_the_newest_always_stay(times: list[int]) -> None:
    assert kept(times, T0)[-NEWEST_KEPT:] == times[-NEWEST_KEPT:]


@settings(max_examples=100, deadline=None)
@given(TIMES)
def test_every_hour_of_the_last_day_and_every_day_of_the_last_month_keeps_one(times: list[int]) -> None:
    remaining = kept(times, T0)
    for window, step in ((HOURLY_FOR_NS, HOUR_NS), (DAILY_FOR_NS, DAY_NS)):
        had = {time // step for time in times if T0 - time < window}
        assert had <= {time // step for time in remaining}


@settings(max_examples=100, deadline=None)
@given(TIMES)
def test_the_ladder_is_short_and_thinning_twice_changes_nothing(times: list[int]) -> None:
    remaining = kept(times, T0)
    assert len(remaining) <= NEWEST_KEPT + 25 + 32
    assert kept(remaining, T0) == remaining


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=80))
def test_thinning_as_time_goes_keeps_what_thinning_at_the_end_would(gaps_min: list[int]) -> None:
    now, ladder, times = T0, [], []
    for gap in gaps_min:
        now += gap * HOUR_NS // 60
        times.append(now)
        ladder = kept([*ladder, now], now)
    assert ladder == kept(times, now)
