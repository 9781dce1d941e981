"""How the tests talk to a session, and what they look at in its answers."""

from __future__ import annotations

import json
from typing import Any

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.kraken import adapter
from domain.clock import NS_PER_S
from domain.market.observations import Gap, Observation, Trade
from tests.actors.feeds.kraken.frames import (
    AT,
    RECV,
    Venue,
    book,
    text,
)

BTC = "BTC-USD.KRAKEN"


def session(
    *instruments: str,
    channels: tuple[str, ...] = ("trades", "quotes", "book"),
    depth: int = 10,
    bars: int = 0,
) -> Session:
    settings = FeedSettings(instruments or (BTC,), channels, book_depth=depth, backfill_bars=bars)
    feed = adapter().session(settings)
    feed.on_open(0, RECV)
    return feed


def say(feed: Session, *frames: str, now: int = RECV) -> Effects:
    """All effects of the frames together."""
    total = Effects()
    for frame in frames:
        effects = feed.on_frame(0, frame, now)
        for name in ("observations", "sends", "requests", "rejects", "resynced"):
            getattr(total, name).extend(getattr(effects, name))
    return total


def kinds(effects: Effects) -> list[type]:
    return [type(each) for each in effects.observations]


def gaps(effects: Effects) -> list[tuple[Any, ...]]:
    return [
        (each.channel, each.reason, each.opened, each.first, each.last)
        for each in effects.observations
        if isinstance(each, Gap)
    ]


def ids(observations: list[Observation]) -> list[str | None]:
    return [each.trade_id for each in observations if isinstance(each, Trade)]


def sent(effects: Effects) -> list[dict[str, Any]]:
    return [json.loads(frame) for _, frame in effects.sends]


def venue(**settings: int) -> Venue:
    made = Venue(**settings)
    for step in range(10):
        made.set("bids", f"{100 - step}.0", f"0.{step + 1}")
        made.set("asks", f"{101 + step}.0", f"0.{step + 1}")
    return made


def change(made: Venue, side: str, price: str, size: str) -> str:
    made.set(side, price, size)
    level = [(f"{float(price):.{made.price_decimals}f}", f"{float(size):.{made.size_decimals}f}")]
    bids, asks = (level, []) if side == "bids" else ([], level)
    return book("update", bids, asks, made.checksum())


def spoilt(frame: str) -> str:
    decoded = json.loads(frame)
    return frame.replace(str(decoded["data"][0]["checksum"]), str(decoded["data"][0]["checksum"] ^ 1))


def page(*numbers: int) -> str:
    """Trades a second apart."""
    rows = [["1.0", "1.0", AT // NS_PER_S + each, "b", "l", "", each] for each in numbers]
    return text({"error": [], "result": {"XXBTZUSD": rows, "last": "1"}})
