"""Prices. Changes are ratios at IEX (`-0.00508`), percent here; days begin in New York."""

from __future__ import annotations

import re

from actors.feeds.iex.symbols import OWN, PROVIDER, asked_for, coin_of, instrument_of
from actors.feeds.rest import listings, numbers
from actors.feeds.rest.days import NEW_YORK, day_ns, iso_day, local_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.observations import Bar, FxRate, Quote, Ticker, Trade
from domain.market.reference import MarketFigure

CHART = r"stock/[^/]+/chart(?:/(?P<range>[^/]+)(?:/[^/]+)?)?"
_MINUTES_OF_RANGE = {"1d": "1m", "5dm": "10m", "1mm": "30m", "date": "1m", "dynamic": "1m"}
_LETTERS = re.compile(r"[^A-Z0-9]+")


def quote(reading: Reading, row: Row) -> None:
    """The last price of the whole market, and beside it the best bid and ask at IEX."""
    symbol = row.must_letters("symbol")
    is_coin = row.letters("primaryExchange") == "crypto" or row.letters("sector") == "cryptocurrency"
    instrument = coin_of(symbol) if is_coin else instrument_of(symbol)
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            row.must_epoch("ms", "latestUpdate", "closeTime"),
            reading.recv,
            row.must_price("latestPrice", "close"),
            row.price("open"),
            row.price("high"),
            row.price("low"),
            row.amount("latestVolume"),
            change_pct=numbers.scaled(row.number("changePercent"), 100),
            market_cap=row.amount("marketCap"),
        )
    )
    bid, ask = row.price("iexBidPrice"), row.price("iexAskPrice")
    at = row.epoch("ms", "iexLastUpdated")
    if at is not None and at > 0 and (bid is not None or ask is not None):
        sizes = row.amount("iexBidSize"), row.amount("iexAskSize")
        own = make_instrument_id(symbol, OWN)
        reading.add(Quote(PROVIDER, own, at, reading.recv, bid, sizes[0], ask, sizes[1]))


def delayed(reading: Reading, row: Row) -> None:
    """A price that is 15 minutes old, and says so by its time."""
    about = instrument_of(row.must_letters("symbol"))
    at, last = row.must_epoch("ms", "delayedPriceTime"), row.must_price("delayedPrice")
    told = None, row.price("high"), row.price("low"), row.amount("totalVolume")
    reading.add(Ticker(PROVIDER, about, at, reading.recv, last, *told))


def top(reading: Reading, row: Row) -> None:
    """Best bid and ask at IEX, and its last sale: 0 where there is none."""
    own = make_instrument_id(row.must_letters("symbol"), OWN)
    bid, ask, at = row.price("bidPrice"), row.price("askPrice"), row.epoch("ms", "lastUpdated")
    if at is not None and (bid is not None or ask is not None):
        sizes = row.price("bidSize"), row.price("askSize")
        reading.add(Quote(PROVIDER, own, at, reading.recv, bid, sizes[0], ask, sizes[1]))
    sold, sale = row.epoch("ms", "lastSaleTime"), row.price("lastSalePrice")
    if sold is not None and sale is not None:
        reading.add(Trade(PROVIDER, own, sold, reading.recv, sale, row.must_amount("lastSaleSize")))


def last_sale(reading: Reading, row: Row) -> None:
    own = make_instrument_id(row.must_letters("symbol"), OWN)
    at, price, size = row.must_epoch("ms", "time"), row.must_price("price"), row.must_amount("size")
    reading.add(Trade(PROVIDER, own, at, reading.recv, price, size))


def coin_price(reading: Reading, row: Row) -> None:
    about = coin_of(row.must_letters("symbol"))
    reading.add(Ticker(PROVIDER, about, reading.recv, reading.recv, row.must_price("price")))


def rates(reading: Reading, value: object) -> None:
    """Rows, one object, or lists of rows per day."""
    rows = value if isinstance(value, list) else [value]
    for each in rows:
        reading.each(each if isinstance(each, list) else [each], rate, reading)


def price(reading: Reading, value: object) -> None:
    """A number alone: its time is that of its receipt."""
    last = numbers.price(value)
    if last is None:
        raise Malformed("no price")
    reading.add(Ticker(PROVIDER, asked_for(reading), reading.recv, reading.recv, last))


