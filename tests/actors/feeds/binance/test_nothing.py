"""What Binance writes where it means nothing: 0, an empty text, a null among others."""

from __future__ import annotations

import pytest

from actors.feeds.binance import adapter
from domain.market.observations import InstrumentInfo, Quote, Ticker
from tests.actors.feeds.binance.frames import (
    NOW,
    NOW_MS,
    USDM_WS,
    agg_trade,
    book_ticker,
    combined,
    depth,
    exchange_info,
    http,
    kline,
    raw,
    ws,
)

API = "https://api.binance.com/api/v3"
NONE = {"o": "0", "h": "0", "l": "0", "c": "0", "v": "0", "q": "0", "n": 0}


def test_a_bar_of_a_pair_that_never_traded_is_none() -> None:
    row = [NOW_MS - 120_000, "0", "0.0", "0", "0", "0", NOW_MS - 60_001, "0", 0, "0", "0", "0"]
    for parsed in (
        adapter().parse(combined("btcusdt@kline_1m", kline(**NONE)), ws()),
        adapter().parse(raw([row]), http(f"{API}/klines?symbol=BTCUSDT&interval=1m")),
    ):
        assert (parsed.observations, parsed.rejects) == ([], [])


def test_a_bar_with_one_price_of_0_is_malformed() -> None:
    parsed = adapter().parse(combined("btcusdt@kline_1m", kline(l="0")), ws())
    assert [each.reject_class for each in parsed.rejects] == ["malformed"]


def test_a_time_of_0_is_none() -> None:
    best = {"symbol": "BTCUSDT", "bidPrice": "3", "bidQty": "1", "askPrice": "4", "askQty": "1", "time": 0}
    day = {"symbol": "BTCUSDT", "lastPrice": "4", "closeTime": 0}
    bodies = [
        (raw(best), "ticker/bookTicker"),
        (raw(day), "ticker/24hr"),
        ('{"symbol":"BTCUSDT","price":"4","time":0}', "ticker/price"),
        ('{"lastUpdateId":1,"bids":[],"asks":[],"T":0,"E":0}', "depth?symbol=BTCUSDT"),
    ]
    for body, path in bodies:
        (seen,) = adapter().parse(body, http(f"{API}/{path}")).observations
        assert seen.ts_event == NOW
    for frame in (
        combined("btcusdt@bookTicker", book_ticker(T=0, E=0)),
        combined("btcusdt@depth", depth(1, 2, T=0, pu=0)),
        combined("btcusdt@depth5", depth(1, 2, T=0, pu=0)),
    ):
        (seen,) = adapter().parse(frame, ws(USDM_WS)).observations
        assert seen.ts_event == NOW


def test_a_trade_without_a_time_is_malformed() -> None:
    rows = [{"a": 1, "p": "100", "q": "1", "T": 0, "m": True}]
    for parsed in (
        adapter().parse(raw(agg_trade(T=0)), ws()),
        adapter().parse(raw(rows), http(f"{API}/aggTrades?symbol=BTCUSDT")),
    ):
        assert [each.reject_class for each in parsed.rejects] == ["malformed"]


def test_the_prices_of_a_summary_that_are_0_are_none() -> None:
    frame = {"e": "24hrTicker", "E": NOW_MS, "s": "BTCUSDT", "c": "5", "o": "0", "h": "0", "l": "0", "v": "0"}
    day = {"symbol": "BTCUSDT", "lastPrice": "5", "openPrice": "0", "highPrice": "0", "lowPrice": "0"}
    for parsed in (
        adapter().parse(raw(frame), ws()),
        adapter().parse(raw(day), http(f"{API}/ticker/24hr")),
    ):
        (seen,) = parsed.observations
        assert isinstance(seen, Ticker)
        assert (seen.last, seen.open, seen.high, seen.low) == (5.0, None, None, None)


def test_best_prices_of_an_empty_book_have_no_sides() -> None:
    (seen,) = adapter().parse(raw(book_ticker(b="0", B="0", a="0", A="0")), ws()).observations
    assert isinstance(seen, Quote)
    assert (seen.bid, seen.bid_size, seen.ask, seen.ask_size) == (None, None, None, None)


def test_a_damaged_filter_costs_that_filter_and_not_the_symbol() -> None:
    filters = [None, 5, {"filterType": 3}, {"filterType": "LOT_SIZE", "stepSize": "0.01"}]
    (info,) = adapter().parse(exchange_info(filters=filters), http(f"{API}/exchangeInfo")).observations
    assert isinstance(info, InstrumentInfo)
    assert (info.tick_size, info.lot_size) == (None, 0.01)


@pytest.mark.parametrize("bad", [None, 3, "x", [], {"symbol": None}])
def test_one_bad_row_of_an_answer_costs_that_row(bad: object) -> None:
    day = {"symbol": "BTCUSDT", "lastPrice": "4"}
    best = {"symbol": "BTCUSDT", "bidPrice": "3", "bidQty": "1", "askPrice": "4", "askQty": "1"}
    trade = {"a": 1, "p": "100", "q": "1", "T": NOW_MS, "m": True}
    row = [NOW_MS - 120_000, "1", "4", "1", "2", "10", NOW_MS - 60_001]
    answers = [
        (day, "ticker/24hr"),
        (best, "ticker/bookTicker"),
        (trade, "aggTrades?symbol=BTCUSDT"),
        (row, "klines?symbol=BTCUSDT&interval=1m"),
    ]
    for good, path in answers:
        parsed = adapter().parse(raw([good, bad, good]), http(f"{API}/{path}"))
        assert (len(parsed.observations), len(parsed.rejects)) == (2, 1)


@pytest.mark.parametrize("blank", ["", None])
def test_an_empty_text_or_a_null_is_nothing_and_costs_nothing_else(blank: str | None) -> None:
    frame = {"e": "24hrTicker", "E": NOW_MS, "s": "BTCUSDT", "c": "5", "o": blank, "v": blank, "P": blank}
    day = {"symbol": "BTCUSDT", "lastPrice": "5", "openPrice": blank, "volume": blank, "closeTime": blank}
    for parsed in (
        adapter().parse(raw(frame), ws()),
        adapter().parse(raw(day), http(f"{API}/ticker/24hr")),
    ):
        (seen,) = parsed.observations
        assert isinstance(seen, Ticker)
        assert (seen.last, seen.open, seen.volume, seen.change_pct) == (5.0, None, None, None)
    (quote,) = adapter().parse(raw(book_ticker(b=blank, B=blank)), ws()).observations
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, 25.36)


@pytest.mark.parametrize("blank", ["", None, "0"])
def test_a_last_price_that_is_nothing_is_no_ticker_and_no_reject(blank: str | None) -> None:
    frame = {"e": "24hrTicker", "E": NOW_MS, "s": "BTCUSDT", "c": blank}
    for parsed in (
        adapter().parse(raw(frame), ws()),
        adapter().parse(raw({"symbol": "BTCUSDT", "lastPrice": blank}), http(f"{API}/ticker/24hr")),
        adapter().parse(raw({"symbol": "BTCUSDT", "price": blank}), http(f"{API}/ticker/price")),
    ):
        assert (parsed.observations, parsed.rejects) == ([], [])
