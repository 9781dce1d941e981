"""Coinbase REST bodies as documented, and which recorded line answers which request."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import HttpRequest, Origin
from actors.feeds.coinbase import adapter
from domain.clock import NS_PER_S, parse_time
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Quote, Ticker, Trade
from tests.actors.feeds.coinbase.frames import (
    BOOK,
    CANDLES,
    PRODUCT,
    RECV,
    REST,
    REST_TICKER,
    STATS,
    TRADES,
    http,
    text,
    without,
)

COINBASE = adapter()
INSTRUMENT = ("coinbase", "BTC-USD.COINBASE")


def parsed(body: Any, path: str) -> list[Any]:
    answer = COINBASE.parse(text(body), http(path))
    assert answer.rejects == []
    return answer.observations


def test_trades_flip_the_makers_side_and_keep_their_order() -> None:
    newest, oldest = parsed(TRADES, "/products/BTC-USD/trades?limit=2")
    at = parse_time("2014-11-07T22:19:28.578544Z")
    assert newest == Trade(*INSTRUMENT, at, RECV, 10.0, 0.01, "sell", "74")
    assert (oldest.trade_id, oldest.side) == ("73", "buy")


def test_candles_are_bars_with_the_venues_odd_order_of_fields() -> None:
    first, _ = parsed(CANDLES, "/products/BTC-USD/candles?granularity=60")
    assert first == Bar(*INSTRUMENT, 1415398768 * NS_PER_S, RECV, "1m", 0.35, 4.2, 0.32, 4.0, 12.3)


def test_a_candle_that_is_still_forming_is_not_closed() -> None:
    start = RECV // NS_PER_S - 30
    [bar] = parsed([[start, 1, 2, 1, 2, 3]], "/products/BTC-USD/candles?granularity=60")
    assert not bar.closed


@pytest.mark.parametrize(
    ("granularity", "interval"), [(300, "5m"), (900, "15m"), (3600, "1h"), (21600, "6h"), (86400, "1d")]
)
def test_the_granularity_names_the_interval(granularity: int, interval: str) -> None:
    path = f"/products/BTC-USD/candles?granularity={granularity}"
    assert parsed(CANDLES, path)[0].interval == interval
    rows = [[1415398800 + step * granularity, 1, 2, 1, 2, 3] for step in range(3)]
    origin = Origin("file", 0, "candles_BTC-USD.json")
    assert COINBASE.parse(text(rows), origin).observations[0].interval == interval  # type: ignore[union-attr]


def test_the_book_is_a_snapshot_with_its_sequence() -> None:
    assert parsed(BOOK, "/products/BTC-USD/book?level=2") == [
        BookSnapshot(
            *INSTRUMENT,
            parse_time("2021-02-12T01:09:23.334723Z"),
            RECV,
            ((6247.58, 6.3578146), (6247.0, 1.0)),
            ((6251.52, 2.0),),
            (13051505638, 13051505638),
        )
    ]


def test_ticker_and_stats_say_only_what_they_know() -> None:
    at = parse_time("2020-03-20T00:22:57.833897Z")
    assert parsed(REST_TICKER, "/products/BTC-USD/ticker") == [
        Quote(*INSTRUMENT, at, RECV, 6265.15, None, 6267.71, None),
        Ticker(*INSTRUMENT, at, RECV, 6268.48, volume=53602.03940154),
    ]
    assert parsed(STATS, "/products/BTC-USD/stats") == [
        Ticker(*INSTRUMENT, RECV, RECV, 6250.02, 5414.18, 6441.37, 5261.69, 53687.7)
    ]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "trading"),
        ({"status": "delisted"}, "closed"),
        ({"status": "offline"}, "halted"),
        ({"trading_disabled": True}, "halted"),
        ({"cancel_only": True}, "halted"),
    ],
)
def test_products_are_instruments(change: dict[str, Any], status: str) -> None:
    [info] = parsed([{**PRODUCT, **change}], "/products")
    assert info == InstrumentInfo(
        *INSTRUMENT,
        RECV,
        RECV,
        "BTC-USD",
        "BTC",
        "USD",
        price_precision=2,
        size_precision=8,
        tick_size=0.01,
        lot_size=1e-8,
        status=status,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("increment", "decimals"), [("1", 0), ("10", 0), ("0.5", 1), ("0.0100", 2), (0.001, 3), ("1e-9", 9)]
)
def test_precision_is_that_of_the_increment(increment: Any, decimals: int) -> None:
    [info] = parsed([{**PRODUCT, "quote_increment": increment}], "/products")
    assert info.price_precision == decimals


def test_a_bad_row_rejects_itself_alone() -> None:
    rows = [TRADES[0], without(TRADES[1], "price"), {**TRADES[1], "size": "nan"}]
    answer = COINBASE.parse(text(rows), http("/products/BTC-USD/trades"))
    assert [each.trade_id for each in answer.observations if isinstance(each, Trade)] == ["74"]
    assert ["row 1" in answer.rejects[0].reason, "`price`" in answer.rejects[0].reason] == [True, True]
    assert len(answer.rejects) == 2
    products = COINBASE.parse(text([{**PRODUCT, "quote_increment": "-1"}, PRODUCT]), http("/products"))
    assert (len(products.observations), len(products.rejects)) == (1, 1)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (TRADES, 2),
        (CANDLES, 2),
        (BOOK, 1),
        (REST_TICKER, 2),
        (STATS, 1),
        ([PRODUCT], 1),
        (PRODUCT, 1),
        ([], 0),
    ],
)
def test_a_body_is_recognised_by_its_shape_where_only_a_file_name_tells_the_product(
    body: Any, count: int
) -> None:
    answer = COINBASE.parse(text(body), Origin("file", RECV, "some/coinbase_BTC-USD_2026.json"))
    assert (len(answer.observations), answer.rejects) == (count, [])


def test_without_any_product_the_reject_says_so() -> None:
    [reject] = COINBASE.parse(text(TRADES), Origin("file", RECV)).rejects
    assert reject.reject_class == "malformed"
    assert "names the product" in reject.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "throttled"),
        (404, "not_found"),
        (401, "auth"),
        (403, "entitlement"),
        (400, "bad_request"),
        (503, "upstream"),
        (0, "upstream"),
    ],
)
def test_an_http_error_is_a_reject_of_its_class_with_the_venues_words(status: int, kind: str) -> None:
    [reject] = COINBASE.parse('{"message":"Public rate limit exceeded"}', http("/products", status)).rejects
    assert reject.reject_class == kind
    assert status == 0 or "Public rate limit exceeded" in reject.reason
    assert COINBASE.parse("<html>", http("/products", status)).rejects[0].reject_class == kind


def test_an_error_body_without_a_status_is_a_reject() -> None:
    [reject] = COINBASE.parse('{"message":"Invalid granularity"}', Origin("file", RECV)).rejects
    assert (reject.reject_class, reject.reason) == ("bad_request", "Invalid granularity")


@pytest.mark.parametrize(
    "path",
    [
        "/products",
        "/products/BTC-USD/trades",
        "/products/BTC-USD/candles",
        "/products/BTC-USD/book",
        "/products/BTC-USD/ticker",
        "/products/BTC-USD/stats",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        "null",
        "1",
        '"x"',
        "{}",
        "[1]",
        "[[1]]",
        '[{"a":1}]',
        '{"bids":1,"asks":[]}',
        "[null]",
        '[["x",1,1,1,1,1]]',
    ],
)
def test_wrong_shapes_are_rejected_at_every_endpoint(path: str, body: str) -> None:
    answer = COINBASE.parse(body, http(path))
    assert answer.observations == []
    assert {each.reject_class for each in answer.rejects} == {"malformed"}


@pytest.mark.parametrize(
    ("ours", "recorded", "same"),
    [
        (
            "/products/BTC-USD/trades?limit=1000&after=20",
            "https://api.pro.coinbase.com/products/BTC-USD/trades",
            True,
        ),
        ("/products/BTC-USD/trades", REST + "/products/ETH-USD/trades", False),
        ("/products/BTC-USD/trades", REST + "/products/BTC-USD/ticker", False),
        ("/products", "/products", True),
        ("/products", REST + "/products/BTC-USD", False),
        (
            "/products/BTC-USD/candles?granularity=60&start=x",
            REST + "/products/btc-usd/candles?granularity=60",
            True,
        ),
        (
            "/products/BTC-USD/candles?granularity=60",
            REST + "/products/BTC-USD/candles?granularity=300",
            False,
        ),
        ("/products", "https://api.exchange.coinbase.com/currencies", False),
    ],
)
def test_a_recorded_line_answers_the_request_for_the_same_resource(
    ours: str, recorded: str, same: bool
) -> None:
    assert COINBASE.match(HttpRequest(REST + ours, "p"), recorded) is same
