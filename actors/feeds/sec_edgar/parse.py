"""What a payload of the SEC is: JSON by its fields, XML by its root, a submission by its first line."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, not_json, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.sec_edgar.covers import read_cover, read_instance
from actors.feeds.sec_edgar.current import read_current
from actors.feeds.sec_edgar.facts import is_facts, read_facts
from actors.feeds.sec_edgar.filings import is_columns, read_company, read_older_page
from actors.feeds.sec_edgar.holdings import read_holdings
from actors.feeds.sec_edgar.names import PROVIDER
from actors.feeds.sec_edgar.ownership import read_ownership
from actors.feeds.sec_edgar.submission import is_index, is_submission, read_index, read_submission
from actors.feeds.sec_edgar.tickers import is_tickers, read_tickers
from actors.feeds.sec_edgar.xml_tree import Element, tree, value_at
from domain.errors import Malformed

WORDS: Words = (
    ("request rate threshold", "throttled"),
    ("undeclared automated tool", "auth"),
    ("nosuchkey", "not_found"),
    ("key does not exist", "not_found"),
    ("accessdenied", "entitlement"),
)
_HTML = ("<!doctype html", "<html", "<head")
_BY_ROOT: dict[str, Callable[[Reading, Element], None]] = {
    "feed": read_current,
    "ownershipDocument": read_ownership,
    "informationTable": read_holdings,
    "edgarSubmission": read_cover,
    "xbrl": read_instance,
}


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    start = _start(payload)
    if not is_submission(start.upper()) and (start.startswith(_HTML) or "<html" in start):
        reading.reject_as(not_json(payload, origin, "a page", WORDS))
        return reading.end()
    try:
        if is_submission(start.upper()):
            read_submission(reading, _text(payload))
        elif start.startswith("<"):
            _xml(reading, payload)
        else:
            return read_json(reading, payload, lambda value: _json(reading, value), WORDS)
    except Malformed as error:
        reading.reject("malformed", str(error))
    return reading.end()


def _start(payload: str | bytes) -> str:
    text = payload[:2048].decode("utf-8", "replace") if isinstance(payload, bytes) else payload[:2048]
    return text.lstrip("\ufeff \t\r\n").lower()


def _text(payload: str | bytes) -> str:
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else payload


def _xml(reading: Reading, payload: str | bytes) -> None:
    root = tree(payload)
    if root.tag == "Error":
        said = " ".join(part for name in ("Code", "Message") if (part := value_at(root, name)))
        reading.reject_as(refusal(said, reading.origin, WORDS))
        return
    read_root = _BY_ROOT.get(root.tag)
    if read_root is None:
        raise Malformed(f"XML with the root {root.tag[:40]!r} is none of the forms that are known")
    read_root(reading, root)


def _json(reading: Reading, value: object) -> None:
    if is_facts(value):
        read_facts(reading, value)
    elif is_columns(value):
        read_older_page(reading, value)
    elif is_index(value):
        read_index(reading, value)
    elif is_tickers(value):
        read_tickers(reading, value)
    else:
        _company_or_error(reading, Row(value))


def _company_or_error(reading: Reading, body: Row) -> None:
    if body.has("filings"):
        read_company(reading, body)
        return
    said = body.raw("message", "error", "Message")
    if not isinstance(said, str):
        raise Malformed("neither filings, facts nor tickers")
    reading.reject_as(refusal(said, reading.origin, WORDS))
