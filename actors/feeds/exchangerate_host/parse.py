"""Bytes from exchangerate.host -> rates. Pure. An error is `success: false`, mostly with HTTP 200."""

from __future__ import annotations

from functools import partial

from actors.feeds.base import Origin, Parsed, Reject, RejectClass
from actors.feeds.rest.arrays import named
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.failures import Words, refusal, refuse
from actors.feeds.rest.pairs import by_day, currency_code, fx_rate, rates_of
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

PROVIDER = "exchangerate_host"
_CLASS: dict[int, RejectClass] = {
    101: "auth",
    102: "auth",
    104: "throttled",
    105: "entitlement",
    106: "not_found",
}
"""Any other code: bad_request."""
WORDS: Words = (
    ("invalid authentication", "auth"),
    ("exceeded your", "throttled"),
)
_REFUSED = ("fluctuation", "change", "list", "symbols", "sources", "vat_rates")


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, partial(_read, reading), WORDS)


def _read(reading: Reading, value: object) -> None:
    """Raises Malformed."""
    body = Row(value)
    error = _error(body, reading.origin)
    if error is not None:
        reading.reject_as(error)
    elif any(reading.where.match(part) for part in _REFUSED) or body.raw("fluctuation", "change") is True:
        reading.reject("unsupported", "changes of rates and lists of names are not read")
    elif "query" in body:
        _converted(reading, body)
    elif "quotes" in body:
        _quotes(reading, body)
    elif "rates" in body:
        _rates(reading, body)
    else:
        raise Malformed("neither `quotes` nor `rates` nor `query`")


def _quotes(reading: Reading, body: Row) -> None:
    """Of one instant, or of several days."""
    source, quotes = currency_code(body.raw("source")), body.row("quotes")
    if body.raw("timeframe") is True or by_day(quotes):
        for day in quotes:
            reading.one(named(day), _quotes_of_a_day, reading, source, quotes, day)
    else:
        _each_quote(reading, source, quotes, _instant(body))


def _quotes_of_a_day(reading: Reading, source: str, quotes: Row, day: str) -> None:
    _each_quote(reading, source, quotes.row(day), day_ns(day))


def _each_quote(reading: Reading, source: str, quotes: Row, ts_event: int) -> None:
    for pair in quotes:
        reading.one(named(pair), _quote, reading, source, quotes, pair, ts_event)


def _quote(reading: Reading, source: str, quotes: Row, pair: str, ts_event: int) -> None:
    reading.add(fx_rate(reading, source, _target(pair, source), ts_event, quotes.raw(pair)))


def _target(pair: str, source: str) -> str:
    """`USDEUR` -> `EUR`. Raises Malformed."""
    if not pair.upper().startswith(source):
        raise Malformed(f"pair {pair[:40]!r} does not begin with its source {source}")
    return pair[len(source) :]


def _rates(reading: Reading, body: Row) -> None:
    """The shape until 2023-09. An `amount` that was asked for has multiplied every rate."""
    rates_of(reading, body, reading.where.get("amount"), _instant)


def _converted(reading: Reading, body: Row) -> None:
    query, info = body.row("query"), body.row("info")
    stamp = info.epoch("s", "timestamp") or _instant(body)
    rate = info.price("rate", "quote")
    reading.add(fx_rate(reading, query.raw("from"), query.raw("to"), stamp, rate))


def _instant(body: Row) -> int:
    """Raises Malformed where the body has no time of its own."""
    stamp, day = body.epoch("s", "timestamp"), body.day("date")
    if stamp is None and day is None:
        raise Malformed("neither `timestamp` nor `date`")
    return stamp if stamp is not None else day_ns(str(day))


def _error(body: Row, origin: Origin) -> Reject | None:
    if body.raw("success") is True or (body.raw("success") is None and ("rates" in body or "quotes" in body)):
        return None
    error = body.raw("error")
    said = Row(error) if isinstance(error, dict) else body
    code, text = said.raw("code"), said.text("info", "message", "type") or ""
    number = int(str(code)[:9]) if str(code).isdecimal() else None
    reason = f"{'' if code is None else code} {text}".strip() or "success: false, without a reason"
    if number is not None:
        return refuse(_CLASS.get(number, "bad_request"), reason, origin)
    return refusal(reason, origin, WORDS)
