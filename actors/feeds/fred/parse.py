"""Bytes from FRED -> facts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.feeds.base import Origin, Parsed
from actors.feeds.fred import observations, series
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.markup import Element, elements, looks_like_xml
from actors.feeds.rest.reading import Reading, first_match, not_json, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from domain.errors import Malformed

PROVIDER = "fred"
WORDS: Words = (
    ("api_key is not", "auth"),
    ("api_key is missing", "auth"),
    ("api_key", "auth"),
    ("exceeded rate limit", "throttled"),
    ("series does not exist", "not_found"),
    ("does not exist", "not_found"),
)
_PATHS: tuple[tuple[str, Callable[[Reading, Row], None]], ...] = (
    ("fred/v2/release/observations", observations.of_release),
    ("series/observations", observations.of_series),
    ("fred/series/search", series.listed),
    ("fred/series/updates", series.listed),
    ("fred/(?:series|release/series|category/series|tags/series)", series.listed),
)
_ROOTS = {"observations": "observations", "seriess": "seriess", "series": "seriess"}
"""Roots of XML -> the array of JSON that their children are."""
_CHILDREN = {"observations": "observation", "seriess": "series"}


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    if not looks_like_xml(payload):
        return read_json(reading, payload, partial(_read, reading), WORDS)
    try:
        found = elements(payload)
        body = _from_xml(found)
        if body is None:
            reading.reject_as(not_json(payload, origin, "another document", WORDS))
        else:
            _read(reading, body)
    except Malformed as error:
        if _is_page(payload):
            reading.reject_as(not_json(payload, origin, str(error), WORDS))
        else:
            reading.reject("malformed", str(error))
    return reading.end()


def _read(reading: Reading, value: object) -> None:
    """Raises Malformed."""
    body = Row(value)
    if body.raw("error_code", "error_message") is not None:
        _refuse(reading, body)
        return
    if reading.where:
        read = first_match(reading.where, _PATHS)
        if read is None:
            reading.reject("unsupported", f"address {reading.where.path[:120]!r} is not read")
            return
    else:
        read = _by_shape(body)
    read(reading, body)


def _by_shape(body: Row) -> Callable[[Reading, Row], None]:
    """Raises Malformed."""
    if "observations" in body:
        return observations.of_series
    if "seriess" in body:
        return series.listed
    if isinstance(body.raw("series"), list):
        return observations.of_release
    raise Malformed("neither observations nor series")


def _refuse(reading: Reading, body: Row) -> None:
    text = str(body.raw("error_message") or "")
    code = body.whole("error_code")
    if class_of(text, WORDS) is None and code is not None and 400 <= code < 600:
        reading.reject_as(refuse(reject_class(code), f"{code} {text}", reading.origin))
    else:
        reading.reject_as(refusal(text or f"error {code}", reading.origin, WORDS))


def _from_xml(found: list[Element]) -> dict[str, object] | None:
    """The same as JSON says it; None for a document of another kind."""
    if not found:
        return None
    root = found[0]
    if root.name == "error":
        return {"error_code": root.attributes.get("code"), "error_message": root.attributes.get("message")}
    name = _ROOTS.get(root.name)
    if name is None:
        return None
    child = _CHILDREN[name]
    rows = [each.attributes for each in found[1:] if each.depth == 1 and each.name == child]
    return {**root.attributes, name: rows}


def _is_page(payload: str | bytes) -> bool:
    head = payload[:500] if isinstance(payload, str) else payload[:500].decode(errors="replace")
    return "<html" in head.lower() or "<!doctype html" in head.lower()
