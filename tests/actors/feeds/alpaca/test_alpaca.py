"""Alpaca's documented messages and bodies: there is no recording of it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.clock import parse_time
from domain.market.observations import Bar, BookDelta, BookSnapshot, Quote, Trade
from tests.parsed import RECV, classes, only, parse, said

P = "alpaca"
SOCKET = "wss://stream.data.alpaca.markets/v2/iex"
REST = "https://data.alpaca.markets/v2"
AT = "2021-02-22T15:51:44.208123456Z"
NS = parse_time(AT)
TRADE = {"T": "t", "i": 96921, "S": "AAPL", "x": "V", "p": 126.55, "s": 1, "t": AT, "c": ["@", "I"], "z": "C"}
QUOTE = {"T": "q", "S": "AMD", "bx": "V", "bp": 87.66, "bs": 1, "ax": "V", "ap": "87.68", "as": 4, "t": AT}
BAR = {"T": "b", "S": "SPY", "o": 388.985, "h": 389.13, "l": 388.975, "c": 389.12, "v": 49378, "n": 461,
       "vw": 389.06, "t": "2021-02-22T19:15:00Z"}  # fmt: skip


def socket(*messages: dict[str, Any], endpoint: str = SOCKET) -> Any:
    return parse(P, list(messages), endpoint, source="ws")


def test_trades_quotes_and_bars_are_of_iex() -> None:
    parsed = socket(TRADE, QUOTE, BAR)
    assert not parsed.rejects
    assert parsed.observations == [
        Trade(P, "AAPL.IEXG", NS, RECV, 126.55, 1.0, None, "96921", ("@", "I")),
        Quote(P, "AMD.IEXG", NS, RECV, 87.66, 1.0, 87.68, 4.0),
        Bar(P, "SPY.IEXG", parse_time("2021-02-22T19:15:00Z"), RECV, "1m", 388.985, 389.13, 388.975, 389.12,
            49378.0, 461, 389.06),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "venue"),
    [
        ("wss://stream.data.alpaca.markets/v2/sip", "US"),
        ("wss://stream.data.alpaca.markets/v2/delayed_sip", "US"),
        ("wss://stream.data.alpaca.markets/v2/test", "ALPACA_TEST"),
        ("", "IEXG"),
    ],
)
def test_the_feed_of_the_address_is_the_venue(endpoint: str, venue: str) -> None:
    assert only(socket(TRADE, endpoint=endpoint)).instrument == f"AAPL.{venue}"


def test_a_side_without_a_price_has_no_size_and_no_quote_has_neither() -> None:
    quote = only(socket(QUOTE | {"bp": 0, "bs": 5}))
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, 87.68)
    assert classes(socket(QUOTE | {"bp": 0, "ap": 0})) == ["malformed"]


def test_days_are_running_and_revised_minutes_are_bars() -> None:
    day = only(socket(BAR | {"T": "d", "t": "2021-02-22T05:00:00Z"}))
    assert (day.interval, day.closed) == ("1d", False)
    assert only(socket(BAR | {"T": "u"})).closed


def test_coins_are_of_alpaca_s_own_exchange() -> None:
    coin = {"T": "t", "S": "BTC/USD", "p": 9, "s": 0.5, "t": AT, "i": 1, "tks": "S"}
    assert only(socket(coin)) == Trade(P, "BTC-USD.ALPACA", NS, RECV, 9.0, 0.5, "sell", "1")
    levels = {
        "T": "o",
        "S": "BTC/USD",
        "t": AT,
        "b": [{"p": 1, "s": 2}, {"p": 2, "s": 0}],
        "a": [{"p": 3, "s": 4}],
    }
    assert only(socket(levels | {"r": True})) == BookSnapshot(
        P, "BTC-USD.ALPACA", NS, RECV, ((1.0, 2.0),), ((3.0, 4.0),)
    )
    assert only(socket(levels)) == BookDelta(
        P, "BTC-USD.ALPACA", NS, RECV, ((1.0, 2.0), (2.0, 0.0)), ((3.0, 4.0),)
    )


def test_words_of_the_connection_say_nothing() -> None:
    parsed = socket({"T": "success", "msg": "connected"}, {"T": "subscription", "trades": ["AAPL"]})
    assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    ("code", "message", "found"),
    [
        (400, "invalid syntax", "bad_request"), (401, "not authenticated", "auth"),
        (402, "auth failed", "auth"),
        (404, "auth timeout", "auth"), (405, "symbol limit exceeded", "throttled"),
        (406, "connection limit exceeded", "throttled"), (407, "slow client", "throttled"),
        (409, "insufficient subscription", "entitlement"), (410, "invalid subscribe action", "bad_request"),
        (500, "internal error", "upstream"),
    ],
)  # fmt: skip
def test_codes_of_the_socket(code: int, message: str, found: str) -> None:
    assert classes(socket({"T": "error", "code": code, "msg": message})) == [found]


def test_one_bad_message_costs_itself() -> None:
    parsed = socket(TRADE | {"p": None}, TRADE, {"T": "s", "S": "A"}, {"T": "??"}, TRADE | {"t": "soon"})
    assert len(parsed.observations) == 1
    assert classes(parsed) == ["malformed", "unsupported", "malformed", "malformed"]


def bars(**more: Any) -> dict[str, Any]:
    return {"bars": {"AAPL": [{name: each for name, each in BAR.items() if name not in "TS"}]}} | more


def test_bars_of_rest_have_the_interval_of_their_address() -> None:
    bar = only(parse(P, bars(), f"{REST}/stocks/bars?symbols=AAPL&timeframe=1Hour&feed=sip&adjustment=split"))
    assert (bar.instrument, bar.interval, bar.adjusted) == ("AAPL.US", "1h", True)
    for timeframe, interval in (
        ("1Min", "1m"),
        ("15T", "15m"),
        ("1Day", "1d"),
        ("1Week", "1w"),
        ("1Month", "1mo"),
    ):
        where = f"{REST}/stocks/bars?timeframe={timeframe}"
        assert only(parse(P, bars(), where)).interval == interval
    assert classes(parse(P, bars())) == ["malformed"]


def test_rows_of_one_symbol() -> None:
    row = {"t": AT, "p": 126.55, "s": 1, "i": 5, "c": []}
    trade = only(parse(P, {"trades": [row], "symbol": "AAPL", "next_page_token": None}))
    assert (trade.instrument, trade.trade_id) == ("AAPL.IEXG", "5")
    assert only(parse(P, {"trade": row}, f"{REST}/stocks/MSFT/trades/latest")).instrument == "MSFT.IEXG"
    assert classes(parse(P, {"trades": [row]})) == ["malformed"]
    latest = {"quotes": {"AAPL": {"t": AT, "bp": 1, "bs": 2, "ap": 3, "as": 4}}}
    assert only(parse(P, latest)).ask == 3.0


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ({"message": "too many requests."}, 429, "throttled"),
        ({"message": "forbidden."}, 403, "auth"),
        ({"code": 40110000, "message": "request is not authorized"}, 401, "auth"),
        ({"message": "subscription does not permit querying recent SIP data"}, 403, "entitlement"),
        ({"message": "invalid symbol: ???"}, 400, "bad_request"),
        ({"message": "internal server error occurred"}, 500, "upstream"),
        ({"hello": 1}, 200, "malformed"),
    ],
)
def test_errors_of_rest(body: object, status: int, found: str) -> None:
    assert classes(parse(P, body, f"{REST}/stocks/bars", status=status)) == [found]
