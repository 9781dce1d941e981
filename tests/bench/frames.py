"""Frames in the shapes that were recorded of Binance.US, Kraken (WebSocket v1) and Coinbase Exchange.

A third each are trades, best prices and book changes, over a few instruments whose books are kept by
the generator, so that update ids follow each other and Kraken's checksums are true.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zlib import crc32

from domain.clock import NS_PER_MS, NS_PER_S, NS_PER_US

START_NS = 1_700_000_000 * NS_PER_S
STEP_NS = 10 * NS_PER_US
"""100,000 frames a second on the recording's clock."""
BASES = ("BTC", "ETH", "SOL", "LTC", "ADA", "XRP", "DOT", "UNI")


@dataclass
class VenueFrames:
    """What a venue sends: `opening` frames before the measured `frames`, and its answers to book requests.

    `symbols` are (base, quote, the venue's name); `snapshots` map that name to a REST body.
    """

    venue: str
    symbols: list[tuple[str, str, str]]
    opening: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    snapshots: dict[str, str] = field(default_factory=dict)


class Ladder:
    """A book of a fixed number of levels a side; numbers as the texts that a venue would send."""

    def __init__(self, mid: int, levels: int, rng: random.Random, form: str, step: int = 1) -> None:
        """`mid` and `step` in ticks of 0.01; `form` formats sizes."""
        self._rng = rng
        self._form = form
        self._step = step
        self._levels = levels
        self.sides = {
            "b": {mid - (n + 1) * step: self._size() for n in range(levels)},
            "a": {mid + (n + 1) * step: self._size() for n in range(levels)},
        }

    def change(self) -> list[tuple[str, int, str]]:
        """(side, price in ticks, new size): one level resized, or one moved to the far end or back."""
        side = self._rng.choice("ba")
        levels = self.sides[side]
        price = self._rng.choice(list(levels))
        if self._rng.random() < 0.5:
            levels[price] = self._size()
            return [(side, price, levels[price])]
        far = (min(levels) - self._step) if side == "b" else (max(levels) + self._step)
        del levels[price]
        levels[far] = self._size()
        return [(side, price, self._form % 0.0), (side, far, levels[far])]

    def best(self, side: str) -> list[tuple[int, str]]:
        """All levels, best first."""
        return sorted(self.sides[side].items(), reverse=side == "b")

    def _size(self) -> str:
        return self._form % self._rng.uniform(0.01, 50.0)


class _Market:
    """One instrument's ladder and counters."""

    def __init__(self, number: int, levels: int, form: str) -> None:
        self.rng = random.Random(number)
        self.mid = 1_000_000 + 50_000 * number
        self.ladder = Ladder(self.mid, levels, self.rng, form)
        self.trade_id = 1_000
        self.update_id = 10_000

    def trade(self) -> tuple[int, str, float]:
        """(id, price in ticks as text, size)."""
        self.trade_id += 1
        price = self.mid + self.rng.randint(-200, 200)
        return self.trade_id, f"{price // 100}.{price % 100:02d}", self.rng.uniform(0.01, 5.0)


