"""Quotes, rates, points of coins, movers, sectors and the hours of markets."""

from __future__ import annotations

import datetime as dt
import re

from actors.feeds.alpha_vantage.names import PROVIDER, ZONES, instrument_of, plain, whose
from actors.feeds.alpha_vantage.series import title_of
from actors.feeds.rest import listings, numbers
from actors.feeds.rest.days import NEW_YORK, UTC, day_ns, local_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import make_instrument_id, venue_of
from domain.market.observations import FxRate, Quote, Ticker
from domain.market.reference import CalendarEvent, MarketFigure, Metric

_US_CLOCK = re.compile(r"(\d\d:\d\d [AP]M) ET (\d\d/\d\d/\d{4})", re.ASCII)
_LETTERS = re.compile(r"[^A-Z0-9]+")


def quote(reading: Reading, value: object) -> None:
    """Its time is a day alone: that of its latest trading, from midnight there."""
    row = plain(Row(value).raw("Global Quote", "Global Quote - DATA DELAYED BY 15 MINUTES"))
    if not list(row):
        name = reading.where.get("symbol") or reading.origin.symbol or "the symbol"
        reading.reject("not_found", f"{name} has no quote")
        return
    instrument = whose(reading, row, "symbol")
    day = row.must_day("latest trading day")
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            day_ns(day, ZONES.get(venue_of(instrument), UTC)),
            reading.recv,
            row.must_price("price"),
            row.price("open"),
            row.price("high"),
            row.price("low"),
            row.amount("volume"),
            change_pct=row.percent("change percent"),
        )
    )


def bulk(reading: Reading, value: object) -> None:
    """Realtime quotes of several shares; without a subscription its prices are made up, and it says so."""
    body = Row(value)
    said = body.text("message")
    if said is not None and re.search(r"premium|artificial|sample", said, re.IGNORECASE):
        reading.reject("entitlement", said)
        return
    reading.each(body.items("data"), _bulk, reading)


def _bulk(reading: Reading, row: Row) -> None:
    reading.add(
        Ticker(
            PROVIDER,
            instrument_of(row.must_letters("symbol")),
            local_ns(row.must_letters("timestamp"), NEW_YORK),
            reading.recv,
            row.must_price("close"),
            row.price("open"),
            row.price("high"),
            row.price("low"),
            row.amount("volume"),
            change_pct=row.percent("change_percent"),
        )
    )


def rate(reading: Reading, value: object) -> None:
    row = plain(Row(value).raw("Realtime Currency Exchange Rate"))
    if not list(row):
        reading.reject("not_found", "the pair has no rate")
        return
    instrument = listings.pair(row.must_letters("From_Currency Code"), row.must_letters("To_Currency Code"))
    at = local_ns(row.must_letters("Last Refreshed"), row.letters("Time Zone") or UTC)
    reading.add(FxRate(PROVIDER, instrument, at, reading.recv, row.must_price("Exchange Rate")))
    bid, ask = row.price("Bid Price"), row.price("Ask Price")
    if bid is not None or ask is not None:
        reading.add(Quote(PROVIDER, instrument, at, reading.recv, bid, None, ask, None))


def points(reading: Reading, value: object) -> None:
    """`DIGITAL_CURRENCY_INTRADAY`, which is retired: prices at times, no bars. Volumes are of the day."""
    body = Row(value)
    meta = plain(body.raw("Meta Data"))
    market = meta.must_letters("Market Code")
    instrument = listings.pair(meta.must_letters("Digital Currency Code"), market)
    zone = meta.must_letters("Time Zone")
    rows = body.row(title_of(body) or "")
    for stamp in rows:
        told = instrument, market, zone, stamp
        reading.one(f"point {stamp[:30]!r}", _point, reading, *told, rows.raw(stamp))


def _point(reading: Reading, instrument: str, market: str, zone: str, stamp: str, value: object) -> None:
    row = plain(value)
    last, volume = row.must_price(f"price ({market})"), row.amount("volume")
    at = local_ns(stamp, zone)
    cap = row.amount(f"market cap ({market})")
    reading.add(Ticker(PROVIDER, instrument, at, reading.recv, last, volume=volume, market_cap=cap))


def movers(reading: Reading, value: object) -> None:
    body = Row(value)
    at = _moment(body.text("last_updated")) or reading.recv
    for name in ("top_gainers", "top_losers", "most_actively_traded"):
        reading.each(body.items(name), _mover, reading, at)


def _mover(reading: Reading, at: int, row: Row) -> None:
    instrument = instrument_of(row.must_letters("ticker"))
    last, volume = row.must_price("price"), row.amount("volume")
    change = row.percent("change_percentage")
    reading.add(Ticker(PROVIDER, instrument, at, reading.recv, last, volume=volume, change_pct=change))


def sectors(reading: Reading, value: object) -> None:
    """`SECTOR`, which is retired: how much each moved over several spans."""
    body = Row(value)
    at = _moment(plain(body.raw("Meta Data")).text("Last Refreshed")) or reading.recv
    for span in body:
        if span == "Meta Data":
            continue
        ranks = body.row(span)
        for sector in ranks:
            reading.one(sector[:40], _sector, reading, at, span, sector, ranks.raw(sector))


def _sector(reading: Reading, at: int, span: str, sector: str, value: object) -> None:
    about = make_instrument_id(f"SECTOR_{_LETTERS.sub('_', sector.upper()).strip('_')}", listings.INDEX)
    name = span.partition(":")[2].strip() or span
    reading.add(MarketFigure(PROVIDER, about, at, reading.recv, name, numbers.percent(value), "percent"))


def _moment(text: str | None) -> int | None:
    """`2022-03-21 07:03:51 US/Eastern`, `02:08 PM ET 12/20/2017`; None for another writing."""
    clock = _US_CLOCK.fullmatch(text or "")
    try:
        if clock is not None:
            read = dt.datetime.strptime(f"{clock[2]} {clock[1]}", "%m/%d/%Y %I:%M %p")
            return local_ns(read.isoformat(" "), NEW_YORK)
        stamp, _, zone = (text or "").rpartition(" ")
        return local_ns(stamp, zone)
    except (Malformed, ValueError):
        return None


def coin_rating(reading: Reading, value: object) -> None:
    """`CRYPTO_RATING`, which is retired: scores of a coin by FCAS."""
    row = plain(Row(value).raw("Crypto Rating (FCAS)"))
    about = make_instrument_id(row.must_letters("symbol"), listings.COINS)
    at = local_ns(row.must_letters("last refreshed"), row.letters("timezone") or UTC)
    for name in row:
        if name.endswith("score"):
            reading.add(Metric(PROVIDER, about, at, reading.recv, name, row.number(name)))


def hours(reading: Reading, value: object) -> None:
    """Whether each market is open now, and its hours there."""
    reading.each(Row(value).items("markets"), _hours, reading)


def _hours(reading: Reading, row: Row) -> None:
    region = row.must_letters("region")
    name = "US" if region == "United States" else _LETTERS.sub("_", region.upper()).strip("_")
    names = ("market_type", "local_open", "local_close", "notes")
    told = {each: text for each in names if (text := row.text(each)) is not None}
    reading.add(
        CalendarEvent(
            PROVIDER,
            make_instrument_id("CALENDAR", name),
            reading.recv,
            reading.recv,
            "status",
            None,
            region,
            row.text("primary_exchanges"),
            row.letters("current_status"),
            details=told,
        )
    )
