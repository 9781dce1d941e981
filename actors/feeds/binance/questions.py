"""What a session asks of REST: addresses and weights."""

from __future__ import annotations

from actors.feeds.base import FeedSettings
from actors.feeds.binance.calls import Call, CallQueue
from actors.feeds.binance.subject import Subject
from actors.feeds.binance.venues import Venue

BARS_PER_CALL = 1000
TRADES_PER_CALL = 1000


class Questions:
    """Puts questions into the queue; one that waits or runs already is not put twice."""

    def __init__(self, calls: CallQueue, settings: FeedSettings) -> None:
        self._calls = calls
        self._settings = settings

    def listing(self, venue: Venue, now: int) -> None:
        url = f"{self._base(venue)}/exchangeInfo"
        self._calls.ask(Call("instruments", venue.name, venue, url, venue.info_weight, None), now)

    def book(self, subject: Subject, now: int) -> None:
        levels, weight = subject.venue.depth(self._settings.book_depth)
        self._ask("book", subject, f"depth?symbol={subject.symbol}&limit={levels}", weight, now)

    def trades(self, subject: Subject, first: int, now: int) -> None:
        query = f"aggTrades?symbol={subject.symbol}&fromId={first}&limit={TRADES_PER_CALL}"
        self._ask("trades", subject, query, subject.venue.trades_weight, now)

    def bars(self, subject: Subject, now: int) -> None:
        count = min(self._settings.backfill_bars, BARS_PER_CALL)
        query = f"klines?symbol={subject.symbol}&interval=1m&limit={count}"
        self._ask("bars", subject, query, subject.venue.klines_weight, now)

    def _ask(self, topic: str, subject: Subject, query: str, weight: int, now: int) -> None:
        url = f"{self._base(subject.venue)}/{query}"
        self._calls.ask(Call(topic, subject.instrument, subject.venue, url, weight, subject.instrument), now)

    def _base(self, venue: Venue) -> str:
        return (self._settings.rest_url or venue.rest_url).rstrip("/") + venue.api
