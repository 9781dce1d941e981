"""The address that a payload came from: what its body leaves open stands there.

Only a URL or a path is one. The host is not looked at: it may be a proxy's, or a server's on this machine.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from actors.feeds.base import Origin
from domain.errors import Malformed

MAX_CHARS = 16_384
_REDACTED = frozenset({"redacted", "mock_from", "mock_to"})


class Address(Struct, frozen=True):
    """`path` is unquoted, without a slash at its end; the names of `query` are in lower case."""

    path: str = ""
    query: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.path or self.query)

    def get(self, *names: str) -> str | None:
        """The first parameter of these names that has a value."""
        return next((self.query[name] for name in names if self.query.get(name)), None)

    def match(self, pattern: str) -> re.Match[str] | None:
        """Of whole parts at the end of the path: `stock/(?P<symbol>[^/]+)/quote`."""
        return _compiled(pattern).search(self.path)


NOWHERE = Address()


def address_of(origin: Origin) -> Address:
    """Of a capture's line, or of a file whose name is a URL; else NOWHERE. Never raises."""
    endpoint = origin.endpoint
    if len(endpoint) > MAX_CHARS or not (
        "://" in endpoint or endpoint.startswith("/") or (origin.source != "file" and endpoint)
    ):
        return NOWHERE
    return address(endpoint)


@lru_cache(maxsize=512)
def address(endpoint: str) -> Address:
    try:
        parts = urlsplit(endpoint)
        query = {name.lower(): value for name, value in parse_qsl(parts.query) if _is_said(value)}
    except ValueError:
        return NOWHERE
    return Address(f"/{unquote(parts.path).strip('/')}", query)


def subject(origin: Origin, where: Address, *names: str) -> str:
    """The symbol of a body that does not name it: by its address, else as assumed. Raises Malformed."""
    found = where.get(*names) or origin.symbol
    if not found or not found.strip():
        raise Malformed("it names no symbol: neither the body nor its address says whose it is")
    return found.strip()


def _is_said(value: str) -> bool:
    return bool(value.strip()) and value.strip().lower() not in _REDACTED


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){pattern}$")
