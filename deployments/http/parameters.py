"""Query parameters as domain values, with their bounds; and the guard against unknown ones."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import parse_qsl

from litestar import Litestar, Request
from litestar.params import PathParameter, QueryParameter
from litestar.routes import HTTPRoute

from deployments.http.problems import BadParameter, UnknownParameter
from domain.clock import MAX_NS, MIN_NS, parse_query_time
from domain.envelope import CURSOR_PREFIX, Cursor, parse_cursor
from domain.errors import Malformed

MAX_QUERY_BYTES = 40_000
"""Two cursors fit."""
MAX_FIELDS = 32
REPEATABLE = frozenset({"spec"})
DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
DEFAULT_BARS = 500
MAX_BARS = 5_000
DEFAULT_DEPTH = 25
MAX_DEPTH = 5_000
MAX_PAGE_LENGTH = 200

A_TEXT: dict[str, Any] = {"minLength": 1}
A_CURSOR: dict[str, Any] = {"pattern": f"^{CURSOR_PREFIX.replace('.', '[.]')}.+$"}


def query(name: str, description: str, **bounds: Any) -> Any:
    """A query parameter; `bounds` say in JSON Schema's words what its handler checks."""
    return QueryParameter(name=name, description=description, schema_extra=bounds)


InstrumentPath = Annotated[
    str,
    PathParameter(
        name="instrument",
        description="`SYMBOL.VENUE`, or an alias that fits exactly one",
        schema_extra=A_TEXT,
    ),
]
After = Annotated[
    str | None,
    query("after", "cursor: wait up to 2 s until the answer includes it, else 503", **A_CURSOR),
]
At = Annotated[str | None, query("at", "recorded time (RFC 3339, `now-15m`) or cursor", **A_TEXT)]
From = Annotated[str | None, query("from", "RFC 3339 or `now-15m`; included", **A_TEXT)]
To = Annotated[str | None, query("to", "RFC 3339 or `now-15m`; excluded", **A_TEXT)]
Adjusted = Annotated[
    bool | None,
    QueryParameter(
        name="adjusted",
        description="in the shares of today, as if each split had always been in force (the default)",
    ),
]
PageToken = Annotated[
    str | None, query("page", "`next_page` of the page before", minLength=1, maxLength=MAX_PAGE_LENGTH)
]
Limit = Annotated[int | None, query("limit", "most items in the answer", minimum=1, maximum=MAX_LIMIT)]
BarsLimit = Annotated[int | None, query("limit", "most bars in the answer", minimum=1, maximum=MAX_BARS)]


def within(name: str, value: int | None, default: int, ceiling: int) -> int:
    """1 <= value <= ceiling. Raises BadParameter."""
    if value is None:
        return default
    if not 1 <= value <= ceiling:
        raise BadParameter(f"{name} is from 1 to {ceiling}, not {value}", name)
    return value


def time_of(name: str, text: str, now_ns: int) -> int:
    """ns UTC. Raises BadParameter."""
    try:
        found = parse_query_time(text, now_ns)
    except (Malformed, OverflowError) as error:
        raise BadParameter(f"{name}: {error}", name) from None
    if not MIN_NS <= found <= MAX_NS:
        raise BadParameter(f"{name}: {text[:40]!r} lies outside 1970 to 2100", name)
    return found


def span(from_: str | None, to: str | None, now_ns: int) -> tuple[int | None, int | None]:
    """Both ends as ns; raises BadParameter where they are the wrong way round."""
    start = None if from_ is None else time_of("from", from_, now_ns)
    end = None if to is None else time_of("to", to, now_ns)
    if start is not None and end is not None and start > end:
        raise BadParameter("from lies after to", "from")
    return start, end


def place_of(name: str, text: str | None, now_ns: int) -> int | Cursor | None:
    """A recorded time or a cursor. Raises BadParameter."""
    if text is None:
        return None
    return cursor_of(name, text) if text.startswith(CURSOR_PREFIX) else time_of(name, text, now_ns)


def cursor_of(name: str, text: str) -> Cursor:
    """Raises BadParameter."""
    try:
        return parse_cursor(text)
    except Malformed as error:
        raise BadParameter(f"{name}: {error}", name) from None


def page_token(mark: str, value: str) -> str:
    """`mark` says what the value is, so that a token of one list is refused by another."""
    return base64.urlsafe_b64encode(f"{mark}:{value}".encode()).decode().rstrip("=")


def read_page(mark: str, token: str) -> str:
    """Raises BadParameter."""
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    found, _, value = text.partition(":")
    if found != mark or not value or len(token) > MAX_PAGE_LENGTH:
        raise BadParameter("page is none of this list's `next_page`", "page")
    return value


def read_page_number(mark: str, token: str) -> int:
    """Raises BadParameter."""
    value = read_page(mark, token)
    if not value.isdecimal() or len(value) > 19:
        raise BadParameter("page is none of this list's `next_page`", "page")
    return int(value)


class KnownParameters:
    """Which query parameters each route has, read from the handlers' own signatures."""

    def __init__(self) -> None:
        self._known: dict[int, frozenset[str]] = {}

    def learn(self, app: Litestar) -> None:
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for handler, model in route.route_handler_map.values():
                    names = frozenset(found.field_alias for found in model.expected_query_params)
                    self._known[id(handler)] = names

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raises UnknownParameter, naming it, and BadParameter for one given twice."""
        raw: bytes = request.scope["query_string"]
        if not raw:
            return
        if len(raw) > MAX_QUERY_BYTES:
            raise BadParameter(f"the query has more than {MAX_QUERY_BYTES} bytes", "")
        known = self._known.get(id(request.route_handler), frozenset())
        seen: set[str] = set()
        for name, value in _fields(raw):
            if name not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise UnknownParameter(
                    f"unknown parameter {name[:40]!r}; this route has {allowed}", name[:40]
                )
            if name in seen and name not in REPEATABLE:
                raise BadParameter(f"{name} is given twice", name)
            if value == "null":  # the framework would take it for a parameter that is not there
                raise BadParameter(f"{name} is never null: leave it out", name)
            seen.add(name)


def _fields(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadParameter(f"the query has more than {MAX_FIELDS} fields", "") from None
