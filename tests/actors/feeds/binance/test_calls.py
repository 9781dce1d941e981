"""REST manners: weight, pauses, bans, retries; and sockets: planning, pacing, renewal."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest

from actors.feeds.base import FeedSettings, HttpRequest
from actors.feeds.binance import adapter
from actors.feeds.binance.calls import MAX_BAN_S, REFUSED_S, observe_weight
from actors.feeds.binance.links import MAX_LIFE_S, RENEWAL_SPREAD_S, SENDS_PER_S, plan_links
from actors.feeds.binance.session import MAX_BAR_ATTEMPTS, BinanceSession
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import BINANCE, BINANCE_COINM, BINANCE_US, BINANCE_USDM
from actors.feeds.rest_calls import MAX_RETRY_AFTER_S, Budget
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed, NotFound, Rejected
from domain.market.observations import Bar
from tests.actors.feeds.binance.frames import NOW, NOW_MS, depth_frame, exchange_info, raw, snapshot_body

BTC = "BTC-USDT.BINANCE"
SETTINGS = FeedSettings(instruments=(BTC,), channels=("book",), backfill_bars=0)


def asking() -> tuple[BinanceSession, HttpRequest]:
    """A session whose depth request is out."""
    session = adapter().session(SETTINGS)
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session, session.on_frame(0, depth_frame(100, 101), NOW).requests[0]


def first_request_after(
    session: BinanceSession, start: int, step_ns: int, upto_ns: int
) -> tuple[int, HttpRequest] | None:
    """(delay in ns, request) of the session's next request, looking every `step_ns`; None: none came."""
    for waited in range(step_ns, upto_ns + step_ns, step_ns):
        requests = session.on_timer(start + waited).requests
        if requests:
            return waited, requests[0]
    return None


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait_s"),
    [
        (429, {"Retry-After": "7"}, '{"code":-1003,"msg":"Too many requests"}', 7),
        (429, {"retry-after": formatdate(NOW // NS_PER_S + 20, usegmt=True)}, "{}", 20),
        (418, {"Retry-After": "90"}, '{"code":-1003,"msg":"banned"}', 90),
        (418, {}, f'{{"code":-1003,"msg":"IP banned until {NOW_MS + 240_000}. Please"}}', 240),
        (418, {}, "<html>", 120),
        (403, {}, "<html>", 60),
        (429, {"Retry-After": "soon"}, "<html>", 60),
        (429, {"Retry-After": "999999999"}, "<html>", int(MAX_RETRY_AFTER_S)),
        (418, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, "<html>", int(MAX_RETRY_AFTER_S)),
        (418, {}, '{"code":-1003,"msg":"IP banned until 9999999999999."}', MAX_BAN_S),
    ],
)
def test_a_throttled_venue_is_left_alone_as_long_as_it_says(
    status: int, headers: dict[str, str], body: str, wait_s: int
) -> None:
    session, request = asking()
    effects = session.on_response(request, status, headers, body, NOW)
    assert [each.reject_class for each, _ in effects.rejects] == ["throttled"]
    assert effects.requests == []
    assert session.on_timer(NOW + wait_s * NS_PER_S - 1).requests == []
    assert first_request_after(session, NOW + wait_s * NS_PER_S - 1, NS_PER_S, 3 * NS_PER_S) is not None


def test_during_a_ban_nothing_else_is_asked_either() -> None:
    session, request = asking()
    session.on_response(request, 418, {"Retry-After": "600"}, "{}", NOW)
    assert session.on_frame(0, depth_frame(1, 2, "ETHUSDT"), NOW + NS_PER_S).requests == []
    later = session.on_timer(NOW + 601 * NS_PER_S).requests
    assert {"BTCUSDT", "ETHUSDT"} <= {each.url.partition("symbol=")[2][:7] for each in later}


def test_a_country_that_is_not_served_is_no_cause_for_hammering() -> None:
    session, request = asking()
    body = '{"code":0,"msg":"Service unavailable from a restricted location"}'
    effects = session.on_response(request, 451, {}, body, NOW)
    assert [each.reject_class for each, _ in effects.rejects] == ["entitlement"]
    assert session.on_frame(0, depth_frame(102, 103), NOW).requests == []
    assert first_request_after(session, NOW, 5 * NS_PER_MIN, 55 * NS_PER_MIN) is None


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_failing_venue_is_asked_again_with_growing_capped_delays(status: int) -> None:
    session, request = asking()
    now, waits = NOW, []
    for _ in range(12):
        session.on_response(request, status, {}, "", now)
        next_try = first_request_after(session, now, NS_PER_S // 4, 61 * NS_PER_S)
        assert next_try is not None
        waited, request = next_try
        now += waited
        waits.append(waited / NS_PER_S)
    assert max(waits) <= 61
    assert max(waits[:2]) <= 2.25 < max(waits)
    effects = session.on_response(request, 200, {}, snapshot_body(101), now)
    assert [each.kind for each in effects.observations] == ["book_snapshot"]


def test_the_same_seed_gives_the_same_delays() -> None:
    def delay(seed: int) -> int:
        settings = FeedSettings(instruments=(BTC,), channels=("book",), backfill_bars=0, seed=seed)
        session = adapter().session(settings)
        (request,) = session.on_start(NOW).requests
        session.on_response(request, 500, {}, "", NOW)
        next_try = first_request_after(session, NOW, NS_PER_S // 1000, NS_PER_S)
        assert next_try is not None
        return next_try[0]

    assert delay(1) == delay(1) != delay(2)


def test_an_unknown_symbol_is_not_asked_for_again_soon() -> None:
    session, request = asking()
    effects = session.on_response(request, 400, {}, '{"code":-1121,"msg":"Invalid symbol."}', NOW)
    assert [each.reject_class for each, _ in effects.rejects] == ["not_found"]
    assert session.on_frame(0, depth_frame(102, 103), NOW + NS_PER_S).requests == []
    later = NOW + (REFUSED_S + 1) * NS_PER_S
    assert len(session.on_frame(0, depth_frame(104, 105), later).requests) == 1


def test_weight_is_spent_by_the_minute() -> None:
    budget = Budget(100)
    start = NOW - NOW % NS_PER_MIN
    assert budget.take(50, start)
    assert not budget.take(40, start + 59 * NS_PER_S)
    assert budget.take(30, start + 59 * NS_PER_S)
    assert budget.take(50, start + NS_PER_MIN)


def test_the_venues_own_count_of_weight_is_believed() -> None:
    budget = Budget(100)
    budget.take(1, NOW)
    observe_weight(budget, {"x-mbx-used-weight-1m": "75", "X-MBX-USED-WEIGHT-1M": "oops"}, NOW)
    assert not budget.take(10, NOW)
    assert budget.take(5, NOW)


def test_many_books_are_fetched_within_the_budget_of_the_venue() -> None:
    names = tuple(f"A{index}-USDT.BINANCE_US" for index in range(300))
    session = adapter().session(FeedSettings(instruments=names, channels=("book",), backfill_bars=0))
    start = NOW - NOW % NS_PER_MIN
    spent = sum(each.weight for each in session.on_start(start).requests)
    for index in range(300):
        effects = session.on_frame(0, depth_frame(1, 2, f"A{index}USDT"), start)
        spent += sum(each.weight for each in effects.requests)
    assert 900 < spent <= 960
    assert sum(each.weight for each in session.on_timer(start + NS_PER_MIN).requests) == 960


def test_recent_bars_are_fetched_once_at_the_start() -> None:
    session = adapter().session(FeedSettings(instruments=(BTC,), backfill_bars=500))
    listing, bars = session.on_start(NOW).requests
    assert bars.url == "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=500"
    row = [NOW_MS - 60_000, "1", "4", "1", "2", "10", NOW_MS - 1, "20", 3, "5", "10", "0"]
    effects = session.on_response(bars, 200, {}, raw([row]), NOW)
    assert [type(each) for each in effects.observations] == [Bar]
    session.on_response(listing, 200, {}, exchange_info(), NOW)
    assert session.on_open(0, NOW).requests == []


def test_bars_are_given_up_after_a_few_failures() -> None:
    session = adapter().session(FeedSettings(instruments=(BTC,), backfill_bars=10))
    request = next(each for each in session.on_start(NOW).requests if "klines" in each.url)
    now, asked = NOW, 0
    while request is not None:
        asked += 1
        session.on_response(request, 500, {}, "", now)
        now += 2 * NS_PER_MIN
        request = next((each for each in session.on_timer(now).requests if "klines" in each.url), None)
    assert asked == MAX_BAR_ATTEMPTS


def test_a_test_server_stands_in_for_every_host() -> None:
    settings = FeedSettings(
        instruments=(BTC, "BTCUSDT.BINANCE_USDM"),
        channels=("book",),
        ws_url="ws://127.0.0.1:81/",
        rest_url="http://127.0.0.1:80/",
    )
    session = adapter().session(settings)
    assert [endpoint.url for endpoint in session.endpoints()] == [
        "ws://127.0.0.1:81/stream",
        "ws://127.0.0.1:81/public/stream",
    ]
    urls = {request.url.partition("?")[0] for request in session.on_start(NOW).requests}
    assert "http://127.0.0.1:80/api/v3/exchangeInfo" in urls
    assert "http://127.0.0.1:80/fapi/v1/exchangeInfo" in urls
    effects = session.on_frame(1, depth_frame(1, 2, pu=0), NOW, "ws://127.0.0.1:81/stream")
    assert [each.url for each in effects.requests] == [
        "http://127.0.0.1:80/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    ]


@pytest.mark.parametrize(
    ("venue", "levels", "offered"),
    [
        (BINANCE, 1000, (1000, 50)),
        (BINANCE, 37, (37, 5)),
        (BINANCE, 9999, (5000, 250)),
        (BINANCE_US, 1000, (1000, 10)),
        (BINANCE_USDM, 37, (50, 2)),
        (BINANCE_COINM, 5000, (1000, 20)),
    ],
)
def test_depths_that_each_venue_offers(venue: object, levels: int, offered: tuple[int, int]) -> None:
    assert venue.depth(levels) == offered  # type: ignore[attr-defined]


def test_streams_are_spread_over_sockets_within_the_bound_and_a_symbol_stays_whole() -> None:
    symbols = [(BINANCE, f"A{index}USDT") for index in range(700)]
    links = plan_links(symbols, ("trades", "quotes", "book"), None)
    assert [len(link.streams) for link in links] == [1023, 1023, 54]
    assert all(len(link.streams) % 3 == 0 for link in links)
    assert links[0].streams[:3] == ("a0usdt@aggTrade", "a0usdt@bookTicker", "a0usdt@depth@100ms")
    lower = plan_links(symbols, ("trades", "ticker"), None, max_streams=100)
    assert {len(link.streams) for link in lower} == {100}


def test_a_session_keeps_to_a_lower_bound_of_streams() -> None:
    session = BinanceSession(
        FeedSettings(instruments=(BTC, "ETH-USDT.BINANCE"), channels=("book",)), SymbolTable(), max_streams=1
    )
    assert [endpoint.connection for endpoint in session.endpoints()] == [0, 1]
    (sent,) = session.on_open(1, NOW).sends
    assert json.loads(sent[1]) == {"method": "SUBSCRIBE", "params": ["ethusdt@depth@100ms"], "id": 1}


def test_subscriptions_keep_to_the_venues_pace() -> None:
    names = tuple(f"A{index}-USDT.BINANCE" for index in range(300))
    session = adapter().session(FeedSettings(instruments=names, backfill_bars=0))
    sends = session.on_open(0, NOW).sends
    assert len(sends) == SENDS_PER_S
    for tenth in range(1, 31):
        now = NOW + tenth * NS_PER_S // 10
        sends += session.on_timer(now).sends
        assert len(sends) <= SENDS_PER_S * (1 + tenth // 10)
    asked = [name for _, text in sends for name in json.loads(text)["params"]]
    assert len(asked) == len(set(asked)) == 900


def test_a_socket_is_renewed_before_its_day_is_over_once() -> None:
    session = adapter().session(SETTINGS)
    session.on_open(0, NOW)
    life_ns = int(MAX_LIFE_S * NS_PER_S)
    early = NOW + life_ns - int(RENEWAL_SPREAD_S * NS_PER_S) - 1
    assert session.on_timer(early).reconnects == []
    assert [connection for connection, _ in session.on_timer(NOW + life_ns).reconnects] == [0]
    assert session.on_timer(NOW + life_ns + NS_PER_S).reconnects == []
    assert session.endpoints()[0].max_life_s == MAX_LIFE_S
    renewed = session.on_open(0, NOW + life_ns + 2 * NS_PER_S)
    assert len(renewed.sends) == 1
    assert session.on_timer(NOW + life_ns + 3 * NS_PER_S).reconnects == []


def test_a_shutdown_notice_renews_the_socket() -> None:
    session = adapter().session(SETTINGS)
    session.on_open(0, NOW)
    notice = raw({"e": "serverShutdown", "E": NOW_MS})
    assert [connection for connection, _ in session.on_frame(0, notice, NOW).reconnects] == [0]
    assert session.on_frame(0, notice, NOW).reconnects == []


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (FeedSettings(instruments=("BTC-USD.COINBASE",)), NotFound),
        (FeedSettings(instruments=("btcusdt",)), Malformed),
        (FeedSettings(instruments=(BTC,), channels=("candles",)), Malformed),
    ],
)
def test_settings_that_binance_cannot_serve_are_refused(
    settings: FeedSettings, error: type[Rejected]
) -> None:
    with pytest.raises(error):
        adapter().session(settings)
