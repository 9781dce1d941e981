"""CoinGecko's lists, figures, announcements and trending coins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_MS, NS_PER_S, parse_time
from domain.market.observations import FxRate, InstrumentInfo, Ticker
from domain.market.reference import MarketFigure, Metric, NewsItem, Profile, Trending
from tests.parsed import RECV, classes, parse, parse_recorded, raw, said

API = "https://api.coingecko.com/api/v3"
HOUR = 3_600 * NS_PER_S


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, "coingecko", f"coingecko/{name}.json", endpoint)


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
