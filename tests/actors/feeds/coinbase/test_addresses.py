"""The address decides what a body is, its shape only where there is none. One bad row costs that row."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import FeedSettings, Origin
from actors.feeds.coinbase import adapter
from domain.market.observations import BookSnapshot, InstrumentInfo, Quote
from tests.actors.feeds.coinbase.frames import (
    BOOK,
    CANDLES,
    MATCH,
    PRODUCT,
    RECV,
    REST,
    SNAPSHOT,
    STATS,
    TRADES,
    WS,
    http,
    text,
)

COINBASE = adapter()
ADVANCED = "https://api.coinbase.com/api/v3/brokerage/market"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (REST + "/currencies", [{"id": "USD", "base_currency": "x", "quote_currency": "y"}]),
        (REST + "/products/stats", {"BTC-USD": STATS}),
        (REST + "/products/volume-summary", [STATS]),
        (REST + "/products/BTC-USD/spark-lines", CANDLES),
        (REST + "/products/BTC-USD/book?level=3", BOOK),
        (REST + "/time", {"open": "1", "last": "2"}),
        (REST + "/wrapped-assets", BOOK),
        (ADVANCED + "/products/BTC-USD/ticker", TRADES),
        (ADVANCED + "/products/BTC-USD/candles", CANDLES),
        ("http://127.0.0.1:8000/somewhere", BOOK),
        ("api.exchange.coinbase.com/currencies", BOOK),
        ("API.Exchange.Coinbase.com:443/time", STATS),
        ("coinbase.com/products/BTC-USD/trades", TRADES),
    ],
)
def test_an_address_that_is_not_listed_is_unsupported_whatever_its_body_looks_like(
    endpoint: str, body: Any
) -> None:
    answer = COINBASE.parse(text(body), Origin("http", RECV, endpoint, "COINBASE", 200))
    assert answer.observations == []
    assert [reject.reject_class for reject in answer.rejects] == ["unsupported"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "wss://advanced-trade-ws.coinbase.com",
        "wss://ws-feed.prime.coinbase.com",
        "wss://ws-md.international.coinbase.com",
    ],
)
def test_another_service_of_coinbase_is_unsupported(endpoint: str) -> None:
    for frame in (MATCH, SNAPSHOT, {"channel": "ticker", "events": []}):
        answer = COINBASE.parse(text(frame), Origin("ws", RECV, endpoint))
        assert answer.observations == []
        assert [reject.reject_class for reject in answer.rejects] == ["unsupported"]
        effects = COINBASE.session(FeedSettings()).on_frame(0, text(frame), RECV, endpoint)
        assert effects.observations == []


@pytest.mark.parametrize("body", [BOOK, STATS, CANDLES, TRADES])
def test_a_message_of_the_feed_is_never_read_as_a_body(body: Any) -> None:
    answer = COINBASE.parse(text(body), WS)
    assert answer.observations == []
    assert {reject.reject_class for reject in answer.rejects} == {"malformed"}


def test_the_hosts_and_paths_that_are_listed_are_read() -> None:
    for root in (REST, "https://api.pro.coinbase.com", "http://127.0.0.1:2"):
        origin = Origin("http", RECV, f"{root}/products/BTC-USD/trades?limit=2", None, 200)
        assert len(COINBASE.parse(text(TRADES), origin).observations) == 2


def test_the_first_level_of_the_book_is_a_quote_and_no_book() -> None:
    for path in ("/products/BTC-USD/book", "/products/BTC-USD/book?level=1"):
        [quote] = COINBASE.parse(text(BOOK), http(path)).observations
        assert isinstance(quote, Quote)
        assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (6247.58, 6.3578146, 6251.52, 2.0)
    [book] = COINBASE.parse(text(BOOK), http("/products/BTC-USD/book?level=2")).observations
    assert isinstance(book, BookSnapshot)
    empty = {**BOOK, "bids": [], "asks": []}
    assert COINBASE.parse(text(empty), http("/products/BTC-USD/book")).observations == []


def test_a_single_product_that_names_its_own_type_is_a_product() -> None:
    [info] = COINBASE.parse(text({**PRODUCT, "type": "spot"}), http("/products/BTC-USD")).observations
    assert isinstance(info, InstrumentInfo)


BAD_PRODUCTS = [
    {**PRODUCT, "id": "BBB-USD", "quote_increment": None},
    {**PRODUCT, "id": None},
    {**PRODUCT, "id": "no product"},
    {**PRODUCT, "quote_increment": "0"},
    {"id": "ONLY-USD"},
    None,
    7,
    "BTC-USD",
    [],
]


@pytest.mark.parametrize("bad", BAD_PRODUCTS)
def test_one_bad_product_costs_that_product_alone(bad: Any) -> None:
    products = [{**PRODUCT, "id": "AAA-USD"}, bad, {**PRODUCT, "id": "CCC-USD"}]
    for answer in (
        COINBASE.parse(text({"type": "status", "products": products, "currencies": [None]}), WS),
        COINBASE.parse(text(products), http("/products")),
    ):
        assert [each.instrument for each in answer.observations] == ["AAA-USD.COINBASE", "CCC-USD.COINBASE"]
        assert [reject.reject_class for reject in answer.rejects] == ["malformed"]
        assert "row 1" in answer.rejects[0].reason


@pytest.mark.parametrize("bad", [None, [], [1], "x", {"time": None}])
def test_one_bad_trade_or_candle_costs_that_row_alone(bad: Any) -> None:
    for path, rows in (
        ("/products/BTC-USD/trades", TRADES),
        ("/products/BTC-USD/candles?granularity=60", CANDLES),
    ):
        answer = COINBASE.parse(text([rows[0], bad, rows[1]]), http(path))
        assert (len(answer.observations), len(answer.rejects)) == (2, 1)


def test_one_bad_frame_of_an_array_costs_that_frame_alone() -> None:
    answer = COINBASE.parse(text([MATCH, None, 3, {"type": "match"}, MATCH]), WS)
    assert (len(answer.observations), len(answer.rejects)) == (2, 3)


def test_acknowledgements_and_errors_with_nulls_are_understood() -> None:
    channels = [{"name": "ticker", "product_ids": None}, None]
    assert COINBASE.parse(text({"type": "subscriptions", "channels": channels}), WS).rejects == []
    [reject] = COINBASE.parse(text({"type": "error", "message": "rate limit", "reason": None}), WS).rejects
    assert (reject.reject_class, reject.reason) == ("throttled", "rate limit")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"post_only": True}, "halted"),
        ({"limit_only": True}, "trading"),
        ({"limit_only": True, "post_only": True}, "halted"),
        ({"cancel_only": True}, "halted"),
        ({"trading_disabled": True}, "halted"),
        ({"auction_mode": False}, "trading"),
        ({"post_only": None, "cancel_only": None, "trading_disabled": None}, "trading"),
        ({"status": ""}, "trading"),
        ({"status": None}, "trading"),
        ({"status": "offline"}, "halted"),
        ({"status": "delisted", "post_only": True}, "closed"),
    ],
)
def test_a_product_is_trading_where_takers_can_trade(change: dict[str, Any], status: str) -> None:
    product = {**PRODUCT, **change}
    for answer in (
        COINBASE.parse(text([product]), http("/products")),
        COINBASE.parse(text({"type": "status", "products": [product]}), WS),
    ):
        [info] = answer.observations
        assert isinstance(info, InstrumentInfo)
        assert info.status == status
