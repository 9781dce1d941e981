"""Other providers of the simulated instruments: beside, behind or stuck, and never the record."""

from __future__ import annotations

import asyncio

import pytest

from actors.feeds.base import FeedSettings
from actors.feeds.sim.market import Market
from actors.feeds.sim.source import SimSource
from actors.feeds.sim.views import View, parse_views
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Batch
from domain.errors import Malformed
from domain.market.observations import BookOrder, Ticker
from domain.partition import MarketPartition
from tests.actors.receiving_end import KeepingSink
from tests.venue_server import until

START = 1_700_000_000 * NS_PER_S
BTC = "BTC-USD.SIM"


def tickers(seconds: int, *specs: str) -> dict[str, list[Ticker]]:
    """provider -> its tickers of one instrument."""
    market = Market((BTC,), seed=7, start_ns=START, views=parse_views(specs, "sim"))
    told: dict[str, list[Ticker]] = {}
    for event in market.step(START + seconds * NS_PER_S):
        if isinstance(event, Ticker):
            told.setdefault(event.provider, []).append(event)
    return told


def test_a_view_says_the_same_in_its_own_name() -> None:
    told = tickers(10, "sim2")
    assert [(each.ts_event, each.last) for each in told["sim2"]] == [
        (each.ts_event, each.last) for each in told["sim"]
    ]
    assert len(told["sim2"]) == 10


def test_a_biased_view_is_so_many_percent_beside() -> None:
    told = tickers(10, "sim3:bias=0.5", "sim4:bias=-2")
    for own, above, below in zip(told["sim"], told["sim3"], told["sim4"], strict=True):
        assert above.last == pytest.approx(own.last * 1.005, abs=0.006)
        assert below.last == pytest.approx(own.last * 0.98, abs=0.006)
        assert above.high is not None and above.last <= above.high


def test_a_delayed_view_tells_what_was_so_long_ago() -> None:
    told = tickers(10, "late:delay=3")
    own, late = told["sim"], told["late"]
    assert [(each.ts_event, each.last) for each in late] == [(each.ts_event, each.last) for each in own[:-3]]
    assert [each.ts_recv for each in late] == [each.ts_recv for each in own[3:]]


def test_a_stale_view_repeats_itself() -> None:
    told = tickers(20, "stuck:stale=5")
    assert len({each.last for each in told["sim"]}) > 10
    stuck = told["stuck"]
    assert len(stuck) == 20
    assert {(each.ts_event, each.last) for each in stuck[5:]} == {(stuck[4].ts_event, stuck[4].last)}
    assert [each.ts_recv for each in stuck] == [each.ts_recv for each in told["sim"]]


def test_what_views_say_never_becomes_the_last_ticker() -> None:
    market = Market((BTC,), seed=7, start_ns=START, views=parse_views(["sim2:bias=5", "sim3"], "sim"))
    run = market.step(START + 5 * NS_PER_S)
    partition = MarketPartition("market/00")
    _, recorded = partition.observe(Batch("sim", 1, 1, START + 5 * NS_PER_S, tuple(run)))
    keeper = partition.keeper(BTC)
    assert keeper is not None
    own = [event for event in run if isinstance(event, Ticker) and event.provider == "sim"]
    assert keeper.last_ticker == own[-1]
    assert {event.provider for event in recorded if isinstance(event, Ticker)} == {"sim", "sim2", "sim3"}


def test_the_market_is_the_same_with_and_without_views() -> None:
    plain = Market((BTC,), seed=7, start_ns=START).step(START + 5 * NS_PER_S)
    viewed = Market((BTC,), seed=7, start_ns=START, views=[View("sim2")]).step(START + 5 * NS_PER_S)
    assert [event for event in viewed if event.provider == "sim"] == plain


@pytest.mark.parametrize(
    "specs",
    [
        ["Sim2"],
        [""],
        ["sim2:bias"],
        ["sim2:colour=1"],
        ["sim2:bias=1:bias=2"],
        ["sim2:bias=-100"],
        ["sim2:delay=-1"],
        ["sim2:delay=1e9"],
        ["sim2:stale=-5"],
        ["sim2", "sim2:bias=1"],
        ["sim"],
    ],
)
def test_a_view_that_makes_no_sense_is_refused(specs: list[str]) -> None:
    with pytest.raises(Malformed, match="view"):
        parse_views(specs, "sim")


def test_the_settings_ask_for_orders_and_views() -> None:
    settings = FeedSettings(
        instruments=(BTC,), channels=("trades", "orders"), views=("sim2", "sim3:stale=60"), speed=50.0
    )

    async def scenario() -> None:
        clock, sink = ManualClock(START), KeepingSink()
        source = SimSource(settings, clock)
        running = asyncio.create_task(source.run(sink))
        clock.advance(2 * NS_PER_S)
        await until(lambda: {"sim2", "sim3"} <= {each.provider for each in sink.observations})
        assert any(isinstance(each, BookOrder) for each in sink.observations)
        source.resync([BTC])
        clock.advance(NS_PER_S)
        await until(lambda: len(sink.gaps) == 2)
        assert [(gap.reason, gap.opened) for gap in sink.gaps] == [("keeper", True), ("snapshot", False)]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())
