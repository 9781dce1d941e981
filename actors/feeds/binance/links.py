"""Sockets: which streams run over which, and subscription frames at the venue's pace.

One venue may send its streams over several routes, which are parts of the path: a stream that is subscribed
on the wrong one is acknowledged and stays mute. So each socket belongs to one (venue, route).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from actors.feeds.base import Endpoint
from actors.feeds.binance.hot import ShortWays
from actors.feeds.binance.venues import BINANCE_USDM, MARKET, PUBLIC, VENUES, Venue
from actors.feeds.carriers import TRADES
from actors.feeds.silence import limits_s
from domain.clock import NS_PER_S
from domain.errors import Malformed

STREAMS = {
    "trades": "@aggTrade",
    "raw_trades": "@trade",
    "quotes": "@bookTicker",
    "book": "@depth@100ms",
    "bars": "@kline_1m",
    "ticker": "@ticker",
}
CHANNEL_OF = {"raw_trades": TRADES}
"""Where two channels of the settings bring the same kind of observation."""

SENDS_PER_S = 4
"""Binance closes a socket that sends more than 5 messages a second; one is left for a pong."""
PARAMS_PER_FRAME = 100
MAX_LIFE_S = 23.5 * 3600.0
"""Binance closes every socket after 24 h."""
RENEWAL_SPREAD_S = 900.0
"""Renewals begin up to so long before the end of life, so that sockets do not all turn at once."""
OVERLAP_NS = 60 * NS_PER_S
"""How long after a renewal frames of the old socket may still come."""
SILENCE_S = {"quotes": 60.0, "book": 60.0, "ticker": 60.0, "bars": 180.0}
SILENCE_QUIET_S = 600.0
"""A socket without any frame for so long is dead: by the busiest channel that it carries."""
ROOT = "root"
"""The name in the settings of the path without a route."""

Routes = Mapping[tuple[str, str], str]
"""(venue, channel) -> route, where it is not the venue's own."""


@dataclass(slots=True)
class Link:
    """One socket and what it carries."""

    connection: int
    venue: Venue | None
    url: str = ""
    streams: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    """What `streams` carry of each symbol, by our names."""
    symbols: tuple[str, ...] = ()
    silence_s: float = SILENCE_QUIET_S
    opened_at: int | None = None
    renewing: bool = False
    overlap_until: int = 0
    renew_at: int = 0
    ways: dict[str, ShortWays] = field(default_factory=dict)
    """By venue: the hosts of the derivatives send both."""
    _outbox: deque[str] = field(default_factory=deque)
    _sent_at: deque[int] = field(default_factory=lambda: deque(maxlen=SENDS_PER_S))
    _next_id: int = 1

    def endpoint(self) -> Endpoint:
        return Endpoint(self.connection, self.url, self.silence_s, MAX_LIFE_S)

    def opened(self, now: int, spread_s: float) -> None:
        """`spread_s`: this socket's own part of RENEWAL_SPREAD_S."""
        if self.opened_at is not None:
            self.overlap_until = now + OVERLAP_NS
        self.opened_at = now
        self.renewing = False
        self.renew_at = now + int((MAX_LIFE_S - spread_s) * NS_PER_S)
        self._outbox.clear()
        self._sent_at.clear()
        self._subscribe()

    def silence_limits_s(self, limit_s: float) -> dict[str, float]:
        """Of what it carries; `limit_s` 0: the venue's."""
        carried = [CHANNEL_OF.get(channel, channel) for channel in self.channels]
        return limits_s(carried, len(self.symbols), limit_s)

    def closed(self) -> None:
        self.opened_at = None
        self.renewing = False
        self.overlap_until = 0
        self._outbox.clear()

    def due_frames(self, now: int) -> list[tuple[int, str]]:
        """Frames that may be sent now without exceeding SENDS_PER_S."""
        due = []
        while self._outbox and self._may_send(now):
            self._sent_at.append(now)
            due.append((self.connection, self._outbox.popleft()))
        return due

    def _may_send(self, now: int) -> bool:
        return len(self._sent_at) < SENDS_PER_S or now - self._sent_at[0] >= NS_PER_S

    def _subscribe(self) -> None:
        for start in range(0, len(self.streams), PARAMS_PER_FRAME):
            params = self.streams[start : start + PARAMS_PER_FRAME]
            frame = {"method": "SUBSCRIBE", "params": params, "id": self._next_id}
            self._outbox.append(msgspec.json.encode(frame).decode())
            self._next_id += 1


def read_routes(entries: Sequence[str]) -> Routes:
    """Of `CHANNEL=ROUTE` (USD-M) and `VENUE:CHANNEL=ROUTE`. Raises Malformed."""
    routes: dict[tuple[str, str], str] = {}
    for entry in entries:
        name, _, route = entry.partition("=")
        venue, _, channel = name.rpartition(":")
        venue = venue or BINANCE_USDM.name
        if venue not in VENUES or channel not in STREAMS or route not in (PUBLIC, MARKET, ROOT):
            raise Malformed(
                f"route {entry!r} is not like trades={MARKET} or BINANCE_COINM:trades={MARKET}; "
                f"routes are {PUBLIC}, {MARKET} and {ROOT}"
            )
        routes[venue, channel] = "" if route == ROOT else route
    return routes


def plan_links(
    symbols: Iterable[tuple[Venue, str]],
    channels: Sequence[str],
    ws_url: str | None,
    max_streams: int | None = None,
    routes: Routes | None = None,
) -> list[Link]:
    """Sockets for (venue, venue symbol) pairs; the streams of a symbol share one socket per route.

    `max_streams` lowers the venues' bound. Raises Malformed for an unknown channel.
    """
    unknown = [channel for channel in channels if channel not in STREAMS]
    if unknown:
        raise Malformed(f"channel {unknown[0]!r} is not one of {', '.join(STREAMS)}")
    by_venue: dict[str, tuple[Venue, list[str]]] = {}
    for venue, symbol in symbols:
        by_venue.setdefault(venue.name, (venue, []))[1].append(symbol)
    links: list[Link] = []
    for venue, names in by_venue.values():
        bound = min(max_streams or venue.streams_per_connection, venue.streams_per_connection)
        for route, carried in _by_route(venue, channels, routes or {}).items():
            url = _stream_url(ws_url or venue.ws_url, route)
            per_link = max(1, bound // len(carried))
            for start in range(0, len(names), per_link):
                part = tuple(names[start : start + per_link])
                links.append(_link(len(links), venue, url, part, carried))
    return links


def _by_route(venue: Venue, channels: Sequence[str], routes: Routes) -> dict[str, tuple[str, ...]]:
    """route -> channels, in the order given."""
    own = dict(venue.routes)
    found: dict[str, tuple[str, ...]] = {}
    for channel in channels:
        route = routes.get((venue.name, channel), own.get(channel, ""))
        found[route] = (*found.get(route, ()), channel)
    return found


def _link(number: int, venue: Venue, url: str, names: tuple[str, ...], channels: tuple[str, ...]) -> Link:
    streams = tuple(name.lower() + STREAMS[channel] for name in names for channel in channels)
    silence_s = min(SILENCE_S.get(channel, SILENCE_QUIET_S) for channel in channels)
    return Link(number, venue, url, streams, channels, names, silence_s)


def _stream_url(base: str, route: str) -> str:
    """An address that names the path itself, `.../stream`, is used as it is for all routes."""
    base = base.rstrip("/")
    if base.endswith("/stream"):
        return base
    return f"{base}/{route}/stream" if route else f"{base}/stream"