def chart(reading: Reading, value: object) -> None:
    """Days, or minutes where rows have one; `dynamic` says which range it chose."""
    ranged = reading.where.match(CHART)
    name = ranged["range"] if ranged is not None else None
    if isinstance(value, dict):
        body = Row(value)
        name, rows = body.letters("range") or name, body.items("data")
    else:
        rows = value if isinstance(value, list) else []
    if rows:
        minutes = reading.where.get("chartinterval")
        reading.each(rows, _bar, reading, asked_for(reading), _interval(name, minutes))


def _interval(name: str | None, minutes: str | None) -> str | None:
    """Of minute rows; None where nothing says it."""
    if minutes is not None and minutes.isascii() and minutes.isdigit() and 0 < int(minutes[:4]) <= 60:
        return "1h" if int(minutes) == 60 else f"{int(minutes)}m"
    return _MINUTES_OF_RANGE.get(name or "")


def _bar(reading: Reading, instrument: InstrumentId, minutes: str | None, row: Row) -> None:
    """A minute without a trade at IEX has null prices, and is left out."""
    prices = [row.price(name) for name in ("open", "high", "low", "close")]
    if all(each is None for each in prices) and "close" in row:
        return
    if None in prices:
        raise Malformed("a price is missing")
    first, high, low, close = (each or 0.0 for each in prices)
    day, minute = row.must_day("date"), row.letters("minute")
    if minute is not None and minutes is None:
        raise Malformed("the minutes do not name their interval: it stands in their address alone")
    about, start, interval = instrument, day_ns(day, NEW_YORK), "1d"
    if minute is not None:
        about = make_instrument_id(instrument.rpartition(".")[0], OWN)
        start, interval = local_ns(f"{day} {minute}", NEW_YORK), minutes or ""
    reading.add(
        Bar(
            PROVIDER,
            about,
            start,
            reading.recv,
            interval,
            first,
            high,
            low,
            close,
            row.volume("volume"),
            row.whole("numberOfTrades"),
            row.price("average"),
            adjusted=minute is None,
        )
    )


def trade(reading: Reading, row: Row) -> None:
    """One of a day's largest, wherever it was made."""
    venue = row.text("venue")
    reading.add(
        Trade(
            PROVIDER,
            asked_for(reading),
            row.must_epoch("ms", "time"),
            reading.recv,
            row.must_price("price"),
            row.must_amount("size"),
            conditions=(venue,) if venue else (),
        )
    )


def open_close(reading: Reading, value: object) -> None:
    """`ohlc` of one share, or of the market: an object per symbol."""
    body = Row(value)
    if "close" in body or "open" in body:
        symbol = body.letters("symbol")
        _open_close(reading, instrument_of(symbol) if symbol else asked_for(reading), body)
        return
    for symbol in body:
        reading.one(symbol[:40], _of_market, reading, symbol, body.raw(symbol))


def _of_market(reading: Reading, symbol: str, value: object) -> None:
    _open_close(reading, instrument_of(symbol), Row(value))


def _open_close(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Nothing where a share was not traded."""
    first, close = row.row("open"), row.row("close")
    last = close.price("price")
    if last is None:
        return
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            close.must_epoch("ms", "time"),
            reading.recv,
            last,
            first.price("price"),
            row.price("high"),
            row.price("low"),
            row.amount("volume"),
        )
    )


def rate(reading: Reading, row: Row) -> None:
    letters = row.must_letters("symbol")
    cut = listings.cut_pair(letters)
    if cut is None:
        raise Malformed(f"symbol {letters[:40]!r} is no pair")
    at = row.epoch("ms", "timestamp")
    if at is None:
        at = day_ns(iso_day(row.raw("date")))
    reading.add(FxRate(PROVIDER, listings.pair(*cut), at, reading.recv, row.must_price("rate")))


def sector(reading: Reading, row: Row) -> None:
    name = row.must_letters("name")
    about = make_instrument_id(f"SECTOR_{_LETTERS.sub('_', name.upper()).strip('_')}", listings.INDEX)
    change = numbers.scaled(row.number("performance"), 100)
    at = row.must_epoch("ms", "lastUpdated")
    reading.add(MarketFigure(PROVIDER, about, at, reading.recv, "performance", change, "percent"))
