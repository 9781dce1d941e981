"""The smallest venue that can lose something: numbered trades, a GET that tells the newest number, and a
book of whole prices, sent whole when asked for.

Its adapter is for tests of the shells (sockets, requests, buffers); what a real venue demands of a
session is tested with the real adapters.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence

import msgspec

from actors.feeds.base import (
    KEEPER,
    Effects,
    Endpoint,
    FeedSettings,
    HttpRequest,
    Origin,
    Parsed,
    Reject,
    Session,
)
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation, Trade

INSTRUMENT = "TOY-USD.TOY"
BOOK_PLEASE = '{"op":"book"}'


class ToyVenue:
    """Server side. Sends `{"id": n}` per trade; `/state` answers `{"last": n}`; `{"op":"book"}` is
    answered with the `best` of the book, where it has one."""

    def __init__(self, best: tuple[int, int] | None = None) -> None:
        self.best = best
        self.books_sent = 0
        self.ids = itertools.count(1)
        self.last = 0

    def next_trade(self) -> str:
        self.last = next(self.ids)
        return json.dumps({"id": self.last})

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]:
        return ['{"hello": 1}']

    def on_frame(self, frame: str) -> list[str]:
        if frame != BOOK_PLEASE or self.best is None:
            return []
        return [self.book()]

    def book(self) -> str:
        assert self.best is not None
        self.books_sent += 1
        return json.dumps({"whole": 1, "bid": self.best[0], "ask": self.best[1]})

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        return 200, json.dumps({"last": self.last})


class ToySession(Session):
    def __init__(self, settings: FeedSettings, silence_s: float, max_life_s: float | None) -> None:
        self._settings = settings
        self._silence_s = silence_s
        self._max_life_s = max_life_s
        self.last: int | None = None
        self.gapped = False
        self.book_gapped = False
        self.timer_calls = 0
        self.statuses: list[int] = []

    def endpoints(self) -> Sequence[Endpoint]:
        return [Endpoint(0, f"{self._settings.ws_url}/feed?token=hush", self._silence_s, self._max_life_s)]

    def on_start(self, now: int) -> Effects:
        return Effects()

    def on_open(self, connection: int, now: int) -> Effects:
        effects = Effects(sends=[(connection, '{"op":"subscribe"}')])
        if self.gapped:
            effects.requests.append(HttpRequest(f"{self._settings.rest_url}/state", "state"))
        return effects

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        parsed = parse(frame, Origin("ws", now))
        effects = Effects()
        effects.rejects += [(reject, str(frame).encode()) for reject in parsed.rejects]
        for trade in parsed.observations:
            if not isinstance(trade, Trade):
                self._take_book(trade, now, effects)
                continue
            number = int(trade.trade_id or 0)
            if self.last is not None and number <= self.last:
                continue
            if self.last is not None and number > self.last + 1:
                effects.observations.append(self._gap(now, "trade ids jump", opened=True))
            self.last = number
            effects.observations.append(trade)
        if '"please"' in str(frame):
            effects.reconnects.append((connection, "asked"))
        return effects

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        self.gapped = True
        return Effects([self._gap(now, reason, opened=True)])

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        self.statuses.append(status)
        if status != 200:
            return Effects(requests=[request])
        if self.gapped:
            self.gapped = False
            return Effects([self._gap(now, "state read", opened=False)], resynced=[(INSTRUMENT, "trades")])
        return Effects()

    def _take_book(self, change: Observation, now: int, effects: Effects) -> None:
        if isinstance(change, BookSnapshot) or not self.book_gapped:
            effects.observations.append(change)
        if isinstance(change, BookSnapshot) and self.book_gapped:
            self.book_gapped = False
            effects.observations.append(self._gap(now, "snapshot", "book", opened=False))
            effects.resynced.append((INSTRUMENT, "book"))

    def resync(self, instrument: str, now: int) -> Effects:
        if self.book_gapped:
            return Effects()
        self.book_gapped = True
        return Effects([self._gap(now, KEEPER, "book", opened=True)], [(0, BOOK_PLEASE)])

    def on_timer(self, now: int) -> Effects:
        self.timer_calls += 1
        return Effects()

    def _gap(self, now: int, reason: str, channel: str = "trades", *, opened: bool) -> Gap:
        return Gap("toy", INSTRUMENT, now, now, channel, reason, opened=opened)


def parse(payload: str | bytes, origin: Origin) -> Parsed:
    try:
        said = msgspec.json.decode(payload, type=dict[str, int])
    except (msgspec.MsgspecError, UnicodeError):
        return Parsed(rejects=[Reject("malformed", "not a toy frame")])
    if "bid" in said or "ask" in said:
        return Parsed([_book(said, origin.ts_recv)])
    if "id" not in said:
        return Parsed()
    trade = Trade(
        "toy", INSTRUMENT, origin.ts_recv, origin.ts_recv, 1.0 + said["id"], 2.0, None, str(said["id"])
    )
    return Parsed([trade])


def _book(said: Mapping[str, int], now: int) -> BookSnapshot | BookDelta:
    sides = [((float(said[side]), 1.0),) if side in said else () for side in ("bid", "ask")]
    kind = BookSnapshot if "whole" in said else BookDelta
    return kind("toy", INSTRUMENT, now, now, *sides)


class ToyAdapter:
    name = "toy"

    def __init__(self, *, silence_s: float = 30.0, max_life_s: float | None = None) -> None:
        self._silence_s = silence_s
        self._max_life_s = max_life_s
        self.sessions: list[ToySession] = []

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return parse(payload, origin)

    def session(self, settings: FeedSettings) -> ToySession:
        self.sessions.append(ToySession(settings, self._silence_s, self._max_life_s))
        return self.sessions[-1]

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        return request.url.rsplit("/", 1)[-1] == endpoint.rsplit("/", 1)[-1]
