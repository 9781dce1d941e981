"""What is known of an instrument's splits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_S
from domain.market.observations import SplitAnnounced
from domain.market.splits import MAX_ANNOUNCED, KnownSplits, Split, factor, shares_of

HOUR = 3600 * NS_PER_S
DAY = 24 * HOUR


def told(effective: int, to: float = 4.0, since: float = 1.0, provider: str = "polygon") -> SplitAnnounced:
    return SplitAnnounced(
        provider=provider,
        instrument="AAPL.XNAS",
        ts_event=0,
        ts_recv=0,
        effective=effective,
        split_from=since,
        split_to=to,
    )


def known(*announced: SplitAnnounced) -> KnownSplits:
    splits = KnownSplits()
    for each in announced:
        splits.fold(each)
    return splits


def test_one_that_two_providers_tell_within_a_day_is_one() -> None:
    assert known(told(5 * DAY), told(5 * DAY + 14 * HOUR, provider="yahoo")).known() == (Split(5 * DAY, 4.0),)


def test_a_provider_corrects_its_own_word_and_withdraws_it_with_one_to_one() -> None:
    splits = known(told(5 * DAY), told(5 * DAY, 5.0))
    assert splits.known() == (Split(5 * DAY, 5.0),)
    splits.fold(told(5 * DAY, 1.0))
    assert splits.known() == ()


def test_it_is_in_force_once_a_bar_reaches_past_it() -> None:
    splits = known(told(5 * DAY))
    assert not splits.pass_bar(5 * DAY)
    assert splits.in_force == ()
    assert splits.pass_bar(5 * DAY + 1)
    assert splits.in_force == (Split(5 * DAY, 4.0),)
    assert splits.precedes(5 * DAY)
    assert not splits.precedes(5 * DAY + 1)


@pytest.mark.parametrize(("to", "since"), [(float("nan"), 1.0), (4.0, 0.0), (1e9, 1.0), (-4.0, 1.0)])
def test_what_is_no_ratio_is_passed_over(to: float, since: float) -> None:
    assert known(told(DAY, to, since)).known() == ()


def test_beyond_the_bound_the_earliest_goes() -> None:
    splits = known(*(told(2 * DAY * number) for number in range(1, MAX_ANNOUNCED + 2)))
    assert [each.effective for each in splits.known()][:1] == [4 * DAY]
    assert len(splits) == MAX_ANNOUNCED


def test_a_bar_its_provider_adjusted_is_in_the_shares_of_when_it_came() -> None:
    splits = [Split(5 * DAY, 4.0)]
    assert factor(shares_of(3 * DAY, DAY, 6 * DAY, adjusted=False), splits) == 4.0
    assert factor(shares_of(3 * DAY, DAY, 6 * DAY, adjusted=True), splits) == 1.0
    assert factor(shares_of(3 * DAY, DAY, 4 * DAY, adjusted=True), splits) == 4.0


STEPS = st.lists(
    st.one_of(
        st.integers(1, 20 * DAY),
        st.builds(
            told, st.integers(1, 20 * DAY), st.sampled_from([0.1, 1.0, 2.0, 4.0]), st.just(1.0),
            st.sampled_from(["polygon", "yahoo"]),
        ),
    ),
    max_size=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 20))
def test_a_snapshot_and_the_tail_equal_the_whole(steps: list[int | SplitAnnounced], cut: int) -> None:
    whole = KnownSplits()
    for place, step in enumerate(steps):
        if place == cut:
            resumed = KnownSplits(whole.snapshot())
            assert resumed.in_force == whole.in_force
            tail = [play(resumed, each) for each in steps[cut:]]
            assert tail == [play(whole, each) for each in steps[cut:]]
            assert resumed.snapshot() == whole.snapshot()
            return
        play(whole, step)


def play(splits: KnownSplits, step: int | SplitAnnounced) -> tuple[bool, tuple[Split, ...]]:
    changed = splits.pass_bar(step) if isinstance(step, int) else splits.fold(step)
    return changed, splits.in_force


def test_a_clock_that_was_ahead_puts_no_split_in_force() -> None:
    splits = known(told(1_000))
    assert splits.pass_bar(2_000) and splits.in_force
    assert splits.set_back(500) and not splits.in_force
    assert not splits.set_back(500)
    assert splits.pass_bar(1_001) and splits.in_force
