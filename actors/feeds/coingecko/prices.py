"""Prices of coins over all exchanges, and what a coin is. Volumes are in the currency of the price."""

from __future__ import annotations

from collections.abc import Iterable

from actors.feeds.coingecko import markets
from actors.feeds.coingecko.subjects import Named, currency
from actors.feeds.rest.arrays import array, named
from actors.feeds.rest.coins import coin_id, coingecko_letters, currency_of, pair_id
from actors.feeds.rest.days import day_ns, zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import Ticker
from domain.market.reference import Profile

_BESIDE_PRICES = ("_market_cap", "_24h_vol", "_24h_change")
_NO_PRICES = frozenset({"last_updated_at"})


def simple_price(reading: Reading, value: object, _named: Named) -> None:
    """`{"bitcoin": {"usd": 1, "usd_24h_vol": 2, "last_updated_at": s}}`"""
    body = Row(value)
    for coin in body:
        reading.one(named(coin), _coin_prices, reading, body, coin)


def _coin_prices(reading: Reading, body: Row, coin: str) -> None:
    row, letters = body.row(coin), coingecko_letters(coin)
    ts_event = row.epoch("s", "last_updated_at") or reading.recv
    for code in row:
        if code not in _NO_PRICES and not code.endswith(_BESIDE_PRICES):
            reading.one(named(f"{coin} in {code}"), _simple, reading, letters, code, ts_event, row)


def _simple(reading: Reading, letters: str, code: str, ts_event: int, row: Row) -> None:
    last = row.price(code)
    if last is None:
        return
    reading.add(
        Ticker(
            reading.provider,
            pair_id(letters, code),
            ts_event,
            reading.recv,
            last,
            quote_volume=row.amount(f"{code}_24h_vol"),
            change_pct=row.percent(f"{code}_24h_change"),
            market_cap=row.amount(f"{code}_market_cap") or None,
        )
    )


def coin_markets(reading: Reading, value: object, _named: Named) -> None:
    """The currency stands in the address alone."""
    quote = currency(reading)
    reading.each(array(value), _market, reading, quote)


def _market(reading: Reading, quote: str, row: Row) -> None:
    instrument = pair_id(coingecko_letters(row.must_letters("id")), quote)
    last = row.price("current_price")
    if last is None:
        return
    reading.add(
        Ticker(
            reading.provider,
            instrument,
            _updated(row, reading.recv),
            reading.recv,
            last,
            high=row.price("high_24h"),
            low=row.price("low_24h"),
            quote_volume=row.amount("total_volume"),
            change_pct=row.percent("price_change_percentage_24h"),
            market_cap=row.amount("market_cap") or None,
        )
    )


def coin(reading: Reading, value: object, _named: Named) -> None:
    """What it is, its prices in every currency, and those at single exchanges."""
    row = Row(value)
    letters = coingecko_letters(row.must_letters("id"))
    data = row.row("market_data")
    ts_event = _updated(data, _updated(row, reading.recv))
    reading.one("profile", _profile, reading, row, letters, ts_event)
    _per_currency(reading, letters, ts_event, data)
    markets.tickers(reading, {"tickers": row.items("tickers")}, {})


def _profile(reading: Reading, row: Row, letters: str, ts_event: int) -> None:
    cap = row.row("market_data").row("market_cap").amount("usd")
    profile = Profile(
        reading.provider,
        coin_id(letters),
        ts_event,
        reading.recv,
        row.text("name"),
        symbol=(row.letters("symbol") or "").upper() or None,
        currency="USD" if cap else None,
        country=row.text("country_origin"),
        sector=_first(row.items("categories")),
        market_cap=cap or None,
        market_cap_usd=cap or None,
        website=_first(row.row("links").items("homepage")),
        description=row.row("description").text("en"),
        identifiers=_identifiers(row),
    )
    reading.add(profile)


def _identifiers(row: Row) -> dict[str, str]:
    """CoinGecko's id, and the contract on each platform."""
    platforms = row.row("platforms")
    contracts = {name: platforms.text(name) for name in platforms if name}
    return {"coingecko": row.must_letters("id")} | {name: text for name, text in contracts.items() if text}


def history(reading: Reading, value: object, _named: Named) -> None:
    """Prices at the start of a day, which stands in the address alone."""
    row = Row(value)
    letters = coingecko_letters(row.must_letters("id"))
    day = reading.where.get("date")
    if day is None:
        raise Malformed("it names no day: `date` stands in the address alone, which is not known")
    _per_currency(reading, letters, _day_ns(day), row.row("market_data"))


def _day_ns(text: str) -> int:
    """`30-12-2017`, day first, or ISO. Raises Malformed."""
    parts = text.split("-")
    return day_ns("-".join(reversed(parts)) if len(parts[-1]) == len("2017") else text)


def _per_currency(reading: Reading, letters: str, ts_event: int, data: Row) -> None:
    """Each figure is a map of its values by currency."""
    prices = data.row("current_price")
    for code in prices:
        reading.one(named(f"in {code}"), _in_currency, reading, letters, code, ts_event, data)


def _in_currency(reading: Reading, letters: str, code: str, ts_event: int, data: Row) -> None:
    last = data.row("current_price").price(code)
    if last is None:
        return
    reading.add(
        Ticker(
            reading.provider,
            pair_id(letters, currency_of(code)),
            ts_event,
            reading.recv,
            last,
            high=data.row("high_24h").price(code),
            low=data.row("low_24h").price(code),
            quote_volume=data.row("total_volume").amount(code),
            change_pct=data.row("price_change_percentage_24h_in_currency").percent(code),
            market_cap=data.row("market_cap").amount(code) or None,
        )
    )


def _updated(row: Row, otherwise: int) -> int:
    text = row.text("last_updated")
    return otherwise if text is None else zoned_ns(text)


def _first(values: Iterable[object]) -> str | None:
    return next((each.strip() for each in values if isinstance(each, str) and each.strip()), None)
