"""What an endpoint says about where a payload came from: an address, or only the name of a file.

A venue runs several services under one domain, each with a protocol of its own. An address of one that is
not read is `foreign`; what comes from there is not looked at.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct


class Hosts(Struct, frozen=True):
    """`domain` is the venue's, without a dot before it; `read` are the hosts below it that are understood."""

    domain: str
    read: frozenset[str]

    def is_address(self, endpoint: str) -> bool:
        """Whether the endpoint decides what a payload is: a URL, a path, or a host of the venue's."""
        return "://" in endpoint or endpoint.startswith("/") or bool(_of_venue(endpoint, self.domain))

    def foreign(self, endpoint: str) -> bool:
        """Whether the address is one of the venue's other services."""
        host = _of_venue(endpoint, self.domain)
        return bool(host) and host not in self.read


def parts(endpoint: str) -> SplitResult:
    """Of an address with or without its scheme. Never raises."""
    try:
        return urlsplit(endpoint if "://" in endpoint or endpoint.startswith("/") else f"//{endpoint}")
    except ValueError:
        return SplitResult("", "", "", "", "")


@lru_cache(maxsize=1024)
def _of_venue(endpoint: str, domain: str) -> str:
    """The host, where it is the venue's; else "" ."""
    try:
        host = parts(endpoint).hostname or ""
    except ValueError:
        host = ""
    return host if host == domain or host.endswith(f".{domain}") else ""
