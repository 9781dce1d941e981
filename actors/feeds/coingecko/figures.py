"""Figures of the market and of treasuries, coins that people look at, announcements, rates of bitcoin."""

from __future__ import annotations

from actors.feeds.coingecko.subjects import Named, exchange
from actors.feeds.rest.arrays import array, cells, named
from actors.feeds.rest.coins import coin_id, coingecko_letters, currency_of, listed_id, thing_id
from actors.feeds.rest.days import epoch_ns, zoned_ns
from actors.feeds.rest.numbers import amount, number
from actors.feeds.rest.pairs import fx_rate
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.reference import MarketFigure, Metric, NewsItem, Trending

NEWS = "COINGECKO.NEWS"
MAX_TITLE_CHARS = 200
_UNIT = {
    "market_cap_change_percentage_24h_usd": "percent",
    "volume_change_percentage_24h_usd": "percent",
    "defi_market_cap": "USD",
    "eth_market_cap": "USD",
    "defi_to_eth_ratio": "percent",
    "trading_volume_24h": "USD",
    "defi_dominance": "percent",
    "top_coin_defi_dominance": "percent",
}
"""Units of single figures; any other is a count."""
_HOLDINGS = {
    "total_holdings": None,
    "total_entry_value_usd": "USD",
    "total_current_value_usd": "USD",
    "total_value_usd": "USD",
    "percentage_of_total_supply": "percent",
    "market_cap_dominance": "percent",
}
"""None: in the coin itself."""
EXCHANGES = {
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "TSE": "XTSE",
    "TSX": "XTSE",
    "TSXV": "XTSX",
    "CVE": "XTSX",
    "CSE": "XCNQ",
    "CNSX": "XCNQ",
    "LON": "XLON",
    "HKG": "XHKG",
    "TYO": "XTKS",
    "ASX": "XASX",
    "BKK": "XBKK",
    "OL": "XOSL",
    "OTCMKTS": "OTCM",
}
"""Exchanges before the colon of a company's symbol -> ISO 10383; any other keeps its letters."""


def add_figure(
    reading: Reading,
    instrument: str,
    name: str,
    value: float,
    unit: str | None,
    ts_event: int | None = None,
) -> None:
    at = reading.recv if ts_event is None else ts_event
    reading.add(MarketFigure(reading.provider, instrument, at, reading.recv, name, value, unit))


def market(reading: Reading, value: object, _named: Named) -> None:
    """Of `/global` and of its part for decentralised finance. A map is one figure per currency or coin."""
    data = Row(value).row("data")
    ts_event = data.epoch("s", "updated_at") or reading.recv
    instrument = thing_id("MARKET", "global")
    for name in data:
        if name == "updated_at" or (isinstance(data.raw(name), str) and name == "top_coin_name"):
            continue
        if isinstance(data.raw(name), dict):
            _map(reading, instrument, name, data.row(name), ts_event)
        else:
            reading.one(named(name), _figure, reading, instrument, name, data, ts_event)


def _map(reading: Reading, instrument: str, name: str, values: Row, ts_event: int) -> None:
    for key in values:
        reading.one(named(f"{name} {key}"), _of_map, reading, instrument, name, key, values, ts_event)


def _of_map(reading: Reading, instrument: str, name: str, key: str, values: Row, ts_event: int) -> None:
    found = values.number(key)
    if found is None:
        return
    if "percentage" in name:
        add_figure(reading, instrument, f"{name}_{key}", found, "percent", ts_event)
    else:
        add_figure(reading, instrument, name, found, currency_of(key), ts_event)


def _figure(reading: Reading, instrument: str, name: str, data: Row, ts_event: int) -> None:
    found = data.number(name)
    if found is not None:
        add_figure(reading, instrument, name, found, _UNIT.get(name, "count"), ts_event)


def volume_chart(reading: Reading, value: object, path: Named) -> None:
    """What an exchange traded in 24 hours, in bitcoin: pairs of (ms, text)."""
    instrument = exchange(reading, path)
    for place, point in enumerate(array(value)):
        reading.one(f"row {place}", _volume, reading, instrument, point)


