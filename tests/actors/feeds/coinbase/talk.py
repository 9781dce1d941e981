"""How the tests talk to a session, and what they look at in its answers."""

from __future__ import annotations

import json
from typing import Any

from actors.feeds.base import Effects, FeedSettings, HttpRequest, Session
from actors.feeds.coinbase import adapter
from domain.market.observations import Gap, Observation, Trade
from tests.actors.feeds.coinbase.frames import (
    MATCH,
    RECV,
    text,
    without,
)

BTC = "BTC-USD.COINBASE"


def session(
    *instruments: str, channels: tuple[str, ...] = ("trades", "quotes", "book"), bars: int = 0
) -> Session:
    return adapter().session(FeedSettings(instruments or (BTC,), channels, backfill_bars=bars))


def match(trade_id: int, kind: str = "match") -> dict[str, Any]:
    return {**MATCH, "type": kind, "trade_id": trade_id}


def rows(*ids: int) -> str:
    side = without(without(MATCH, "type"), "product_id")
    return text([{**side, "trade_id": each} for each in ids])


def say(feed: Session, *frames: dict[str, Any], now: int = RECV) -> list[Observation]:
    found: list[Observation] = []
    for frame in frames:
        found += feed.on_frame(0, text(frame), now).observations
    return found


def gaps(observations: list[Observation]) -> list[tuple[Any, ...]]:
    return [
        (each.channel, each.opened, each.first, each.last) for each in observations if isinstance(each, Gap)
    ]


def ids(observations: list[Observation]) -> list[str | None]:
    return [each.trade_id for each in observations if isinstance(each, Trade)]


def sent(effects: Effects) -> list[dict[str, Any]]:
    return [json.loads(frame) for _, frame in effects.sends]


def answer(
    feed: Session, request: HttpRequest, body: str, status: int = 200, now: int = RECV, **headers: str
) -> Effects:
    return feed.on_response(request, status, headers, body, now)
