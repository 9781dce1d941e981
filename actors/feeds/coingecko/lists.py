"""What CoinGecko only names: coins, exchanges, categories, platforms. A bad row costs that row."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.coingecko import figures, markets
from actors.feeds.coingecko.subjects import Named, exchange
from actors.feeds.rest.arrays import array
from actors.feeds.rest.coins import coin_id, coingecko_letters, letters_of, thing_id
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo
from domain.market.reference import Metric, Profile


def coins(reading: Reading, value: object, _named: Named) -> None:
    """One instrument per id: tickers repeat."""
    reading.each(array(value), _coin, reading)


def _coin(reading: Reading, row: Row) -> None:
    coin = row.must_letters("id")
    ticker = (row.letters("symbol") or "").upper()
    reading.add(
        InstrumentInfo(
            reading.provider,
            coin_id(coingecko_letters(coin)),
            reading.recv,
            reading.recv,
            coin,
            base=ticker or None,
            aliases=tuple(dict.fromkeys(each for each in (ticker, row.text("name")) if each)),
        )
    )


def named_things(family: str, *names: str) -> Callable[[Reading, object, Named], None]:
    """A list of (id, name), the id under the first of these names that is there."""

    def read(reading: Reading, value: object, _named: Named) -> None:
        reading.each(array(value), _named_thing, reading, family, names)

    return read


def _named_thing(reading: Reading, family: str, names: tuple[str, ...], row: Row) -> None:
    _profile(reading, row, family, row.must_letters(*names))


def _profile(reading: Reading, row: Row, family: str, key: str) -> None:
    profile = Profile(
        reading.provider,
        thing_id(family, key),
        reading.recv,
        reading.recv,
        row.text("name"),
        country=row.text("country"),
        sector=row.text("category"),
        website=row.text("url", "website_url"),
        description=row.text("description", "facts"),
        identifiers={"coingecko": key} | _since(row),
    )
    reading.add(profile)


def _since(row: Row) -> dict[str, str]:
    """The few facts that have no field of their own."""
    found = {name: row.text(name) for name in ("chain_identifier", "year_established")}
    return {name: text for name, text in found.items() if text is not None}


def exchanges(reading: Reading, value: object, _named: Named) -> None:
    reading.each(array(value), _listed_exchange, reading)


def _listed_exchange(reading: Reading, row: Row) -> None:
    _exchange(reading, row, row.must_letters("id"))


def one_exchange(reading: Reading, value: object, named: Named) -> None:
    """Its id stands in the address; else its prices name it, and a body without them does not."""
    row = Row(value)
    markets.tickers(reading, {"tickers": row.items("tickers")}, {})
    if row.items("status_updates"):
        figures.status_updates(reading, value, {})
    reading.one("exchange", _described_exchange, reading, row, named)


def _described_exchange(reading: Reading, row: Row, named: Named) -> None:
    _exchange(reading, row, named.get("exchange") or _of_its_prices(row))


def derivative_exchange(reading: Reading, value: object, named: Named) -> None:
    exchange(reading, named)
    _exchange(reading, Row(value), named["exchange"])


def _of_its_prices(row: Row) -> str:
    """Raises Malformed."""
    ids = {Row(each).row("market").letters("identifier") for each in row.items("tickers")} - {None}
    if len(ids) != 1:
        raise Malformed("it does not name the exchange by its id, and its address is not known")
    return str(ids.pop())


def _exchange(reading: Reading, row: Row, key: str) -> None:
    _profile(reading, row, "EXCHANGE", key)
    instrument = thing_id("EXCHANGE", key)
    for name, unit in (("trade_volume_24h_btc", "BTC"), ("open_interest_btc", "BTC")):
        value = row.amount(name)
        if value is not None:
            figures.add_figure(reading, instrument, name, value, unit)


def categories(reading: Reading, value: object, _named: Named) -> None:
    """Sums over the coins of a category, in dollars."""
    reading.each(array(value), _category, reading)


def _category(reading: Reading, row: Row) -> None:
    instrument = thing_id("CATEGORY", row.must_letters("id"))
    stamp = row.text("updated_at")
    ts_event = reading.recv if stamp is None else zoned_ns(stamp)
    for name, unit in (("market_cap", "USD"), ("market_cap_change_24h", "percent"), ("volume_24h", "USD")):
        value = number(row.raw(name))
        if value is not None:
            figures.add_figure(reading, instrument, name, value, unit, ts_event)


def finance_products(reading: Reading, value: object, _named: Named) -> None:
    """Yearly rates of lending platforms, in percent."""
    reading.each(array(value), _product, reading)


def _product(reading: Reading, row: Row) -> None:
    platform, identifier = row.must_letters("platform"), row.must_letters("identifier")
    product = letters_of(f"{platform} {identifier}", taken=True)
    for name in ("supply_rate_percentage", "borrow_rate_percentage"):
        value = row.number(name)
        if value is not None:
            reading.add(
                Metric(
                    reading.provider,
                    coin_id(f"PRODUCT:{product}"),
                    reading.recv,
                    reading.recv,
                    name,
                    value,
                    unit="percent",
                )
            )


def names(_reading: Reading, value: object, _named: Named) -> None:
    """Currencies, countries, kinds of events: words without a fact. Raises Malformed for no list."""
    array(value.get("data") if isinstance(value, dict) else value)
