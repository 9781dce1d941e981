"""Errors of the simulator are its own: the other providers go on seeing the market."""

from __future__ import annotations

import pytest

from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import Market
from actors.feeds.sim.views import parse_views
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.market.observations import SplitAnnounced, Ticker

START = 1_700_000_000 * NS_PER_S
BTC = "BTC-USD.SIM"


def lasts(incident: str) -> dict[str, list[float]]:
    """provider -> last prices of the seconds 20 to 40, the incident begins at 20."""
    market = Market(
        (BTC,),
        seed=7,
        start_ns=START,
        incidents=[parse_incident(f"{incident}:{BTC}@20+20", START)],
        views=parse_views(["other"], "sim"),
    )
    told: dict[str, list[float]] = {"sim": [], "other": []}
    for event in market.step(START + 40 * NS_PER_S):
        if isinstance(event, Ticker) and 20 < (event.ts_event - START) / NS_PER_S < 40:
            told[event.provider].append(event.last)
    return told


def test_a_split_that_was_not_adjusted_for_is_not_seen_elsewhere() -> None:
    told = lasts("split")
    assert len(told["sim"]) == len(told["other"]) > 15
    for own, other in zip(told["sim"], told["other"], strict=True):
        assert own == pytest.approx(other / 4, abs=0.01)


def test_while_the_feed_is_frozen_the_others_see_prices_move() -> None:
    told = lasts("frozen_feed")
    assert told["sim"] == []
    assert len(told["other"]) > 15 and len(set(told["other"])) > 10


def test_a_halt_is_one_everywhere() -> None:
    assert lasts("halt")["other"] == []


def test_an_announced_split_is_seen_everywhere_from_the_minute_that_was_told() -> None:
    incident = parse_incident(f"announced_split:{BTC}@20", START)
    market = Market((BTC,), seed=7, start_ns=START, incidents=[incident], views=parse_views(["other"], "sim"))
    told = [each for each in market.describe() if isinstance(each, SplitAnnounced)]
    assert [(each.instrument, each.effective, each.split_to / each.split_from) for each in told] == [
        (BTC, incident.start, 4.0)
    ]
    assert incident.start % NS_PER_MIN == 0 and incident.truth == "market_event"
    lasts = {"sim": [0.0, 0.0], "other": [0.0, 0.0]}
    for event in market.step(incident.start + 10 * NS_PER_S):
        if isinstance(event, Ticker):
            lasts[event.provider][event.ts_event >= incident.start] = event.last
    for before, after in lasts.values():
        assert after / before == pytest.approx(0.25, abs=0.01)
