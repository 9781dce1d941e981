"""What a session says to Kraken: subscriptions in both WebSocket protocols, and REST addresses."""

from __future__ import annotations

from typing import Any

import msgspec

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

    def describe(self) -> str:
        """Asks for all pairs, xStocks (`AAPLx/USD`) among them."""
        return self.say("subscribe", channel="instrument", snapshot=True, include_tokenized_assets=True)

    def subscribe(self, channel: str, symbols: list[str], **params: Any) -> str:
        return self.say("subscribe", channel=channel, symbol=symbols, **params)

    def ping(self, protocol: int) -> str:
        if protocol == V1:
            self._last_id += 1
            return msgspec.json.encode({"event": "ping", "reqid": self._last_id}).decode()
        return self.say("ping")

    def renew_book(self, symbol: str, depth: int, protocol: int) -> list[str]:
        """Unsubscribe, subscribe again: the only way to a new snapshot. `symbol` as the protocol has it."""
        if protocol == V1:
            body = {"pair": [symbol], "subscription": {"name": "book", "depth": depth}}
            verbs = ("unsubscribe", "subscribe")
            return [msgspec.json.encode({"event": verb, **body}).decode() for verb in verbs]
        return [
            self.say("unsubscribe", channel="book", symbol=[symbol], depth=depth),
            self.say("subscribe", channel="book", symbol=[symbol], depth=depth, snapshot=True),
        ]


def asset_pairs_url(root: str, asset_class: str = "") -> str:
    """Without a class the pairs of coins and money."""
    return f"{root}{PUBLIC}/AssetPairs" + (f"?aclass_base={asset_class}" if asset_class else "")


def bars_url(root: str, name: str, since_s: int, asset_class: str = "") -> str:
    """One-minute bars after `since_s` (at most 720, the venue's limit); the last is still forming."""
    return f"{root}{PUBLIC}/OHLC?pair={name}&interval=1&since={since_s}{_class(asset_class)}"


def trades_url(root: str, name: str, since_ns: int, asset_class: str = "") -> str:
    """Trades after `since_ns`, oldest first."""
    return f"{root}{PUBLIC}/Trades?pair={name}&since={since_ns}&count={TRADES_PER_PAGE}{_class(asset_class)}"


def _class(asset_class: str) -> str:
    """xStocks are found only by who names their class."""
    return f"&asset_class={asset_class}" if asset_class else ""
