"""Whose feed it is: as assumed, by its address, by the address that it gives itself, by its title."""

from __future__ import annotations

from urllib.parse import urlsplit

from actors.feeds.base import Origin
from actors.feeds.texts.names import stream_of

PROVIDER = "rss"
CARRIERS = frozenset(
    {"feeds.feedburner.com", "feeds2.feedburner.com", "feedproxy.google.com", "rss.app", "medium.com"}
)
"""Hosts that carry other people's feeds: the first part of the path says whose."""
HOSTERS = frozenset(
    {"blogspot.com", "wordpress.com", "substack.com", "tumblr.com", "medium.com", "github.io"}
)
"""Hosts below which everybody has a name of their own."""
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go"})
"""`bbc.co.uk`: the name stands before these where the last part is a country's."""


def source_of(origin: Origin, links: list[str], title: str | None) -> str:
    """The id of the stream. `links`: the feed's own addresses, the best first."""
    if origin.symbol:
        return stream_of(PROVIDER, origin.symbol.removeprefix("RSS_"))
    named = (publisher(address) for address in (origin.endpoint, *links))
    return stream_of(PROVIDER, next((name for name in named if name), title))


def publisher(address: str) -> str | None:
    """`https://www.cnbc.com/id/1/rss.html` -> `cnbc`; None for what is no address of a name."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").strip(".")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    if host in CARRIERS:
        return next(
            (part for part in parts.path.split("/") if part not in ("", "feed", "feeds", "rss")), None
        )
    labels = host.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in host:
        return None
    is_deep = len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    is_hosted = ".".join(labels[-2:]) in HOSTERS
    return labels[-3] if len(labels) > 2 and (is_deep or is_hosted) else labels[-2]
