"""Quotes and whatever is a list of them: screeners, what is looked at, option chains, searches."""

from __future__ import annotations

from typing import Literal

from actors.feeds.rest.days import day_of
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.yahoo.symbols import ASSETS, PROVIDER, STREAM, describe, instrument_of
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.observations import InstrumentInfo, Quote, Ticker
from domain.market.reference import NewsItem, OptionQuote, Profile, Trending


def quotes(reading: Reading, value: object) -> None:
    reading.each(Row(value).row("quoteResponse").items("result"), quote, reading)


def quote(reading: Reading, row: Row) -> None:
    """Of coins Yahoo counts the volume in their currency. Sizes and prices of 0 are none."""
    symbol, kind = row.must_letters("symbol"), row.letters("quoteType")
    instrument = instrument_of(symbol, kind, row.letters("exchange"))
    at = row.must_epoch("s", "regularMarketTime")
    volume = row.amount("regularMarketVolume")
    is_coin = kind == "CRYPTOCURRENCY"
    last = row.must_price("regularMarketPrice")
    describe(reading, instrument, symbol, row)
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            at,
            reading.recv,
            last,
            row.price("regularMarketOpen"),
            row.price("regularMarketDayHigh"),
            row.price("regularMarketDayLow"),
            None if is_coin else volume,
            volume if is_coin else None,
            row.number("regularMarketChangePercent"),
            row.amount("marketCap"),
        )
    )
    bid, ask = row.price("bid"), row.price("ask")
    if bid is not None or ask is not None:
        sizes = row.price("bidSize") if bid else None, row.price("askSize") if ask else None
        reading.add(Quote(PROVIDER, instrument, at, reading.recv, bid, sizes[0], ask, sizes[1]))


def lists(reading: Reading, value: object) -> None:
    """`finance`: screeners have whole quotes, trending lists symbols alone, recommendations those of one."""
    for each in Row(value).row("finance").items("result"):
        reading.one("list", _list, reading, each)


def _list(reading: Reading, value: object) -> None:
    body = Row(value)
    if "recommendedSymbols" in body:
        _recommended(reading, body)
        return
    at = body.epoch("ms", "jobTimestamp") or reading.recv
    for rank, each in enumerate(body.items("quotes"), 1):
        row = Row(each) if isinstance(each, dict) else Row({})
        if "regularMarketPrice" in row:
            reading.one(f"row {rank}", quote, reading, row)
        else:
            reading.one(f"row {rank}", _trending, reading, at, rank, row)


def _trending(reading: Reading, at: int, rank: int, row: Row) -> None:
    symbol = row.must_letters("symbol")
    about = instrument_of(symbol)
    reading.add(Trending(PROVIDER, about, at, reading.recv, rank, "trending", symbol))


def _recommended(reading: Reading, body: Row) -> None:
    """Companies that the same people look at."""
    symbol = body.must_letters("symbol")
    peers = reading.names(body.items("recommendedSymbols"), "symbol")
    about = instrument_of(symbol)
    reading.add(Profile(PROVIDER, about, reading.recv, reading.recv, None, symbol, peers=peers))


def chains(reading: Reading, value: object) -> None:
    """Contracts of an underlying, and its own quote, whose time is theirs."""
    for each in Row(value).row("optionChain").items("result"):
        reading.one("chain", _chain, reading, each)


def _chain(reading: Reading, value: object) -> None:
    body = Row(value)
    row = body.row("quote")
    symbol = body.letters("underlyingSymbol") or row.must_letters("symbol")
    underlying = instrument_of(symbol, row.letters("quoteType"), row.letters("exchange"))
    if row.letters("symbol"):
        reading.one("quote", quote, reading, row)
    at = row.epoch("s", "regularMarketTime") or reading.recv
    for each in body.items("options"):
        inside = Row(each)
        reading.each(inside.items("calls"), _option, reading, underlying, at, "call")
        reading.each(inside.items("puts"), _option, reading, underlying, at, "put")


def _option(
    reading: Reading, underlying: InstrumentId, at: int, right: Literal["call", "put"], row: Row
) -> None:
    reading.add(
        OptionQuote(
            PROVIDER,
            instrument_of(row.must_letters("contractSymbol"), "OPTION"),
            at,
            reading.recv,
            underlying,
            day_of(row.must_epoch("s", "expiration")),
            row.must_price("strike"),
            right,
            shares_per_contract=100.0 if row.letters("contractSize") == "REGULAR" else None,
            bid=row.price("bid"),
            ask=row.price("ask"),
            last=row.price("lastPrice"),
            volume=row.amount("volume"),
            open_interest=row.amount("openInterest"),
            implied_volatility=row.number("impliedVolatility"),
            currency=row.letters("currency"),
        )
    )


def search(reading: Reading, value: object) -> None:
    """Instruments, and news that name them."""
    body = Row(value)
    reading.each(body.items("quotes"), _found, reading)
    reading.each(body.items("news"), _news, reading)


def _found(reading: Reading, row: Row) -> None:
    """What is no instrument (a private company) has no symbol, and is passed over."""
    symbol, kind = row.letters("symbol"), row.letters("quoteType")
    if symbol is None:
        if row.raw("isYahooFinance") is False:
            return
        raise Malformed("symbol is missing")
    about = instrument_of(symbol, kind, row.letters("exchange"))
    asset = ASSETS.get(kind or "", "equity")
    reading.add(InstrumentInfo(PROVIDER, about, reading.recv, reading.recv, symbol, asset_class=asset))


def _news(reading: Reading, row: Row) -> None:
    title, url, number = row.text("title"), row.text("link"), row.text("uuid")
    if title is None and url is None and number is None:
        raise Malformed("an item with neither title, link nor id")
    at = row.epoch("s", "providerPublishTime")
    reading.add(
        NewsItem(
            PROVIDER,
            STREAM,
            at or reading.recv,
            reading.recv,
            number or url or title or "",
            title,
            None,
            url,
            row.text("publisher"),
            at,
            tuple(_named(each) for each in row.items("relatedTickers")),
        )
    )


def _named(symbol: object) -> str:
    try:
        return instrument_of(str(symbol))
    except Malformed:
        return str(symbol)
