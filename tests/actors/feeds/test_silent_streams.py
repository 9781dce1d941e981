"""At every venue a kind of stream that is acknowledged and never comes is reported, whatever else comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.feeds.base import FeedSettings, Session
from actors.feeds.registry import load_adapter
from domain.clock import NS_PER_S
from tests.actors.feeds.coinbase import frames as coinbase
from tests.actors.feeds.coinbase.talk import match
from tests.actors.feeds.kraken import frames as kraken

NOW = 1_790_000_000 * NS_PER_S
LIMIT_S = 20.0
Frame = Callable[[int], str]


def coinbase_heartbeat() -> str:
    return coinbase.text({**coinbase.HEARTBEAT, "last_trade_id": 0})


FEEDS: dict[str, tuple[str, Frame, list[str]]] = {
    "coinbase": (
        f"{coinbase.MATCH['product_id']}.COINBASE",
        lambda number: coinbase.text(match(number)),
        [coinbase_heartbeat()],
    ),
    "kraken": ("BTC-USD.KRAKEN", lambda number: kraken.trade(number), ['{"channel":"heartbeat"}']),
}
"""Provider -> an instrument, its trades by number, and frames that are nobody's stream."""


def session_of(provider: str) -> Session:
    settings = FeedSettings(
        instruments=(FEEDS[provider][0],), channels=("trades", "quotes", "book"), silence_s=LIMIT_S
    )
    session = load_adapter(provider).session(settings)
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session


def silences(session: Session, second: float) -> list[tuple[str, bool]]:
    told = session.on_timer(NOW + int(second * NS_PER_S)).silences
    return sorted((each.channel, each.ended) for each in told)


@pytest.mark.parametrize("provider", sorted(FEEDS))
def test_books_and_quotes_that_never_come_are_reported_though_trades_go_on(provider: str) -> None:
    _, trade, others = FEEDS[provider]
    session = session_of(provider)
    told = []
    for second in range(1, 40):
        now = NOW + second * NS_PER_S
        session.take_frames(0, [(frame, now) for frame in (trade(second), *others)])
        told += silences(session, second)
    assert told == [("book", False), ("quotes", False)]


def coinbase_ticker() -> str:
    return coinbase.text({**coinbase.TICKER, "product_id": "BTC-USD"})


@pytest.mark.parametrize("instruments", [("BTC-USD.COINBASE",), ("BTC-USD.COINBASE", "AAA-USD.COINBASE")])
def test_quotes_that_come_with_trades_alone_are_not_called_silent_between_two(
    instruments: tuple[str, ...],
) -> None:
    settings = FeedSettings(instruments=instruments, channels=("trades", "quotes"))
    session = load_adapter("coinbase").session(settings)
    session.on_start(NOW)
    session.on_open(0, NOW)
    told = []
    for second in range(0, 900, 5):
        frames = [coinbase_heartbeat()]
        if second % 120 == 0:
            frames += [coinbase.text(match(1 + second // 120)), coinbase_ticker()]
        session.take_frames(0, [(frame, NOW + second * NS_PER_S) for frame in frames])
        told += silences(session, second)
    assert told == []


@pytest.mark.parametrize(("provider", "venue"), [("binance", "BINANCE_US"), ("kraken", "KRAKEN")])
def test_the_price_of_a_lone_pair_may_stand_still_for_minutes(provider: str, venue: str) -> None:
    def limit_s(*symbols: str) -> int | None:
        settings = FeedSettings(
            instruments=tuple(f"{each}.{venue}" for each in symbols), channels=("quotes",)
        )
        session = load_adapter(provider).session(settings)
        session.on_start(NOW)
        session.on_open(0, NOW)
        return next((second for second in range(0, 400, 10) if silences(session, second)), None)

    assert limit_s("BTC-USDT") == 310
    assert limit_s("BTC-USDT", "ETH-USDT") == 70


@pytest.mark.parametrize("provider", sorted(FEEDS))
def test_a_stream_that_speaks_again_is_reported_once(provider: str) -> None:
    _, trade, _ = FEEDS[provider]
    session = session_of(provider)
    assert ("trades", False) in silences(session, 21)
    session.on_frame(0, trade(1), NOW + 22 * NS_PER_S)
    assert silences(session, 23) == [("trades", True)]
    assert silences(session, 25) == []


@pytest.mark.parametrize("provider", sorted(FEEDS))
def test_nothing_is_expected_of_a_socket_that_is_lost(provider: str) -> None:
    session = session_of(provider)
    session.on_close(0, "gone", NOW + NS_PER_S)
    assert silences(session, 100) == []
