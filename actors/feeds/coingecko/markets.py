"""Prices at single exchanges, as CoinGecko repeats them: pairs, derivatives, indexes.

The instrument is the exchange's own symbol at its venue. CoinGecko gives the volume of a pair in its base;
like every volume of CoinGecko it is given in the currency of the price: times the last price.
"""

from __future__ import annotations

from actors.feeds.coingecko.subjects import Named
from actors.feeds.rest.arrays import array
from actors.feeds.rest.coins import listed_id, venue_of
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo, Ticker

VENUES = {"gdax": "COINBASE"}
"""CoinGecko's names of exchanges that are not ours in capitals."""


def tickers(reading: Reading, value: object, _named: Named) -> None:
    reading.each(Row(value).items("tickers"), _ticker, reading)


def _ticker(reading: Reading, row: Row) -> None:
    last = row.price("last")
    exchange = row.row("market").must_letters("identifier")
    venue = VENUES.get(exchange, venue_of(exchange))
    instrument = listed_id(f"{row.must_letters('base')}-{row.must_letters('target')}", venue)
    if last is None:
        return
    stamp = row.text("last_traded_at", "timestamp", "last_fetch_at")
    volume = row.amount("volume")
    reading.add(
        Ticker(
            reading.provider,
            instrument,
            reading.recv if stamp is None else zoned_ns(stamp),
            reading.recv,
            last,
            quote_volume=None if volume is None else volume * last,
        )
    )


def derivatives(reading: Reading, value: object, _named: Named) -> None:
    reading.each(array(value), _derivative, reading)


def _derivative(reading: Reading, row: Row) -> None:
    symbol = row.letters("symbol")
    if symbol is None:
        raise Malformed("symbol is missing")
    last = row.price("price")
    if last is None:
        return
    reading.add(
        Ticker(
            reading.provider,
            listed_id(symbol, venue_of(row.must_letters("market"))),
            row.epoch("s", "last_traded_at") or reading.recv,
            reading.recv,
            last,
            quote_volume=row.amount("volume_24h"),
            change_pct=row.percent("price_percentage_change_24h"),
        )
    )


def indexes(reading: Reading, value: object, _named: Named) -> None:
    reading.each(array(value), _listed_index, reading)


def _listed_index(reading: Reading, row: Row) -> None:
    _index(reading, row, row.must_letters("id"))


def index(reading: Reading, value: object, named: Named) -> None:
    """Its id stands in the address alone."""
    if not named.get("index"):
        raise Malformed("it does not name the index by its id, and its address is not known")
    _index(reading, Row(value), named["index"])


def _index(reading: Reading, row: Row, symbol: str) -> None:
    instrument = listed_id(symbol, venue_of(row.must_letters("market")))
    name = row.text("name")
    reading.add(
        InstrumentInfo(
            reading.provider,
            instrument,
            reading.recv,
            reading.recv,
            symbol,
            asset_class="index",
            aliases=(name,) if name else (),
        )
    )
    last = row.price("last")
    if last is not None:
        reading.add(Ticker(reading.provider, instrument, reading.recv, reading.recv, last))
