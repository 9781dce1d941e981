"""Which payload it is: by its outermost field. Pure; raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.yahoo import chart, quotes, reports, summary
from actors.feeds.yahoo.symbols import PROVIDER, unwrapped
from domain.errors import Malformed

Read = Callable[[Reading, object], None]

WORDS: Words = (
    ("may be delisted", "not_found"),
    ("no fundamentals data", "not_found"),
    ("quote not found", "not_found"),
)
_ENVELOPES: dict[str, Read] = {
    "chart": chart.charts,
    "quoteResponse": quotes.quotes,
    "optionChain": quotes.chains,
    "quoteSummary": summary.summaries,
    "timeseries": reports.series,
    "finance": quotes.lists,
}


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _body(reading: Reading, value: object) -> None:
    status = reading.origin.status
    said = _error(value)
    if said is not None:
        reading.reject_as(refusal(said, reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    plain = unwrapped(value)
    _choose(plain)(reading, plain)


def _error(value: object) -> str | None:
    """`{"chart": {"result": null, "error": {"code", "description"}}}`, for every envelope."""
    if not isinstance(value, dict):
        return None
    for inside in value.values():
        error = inside.get("error") if isinstance(inside, dict) and len(value) == 1 else None
        if isinstance(error, dict):
            return f"{error.get('description') or 'no description'} ({error.get('code') or 'no code'})"
        if error:
            return str(error)
    message = value.get("message")
    return str(message) if message and not value.keys() & _ENVELOPES.keys() and len(value) <= 3 else None


def _choose(value: object) -> Read:
    body = Row(value)
    name = next((each for each in _ENVELOPES if each in body), None)
    if name == "finance" and isinstance(body.row("finance").raw("result"), dict):
        return reports.insights
    if name is not None:
        return _ENVELOPES[name]
    if "quotes" in body and "news" in body:
        return quotes.search
    raise Malformed(f"no payload of Yahoo's has the fields {', '.join(sorted(body))[:120]}")
