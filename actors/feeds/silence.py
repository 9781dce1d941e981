"""Streams that were subscribed and say nothing, kind by kind.

A venue may acknowledge a subscription and send none of it, while other streams of the same socket go on.
So silence is watched per kind of stream (a channel of a connection), whatever else the socket carries:

    expect ──> heard, heard ... ──> nothing for the limit ──> told once ──> heard again ──> told once

A session owns one watch: it says what it subscribed and when frames came, and hands on what `check` returns.
A kind of all instruments of a connection counts as one, since a single quiet instrument says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from actors.feeds.base import Silence
from actors.feeds.carriers import BARS, BOOK, QUOTES, TRADES
from domain.clock import NS_PER_S
from domain.market.observations import Bar, BookDelta, BookSnapshot, Observation, Quote, Ticker, Trade

SILENT_S: Mapping[str, float] = {QUOTES: 60.0, BOOK: 60.0, "ticker": 60.0, BARS: 180.0, TRADES: 300.0}
"""A kind of stream that says nothing for so long, of all symbols of a socket, is reported. Bars come at least
once a minute; a lone pair without a trade for minutes is common."""
PRICES = frozenset({QUOTES, "ticker"})
"""Kinds that stand still as long as nobody trades and the best orders stay."""
_CHANNEL_OF: Mapping[type[object], str] = {
    Trade: TRADES, Quote: QUOTES, Ticker: QUOTES, BookDelta: BOOK, BookSnapshot: BOOK, Bar: BARS
}  # fmt: skip

FEW = 3
"""So many observations are gone through faster one by one than by looking for the newest."""
CHECK_NS = NS_PER_S
"""How often silence is looked for; sessions are asked ten times a second."""


def limits_s(
    channels: Iterable[str], instruments: int, own_s: float, *, per_trade: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """channel -> its limit on a socket of so many instruments; `own_s`, if any, is the operator's for all.

    `per_trade` names the kinds that the venue sends with trades alone: they are as quiet as trades. So are
    the prices of a lone instrument, while among several some price always moves.
    """
    as_trades = per_trade | PRICES if instruments == 1 else per_trade
    return {each: own_s or SILENT_S[TRADES if each in as_trades else each] for each in channels}


class StreamWatch:
    """The kinds of stream of one session's connections. Times in ns, `now` never decreasing."""

    def __init__(self) -> None:
        self._limits: dict[int, dict[str, int]] = {}
        self._heard: dict[int, dict[str, int]] = {}
        self._silent: set[tuple[int, str]] = set()
        self._next_check = 0

    def expect(self, connection: int, limits_s: Mapping[str, float], now: int) -> None:
        """These channels are subscribed on it. A channel that is watched already goes on being so."""
        heard = self.heard(connection)
        for channel in limits_s:
            heard.setdefault(channel, now)
        self._limits[connection] = {channel: int(each * NS_PER_S) for channel, each in limits_s.items()}

    def heard(self, connection: int) -> dict[str, int]:
        """channel -> when its newest frame came: to be written to, per frame."""
        return self._heard.setdefault(connection, {})

    def note(self, connection: int, observations: Sequence[Observation]) -> None:
        """What a run of frames has brought, oldest first: the newest of each kind counts."""
        expected = self._limits.get(connection)
        if not expected or not observations:
            return
        heard = self._heard[connection]
        if len(observations) <= FEW:  # most often of a single frame
            for observation in observations:
                channel = _CHANNEL_OF.get(type(observation))
                if channel is not None:
                    heard[channel] = observation.ts_recv
            return
        seen: set[str] = set()
        for observation in reversed(observations):
            channel = _CHANNEL_OF.get(type(observation))
            if channel is None or channel in seen:
                continue
            heard[channel] = observation.ts_recv
            seen.add(channel)
            if len(seen) == len(expected):
                return

    def closed(self, connection: int) -> None:
        """The socket is lost, which is told by itself: nothing is expected until it is subscribed again."""
        self._limits.pop(connection, None)
        self.heard(connection).clear()
        self._silent = {key for key in self._silent if key[0] != connection}

    def check(self, now: int) -> list[Silence]:
        """What has fallen silent or been heard again since the last call."""
        if now < self._next_check:
            return []
        self._next_check = now + CHECK_NS
        return [
            told
            for connection, limits in self._limits.items()
            for channel, limit in limits.items()
            if (told := self._judge(connection, channel, limit, now)) is not None
        ]

    def _judge(self, connection: int, channel: str, limit: int, now: int) -> Silence | None:
        silent_ns = now - self._heard[connection][channel]
        key, is_silent = (connection, channel), silent_ns > limit
        if is_silent is (key in self._silent):
            return None
        self._silent ^= {key}
        return Silence(connection, channel, silent_ns / NS_PER_S, ended=not is_silent)
