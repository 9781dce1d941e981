"""What a session says to Kraken: subscriptions in both WebSocket protocols, and REST addresses."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.feeds.kraken.names import rest_pair, v1_pair, v2_symbol

PUBLIC = "/0/public"
TRADES_PER_PAGE = 1000
V1 = 1


class Speaker:
    """Numbers its messages."""

    def __init__(self) -> None:
        self._last_id = 0

    def say(self, method: str, **params: Any) -> str:
        """A v2 message; without params where there are none."""
        self._last_id += 1
        message: dict[str, Any] = {"method": method}
        if params:
            message["params"] = params
        return msgspec.json.encode({**message, "req_id": self._last_id}).decode()

    def subscribe(self, channel: str, instruments: list[str], **params: Any) -> str:
        symbols = [v2_symbol(each) for each in instruments]
        return self.say("subscribe", channel=channel, symbol=symbols, **params)

    def ping(self, protocol: int) -> str:
        if protocol == V1:
            self._last_id += 1
            return msgspec.json.encode({"event": "ping", "reqid": self._last_id}).decode()
        return self.say("ping")

    def renew_book(self, instrument: str, depth: int, protocol: int) -> list[str]:
        """Unsubscribe and subscribe again: the only way to a new snapshot."""
        if protocol == V1:
            body = {"pair": [v1_pair(instrument)], "subscription": {"name": "book", "depth": depth}}
            verbs = ("unsubscribe", "subscribe")
            return [msgspec.json.encode({"event": verb, **body}).decode() for verb in verbs]
        symbol = [v2_symbol(instrument)]
        return [
            self.say("unsubscribe", channel="book", symbol=symbol, depth=depth),
            self.say("subscribe", channel="book", symbol=symbol, depth=depth, snapshot=True),
        ]


def asset_pairs_url(root: str) -> str:
    return f"{root}{PUBLIC}/AssetPairs"


def bars_url(root: str, name: str, since_s: int) -> str:
    """One-minute bars after `since_s` (at most 720, the venue's limit); the last is still forming."""
    return f"{root}{PUBLIC}/OHLC?pair={name}&interval=1&since={since_s}"


def trades_url(root: str, name: str, since_ns: int) -> str:
    """Trades after `since_ns`, oldest first."""
    return f"{root}{PUBLIC}/Trades?pair={name}&since={since_ns}&count={TRADES_PER_PAGE}"


def rest_name(instrument: str, aliases: dict[str, str]) -> str:
    """The pair's `altname` as AssetPairs told it, else as it is formed."""
    return aliases.get(instrument) or rest_pair(instrument)
