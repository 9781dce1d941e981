"""No two coins share an instrument, and an instrument says whose price in what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.rest import coins
from domain.errors import Malformed


def test_a_known_coin_has_its_ticker_under_every_provider() -> None:
    for letters, coin in coins.KNOWN.items():
        assert coins.coingecko_letters(coin.coingecko) == letters
        assert coins.coinmarketcap_letters(coin.coinmarketcap, letters.lower()) == letters


def test_coingecko_gives_known_coins_their_tickers(shared_data: Path) -> None:
    rows = json.loads((shared_data / "coingecko" / "the_list_supported_coins.json").read_text())
    tickers = {row["id"]: row["symbol"].upper() for row in rows}
    listed = [letters for letters, coin in coins.KNOWN.items() if coin.coingecko in tickers]
    assert len(listed) > 30
    assert all(tickers[coins.KNOWN[letters].coingecko] == letters for letters in listed)


def test_the_longest_name_in_the_longest_currency_is_an_id() -> None:
    assert len(coins.pair_id(coins.coingecko_letters("x" * 500), "q" * 12)) <= 64
    assert len(coins.pair_id(coins.coinmarketcap_letters(123_456_789, "x" * 500), "q" * 12)) <= 64
    assert len(coins.thing_id("PLATFORM", "Y" * 500)) <= 64


def test_any_other_coin_is_named_by_what_its_provider_never_gives_twice() -> None:
    assert coins.coingecko_letters("wrapped-steth") == "WRAPPED_STETH"
    assert coins.coinmarketcap_letters(6, "NVC") == "NVC:CMC6"
    assert coins.coinmarketcap_letters(99, "BTC") == "BTC:CMC99"
    assert coins.coinmarketcap_letters(1, "ETH") == "ETH:CMC1"
    assert coins.coinmarketcap_letters(7, "$") == "CMC7"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("binance-usd", "binance_usd"),
        ("bitcoin", "btc"),
        ("chainlink", "link"),
        ("bitcny", "bitCNY"),
        ("a-b", "a--b"),
        ("uniswap", "uni"),
        ("x" * 50 + "1", "x" * 50 + "2"),
    ],
)
def test_ids_that_look_alike_are_two_coins(one: str, other: str) -> None:
    assert coins.coingecko_letters(one) != coins.coingecko_letters(other)


def test_a_coin_and_the_price_of_another_are_never_one_instrument() -> None:
    """`binance-usd` is a coin; `binance` in dollars would be a price."""
    assert coins.coin_id(coins.coingecko_letters("binance-usd")) == "BINANCE_USD.CRYPTO"
    assert coins.pair_id(coins.coingecko_letters("binance"), "usd") == "BINANCE-USD.CRYPTO"


@given(
    st.lists(st.text(alphabet="aB1-_. é/:", min_size=1, max_size=60), unique=True, min_size=2, max_size=40)
)
def test_no_two_names_give_the_same_letters(names: list[str]) -> None:
    named = [name for name in names if name.strip()]
    letters = [coins.coingecko_letters(name) for name in named]
    assert len(set(letters)) == len(named)
    for each in letters:
        assert coins.pair_id(each, "usd").endswith("-USD.CRYPTO")


def test_what_is_no_currency_or_no_name_is_malformed() -> None:
    for bad in ("", "u-s", "usd usd", "x" * 13):
        with pytest.raises(Malformed):
            coins.pair_id("BTC", bad)
    with pytest.raises(Malformed):
        coins.coingecko_letters(" ")
    with pytest.raises(Malformed):
        coins.venue_of("()")
    with pytest.raises(Malformed):
        coins.listed_id(" ", "BINANCE")


def test_symbols_at_exchanges_fit_into_an_id_and_stay_different() -> None:
    long = "0X" + "A" * 40
    first, second = (coins.listed_id(f"{long}-{long}{end}", "UNISWAP_V2") for end in "12")
    assert first != second and len(first) <= 64 and first.endswith(".UNISWAP_V2")
    assert coins.listed_id("btc/usdt", "BINANCE") == "BTC-USDT.BINANCE"
    assert coins.venue_of("Binance (Futures)") == "BINANCE_FUTURES"
    assert coins.thing_id("EXCHANGE", "binance_us") == "EXCHANGE:BINANCE_US.CRYPTO"
    assert coins.thing_id("EXCHANGE", "Binance US") != coins.thing_id("EXCHANGE", "binance_us")
