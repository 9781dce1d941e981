"""Companies and news. Finnhub counts market values and shares in millions: here they are whole units."""

from __future__ import annotations

import re

from actors.feeds.finnhub.symbols import PROVIDER, STREAM, asked_for, instrument_of
from actors.feeds.rest import listings, numbers
from actors.feeds.rest.days import NEW_YORK, day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.observations import InstrumentInfo
from domain.market.reference import (
    CalendarEvent,
    Earnings,
    Metric,
    NewsItem,
    Profile,
    Recommendation,
)

MILLION = 1_000_000
_IN_MILLIONS = re.compile(r"marketCapitalization|enterpriseValue|\d+(Day|Month)AverageTradingVolume")
_OF_YEARS, _OF_QUARTERS, _OF_TTM = ("Annual",), ("Quarterly", "Quarter"), ("TTM", "Ttm")


def profile(reading: Reading, value: object) -> None:
    row = Row(value)
    if not list(row):
        reading.reject("not_found", f"{reading.where.get('symbol') or 'the symbol'} has no profile")
        return
    symbol = row.letters("ticker")
    instrument = instrument_of(symbol) if symbol else asked_for(reading)
    market_cap = numbers.scaled(row.amount("marketCapitalization"), MILLION)
    currency = row.letters("currency")
    reading.add(
        Profile(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            row.text("name"),
            symbol,
            row.text("exchange"),
            currency,
            row.text("country"),
            industry=row.text("finnhubIndustry"),
            market_cap=market_cap,
            market_cap_usd=market_cap if currency == "USD" else None,
            shares_outstanding=numbers.scaled(row.amount("shareOutstanding"), MILLION),
            listed_on=row.day("ipo"),
            website=row.text("weburl"),
            identifiers={name: found for name in ("isin", "cusip") if (found := row.letters(name))},
        )
    )


def peers(reading: Reading, value: object) -> None:
    """Symbols alone, the company's own among them."""
    if not isinstance(value, list):
        raise Malformed("no list of symbols")
    if not value:
        return
    instrument = asked_for(reading)
    own = reading.where.get("symbol") or reading.origin.symbol
    others = tuple(each for each in reading.names(value) if each != own)
    reading.add(Profile(PROVIDER, instrument, reading.recv, reading.recv, None, own, peers=others))


def metrics(reading: Reading, value: object) -> None:
    body = Row(value)
    symbol = body.letters("symbol")
    instrument = instrument_of(symbol) if symbol else asked_for(reading)
    current = body.row("metric")
    for name in current:
        reading.one(f"metric {name[:40]!r}", _metric, reading, instrument, current, name)
    series = body.row("series")
    for period in ("annual", "quarterly"):
        lines = series.row(period)
        for name in lines:
            reading.each(lines.items(name), _point, reading, instrument, name, period)


def _metric(reading: Reading, instrument: InstrumentId, current: Row, name: str) -> None:
    """A day (`52WeekHighDate`) belongs to the figure of the same name and is none itself."""
    if name.endswith("Date"):
        return
    value = current.number(name)
    in_millions = _IN_MILLIONS.fullmatch(name) is not None
    reading.add(
        Metric(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            name,
            numbers.scaled(value, MILLION) if in_millions else value,
            _period_of(name),
            current.day(f"{name}Date") if f"{name}Date" in current else None,
            unit="shares" if name.endswith("Volume") else None,
        )
    )


def _period_of(name: str) -> str | None:
    if name.endswith(_OF_YEARS):
        return "annual"
    if name.endswith(_OF_QUARTERS):
        return "quarterly"
    return "ttm" if name.endswith(_OF_TTM) else None


def _point(reading: Reading, instrument: InstrumentId, name: str, period: str, row: Row) -> None:
    day = row.must_day("period")
    value = row.number("v")
    reading.add(Metric(PROVIDER, instrument, day_ns(day), reading.recv, name, value, period, day))


