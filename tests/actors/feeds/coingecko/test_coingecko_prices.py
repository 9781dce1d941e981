"""CoinGecko's prices, field by field as they were recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.feeds.base import Origin
from actors.feeds.registry import load_parser
from domain.clock import NS_PER_S, parse_time
from domain.market.observations import InstrumentInfo, Ticker
from domain.market.reference import Profile
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.coingecko.com/api/v3"
HOUR = 3_600 * NS_PER_S


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, "coingecko", f"coingecko/{name}.json", endpoint)


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
