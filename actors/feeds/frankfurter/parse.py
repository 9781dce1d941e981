"""Bytes from Frankfurter -> rates. Pure. A rate is of the start of its working day, also on a Sunday."""

from __future__ import annotations

from functools import partial

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.pairs import fx_rate, rates_of
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from domain.errors import Malformed

PROVIDER = "frankfurter"
WORDS: Words = (("invalid", "bad_request"), ("unprocessable", "bad_request"))


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, partial(_read, reading), WORDS)


def _read(reading: Reading, value: object) -> None:
    """Raises Malformed."""
    if reading.where.match(r"v\d+/(?:currencies|providers|currency/[^/]+)"):
        reading.reject("unsupported", "lists of currencies and providers are not read")
    elif isinstance(value, list):
        reading.each(value, _rate, reading)
    else:
        _object(reading, Row(value))


def _object(reading: Reading, body: Row) -> None:
    if body.has("base", "quote", "rate"):
        _rate(reading, body)
    elif body.has("base", "rates"):
        rates_of(reading, body, body.raw("amount"), _day_of)  # v1
    elif body.raw("message", "error", "detail") is not None:
        _refuse(reading, body)
    else:
        raise Malformed("neither a rate nor a map of rates")


def _refuse(reading: Reading, body: Row) -> None:
    """By its words, else by the code that it repeats from its status."""
    text = str(body.raw("message", "error", "detail"))
    code = body.raw("status", "code")
    if class_of(text, WORDS) is None and isinstance(code, int) and 400 <= code < 600:
        reading.reject_as(refuse(reject_class(code), text, reading.origin))
    else:
        reading.reject_as(refusal(text, reading.origin, WORDS))


def _rate(reading: Reading, row: Row) -> None:
    ts_event = day_ns(row.must_day("date"))
    reading.add(fx_rate(reading, row.raw("base"), row.raw("quote"), ts_event, row.raw("rate")))


def _day_of(body: Row) -> int:
    return day_ns(body.must_day("date"))
