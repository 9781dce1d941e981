"""Which socket carries what: routes of the USD-M streams, and what the loss of one socket interrupts."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import Effects, FeedSettings
from actors.feeds.binance import adapter
from actors.feeds.binance.links import read_routes
from actors.feeds.binance.session import BinanceSession
from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.observations import Gap
from tests.actors.feeds.binance.frames import (
    NOW,
    agg_trade,
    book_ticker,
    combined,
    depth_frame,
    kline,
    snapshot_body,
    trade_frame,
)

SOL = "SOLUSDT.BINANCE_USDM"
USDM = "wss://fstream.binance.com"
ALL = ("trades", "quotes", "book", "bars", "ticker")
FAPI_DEPTH = "https://fapi.binance.com/fapi/v1/depth?symbol=SOLUSDT&limit=1000"
PUBLIC_CONN, MARKET_CONN = 0, 1


def session_of(**changes: Any) -> BinanceSession:
    settings = {"instruments": (SOL,), "channels": ("book", "quotes", "trades"), "backfill_bars": 0}
    return adapter().session(FeedSettings(**(settings | changes)))


def streams_of(session: BinanceSession) -> dict[str, list[str]]:
    """url -> what is subscribed there."""
    found = {}
    for endpoint in session.endpoints():
        sends = session.on_open(endpoint.connection, NOW).sends
        found[endpoint.url] = [frame for _, frame in sends]
    return found


def test_books_and_best_prices_of_usdm_come_over_one_route_and_the_rest_over_another() -> None:
    found = streams_of(session_of(channels=ALL))
    assert list(found) == [f"{USDM}/market/stream", f"{USDM}/public/stream"]
    assert '["solusdt@aggTrade","solusdt@kline_1m","solusdt@ticker"]' in found[f"{USDM}/market/stream"][0]
    assert '["solusdt@bookTicker","solusdt@depth@100ms"]' in found[f"{USDM}/public/stream"][0]


def test_a_socket_counts_as_dead_by_the_busiest_of_what_it_carries() -> None:
    def silence_s(*channels: str) -> list[float]:
        return [each.silence_s for each in session_of(channels=channels).endpoints()]

    assert silence_s("trades", "book") == [600.0, 60.0]
    assert silence_s("trades", "bars") == [180.0]
    assert silence_s("trades", "bars", "ticker", "quotes") == [60.0, 60.0]


@pytest.mark.parametrize(
    ("instrument", "url"),
    [
        ("BTC-USDT.BINANCE", "wss://stream.binance.com:9443/stream"),
        ("BTCUSD_PERP.BINANCE_COINM", "wss://dstream.binance.com/stream"),
    ],
)
def test_the_other_venues_have_one_route_for_all(instrument: str, url: str) -> None:
    assert list(streams_of(session_of(instruments=(instrument,), channels=ALL))) == [url]


def test_a_route_can_be_set_where_sources_disagree() -> None:
    routes = ("raw_trades=public", "BINANCE_COINM:trades=market", "ticker=root")
    instruments = (SOL, "BTCUSD_PERP.BINANCE_COINM")
    session = session_of(instruments=instruments, channels=("raw_trades", "ticker"), routes=routes)
    assert list(streams_of(session)) == [
        f"{USDM}/public/stream",
        f"{USDM}/stream",
        "wss://dstream.binance.com/stream",
    ]
    assert streams_of(session_of(channels=("raw_trades",)))[f"{USDM}/market/stream"] == [
        '{"method":"SUBSCRIBE","params":["solusdt@trade"],"id":1}'
    ]


@pytest.mark.parametrize(
    "entry", ["trades", "trades=private", "prices=market", "KRAKEN:trades=market", "=market"]
)
def test_a_route_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(Malformed, match="route"):
        read_routes([entry])


def test_an_address_that_names_its_path_serves_all_routes() -> None:
    session = session_of(channels=ALL, ws_url="ws://127.0.0.1:81/stream")
    assert list(streams_of(session)) == ["ws://127.0.0.1:81/stream"]


def test_a_bound_on_streams_counts_per_socket_of_a_route() -> None:
    instruments = tuple(f"A{number}USDT.BINANCE_USDM" for number in range(5))
    settings = FeedSettings(instruments=instruments, channels=("book", "quotes", "trades"), backfill_bars=0)
    made = adapter()
    session = BinanceSession(settings, made.symbols, max_streams=4)
    urls = [endpoint.url.removeprefix(USDM) for endpoint in session.endpoints()]
    assert urls == ["/public/stream"] * 3 + ["/market/stream"] * 2


def synchronised() -> BinanceSession:
    """Book and trades of one instrument, over two sockets."""
    session = session_of()
    session.on_start(NOW)
    for connection in (PUBLIC_CONN, MARKET_CONN):
        session.on_open(connection, NOW)
    (request,) = session.on_frame(PUBLIC_CONN, depth_frame(95, 105, "SOLUSDT", pu=94), NOW).requests
    assert session.on_response(request, 200, {}, snapshot_body(100), NOW).observations
    session.on_frame(PUBLIC_CONN, quote(), NOW)
    session.on_frame(MARKET_CONN, trade_frame(7, "SOLUSDT"), NOW)
    return session


def quote() -> str:
    return combined("solusdt@bookTicker", book_ticker("SOLUSDT", T=NOW // 10**6))


def gaps(effects: Effects) -> list[tuple[str, bool]]:
    return [(each.channel, each.opened) for each in effects.observations if isinstance(each, Gap)]


def kinds(effects: Effects) -> list[str]:
    return [each.kind for each in effects.observations]


def test_a_lost_book_socket_interrupts_the_book_and_the_quotes_alone() -> None:
    session = synchronised()
    assert gaps(session.on_close(PUBLIC_CONN, "gone", NOW)) == [("book", True), ("quotes", True)]
    assert kinds(session.on_frame(MARKET_CONN, trade_frame(8, "SOLUSDT"), NOW)) == ["trade"]
    assert kinds(session.on_frame(MARKET_CONN, trade_frame(9, "SOLUSDT"), NOW)) == ["trade"]


def test_a_lost_book_socket_ends_with_a_snapshot_and_a_quote() -> None:
    session = synchronised()
    session.on_close(PUBLIC_CONN, "gone", NOW)
    session.on_open(PUBLIC_CONN, NOW + NS_PER_S)
    back = session.on_frame(PUBLIC_CONN, depth_frame(195, 205, "SOLUSDT", pu=194), NOW + NS_PER_S)
    assert back.observations == []
    effects = session.on_response(back.requests[0], 200, {}, snapshot_body(200), NOW + NS_PER_S)
    assert kinds(effects) == ["book_snapshot", "gap", "book_delta"]
    assert gaps(effects) == [("book", False)]
    assert effects.resynced == [(SOL, "book")]
    assert gaps(session.on_frame(PUBLIC_CONN, quote(), NOW + NS_PER_S)) == [("quotes", False)]


def test_a_lost_trade_socket_leaves_the_book_whole() -> None:
    session = synchronised()
    assert gaps(session.on_close(MARKET_CONN, "gone", NOW)) == [("trades", True)]
    effects = session.on_frame(PUBLIC_CONN, depth_frame(106, 110, "SOLUSDT", pu=105), NOW)
    assert kinds(effects) == ["book_delta"]
    (request,) = session.on_open(MARKET_CONN, NOW).requests
    assert "aggTrades?symbol=SOLUSDT&fromId=8" in request.url
    ended = session.on_response(request, 200, {}, "[]", NOW)
    assert gaps(ended) == [("trades", False)]
    assert ended.resynced == [(SOL, "trades")]


def test_the_loss_of_both_sockets_is_told_for_each_and_ends_for_each() -> None:
    session = synchronised()
    told = gaps(session.on_close(PUBLIC_CONN, "gone", NOW)) + gaps(session.on_close(MARKET_CONN, "gone", NOW))
    assert told == [("book", True), ("quotes", True), ("trades", True)]
    assert gaps(session.on_close(MARKET_CONN, "again", NOW)) == []


def test_a_socket_that_carried_all_of_an_instrument_interrupts_its_feed() -> None:
    session = adapter().session(FeedSettings(backfill_bars=0))
    session.on_open(5, NOW)
    session.on_frame(5, trade_frame(7), NOW)
    session.on_frame(5, combined("btcusdt@bookTicker", book_ticker()), NOW)
    assert gaps(session.on_close(5, "gone", NOW)) == [("feed", True)]


def test_a_channel_that_moved_is_interrupted_by_its_new_socket_alone() -> None:
    session = adapter().session(FeedSettings(backfill_bars=0))
    for connection in (0, 1):
        session.on_open(connection, NOW)
    session.on_frame(0, trade_frame(7), NOW)
    session.on_frame(0, combined("btcusdt@kline_1m", kline()), NOW)
    session.on_frame(1, trade_frame(8), NOW)
    assert gaps(session.on_close(0, "gone", NOW)) == [("bars", True)]
    assert gaps(session.on_close(1, "gone", NOW)) == [("trades", True)]


def test_trades_that_only_repeat_still_show_which_socket_carries_them() -> None:
    session = adapter().session(FeedSettings(backfill_bars=0))
    for connection in (0, 1):
        session.on_open(connection, NOW)
    session.on_frame(0, combined("btcusdt@bookTicker", book_ticker()), NOW)
    session.on_frame(0, trade_frame(7), NOW)
    session.on_frame(1, combined("btcusdt@aggTrade", agg_trade(7)), NOW)
    assert gaps(session.on_close(1, "gone", NOW)) == [("trades", True)]


def test_usdm_and_coinm_spend_one_budget() -> None:
    coin, usd = "BTCUSD_PERP.BINANCE_COINM", SOL
    session = session_of(instruments=(coin, usd), channels=("book",))
    requests = session.on_start(NOW).requests
    asked = {each.url.partition("//")[2].partition("/")[0]: each for each in requests}
    assert set(asked) == {"dapi.binance.com", "fapi.binance.com"}
    spent = {"X-MBX-USED-WEIGHT-1M": "2399"}
    for endpoint in session.endpoints():
        session.on_open(endpoint.connection, NOW)
    session.on_response(asked["dapi.binance.com"], 200, spent, '{"timezone":"UTC","symbols":[]}', NOW)
    assert session.on_frame(1, depth_frame(95, 105, "SOLUSDT", pu=94), NOW).requests == []
    paused = {"Retry-After": "30"}
    later = NOW + 60 * NS_PER_S
    (first,) = session.on_timer(later).requests
    assert session.on_response(first, 429, paused, "{}", later).requests == []
    assert session.on_frame(0, depth_frame(95, 105, "BTCUSD_PERP", pu=94), later + NS_PER_S).requests == []


def silences(session: BinanceSession, second: float) -> list[tuple[int, str, bool]]:
    told = session.on_timer(NOW + int(second * NS_PER_S)).silences
    return [(each.connection, each.channel, each.ended) for each in told]


def test_trades_that_are_acknowledged_and_never_sent_are_told_of_though_the_book_goes_on() -> None:
    """As on the old root of USD-M since 2026-04-23."""
    root = tuple(f"{channel}=root" for channel in ALL)
    session = session_of(channels=("book", "trades", "bars"), routes=root)
    (endpoint,) = session.endpoints()
    assert endpoint.url == f"{USDM}/stream"
    session.on_open(0, NOW)
    session.on_frame(0, '{"result":null,"id":1}', NOW)
    told = []
    for second in range(0, 310, 5):
        frame = depth_frame(95 + second, 105 + second, "SOLUSDT", pu=94 + second)
        session.on_frame(0, frame, NOW + second * NS_PER_S)
        told += silences(session, second)
    assert told == [(0, "bars", False), (0, "trades", False)]


def test_a_silent_kind_of_stream_that_speaks_again_is_told_of() -> None:
    session = session_of(silence_s=20.0)
    for connection in (PUBLIC_CONN, MARKET_CONN):
        session.on_open(connection, NOW)
    session.on_frame(PUBLIC_CONN, quote(), NOW + 15 * NS_PER_S)
    assert silences(session, 21) == [(PUBLIC_CONN, "book", False), (MARKET_CONN, "trades", False)]
    for number in (7, 8):
        session.on_frame(MARKET_CONN, trade_frame(number, "SOLUSDT"), NOW + 22 * NS_PER_S)
    assert silences(session, 23) == [(MARKET_CONN, "trades", True)]


def test_frames_on_the_short_way_are_heard_as_well() -> None:
    session = session_of(silence_s=20.0)
    session.on_open(PUBLIC_CONN, NOW)
    session.on_open(MARKET_CONN, NOW)
    for second in range(40):
        now = NOW + second * NS_PER_S
        session.on_frame(MARKET_CONN, trade_frame(7 + second, "SOLUSDT"), now)
        session.on_frame(PUBLIC_CONN, quote(), now)
    assert silences(session, 40) == [(PUBLIC_CONN, "book", False)]


def test_a_repeat_is_a_frame_too() -> None:
    session = session_of(silence_s=20.0)
    session.on_open(MARKET_CONN, NOW)
    for second in range(0, 40, 10):
        session.on_frame(MARKET_CONN, trade_frame(7, "SOLUSDT"), NOW + second * NS_PER_S)
    assert silences(session, 40) == []
