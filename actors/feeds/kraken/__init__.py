"""Kraken spot (`wss://ws.kraken.com/v2`, `https://api.kraken.com/0/public`).

    wire.py       WebSocket v2 frames as they are documented
    v1.py         frames of the older WebSocket v1: arrays with the channel and the pair at their end
    rest.py       REST bodies
    parse.py      one payload, whichever it is -> facts, rejects and notes for the session
    facts.py      what a payload says before it is an observation
    names.py      assets and pairs in the venue's dialects and in ours
    checksum.py   the book in the venue's own digits, and its CRC32
    pair.py       the state of one pair: its proven book, its trade ids
    requests.py   what a session says to the venue
    session.py    subscriptions, resynchronisation, gaps in trade ids and their backfill

v1 is proven on a recording (10 books, 4,269 checksums); v2 and REST rest on the documented frames alone
(docs.kraken.com). Instruments are `BASE-QUOTE.KRAKEN`, XBT as BTC and XDG as DOGE.
"""

from __future__ import annotations

from actors.feeds.base import NOTHING, Adapter, Assumed, FeedSettings, HttpRequest, Origin, Parsed, Session
from actors.feeds.kraken.names import PROVIDER, VENUE
from actors.feeds.kraken.parse import observe
from actors.feeds.kraken.rest import same_resource
from actors.feeds.kraken.session import KrakenSession


class KrakenAdapter:
    """See the package."""

    name = PROVIDER
    venues: tuple[str, ...] = (VENUE,)

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return observe(payload, origin)

    def session(self, settings: FeedSettings, assumed: Assumed = NOTHING) -> Session:
        return KrakenSession(settings)

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        return same_resource(request.url, endpoint)


def adapter() -> Adapter:
    """A new adapter; it holds no state."""
    return KrakenAdapter()
