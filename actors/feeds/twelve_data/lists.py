"""Calendars and lists: dividends, splits, listings, earnings, sessions, instruments."""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.days import NEW_YORK, UTC, day_ns, iso_day
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.twelve_data.symbols import PROVIDER, instrument_of, whose
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id, venue_of
from domain.market.observations import InstrumentInfo, SplitAnnounced
from domain.market.reference import CalendarEvent, Dividend, Earnings


def zone_of(instrument: InstrumentId) -> str:
    """Calendars name no zone: days in the United States begin in New York, others are taken as UTC's."""
    return NEW_YORK if venue_of(instrument) == "US" else UTC


def dividends(reading: Reading, value: object) -> None:
    """Of one company: `meta` has it and its currency."""
    body = Row(value)
    told = whose(reading, body), body.row("meta").letters("currency")
    reading.each(body.items("dividends"), _dividend, reading, *told)


def planned_dividend(reading: Reading, row: Row) -> None:
    _dividend(reading, instrument_of(row), row.letters("currency"), row)


def _dividend(reading: Reading, instrument: InstrumentId, currency: str | None, row: Row) -> None:
    day = row.must_day("ex_date")
    at = day_ns(day, zone_of(instrument))
    amount = row.must("amount")
    reading.add(Dividend(PROVIDER, instrument, at, reading.recv, day, amount, currency))


def splits(reading: Reading, value: object) -> None:
    body = Row(value)
    reading.each(body.items("splits"), _split, reading, whose(reading, body))


def planned_split(reading: Reading, row: Row) -> None:
    _split(reading, instrument_of(row), row)


def _split(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """A `4-for-1 split` has `from_factor` 4 and `to_factor` 1: four new shares for one old."""
    effective = day_ns(row.must_day("date"), zone_of(instrument))
    old, new = row.must_price("to_factor"), row.must_price("from_factor")
    reading.add(SplitAnnounced(PROVIDER, instrument, reading.recv, reading.recv, effective, old, new))


def listings_planned(reading: Reading, value: object) -> None:
    """Rows under their days."""
    days = Row(value)
    for day in days:
        reading.each(days.items(day), _listing, reading, iso_day(day))


def _listing(reading: Reading, day: str, row: Row) -> None:
    instrument = instrument_of(row)
    names = ("price_range_low", "price_range_high", "offer_price", "shares", "currency", "symbol")
    told = {name: text for name in names if (text := row.text(name)) is not None}
    reading.add(
        CalendarEvent(
            PROVIDER,
            instrument,
            day_ns(day, zone_of(instrument)),
            reading.recv,
            "ipo",
            day,
            row.text("name"),
            row.text("exchange"),
            details=told,
        )
    )


def earnings(reading: Reading, value: object) -> None:
    """Of one company, or of many under their days. `date` is the day of the report, not its period's end."""
    body = Row(value)
    rows = body.raw("earnings")
    if isinstance(rows, list):
        told = whose(reading, body), body.row("meta").letters("currency"), None
        reading.each(rows, _earnings, reading, *told)
        return
    days = Row(rows)
    for day in days:
        reading.each(days.items(day), _planned_earnings, reading, iso_day(day))


def _planned_earnings(reading: Reading, day: str, row: Row) -> None:
    _earnings(reading, instrument_of(row), row.letters("currency"), day, row)


def _earnings(
    reading: Reading, instrument: InstrumentId, currency: str | None, day: str | None, row: Row
) -> None:
    reported = day or row.must_day("date")
    reading.add(
        Earnings(
            PROVIDER,
            instrument,
            day_ns(reported, zone_of(instrument)),
            reading.recv,
            "quarterly",
            None,
            currency,
            row.number("eps_actual"),
            row.number("eps_estimate"),
            row.number("difference"),
            row.percent("surprise_prc"),
            reported_on=reported,
        )
    )


def session(reading: Reading, row: Row) -> None:
    """Hours of an exchange, on its own clocks."""
    code = row.letters("code") or row.must_letters("name")
    for each in row.items("sessions"):
        hours = Row(each)
        told = {
            name: text for name in ("open_time", "close_time", "session_type") if (text := hours.text(name))
        }
        told["time_zone"] = row.text("time_zone") or ""
        reading.add(
            CalendarEvent(
                PROVIDER,
                make_instrument_id("CALENDAR", code.upper()),
                reading.recv,
                reading.recv,
                "session",
                None,
                hours.text("session_name"),
                row.text("title", "name"),
                details={name: text for name, text in told.items() if text},
            )
        )


def market_state(reading: Reading, row: Row) -> None:
    """Whether an exchange is open now."""
    code = row.letters("code") or row.must_letters("name")
    names = ("country", "time_after_open", "time_to_open", "time_to_close")
    told = {name: text for name in names if (text := row.text(name)) is not None}
    reading.add(
        CalendarEvent(
            PROVIDER,
            make_instrument_id("CALENDAR", code.upper()),
            reading.recv,
            reading.recv,
            "status",
            None,
            None,
            row.text("name"),
            "open" if row.raw("is_market_open") is True else "closed",
            details=told,
        )
    )


def instrument(reading: Reading, row: Row) -> None:
    """Of a list, a search or the listings of one company."""
    symbol = row.must_letters("symbol")
    is_pair = "/" in symbol
    about = instrument_of(row)
    kind = (row.letters("instrument_type", "type") or "").lower()
    base, _, quote = symbol.partition("/") if is_pair else ("", "", "")
    reading.add(
        InstrumentInfo(
            PROVIDER,
            about,
            reading.recv,
            reading.recv,
            symbol,
            base or None,
            quote or row.letters("currency"),
            "index"
            if kind == "index"
            else "fx"
            if about.endswith(f".{listings.FX}")
            else "crypto"
            if is_pair
            else "equity",
        )
    )


def rows_of(value: object, *names: str) -> list[object]:
    """An array, the array in one of the fields, or that in `result.list`. Raises Malformed."""
    if isinstance(value, list):
        return value
    body = Row(value)
    for name in names:
        found = body.raw(name)
        if isinstance(found, dict):
            found = found.get("list")
        if isinstance(found, list):
            return found
    raise Malformed("no list where one was expected")
