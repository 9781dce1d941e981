"""CoinMarketCap's bodies, field by field: recorded ones of v1, and v2 and v3 as they are documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import parse_time
from domain.market.observations import InstrumentInfo, Ticker
from domain.market.reference import MarketFigure, Profile
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://pro-api.coinmarketcap.com"
AT = "2026-11-27T10:00:00.000Z"
PRICES: dict[str, Any] = {
    "price": "50000.5",
    "volume_24h": 1e9,
    "market_cap": None,
    "percent_change_24h": -0.5,
    "last_updated": AT,
}
BITCOIN: dict[str, Any] = {"id": 1, "name": "Bitcoin", "symbol": "BTC", "slug": "bitcoin"}
EXPECTED = Ticker(
    "coinmarketcap",
    "BTC-USD.CRYPTO",
    parse_time(AT),
    RECV,
    50000.5,
    quote_volume=1e9,
    change_pct=-0.5,
)


def body(data: object, code: object = 0, message: str | None = None) -> dict[str, Any]:
    status = {"timestamp": "2026-11-27T10:00:05Z", "error_code": code, "error_message": message, "elapsed": 1}
    return {"status": status, "data": data}


@pytest.mark.parametrize("name", ["listings_latest_2019-02-08", "quotes_latest_2019-02-04"])
def test_recorded_prices_are_tickers_with_volumes_in_the_currency(shared_data: Path, name: str) -> None:
    data = raw(shared_data, f"coinmarketcap/{name}.json")["data"]
    rows = data if isinstance(data, list) else list(data.values())
    found = said(parse_recorded(shared_data, "coinmarketcap", f"coinmarketcap/{name}.json"))
    assert len(found) == len(rows) == len({each.instrument for each in found})
    for ticker, row in zip(found, rows, strict=True):
        quote = row["quote"]["USD"]
        assert ticker == Ticker(
            "coinmarketcap",
            ticker.instrument,
            parse_time(quote["last_updated"]),
            RECV,
            quote["price"],
            quote_volume=quote["volume_24h"],
            change_pct=quote["percent_change_24h"],
            market_cap=quote["market_cap"],
        )
        assert ticker.instrument.startswith(row["symbol"]) and ticker.instrument.endswith("-USD.CRYPTO")
    assert found[0].instrument == "BTC-USD.CRYPTO"


def test_the_recorded_map_lists_instruments(shared_data: Path) -> None:
    rows = raw(shared_data, "coinmarketcap/map_2019-02-04.json")["data"]
    found = said(parse_recorded(shared_data, "coinmarketcap", "coinmarketcap/map_2019-02-04.json"))
    assert [each.venue_symbol for each in found] == [str(row["id"]) for row in rows]
    first = found[0]
    assert isinstance(first, InstrumentInfo)
    assert (first.instrument, first.base, first.status) == ("BTC.CRYPTO", "BTC", "trading")
    assert first.aliases == ("BTC", "Bitcoin", "bitcoin")
    assert first.ts_event == parse_time("2019-02-04T08:20:36.396Z")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/v1/cryptocurrency/quotes/latest", {"1": BITCOIN | {"quote": {"USD": PRICES}}}),
        ("/v1/cryptocurrency/quotes/latest", {"BTC": BITCOIN | {"quote": {"USD": PRICES}}}),
        ("/v2/cryptocurrency/quotes/latest", {"BTC": [BITCOIN | {"quote": {"USD": PRICES}}], "NOSUCH": []}),
        ("/v2/cryptocurrency/quotes/latest", {"1": BITCOIN | {"quote": {"2781": PRICES}}}),
        ("/v3/cryptocurrency/quotes/latest", [BITCOIN | {"quote": [PRICES | {"symbol": "USD", "id": 2781}]}]),
        ("/v1/cryptocurrency/listings/latest", [BITCOIN | {"quote": {"USD": PRICES}}]),
        ("/v3/cryptocurrency/listings/latest", [BITCOIN | {"quote": [PRICES | {"symbol": "usd"}]}]),
        ("/public-api/v3/cryptocurrency/quotes/latest", [BITCOIN | {"quote": [PRICES | {"symbol": "USD"}]}]),
    ],
)
@pytest.mark.parametrize("code", [0, "0"])
def test_every_version_says_the_same(path: str, data: object, code: object) -> None:
    for endpoint in (f"{API}{path}?symbol=BTC&convert=USD", ""):
        assert only(parse("coinmarketcap", body(data, code), endpoint)) == EXPECTED


def test_two_coins_with_one_ticker_are_two_instruments() -> None:
    coins = [
        {"id": number, "symbol": "UNI", "quote": {"USD": PRICES, "EUR": PRICES}} for number in (7083, 11, 12)
    ]
    found = said(parse("coinmarketcap", body({"UNI": coins})))
    assert [each.instrument for each in found] == [
        "UNI-USD.CRYPTO",
        "UNI-EUR.CRYPTO",
        "UNI:CMC11-USD.CRYPTO",
        "UNI:CMC11-EUR.CRYPTO",
        "UNI:CMC12-USD.CRYPTO",
        "UNI:CMC12-EUR.CRYPTO",
    ]


def test_a_bad_row_costs_that_row() -> None:
    rows = [
        {"symbol": "X", "quote": {"USD": PRICES}},
        {"id": 5, "quote": {"USD": PRICES}},
        BITCOIN | {"quote": {"USD": PRICES | {"price": "high"}, "EUR": {"price": None}, "9": PRICES}},
        7,
        BITCOIN | {"quote": {"USD": PRICES}},
    ]
    parsed = parse("coinmarketcap", body(rows), f"{API}/v1/cryptocurrency/listings/latest")
    assert parsed.observations == [EXPECTED]
    assert classes(parsed) == ["malformed"] * 5


def test_a_price_without_a_time_of_its_own_has_that_of_its_coin_then_of_the_answer() -> None:
    untimed = {"price": 1}
    coin = BITCOIN | {"last_updated": AT, "quote": {"USD": untimed}}
    assert only(parse("coinmarketcap", body([coin]))).ts_event == parse_time(AT)
    coin["last_updated"] = None
    assert only(parse("coinmarketcap", body([coin]))).ts_event == parse_time("2026-11-27T10:00:05Z")
    assert only(parse("coinmarketcap", {"data": [coin]})).ts_event == RECV


def test_a_coin_that_is_no_longer_traded_is_closed() -> None:
    row = {"id": 4, "symbol": "trc", "name": "Terracoin", "slug": "terracoin", "is_active": 0}
    found = only(parse("coinmarketcap", body([row]), f"{API}/v1/cryptocurrency/map"))
    assert (found.instrument, found.base, found.status) == ("TRC:CMC4.CRYPTO", "TRC", "closed")


def test_a_coin_is_described() -> None:
    info = BITCOIN | {
        "category": "coin",
        "description": "Digital money.",
        "urls": {"website": ["", "https://bitcoin.org/"]},
        "logo": "x",
        "platform": {"name": "Ethereum", "slug": "ethereum", "token_address": "0xab"},
    }
    for data in ({"1": info}, {"BTC": [info]}):
        assert only(parse("coinmarketcap", body(data), f"{API}/v2/cryptocurrency/info")) == Profile(
            "coinmarketcap",
            "BTC.CRYPTO",
            parse_time("2026-11-27T10:00:05Z"),
            RECV,
            "Bitcoin",
            symbol="BTC",
            sector="coin",
            website="https://bitcoin.org/",
            description="Digital money.",
            identifiers={"coinmarketcap": "1", "ethereum": "0xab"},
        )


def test_the_whole_market_is_one_figure_each() -> None:
    data = {
        "active_cryptocurrencies": 9000,
        "btc_dominance": 57.5,
        "defi_volume_24h_reported": None,
        "last_updated": AT,
        "quote": {
            "USD": {
                "total_market_cap": 3e12,
                "total_volume_24h": 1e11,
                "total_market_cap_yesterday_percentage_change": -1.5,
                "last_updated": AT,
            }
        },
    }
    for endpoint in ("", f"{API}/v1/global-metrics/quotes/latest"):
        found = said(parse("coinmarketcap", body(data), endpoint))
        assert all(isinstance(each, MarketFigure) and each.ts_event == parse_time(AT) for each in found)
        assert {(each.name, each.value, each.unit) for each in found} == {
            ("active_cryptocurrencies", 9000.0, "count"),
            ("btc_dominance", 57.5, "percent"),
            ("total_market_cap", 3e12, "USD"),
            ("total_volume_24h", 1e11, "USD"),
            ("total_market_cap_yesterday_percentage_change", -1.5, "percent"),
        }


@pytest.mark.parametrize("status", [None, 200, 400, 403, 500])
@pytest.mark.parametrize(
    ("code", "message", "found"),
    [
        (1001, "This API Key is invalid.", "auth"),
        ("1002", "API key missing.", "auth"),
        (1003, "Your API Key must be activated.", "entitlement"),
        (1006, "Your API Key subscription plan doesn't support this endpoint.", "entitlement"),
        (1007, "This API Key has been disabled.", "auth"),
        ("1008", "You've exceeded your API Key's HTTP request rate limit.", "throttled"),
        (1009, "daily", "throttled"),
        (1010, "monthly", "throttled"),
        ("1011", "You've hit an IP rate limit.", "throttled"),
        (400, 'Invalid value for "convert": "XYZ"', "bad_request"),
        (500, "An internal server error occurred", "upstream"),
        ("odd", "rate limit", "throttled"),
    ],
)
def test_the_code_in_the_body_decides(code: object, message: str, found: str, status: int | None) -> None:
    wrong = {"status": {"timestamp": AT, "error_code": code, "error_message": message}}
    parsed = parse("coinmarketcap", wrong, f"{API}/v1/cryptocurrency/map", status=status)
    assert classes(parsed) == [found]


def test_the_recorded_refusal_is_of_the_plan(shared_data: Path) -> None:
    path = "coinmarketcap/exchange_info_error_1006_403.json"
    assert classes(parse_recorded(shared_data, "coinmarketcap", path)) == ["entitlement"]


def test_an_error_without_a_status_is_told_by_its_words() -> None:
    wrong = {"statusCode": 401, "error": "Unauthorized", "message": "no"}
    assert classes(parse("coinmarketcap", wrong)) == ["auth"]


@pytest.mark.parametrize(
    ("payload", "path", "found"),
    [
        (body([]), "/v1/exchange/info", "unsupported"),
        (body([{"a": 1}]), "", "malformed"),
        (body(5), "", "malformed"),
        ({"status": {"error_code": 0}}, "", "malformed"),
        ([], "", "malformed"),
    ],
)
def test_what_is_not_read_says_so(payload: object, path: str, found: str) -> None:
    assert classes(parse("coinmarketcap", payload, path and API + path)) == [found]


@pytest.mark.parametrize("data", [None, [], {}])
def test_an_answer_without_coins_gives_nothing(data: object) -> None:
    for endpoint in ("", f"{API}/v2/cryptocurrency/quotes/latest?symbol=NOSUCH"):
        parsed = parse("coinmarketcap", body(data), endpoint)
        assert not said(parsed) and not parsed.rejects
