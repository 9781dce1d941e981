"""Coinbase Exchange (`wss://ws-feed.exchange.coinbase.com`, `https://api.exchange.coinbase.com`).

    wire.py      the frames and bodies as they are documented
    parse.py     one payload -> facts, rejects and notes for the session
    rest.py      REST bodies, recognised by endpoint or by shape
    market.py    the state of one product: its trade ids, what its heartbeats tell
    session.py   subscriptions, books, gaps in trade ids and their backfill

All of it rests on the documented frames alone (docs.cdp.coinbase.com/exchange); no
recording of this venue was at hand. Instruments are `BASE-QUOTE.COINBASE`, the venue's own product ids.
"""

from __future__ import annotations

from actors.feeds.base import NOTHING, Adapter, Assumed, FeedSettings, HttpRequest, Origin, Parsed, Session
from actors.feeds.coinbase.parse import read
from actors.feeds.coinbase.rest import same_resource
from actors.feeds.coinbase.session import CoinbaseSession
from actors.feeds.coinbase.wire import PROVIDER, VENUE


class CoinbaseAdapter:
    """See the package."""

    name = PROVIDER
    venues: tuple[str, ...] = (VENUE,)

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        reading = read(payload, origin)
        return Parsed(reading.observations, reading.rejects)

    def session(self, settings: FeedSettings, assumed: Assumed = NOTHING) -> Session:
        return CoinbaseSession(settings, assumed)

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        return same_resource(request.url, endpoint)


def adapter() -> Adapter:
    """A new adapter; it holds no state."""
    return CoinbaseAdapter()