def _price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def binance(count: int) -> VenueFrames:
    """Combined streams `@aggTrade`, `@bookTicker`, `@depth@100ms` of Binance.US."""
    made = VenueFrames("binance", [(base, "USDT", f"{base}USDT") for base in BASES])
    markets = [_Market(number, 100, "%.8f") for number in range(len(BASES))]
    for market, (_, _, name) in zip(markets, made.symbols, strict=True):
        made.snapshots[name] = _binance_snapshot(market)
        made.opening.append(_binance_depth(market, name, START_NS // NS_PER_MS))
    for number in range(count):
        market, (_, _, name) = markets[number % len(markets)], made.symbols[number % len(markets)]
        now_ms = (START_NS + number * STEP_NS) // NS_PER_MS
        make = (binance_trade, _binance_quote, _binance_depth)[number // len(markets) % 3]
        made.frames.append(make(market, name, now_ms))
    return made


def binance_trades(
    count: int, instruments: int, *, start_ns: int, step_ns: int = STEP_NS, prefix: str = "C"
) -> list[str]:
    """Nothing but `@aggTrade` of so many instruments, `C0USDT`, `C1USDT`, ... in turn."""
    markets = [_Market(number, 1, "%.8f") for number in range(instruments)]
    return [
        binance_trade(
            markets[number % instruments],
            f"{prefix}{number % instruments}USDT",
            (start_ns + number * step_ns) // NS_PER_MS,
        )
        for number in range(count)
    ]


def binance_trade(market: _Market, name: str, now_ms: int) -> str:
    trade_id, price, size = market.trade()
    data = {
        "e": "aggTrade", "E": now_ms + 1, "s": name, "a": trade_id, "p": price + "000000",
        "q": f"{size:.8f}", "f": trade_id, "l": trade_id, "T": now_ms, "m": trade_id % 2 == 0, "M": True,
    }  # fmt: skip
    return _compact({"stream": f"{name.lower()}@aggTrade", "data": data})


def _binance_quote(market: _Market, name: str, now_ms: int) -> str:
    (bid, bid_size), (ask, ask_size) = market.ladder.best("b")[0], market.ladder.best("a")[0]
    data = {
        "u": market.update_id, "s": name, "b": _price(bid) + "000000", "B": bid_size,
        "a": _price(ask) + "000000", "A": ask_size,
    }  # fmt: skip
    return _compact({"stream": f"{name.lower()}@bookTicker", "data": data})


def _binance_depth(market: _Market, name: str, now_ms: int) -> str:
    changes = market.ladder.change() + market.ladder.change()
    first, market.update_id = market.update_id + 1, market.update_id + len(changes)
    data = {
        "e": "depthUpdate", "E": now_ms, "s": name, "U": first, "u": market.update_id,
        "b": [[_price(p) + "000000", size] for side, p, size in changes if side == "b"],
        "a": [[_price(p) + "000000", size] for side, p, size in changes if side == "a"],
    }  # fmt: skip
    return _compact({"stream": f"{name.lower()}@depth@100ms", "data": data})


def _binance_snapshot(market: _Market) -> str:
    sides = {
        key: [[_price(p) + "000000", size] for p, size in market.ladder.best(side)]
        for key, side in (("bids", "b"), ("asks", "a"))
    }
    return _compact({"lastUpdateId": market.update_id, **sides})


def kraken(count: int) -> VenueFrames:
    """`trade`, `ticker` and `book-10` of WebSocket v1, the books with checksums."""
    made = VenueFrames("kraken", [(base, "USD", f"{base}/USD".replace("BTC", "XBT")) for base in BASES])
    markets = [_Market(number, 10, "%.8f") for number in range(len(BASES))]
    for market, (_, _, name) in zip(markets, made.symbols, strict=True):
        made.opening.append(_kraken_snapshot(market, name))
    for number in range(count):
        market, (_, _, name) = markets[number % len(markets)], made.symbols[number % len(markets)]
        now_s = f"{(START_NS + number * STEP_NS) / NS_PER_S:.6f}"
        make = (_kraken_trade, _kraken_ticker, _kraken_book)[number // len(markets) % 3]
        made.frames.append(make(market, name, now_s))
    return made


def _kraken_trade(market: _Market, name: str, now_s: str) -> str:
    _, price, size = market.trade()
    side = market.rng.choice("bs")
    return _compact([993, [[price + "000", f"{size:.8f}", now_s, side, "l", ""]], "trade", name])


def _kraken_ticker(market: _Market, name: str, now_s: str) -> str:
    (bid, bid_size), (ask, ask_size) = market.ladder.best("b")[0], market.ladder.best("a")[0]
    last = _price(market.mid) + "000"
    body = {
        "a": [_price(ask) + "000", 35, ask_size], "b": [_price(bid) + "000", 185, bid_size],
        "c": [last, "3.71672000"], "v": ["26560.85364463", "72035.05488104"], "p": [last, last],
        "t": [640, 1353], "l": [last, last], "h": [last, last], "o": [last, last],
    }  # fmt: skip
    return _compact([1668, body, "ticker", name])


def _kraken_book(market: _Market, name: str, now_s: str) -> str:
    changes = market.ladder.change()
    side = changes[0][0]
    rows = [[_price(p) + "000", size, now_s] for _, p, size in changes]
    return _compact([1360, {side: rows, "c": str(kraken_checksum(market.ladder))}, "book-10", name])


def _kraken_snapshot(market: _Market, name: str) -> str:
    now_s = f"{START_NS / NS_PER_S:.6f}"
    body = {
        f"{side}s": [[_price(p) + "000", size, now_s] for p, size in market.ladder.best(side)]
        for side in "ab"
    }
    return _compact([1360, body, "book-10", name])


def _kraken_price(ticks: int) -> str:
    return _price(ticks) + "000"


def kraken_checksum(ladder: Ladder, price: Callable[[int], str] = _kraken_price) -> int:
    """CRC32 over the ten best of each side: digits without point and leading zeros, asks first."""
    pairs = ladder.best("a")[:10] + ladder.best("b")[:10]
    digits = [text.replace(".", "").lstrip("0") for ticks, size in pairs for text in (price(ticks), size)]
    return crc32("".join(digits).encode())


def coinbase(count: int) -> VenueFrames:
    """`match`, `ticker` and `l2update` of the Exchange feed."""
    made = VenueFrames("coinbase", [(base, "USD", f"{base}-USD") for base in BASES])
    markets = [_Market(number, 100, "%.8f") for number in range(len(BASES))]
    for market, (_, _, name) in zip(markets, made.symbols, strict=True):
        made.opening.append(_coinbase_snapshot(market, name))
    for number in range(count):
        market, (_, _, name) = markets[number % len(markets)], made.symbols[number % len(markets)]
        time = _rfc3339(START_NS + number * STEP_NS)
        make = (_coinbase_match, _coinbase_ticker, _coinbase_update)[number // len(markets) % 3]
        made.frames.append(make(market, name, time))
    return made


def _coinbase_match(market: _Market, name: str, time: str) -> str:
    trade_id, price, size = market.trade()
    return _compact(
        {
            "type": "match", "trade_id": trade_id, "sequence": 50 + trade_id,
            "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
            "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1", "time": time,
            "product_id": name, "size": f"{size:.8f}", "price": price,
            "side": market.rng.choice(("buy", "sell")),
        }
    )  # fmt: skip


def _coinbase_ticker(market: _Market, name: str, time: str) -> str:
    (bid, bid_size), (ask, ask_size) = market.ladder.best("b")[0], market.ladder.best("a")[0]
    last = _price(market.mid)
    return _compact(
        {
            "type": "ticker", "sequence": 37475248783, "product_id": name, "price": last,
            "open_24h": last, "volume_24h": "245532.79269678", "low_24h": last, "high_24h": last,
            "volume_30d": "9788783.60117027", "best_bid": _price(bid), "best_bid_size": bid_size,
            "best_ask": _price(ask), "best_ask_size": ask_size, "side": "buy", "time": time,
            "trade_id": 370843401, "last_size": "11.4396987",
        }
    )  # fmt: skip


def _coinbase_update(market: _Market, name: str, time: str) -> str:
    sides = {"b": "buy", "a": "sell"}
    changes = [[sides[side], _price(p), size] for side, p, size in market.ladder.change()]
    return _compact({"type": "l2update", "product_id": name, "changes": changes, "time": time})


def _coinbase_snapshot(market: _Market, name: str) -> str:
    sides = {
        key: [[_price(p), size] for p, size in market.ladder.best(side)]
        for key, side in (("bids", "b"), ("asks", "a"))
    }
    return _compact({"type": "snapshot", "product_id": name, **sides})


def _rfc3339(ns: int) -> str:
    return (
        datetime.fromtimestamp(ns / NS_PER_S, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )


VENUES = {"binance": binance, "kraken": kraken, "coinbase": coinbase}
