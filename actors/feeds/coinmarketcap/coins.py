"""Coins as CoinMarketCap lists, quotes and describes them. All functions raise Malformed for a bad row.

Volumes are in the currency of the price. v1 and v2 give a map of prices by currency, v3 a list of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.feeds.rest.arrays import named
from actors.feeds.rest.coins import KNOWN, coin_id, coinmarketcap_letters, currency_of, pair_id
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo, Ticker
from domain.market.reference import Profile

_CURRENCIES = {2781: "USD"} | {coin.coinmarketcap: letters for letters, coin in KNOWN.items()}
"""CoinMarketCap's numbers of currencies: a request by `convert_id` is answered by them."""


def letters_of_coin(row: Row) -> str:
    number = row.whole("id")
    if number is None or number <= 0:
        raise Malformed("id is missing")
    return coinmarketcap_letters(number, row.must_letters("symbol"))


def quotes(reading: Reading, answered: int, row: Row) -> None:
    """One ticker per currency. `answered`: the time of the answer, where the price has none of its own."""
    letters = letters_of_coin(row)
    for code, quote in prices_of(row):
        reading.one(named(code), _quote, reading, letters, code, quote, row, answered)


def prices_of(row: Row) -> Iterator[tuple[str, Row]]:
    """(currency, prices) of a map or of a list."""
    found = row.raw("quote")
    if isinstance(found, list):
        for each in found:
            quote = Row(each)
            yield quote.must_letters("symbol"), quote
    elif found is not None:
        by_currency = Row(found)
        for code in by_currency:
            yield code, by_currency.row(code)


def _quote(reading: Reading, letters: str, code: str, quote: Row, row: Row, answered: int) -> None:
    last = quote.price("price")
    if last is None:
        return
    stamp = quote.text("last_updated", "timestamp") or row.text("last_updated")
    reading.add(
        Ticker(
            reading.provider,
            pair_id(letters, currency(code)),
            answered if stamp is None else zoned_ns(stamp),
            reading.recv,
            last,
            quote_volume=quote.amount("volume_24h"),
            change_pct=quote.percent("percent_change_24h"),
            market_cap=quote.amount("market_cap") or None,
        )
    )


def currency(code: str) -> str:
    """`USD`, or its number. A number that is not known is no currency of ours."""
    if not code.isdecimal():
        return currency_of(code)
    found = _CURRENCIES.get(int(code[:9]))
    if found is None:
        raise Malformed(f"currency number {code[:12]} is not known; ask by `convert`, not by `convert_id`")
    return found


def listed(reading: Reading, answered: int, row: Row) -> None:
    """A row of the map of all coins."""
    ticker, name = row.must_letters("symbol").upper(), row.text("name")
    active = row.whole("is_active")
    reading.add(
        InstrumentInfo(
            reading.provider,
            coin_id(letters_of_coin(row)),
            answered,
            reading.recv,
            str(row.whole("id")),
            base=ticker,
            status="closed" if active == 0 else "trading",
            aliases=tuple(dict.fromkeys(each for each in (ticker, name, row.text("slug")) if each)),
        )
    )


def described(reading: Reading, answered: int, row: Row) -> None:
    reading.add(
        Profile(
            reading.provider,
            coin_id(letters_of_coin(row)),
            answered,
            reading.recv,
            row.text("name"),
            symbol=row.must_letters("symbol").upper(),
            sector=row.text("category"),
            website=_first(row.row("urls").items("website")),
            description=row.text("description"),
            identifiers={"coinmarketcap": str(row.whole("id"))} | _contract(row),
        )
    )


def _contract(row: Row) -> dict[str, str]:
    """Where a coin lives as a token of another chain."""
    platform = row.raw("platform")
    if not isinstance(platform, dict):
        return {}
    chain, address = Row(platform).text("slug", "name"), Row(platform).text("token_address")
    return {chain: address} if chain and address else {}


def _first(values: list[object]) -> str | None:
    return next((each.strip() for each in values if isinstance(each, str) and each.strip()), None)