def _volume(reading: Reading, instrument: str, point: object) -> None:
    stamp, value = cells(point, 2)
    found = amount(value)
    if found is not None:
        add_figure(reading, instrument, "trade_volume_24h_btc", found, "BTC", epoch_ns(stamp, "ms"))


def treasuries(reading: Reading, value: object, path: Named) -> None:
    """What companies hold of one coin, which stands in the address alone."""
    coin = path.get("coin")
    if not coin:
        raise Malformed("it does not name the coin, and its address is not known")
    letters, body = coingecko_letters(coin), Row(value)
    for name, unit in _HOLDINGS.items():
        found = body.number(name)
        if found is not None:
            add_figure(reading, coin_id(letters), f"public_treasury_{name}", found, unit or letters)
    reading.each(body.items("companies"), _company, reading, coin, letters)


def _company(reading: Reading, coin: str, letters: str, row: Row) -> None:
    instrument = _company_id(row.must_letters("symbol"))
    for name, unit in _HOLDINGS.items():
        found = row.number(name)
        if found is not None:
            reading.add(
                Metric(
                    reading.provider,
                    instrument,
                    reading.recv,
                    reading.recv,
                    f"{coin}_{name}",
                    found,
                    currency="USD" if unit == "USD" else None,
                    unit=unit or letters,
                )
            )


def _company_id(symbol: str) -> str:
    """`NASDAQ: TSLA` -> `TSLA.XNAS`, `MSTR.US` as it is. Raises Malformed."""
    exchange_name, colon, letters = symbol.partition(":")
    if not colon:
        letters, dot, exchange_name = symbol.rpartition(".")
        if not dot:
            raise Malformed(f"symbol {symbol[:40]!r} names no exchange")
    venue = exchange_name.strip().upper()
    return listed_id(letters, EXCHANGES.get(venue, venue))


def trending(reading: Reading, value: object, _named: Named) -> None:
    """Three lists, each in its order."""
    body = Row(value)
    for what, family in (("coins", ""), ("nfts", "NFT"), ("categories", "CATEGORY")):
        for place, entry in enumerate(body.items(what)):
            reading.one(f"{what} {place}", _trend, reading, what, family, place + 1, entry)


def _trend(reading: Reading, what: str, family: str, rank: int, value: object) -> None:
    entry = Row(value)
    row = entry.row("item") if "item" in entry else entry
    key = row.raw("id")
    if isinstance(key, int) and not isinstance(key, bool):
        key = row.letters("slug") or str(key)
    if not isinstance(key, str):
        raise Malformed("id is missing")
    instrument = thing_id(family, key) if family else coin_id(coingecko_letters(key))
    symbol = (row.letters("symbol") or "").upper() or None
    name, score = row.text("name"), number(row.raw("score"))
    reading.add(
        Trending(reading.provider, instrument, reading.recv, reading.recv, rank, what, symbol, name, score)
    )


def status_updates(reading: Reading, value: object, _named: Named) -> None:
    """What projects announce: without the name of who wrote it."""
    reading.each(Row(value).items("status_updates"), _update, reading)


def _update(reading: Reading, row: Row) -> None:
    project, text, stamp = row.row("project"), row.text("description"), row.text("created_at")
    key = project.letters("id")
    if text is None or stamp is None:
        raise Malformed("an announcement without a text or a time")
    is_coin = key is not None and (project.text("type") or "").lower() == "coin"
    published_at = zoned_ns(stamp)
    reading.add(
        NewsItem(
            reading.provider,
            NEWS,
            published_at,
            reading.recv,
            f"{key or 'coingecko'}:{stamp}",
            text.splitlines()[0].strip()[:MAX_TITLE_CHARS],
            summary=text,
            source=project.text("name"),
            published_at=published_at,
            symbols=(coin_id(coingecko_letters(key)),) if is_coin and key is not None else (),
        )
    )


def exchange_rates(reading: Reading, value: object, _named: Named) -> None:
    """What one bitcoin is worth in each currency."""
    rates = Row(value).row("rates")
    for code in rates:
        reading.one(named(code), _rate, reading, rates, code)


def _rate(reading: Reading, rates: Row, code: str) -> None:
    reading.add(fx_rate(reading, "BTC", code, reading.recv, rates.row(code).raw("value")))
