"""Bytes from the Treasury -> yields. Pure. Yields are of the start of their day."""

from __future__ import annotations

import re
from collections.abc import Iterator

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.days import day_ns, iso_day
from actors.feeds.rest.markup import Element, elements, looks_like_xml
from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading, not_json
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Macro

PROVIDER = "us_treasury"
VENUE = "UST"
CURVE = "daily_treasury_yield_curve"
_DATE = "NEW_DATE"
_YIELD = re.compile(r"BC_(?P<count>\d+(?:_\d+)?)(?P<unit>MONTH|YEAR)")
_OTHER_CURVES = re.compile(r"TC_\d+YEAR|ROUND_B1_.*|LT_COMPOSITE.*|RATE_TYPE")


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    if not looks_like_xml(payload):
        reading.reject_as(not_json(payload, origin, "no XML"))
        return reading.end()
    try:
        _read(reading, payload)
    except Malformed as error:
        if _is_page(payload):
            reading.reject_as(not_json(payload, origin, str(error)))
        else:
            reading.reject("malformed", str(error))
    return reading.end()


def _read(reading: Reading, payload: str | bytes) -> None:
    """Raises Malformed."""
    found = elements(payload)
    if found[0].name.lower() == "html":
        reading.reject_as(not_json(payload, reading.origin, "a page"))
        return
    asked = reading.where.get("data")
    if asked is not None and asked != CURVE:
        reading.reject("unsupported", f"{asked[:80]} is not read, only {CURVE}")
        return
    days = list(_days(found))
    if not days and found[0].name not in ("feed", "pre"):
        raise Malformed(f"XML of {found[0].name[:40]!r}, not a feed of yields")
    for place, properties in enumerate(days):
        reading.one(f"entry {place}", _day, reading, properties)


def _days(found: list[Element]) -> Iterator[list[Element]]:
    """The elements inside each `properties`."""
    inside: list[Element] | None = None
    depth = 0
    for each in found:
        if inside is not None and each.depth <= depth:
            yield inside
            inside = None
        if each.name == "properties":
            inside, depth = [], each.depth
        elif inside is not None:
            inside.append(each)
    if inside is not None:
        yield inside


def _day(reading: Reading, properties: list[Element]) -> None:
    date = next((each.text for each in properties if each.name == _DATE), None)
    if date is None:
        if any(_OTHER_CURVES.fullmatch(each.name) for each in properties):
            reading.reject("unsupported", "another curve than the par yields is not read")
            return
        raise Malformed(f"{_DATE} is missing")
    if not any(each.name.startswith("BC_") for each in properties):
        reading.reject("unsupported", "another curve than the par yields is not read")
        return
    ts_event = day_ns(iso_day(date))
    for each in properties:
        match = _YIELD.fullmatch(each.name)
        if match is not None:
            reading.one(each.name, _yield, reading, each, match, ts_event)


def _yield(reading: Reading, each: Element, match: re.Match[str], ts_event: int) -> None:
    """`BC_1_5MONTH` -> `1.5M.UST`."""
    tenor = f"{match['count'].replace('_', '.')}{match['unit'][0]}"
    value = None if each.attributes.get("null") == "true" else number(each.text)
    instrument = make_instrument_id(tenor, VENUE)
    reading.add(Macro(reading.provider, instrument, ts_event, reading.recv, each.name, value, unit="percent"))


def _is_page(payload: str | bytes) -> bool:
    head = payload[:500] if isinstance(payload, str) else payload[:500].decode(errors="replace")
    return "<html" in head.lower() or "<!doctype html" in head.lower()