def earnings(reading: Reading, row: Row) -> None:
    """Of one quarter. Finnhub names no currency."""
    symbol = row.letters("symbol")
    day = row.must_day("period")
    quarter, year = row.whole("quarter"), row.whole("year")
    reading.add(
        Earnings(
            PROVIDER,
            instrument_of(symbol) if symbol else asked_for(reading),
            day_ns(day),
            reading.recv,
            "quarterly",
            day,
            None,
            row.number("actual"),
            row.number("estimate"),
            row.number("surprise"),
            row.number("surprisePercent"),
            fiscal_year=year,
            fiscal_period=None if quarter is None else f"Q{quarter}",
        )
    )


def recommendation(reading: Reading, row: Row) -> None:
    symbol = row.letters("symbol")
    day = row.must_day("period")
    reading.add(
        Recommendation(
            PROVIDER,
            instrument_of(symbol) if symbol else asked_for(reading),
            day_ns(day),
            reading.recv,
            day,
            row.whole("strongBuy"),
            row.whole("buy"),
            row.whole("hold"),
            row.whole("sell"),
            row.whole("strongSell"),
        )
    )


def news(reading: Reading, row: Row) -> None:
    title, url, number = row.text("headline"), row.text("url"), row.raw("id")
    if title is None and url is None and not number:
        raise Malformed("an item with neither title, link nor id")
    at = row.epoch("s", "datetime")
    related = (row.text("related") or "").split(",")
    reading.add(
        NewsItem(
            PROVIDER,
            STREAM,
            at or reading.recv,
            reading.recv,
            str(number or url or title),
            title,
            row.text("summary"),
            url,
            row.text("source"),
            at,
            tuple(_named(each) for each in related if each.strip()),
        )
    )


def _named(symbol: str) -> str:
    """An id, or the letters where they make none."""
    try:
        return instrument_of(symbol)
    except Malformed:
        return symbol.strip()


def listing(reading: Reading, row: Row) -> None:
    """A planned listing. `0` shares and an empty price were not said."""
    symbol = row.letters("symbol")
    exchange = row.text("exchange")
    day = row.must_day("date")
    told = {
        "price": row.text("price"),
        "shares": _whole_text(row.amount("numberOfShares")),
        "value": _whole_text(row.amount("totalSharesValue")),
        "symbol": symbol,
    }
    reading.add(
        CalendarEvent(
            PROVIDER,
            instrument_of(symbol) if symbol else make_instrument_id("CALENDAR", listings.US),
            day_ns(day, NEW_YORK),
            reading.recv,
            "ipo",
            day,
            row.text("name"),
            exchange,
            row.text("status"),
            details={name: text for name, text in told.items() if text is not None},
        )
    )


def _whole_text(value: float | None) -> str | None:
    return None if not value else f"{value:.15g}"


def report(reading: Reading, row: Row) -> None:
    """Of the calendar of earnings: past ones have their figures."""
    day = row.must_day("date")
    quarter = row.whole("quarter")
    reading.add(
        Earnings(
            PROVIDER,
            instrument_of(row.must_letters("symbol")),
            day_ns(day, NEW_YORK),
            reading.recv,
            "quarterly",
            None,
            None,
            row.number("epsActual"),
            row.number("epsEstimate"),
            revenue_actual=row.number("revenueActual"),
            revenue_estimate=row.number("revenueEstimate"),
            reported_on=day,
            fiscal_year=row.whole("year"),
            fiscal_period=None if quarter is None else f"Q{quarter}",
        )
    )


def instrument(reading: Reading, row: Row) -> None:
    """Of the list of an exchange or of a search."""
    symbol = row.must_letters("symbol")
    shown = row.letters("displaySymbol")
    reading.add(
        InstrumentInfo(
            PROVIDER,
            instrument_of(symbol),
            reading.recv,
            reading.recv,
            symbol,
            quote=row.letters("currency"),
            asset_class="crypto" if ":" in symbol else "equity",
            aliases=(shown,) if shown and shown != symbol else (),
        )
    )
