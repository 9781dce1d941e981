"""Two healthy providers of an instrument that says little: the one of record is kept, a dead one is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.market.decisions import BookBroken, SourceChanged
from domain.market.gaps import CLOCK_SET_BACK
from domain.market.observations import Observation
from domain.market.sources import MOST_PATIENCE_NS, SOURCE_SILENCE_NS
from domain.partition import MarketPartition
from tests.builders import PROVIDER, T0, a_delta, a_gap, a_quote, a_snapshot, a_ticker, a_trade
from tests.domain.folding import Folding

OTHER = "other"
SILENCE_S = SOURCE_SILENCE_NS // 10**9
DAY_S = 86_400

Kind = Callable[[int, str], Observation]


def at(seconds: int) -> int:
    return T0 + seconds * 10**9


def trade(second: int, provider: str) -> Observation:
    return a_trade(ts=at(second), trade_id=second, provider=provider)


def quote(second: int, provider: str) -> Observation:
    return a_quote(ts=at(second), provider=provider)


def ticker(second: int, provider: str) -> Observation:
    return a_ticker(ts=at(second), provider=provider)


def book(second: int, provider: str) -> Observation:
    """A snapshot to begin with, then changes."""
    if second < 2:
        return a_snapshot(ts=at(second), provider=provider)
    return a_delta(((98.0, 1.0 + second % 7),), ts=at(second), provider=provider)


KINDS = pytest.mark.parametrize("kind", [trade, quote, ticker, book], ids=lambda kind: kind.__name__)


def told(folding: Folding, kind: Kind, second: int, provider: str) -> list[str]:
    """Providers that became the source with this; their book comes when it is asked for."""
    events = folding.fold(kind(second, provider), clock=at(second))
    if any(isinstance(event, BookBroken) for event in events):
        folding.fold(a_snapshot(ts=at(second), provider=provider), clock=at(second))
    return [event.provider for event in events if isinstance(event, SourceChanged)]


def begun(kind: Kind) -> Folding:
    folding = Folding()
    folding.fold(kind(0, PROVIDER), clock=T0)
    return folding


@KINDS
@pytest.mark.parametrize("every_s", [61, 100, 600, 1_700])
def test_quiet_providers_that_take_turns_do_not_take_the_record_in_turns(kind: Kind, every_s: int) -> None:
    folding = begun(kind)
    changes: list[int] = []
    for turn, second in enumerate(range(every_s, DAY_S, every_s), start=1):
        if told(folding, kind, second, (PROVIDER, OTHER)[turn % 2]):
            changes.append(second)
    assert len(changes) <= 6, changes
    assert not [second for second in changes if second > DAY_S // 4], "it settles"
    assert folding.replayed().snapshot() == folding.partition.snapshot()


@KINDS
def test_a_quiet_market_that_both_hear_at_once_has_one_source(kind: Kind) -> None:
    """Whoever is a little earlier after a silence must not become the source each time."""
    folding = begun(kind)
    changes = 0
    for turn, second in enumerate(range(100, DAY_S, 100)):
        first, then = ((PROVIDER, OTHER), (OTHER, PROVIDER))[turn % 2]
        changes += len(told(folding, kind, second, first)) + len(told(folding, kind, second, then))
    assert changes <= 2


@KINDS
def test_a_source_that_dies_gives_way_as_soon_as_documented(kind: Kind) -> None:
    folding = begun(kind)
    for second in range(1, 100):
        assert told(folding, kind, second, PROVIDER) == told(folding, kind, second, OTHER) == []
    assert told(folding, kind, 98 + SILENCE_S, OTHER) == []
    assert told(folding, kind, 99 + SILENCE_S, OTHER) == [OTHER]


@KINDS
@pytest.mark.parametrize("reason", ["connection lost", CLOCK_SET_BACK])
def test_patience_that_was_learnt_ends_with_a_lost_connection(kind: Kind, reason: str) -> None:
    folding = begun(kind)
    second = 0
    for turn in range(1, 200):
        second = turn * 200
        told(folding, kind, second, (PROVIDER, OTHER)[turn % 2])
    source = folding.recorded(SourceChanged)[-1].provider
    other = PROVIDER if source == OTHER else OTHER
    told(folding, kind, second + 1, source)
    assert told(folding, kind, second + 1 + 2 * SILENCE_S, other) == [], "it may be quiet for longer"
    gap = a_gap("feed", ts=at(second + 130), provider=source, reason=reason)
    folding.fold(gap, clock=at(second + 130))
    assert told(folding, kind, second + 1 + 2 * SILENCE_S, other) == [other]
    assert folding.replayed().snapshot() == folding.partition.snapshot()


@KINDS
def test_the_gap_of_another_provider_shortens_no_patience(kind: Kind) -> None:
    folding = begun(kind)
    told(folding, kind, SILENCE_S, OTHER)
    folding.fold(a_gap("feed", ts=at(70), provider=PROVIDER), clock=at(70))
    assert told(folding, kind, 2 * SILENCE_S, PROVIDER) == []
    assert told(folding, kind, 3 * SILENCE_S, PROVIDER) == [PROVIDER]


@KINDS
def test_patience_has_an_end(kind: Kind) -> None:
    folding = begun(kind)
    second = 0
    for turn in range(1, 20):
        second += MOST_PATIENCE_NS // 10**9
        assert told(folding, kind, second, (PROVIDER, OTHER)[turn % 2])


@KINDS
def test_patience_outlives_a_restart(kind: Kind) -> None:
    folding = begun(kind)
    told(folding, kind, SILENCE_S, OTHER)
    restored = MarketPartition.restore(folding.partition.snapshot())
    keeper = restored.keeper(folding.keeper.instrument)
    assert keeper is not None
    for second in (2 * SILENCE_S, 3 * SILENCE_S):
        decisions = keeper.observe(kind(second, PROVIDER), at(second)) or ()
        changed = [type(each) for each in decisions if isinstance(each, SourceChanged)]
        assert changed == ([] if second == 2 * SILENCE_S else [SourceChanged])


def test_a_book_is_not_broken_by_turns() -> None:
    folding = begun(book)
    for turn, second in enumerate(range(61, DAY_S, 61), start=1):
        told(folding, book, second, (PROVIDER, OTHER)[turn % 2])
    assert len(folding.recorded(BookBroken)) <= 6
