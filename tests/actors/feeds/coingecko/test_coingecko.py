"""CoinGecko's bodies, field by field as they were recorded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.feeds.base import Origin
from actors.feeds.coingecko.routes import PATHS
from actors.feeds.registry import load_parser
from domain.clock import NS_PER_MS, NS_PER_S, parse_time
from domain.market.observations import Bar, FxRate, InstrumentInfo, Ticker
from domain.market.reference import MarketFigure, Metric, NewsItem, Profile, Trending
from tests.parsed import RECV, classes, manifest, only, parse, parse_recorded, raw, said

API = "https://api.coingecko.com/api/v3"
HOUR = 3_600 * NS_PER_S


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, "coingecko", f"coingecko/{name}.json", endpoint)


def test_every_recorded_body_is_understood_with_its_address(shared_data: Path) -> None:
    """Derivatives hold three rows without a symbol; each costs itself."""
    rows = {path: row for path, row in manifest(shared_data).items() if row["provider"] == "coingecko"}
    for path, row in rows.items():
        parsed = parse_recorded(shared_data, "coingecko", path)
        if row["http_status"] != 200:
            assert parsed.is_refused and not said(parsed), path
        elif path.endswith("/derivatives.json"):
            assert classes(parsed) == ["malformed"] * 3 and len(parsed.observations) == 1763 - 10
        else:
            assert not parsed.rejects, (path, parsed.rejects[:2])
    assert len(rows) > 50


def test_every_listed_part_is_recorded_or_written_below() -> None:
    """A path names a part of the parser, or None."""
    from actors.feeds.coingecko.parse import PARTS

    assert {part for _, part in PATHS if part is not None} == set(PARTS)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("price_for_one_coin_1_ERR422", "bad_request"),
        ("market_data_for_a_coin_2_ERR422", "bad_request"),
        ("ohlc_data_for_one_coin_in_the_last_7_days_1_ERR500", "upstream"),
    ],
)
def test_recorded_errors_have_their_class_also_without_a_status(
    shared_data: Path, name: str, found: str
) -> None:
    assert classes(recorded(shared_data, name)) == [found]
    body = (shared_data / f"coingecko/{name}.json").read_bytes()
    assert classes(parse("coingecko", body)) == [found]


@pytest.mark.parametrize("status", [None, 200, 400, 403, 500])
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"status": {"error_code": 10002, "error_message": "API Key Missing"}}, "auth"),
        ({"status": {"error_code": "10010", "error_message": "use the pro root"}}, "auth"),
        ({"timestamp": "x", "error_code": 10011, "status": {"error_message": "use the demo root"}}, "auth"),
        ({"status": {"error_code": 10005, "error_message": "limited to Pro"}}, "entitlement"),
        ({"error": {"status": {"error_code": 10012, "error_message": "allowed time range"}}}, "entitlement"),
        ({"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}, "throttled"),
        ({"error": "coin not found"}, "not_found"),
        ({"error": "Could not find coin with the given id"}, "not_found"),
        ({"error": "invalid vs_currency"}, "bad_request"),
        ({"status": 503, "error": "hold on"}, "upstream"),
        ("Throttled", "throttled"),
    ],
)
def test_the_class_of_an_error_is_what_its_body_says(body: Any, found: str, status: int | None) -> None:
    parsed = parse("coingecko", body, f"{API}/simple/price?ids=bitcoin&vs_currencies=usd", status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_coins_with_the_names_of_errors_are_coins() -> None:
    body = {"status": {"usd": 0.02}, "error": {"usd": 0.5}}
    assert [each.instrument for each in said(parse("coingecko", body, f"{API}/simple/price"))] == [
        "STATUS-USD.CRYPTO",
        "ERROR-USD.CRYPTO",
    ]


def test_simple_price_gives_a_ticker_per_coin_and_currency() -> None:
    body = {
        "bitcoin": {
            "usd": 50000,
            "usd_market_cap": 9.5e11,
            "usd_24h_vol": "3.2e10",
            "usd_24h_change": -1.25,
            "eur": "43103.45",
            "eur_24h_vol": None,
            "last_updated_at": 1764072000,
        },
        "shiba-inu": {"usd": None, "eur": "x", "sats": 1.5},
        "odd": 7,
    }
    parsed = parse("coingecko", body)
    at = 1764072000 * NS_PER_S
    assert parsed.observations == [
        Ticker(
            "coingecko",
            "BTC-USD.CRYPTO",
            at,
            RECV,
            50000.0,
            quote_volume=3.2e10,
            change_pct=-1.25,
            market_cap=9.5e11,
        ),
        Ticker("coingecko", "BTC-EUR.CRYPTO", at, RECV, 43103.45),
        Ticker("coingecko", "SHIB-SATS.CRYPTO", RECV, RECV, 1.5),
    ]
    assert classes(parsed) == ["malformed", "malformed"]


def test_a_coin_without_prices_prints_nothing(shared_data: Path) -> None:
    parsed = recorded(shared_data, "btc_to_eth_exchange_rate_0")
    assert not said(parsed) and not parsed.rejects
    assert only(recorded(shared_data, "btc_to_eth_exchange_rate_2")).last == 14.394342


def test_markets_take_their_currency_from_the_address(shared_data: Path) -> None:
    for name, quote in (("market_data_for_a_coin_0", "USD"), ("market_data_for_a_coin_in_myr_0", "MYR")):
        (row,) = raw(shared_data, f"coingecko/{name}.json")
        assert only(recorded(shared_data, name)) == Ticker(
            "coingecko",
            f"BTC-{quote}.CRYPTO",
            parse_time(row["last_updated"]),
            RECV,
            row["current_price"],
            high=row["high_24h"],
            low=row["low_24h"],
            quote_volume=row["total_volume"],
            change_pct=row["price_change_percentage_24h"],
            market_cap=row["market_cap"],
        )
    two = said(recorded(shared_data, "market_data_for_multiple_coins_in_eth_0"))
    assert [each.instrument for each in two] == ["BTC-ETH.CRYPTO", "ETH-ETH.CRYPTO"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("market_data_for_a_coin_0", "/coins/markets"),
        ("daily_historical_prices_for_one_coin_0", "/coins/bitcoin/market_chart?days=90"),
        ("ohlc_data_for_one_coin_in_the_last_7_days_0", "/coins/bitcoin/ohlc?vs_currency=usd"),
        ("ohlc_data_for_one_coin_in_the_last_7_days_0", "/coins/bitcoin/ohlc?days=7"),
        ("historical_price_for_one_coin_at_a_previous_date_0", "/coins/bitcoin/history"),
    ],
)
def test_what_neither_body_nor_address_says_is_not_guessed(shared_data: Path, name: str, path: str) -> None:
    for parsed in (
        recorded(shared_data, name, API + path),
        parse("coingecko", (shared_data / f"coingecko/{name}.json").read_bytes()),
    ):
        assert classes(parsed) == ["malformed"] and not said(parsed)


def test_a_symbol_stands_in_for_coin_and_currency(shared_data: Path) -> None:
    chart = (shared_data / "coingecko/daily_historical_prices_for_one_coin_0.json").read_bytes()
    parser = load_parser("coingecko")
    for symbol, found in (
        ("BTC-USD", "BTC-USD.CRYPTO"),
        ("BITCOIN-EUR", "BTC-EUR.CRYPTO"),
        ("SHIBA-INU-USD", "SHIB-USD.CRYPTO"),
        ("WRAPPED_STETH-USD", "WRAPPED_STETH-USD.CRYPTO"),
    ):
        parsed = parser.parse(chart, Origin("file", RECV, "chart.json", symbol=symbol))
        assert {each.instrument for each in parsed.observations} == {found}
    parsed = parser.parse(chart, Origin("file", RECV, "chart.json", symbol="BTC"))
    assert classes(parsed) == ["malformed"]


def test_a_row_without_a_price_is_left_out_and_a_bad_one_costs_itself() -> None:
    rows = [
        {"id": "bitcoin", "current_price": None},
        {"id": "bitcoin", "current_price": "high"},
        {"current_price": 5},
        5,
        {"id": "ethereum", "current_price": 3000, "market_cap": 0, "total_volume": 0, "last_updated": None},
    ]
    parsed = parse("coingecko", rows, f"{API}/coins/markets?vs_currency=usd")
    assert parsed.observations == [
        Ticker("coingecko", "ETH-USD.CRYPTO", RECV, RECV, 3000.0, quote_volume=0.0)
    ]
    assert classes(parsed) == ["malformed"] * 3


def test_a_coin_is_described_and_priced_in_every_currency(shared_data: Path) -> None:
    body = raw(shared_data, "coingecko/a_coins_complete_current_data.json")
    parsed = recorded(shared_data, "a_coins_complete_current_data")
    data, at = body["market_data"], parse_time(body["market_data"]["last_updated"])
    coins = [each for each in parsed.observations if each.instrument.endswith(".CRYPTO")]
    assert len(coins) == len(data["current_price"]) == 61
    for ticker, (code, price) in zip(coins, data["current_price"].items(), strict=True):
        assert ticker == Ticker(
            "coingecko",
            f"BTC-{code.upper()}.CRYPTO",
            at,
            RECV,
            price,
            high=data["high_24h"][code],
            low=data["low_24h"][code],
            quote_volume=data["total_volume"][code],
            change_pct=data["price_change_percentage_24h_in_currency"].get(code),
            market_cap=data["market_cap"][code],
        )
    (profile,) = parsed.facts
    assert isinstance(profile, Profile)
    assert (profile.instrument, profile.name, profile.symbol) == ("BTC.CRYPTO", "Bitcoin", "BTC")
    assert profile.market_cap == profile.market_cap_usd == data["market_cap"]["usd"]
    assert (profile.currency, profile.website) == ("USD", "http://www.bitcoin.org")
    assert profile.description == body["description"]["en"].strip() and profile.ts_event == at
    assert profile.identifiers == {"coingecko": "bitcoin"}


def test_a_coin_found_by_its_contract_keeps_its_platforms(shared_data: Path) -> None:
    parsed = recorded(shared_data, "market_data_for_a_coin_from_a_contract_address")
    (profile,) = parsed.facts
    assert isinstance(profile, Profile) and profile.instrument == "USDT.CRYPTO"
    assert profile.identifiers["ethereum"] == "0xdac17f958d2ee523a2206206994597c13d831ec7"
    assert parsed.observations[0].instrument == "USDT-AED.CRYPTO"
    assert all(len(each.instrument) <= 64 for each in parsed.observations)


def test_prices_at_exchanges_are_of_their_pair_with_volumes_in_its_quote(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/exchange_tickers_from_an_exchange.json")["tickers"]
    found = said(recorded(shared_data, "exchange_tickers_from_an_exchange"))
    assert len(found) == len(rows) == 100
    for ticker, row in zip(found, rows, strict=True):
        assert ticker.instrument == f"{row['base']}-{row['target']}.BINANCE"
        assert (ticker.last, ticker.volume) == (row["last"], None)
        assert ticker.quote_volume == row["volume"] * row["last"]
        assert ticker.ts_event == parse_time(row["last_traded_at"])
    gdax = {"base": "BTC", "target": "USD", "market": {"identifier": "gdax"}, "last": 5, "volume": None}
    assert only(parse("coingecko", {"name": "x", "tickers": [gdax]})).instrument == "BTC-USD.COINBASE"


def test_a_price_of_a_past_day_is_of_the_day_that_was_asked_for(shared_data: Path) -> None:
    name = "historical_price_for_one_coin_at_a_previous_date_0"
    data = raw(shared_data, f"coingecko/{name}.json")["market_data"]
    found = {each.instrument: each for each in said(recorded(shared_data, name))}
    assert len(found) == len(data["current_price"])
    assert found["BTC-USD.CRYPTO"] == Ticker(
        "coingecko",
        "BTC-USD.CRYPTO",
        parse_time("2017-12-30"),
        RECV,
        data["current_price"]["usd"],
        quote_volume=data["total_volume"]["usd"],
        market_cap=data["market_cap"]["usd"],
    )
    other = recorded(shared_data, name, f"{API}/coins/bitcoin/history?date=2017-12-30")
    assert other.observations[0].ts_event == parse_time("2017-12-30")
    assert classes(recorded(shared_data, name, f"{API}/coins/bitcoin/history?date=31-02-2017")) == [
        "malformed"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "daily_historical_prices_for_one_coin_0",
        "hourly_historical_prices_for_one_coin_0",
        "minutely_historical_prices_for_one_coin_1",
    ],
)
def test_points_of_a_chart_are_tickers_at_their_own_times(shared_data: Path, name: str) -> None:
    body = raw(shared_data, f"coingecko/{name}.json")
    found = said(recorded(shared_data, name))
    points = zip(body["prices"], body["market_caps"], body["total_volumes"], strict=True)
    assert found == [
        Ticker(
            "coingecko",
            "BTC-USD.CRYPTO",
            stamp * NS_PER_MS,
            RECV,
            price,
            quote_volume=volume,
            market_cap=cap,
        )
        for (stamp, price), (_, cap), (_, volume) in points
    ]


def test_points_are_joined_by_time_and_missing_ones_are_null() -> None:
    body = {
        "prices": [[1000, 5.0], [2000, None], [3000, "7"], ["x", 1], [4000]],
        "market_caps": [[3000, 0], [1000, 50.0]],
        "total_volumes": [[1000, None], [3000, 0.0]],
    }
    parsed = parse("coingecko", body, f"{API}/coins/ethereum/market_chart/range?vs_currency=eur")
    assert [(each.ts_event, each.last, each.market_cap, each.quote_volume) for each in said(parsed)] == [
        (NS_PER_S, 5.0, 50.0, None),
        (3 * NS_PER_S, 7.0, None, 0.0),
    ]
    assert classes(parsed) == ["malformed", "malformed"]


def test_charts_of_contracts_are_of_instruments_of_their_own() -> None:
    body = {"prices": [[1000, 5.0]], "market_caps": [], "total_volumes": []}
    ids = {
        only(parse("coingecko", body, f"{API}/coins/{path}/market_chart?vs_currency=usd")).instrument
        for path in ("ethereum/contract/0xAB", "ethereum/contract/0xac", "solana/contract/0xab", "ethereum")
    }
    assert len(ids) == 4 and "ETH-USD.CRYPTO" in ids


@pytest.mark.parametrize(
    ("name", "instrument"),
    [
        ("ohlc_data_for_one_coin_in_the_last_7_days_0", "BTC-USD.CRYPTO"),
        ("ohlc_data_for_one_coin_in_the_last_30_days_in_myr_0", "BTC-MYR.CRYPTO"),
    ],
)
def test_a_bar_begins_four_hours_before_the_end_that_it_is_stamped_with(
    shared_data: Path, name: str, instrument: str
) -> None:
    rows = raw(shared_data, f"coingecko/{name}.json")
    found = said(recorded(shared_data, name))
    assert len(found) == len(rows)
    for bar, (end, opened, high, low, close) in zip(found, rows, strict=True):
        assert isinstance(bar, Bar) and bar.instrument == instrument and bar.interval == "4h"
        assert bar.ts_event == end * NS_PER_MS - 4 * HOUR
        assert (bar.open, bar.high, bar.low, bar.close) == (opened, high, low, close)
        assert math.isnan(bar.volume)
    assert json.loads(msgspec.json.encode(found[0]))["volume"] is None


def test_the_last_bar_is_open_until_its_end_has_come(shared_data: Path) -> None:
    path = shared_data / "coingecko/ohlc_data_for_one_coin_in_the_last_7_days_0.json"
    recorded_at = parse_time("2021-05-15T15:34:27Z")
    origin = Origin("http", recorded_at, f"{API}/coins/bitcoin/ohlc?days=7&vs_currency=usd")
    found = load_parser("coingecko").parse(path.read_bytes(), origin).observations
    assert [each.closed for each in found if isinstance(each, Bar)] == [True] * 41 + [False]


@pytest.mark.parametrize(
    ("query", "interval", "hours"),
    [
        ("days=1", "30m", 0.5),
        ("days=2", "30m", 0.5),
        ("days=14", "4h", 4),
        ("days=31", "4d", 96),
        ("days=max", "4d", 96),
        ("days=90&interval=daily", "1d", 24),
        ("interval=hourly&from=1&to=2", "1h", 1),
    ],
)
def test_the_length_of_a_bar_follows_from_the_days_asked_for(query: str, interval: str, hours: float) -> None:
    body = [[1_764_072_000_000, 1, 3, "0.5", 2], [1_764_073_000_000, None, None, None, None]]
    bar = only(parse("coingecko", body, f"{API}/coins/bitcoin/ohlc?vs_currency=usd&{query}"))
    assert (bar.interval, bar.ts_event) == (interval, 1_764_072_000 * NS_PER_S - int(hours * HOUR))


def test_bars_that_contradict_themselves_cost_themselves() -> None:
    rows = [
        [1_764_072_000_000, 1, 0.9, 0.5, 2],
        [1_764_072_000_000, 1, 2, 0, 2],
        [1, 2],
        "x",
        [10**20, 1, 2, 1, 2],
    ]
    parsed = parse("coingecko", rows, f"{API}/coins/bitcoin/ohlc?vs_currency=usd&days=1")
    assert not said(parsed) and classes(parsed) == ["malformed"] * 5


def test_the_list_of_coins_gives_every_coin_an_instrument_of_its_own(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/the_list_supported_coins.json")
    found = said(recorded(shared_data, "the_list_supported_coins"))
    assert len({each.instrument for each in found}) == len(found) == len(rows) == 7248
    assert len({row["symbol"].upper() for row in rows}) < len(rows)
    for info, row in zip(found, rows, strict=True):
        assert isinstance(info, InstrumentInfo) and info.venue_symbol == row["id"]
        assert info.base == row["symbol"].strip().upper() and info.quote is None
        assert row["name"].strip() in info.aliases
    by_id = {each.venue_symbol: each for each in found}
    assert by_id["bitcoin"].instrument == "BTC.CRYPTO" and by_id["uniswap"].instrument == "UNI.CRYPTO"


def test_a_bad_row_of_a_list_costs_that_row() -> None:
    rows = [
        {"id": "a", "symbol": "x", "name": "X"},
        {"symbol": "b", "name": "B"},
        None,
        {"id": "c", "symbol": 5},
    ]
    parsed = parse("coingecko", rows, f"{API}/coins/list")
    assert [each.instrument for each in said(parsed)] == ["A.CRYPTO"]
    assert classes(parsed) == ["malformed"] * 3


def test_lists_by_id_and_name_are_profiles(shared_data: Path) -> None:
    for name, count, first, title in (
        ("exchange_ids_supported_by_coingecko", 470, "EXCHANGE:AAVE.CRYPTO", "Aave"),
        ("derivatives_exchanges_ids_and_names", 56, "EXCHANGE:BINANCE_FUTURES.CRYPTO", "Binance (Futures)"),
        ("the_list_of_categories", 107, "CATEGORY:RECENTLY_ADDED.CRYPTO", "Recently Added"),
        ("the_list_of_asset_platforms", 56, "PLATFORM:FACTOM.CRYPTO", "Factom"),
    ):
        found = said(recorded(shared_data, name))
        assert len(found) == count == len({each.instrument for each in found})
        assert (found[0].instrument, found[0].name) == (first, title)
    assert len(said(recorded(shared_data, "finance_platforms"))) == 21


def test_exchanges_are_described_with_what_they_traded(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/the_list_of_supported_exchanges.json")
    found = said(recorded(shared_data, "the_list_of_supported_exchanges"))
    figures = {each.instrument: each for each in found if isinstance(each, MarketFigure)}
    assert len(figures) == len(rows) == 100
    binance = figures["EXCHANGE:BINANCE.CRYPTO"]
    assert (binance.name, binance.unit, binance.value) == (
        "trade_volume_24h_btc",
        "BTC",
        rows[0]["trade_volume_24h_btc"],
    )
    profile = found[0]
    assert isinstance(profile, Profile) and profile.country == "Cayman Islands"
    assert profile.identifiers == {"coingecko": "binance", "year_established": "2017"}


def test_one_exchange_has_prices_announcements_and_a_profile(shared_data: Path) -> None:
    found = said(recorded(shared_data, "complete_data_for_an_exchange"))
    assert sum(isinstance(each, Ticker) for each in found) == 100
    assert sum(isinstance(each, NewsItem) for each in found) == 7
    (profile,) = [each for each in found if isinstance(each, Profile)]
    assert (profile.instrument, profile.website) == ("EXCHANGE:BINANCE.CRYPTO", "https://www.binance.com/")
    body = (shared_data / "coingecko/complete_data_for_an_exchange.json").read_bytes()
    assert len(said(parse("coingecko", body))) == len(found)


def test_exchanges_of_derivatives_tell_their_open_interest(shared_data: Path) -> None:
    found = said(recorded(shared_data, "a_derivative_exchange"))
    figures = {each.name: each.value for each in found if isinstance(each, MarketFigure)}
    assert figures == {"open_interest_btc": 240213.7, "trade_volume_24h_btc": 2343566.75}
    many = said(recorded(shared_data, "derivative_exchanges"))
    assert many[0].instrument == found[0].instrument == "EXCHANGE:BINANCE_FUTURES.CRYPTO"


def test_derivatives_keep_the_letters_of_their_market(shared_data: Path) -> None:
    row = raw(shared_data, "coingecko/derivatives.json")[0]
    first = recorded(shared_data, "derivatives").observations[0]
    assert first == Ticker(
        "coingecko",
        "BTCUSDT.BINANCE_FUTURES",
        row["last_traded_at"] * NS_PER_S,
        RECV,
        float(row["price"]),
        quote_volume=row["volume_24h"],
        change_pct=row["price_percentage_change_24h"],
    )


def test_indexes_have_a_price_where_they_have_one(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/indexes.json")
    found = said(recorded(shared_data, "indexes"))
    assert sum(isinstance(each, InstrumentInfo) for each in found) == len(rows)
    prices = [each for each in found if isinstance(each, Ticker)]
    assert [each.last for each in prices] == [row["last"] for row in rows if row["last"]]
    one = only(recorded(shared_data, "indexes_by_market_id_and_index_id"))
    assert (one.instrument, one.asset_class) == ("BTC.CME_BITCOIN_FUTURES", "index")


def test_the_whole_market_is_one_figure_per_currency(shared_data: Path) -> None:
    data = raw(shared_data, "coingecko/global_crypto_data.json")["data"]
    found = said(recorded(shared_data, "global_crypto_data"))
    by_name = {(each.name, each.unit): each for each in found}
    for each in found:
        assert each.instrument == "MARKET:GLOBAL.CRYPTO" and each.ts_event == data["updated_at"] * NS_PER_S
    assert by_name["active_cryptocurrencies", "count"].value == 7362
    assert by_name["total_market_cap", "USD"].value == data["total_market_cap"]["usd"]
    assert by_name["total_volume", "EUR"].value == data["total_volume"]["eur"]
    assert by_name["market_cap_percentage_btc", "percent"].value == data["market_cap_percentage"]["btc"]
    change = by_name["market_cap_change_percentage_24h_usd", "percent"]
    assert change.value == data["market_cap_change_percentage_24h_usd"]
    assert len(found) == 6 + sum(len(each) for each in data.values() if isinstance(each, dict))


def test_decimals_in_text_are_numbers(shared_data: Path) -> None:
    data = raw(shared_data, "coingecko/global_defi_data.json")["data"]
    found = {each.name: (each.value, each.unit) for each in said(recorded(shared_data, "global_defi_data"))}
    assert found["defi_market_cap"] == (float(data["defi_market_cap"]), "USD")
    assert found["defi_dominance"] == (float(data["defi_dominance"]), "percent")
    rows = raw(shared_data, "coingecko/last_7_days_exchange_volume_from_an_exchange_0.json")
    points = said(recorded(shared_data, "last_7_days_exchange_volume_from_an_exchange_0"))
    assert [(each.ts_event, each.value) for each in points] == [
        (int(stamp) * NS_PER_MS, float(value)) for stamp, value in rows
    ]
    assert {each.instrument for each in points} == {"EXCHANGE:BINANCE.CRYPTO"}


def test_categories_have_figures_with_a_time_of_their_own(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/the_list_of_categories_with_market_data.json")
    found = said(recorded(shared_data, "the_list_of_categories_with_market_data"))
    first = {each.name: each for each in found[:3]}
    assert first["market_cap"].value == rows[0]["market_cap"] and first["market_cap"].unit == "USD"
    assert first["market_cap_change_24h"].unit == "percent"
    assert first["volume_24h"].ts_event == parse_time(rows[0]["updated_at"])
    assert len(found) == 3 * len(rows)


def test_treasuries_are_figures_of_companies_and_of_the_coin(shared_data: Path) -> None:
    body = raw(shared_data, "coingecko/companies_public_treasury_bitcoin.json")
    found = said(recorded(shared_data, "companies_public_treasury_bitcoin"))
    total = found[0]
    assert (total.name, total.value, total.unit) == (
        "public_treasury_total_holdings",
        body["total_holdings"],
        "BTC",
    )
    tesla = {each.name: each for each in found if each.instrument == "TSLA.XNAS"}
    row = next(row for row in body["companies"] if row["name"] == "Tesla")
    held = tesla["bitcoin_total_holdings"]
    assert isinstance(held, Metric) and (held.value, held.unit) == (row["total_holdings"], "BTC")
    worth = tesla["bitcoin_total_current_value_usd"]
    assert (worth.value, worth.currency) == (row["total_current_value_usd"], "USD")


def test_trending_lists_keep_their_order(shared_data: Path) -> None:
    rows = raw(shared_data, "coingecko/trending_searches.json")["coins"]
    found = said(recorded(shared_data, "trending_searches"))
    assert [each.rank for each in found] == list(range(1, 8)) and len(rows) == 7
    assert found[0] == Trending("coingecko", "MATIC.CRYPTO", RECV, RECV, 1, "coins", "MATIC", "Polygon", 0.0)
    body = {
        "coins": [{"item": {"id": "pepe", "symbol": "pepe", "data": {"price": 1}}}, {"item": {}}],
        "nfts": [{"id": "bored-apes", "name": "Apes", "symbol": "ba"}],
        "categories": [{"id": 327, "name": "Solana Memes", "slug": "solana-memes"}],
    }
    parsed = parse("coingecko", body, f"{API}/search/trending")
    assert [(each.instrument, each.list, each.rank) for each in said(parsed)] == [
        ("PEPE.CRYPTO", "coins", 1),
        ("NFT:BORED-APES.CRYPTO", "nfts", 1),
        ("CATEGORY:SOLANA-MEMES.CRYPTO", "categories", 1),
    ]
    assert classes(parsed) == ["malformed"]


def test_announcements_are_news_without_their_author(shared_data: Path) -> None:
    row = raw(shared_data, "coingecko/status_updates.json")["status_updates"][0]
    found = said(recorded(shared_data, "status_updates"))
    first = found[0]
    assert len(found) == 50 and isinstance(first, NewsItem)
    assert (first.instrument, first.source) == ("COINGECKO.NEWS", "Fuse")
    assert first.symbols == ("FUSE_NETWORK_TOKEN.CRYPTO",)
    assert first.published_at == first.ts_event == parse_time(row["created_at"])
    assert first.summary == row["description"].strip()
    assert row["user"] not in repr(first)


def test_rates_of_bitcoin_are_rates_but_for_bitcoin_itself(shared_data: Path) -> None:
    rates = raw(shared_data, "coingecko/exchange_rates_2022-01-24b.json")["rates"]
    body = (shared_data / "coingecko/exchange_rates_2022-01-24b.json").read_bytes()
    found = said(parse("coingecko", body, f"{API}/exchange_rates"))
    assert len(found) == len(rates) - 1
    usd = next(each for each in found if each.instrument == "BTC-USD.FX")
    assert isinstance(usd, FxRate) and usd.rate == rates["usd"]["value"]


def test_yearly_rates_of_products_are_metrics(shared_data: Path) -> None:
    found = said(recorded(shared_data, "finance_products"))
    assert (found[0].name, found[0].value, found[0].unit) == ("supply_rate_percentage", 1.956035, "percent")


@pytest.mark.parametrize("name", ["event_countries", "event_types", "indexes_ids"])
def test_lists_of_words_are_understood_and_give_nothing(shared_data: Path, name: str) -> None:
    parsed = recorded(shared_data, name)
    assert not said(parsed) and not parsed.rejects


def test_a_ping_and_empty_lists_give_nothing() -> None:
    for body, path in (
        ({"gecko_says": "(V3) To the Moon!"}, "/ping"),
        ([], "/coins/list"),
        ({}, "/simple/price"),
    ):
        for parsed in (parse("coingecko", body), parse("coingecko", body, API + path)):
            assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    "path",
    ["/simple/token_price/ethereum", "/nfts/list", "/coins/top_gainers_losers", "/onchain/networks", "/"],
)
def test_other_addresses_are_unsupported_whatever_their_body_looks_like(path: str) -> None:
    assert classes(parse("coingecko", {"bitcoin": {"usd": 5}}, API + path)) == ["unsupported"]


@pytest.mark.parametrize(
    "body", [5, "x", None, {"a": 1}, [{"id": "a", "name": "A"}], [[1, 2, 3]], {"data": {}}]
)
def test_what_does_not_name_itself_is_malformed(body: Any) -> None:
    assert classes(parse("coingecko", body)) == ["malformed"]


def test_a_local_server_may_stand_in_for_the_provider() -> None:
    at = "http://127.0.0.1:9100/coingecko/coins/markets?vs_currency=usd&x_cg_demo_api_key=KEYA"
    assert only(parse("coingecko", [{"id": "bitcoin", "current_price": 1}], at)).last == 1.0
