"""Kraken's names of assets and pairs, and ours."""

from __future__ import annotations

import re
from functools import lru_cache

from domain.errors import Malformed
from domain.ids import make_instrument_id, symbol_of

PROVIDER = "kraken"
VENUE = "KRAKEN"
_OURS = {"XBT": "BTC", "XDG": "DOGE"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
_LEGACY = re.compile(r"X([A-Z0-9]{3})([XZ])([A-Z]{3})")
"""XXBTZUSD, XETHXXBT: eight letters, each asset marked as a coin (X) or as money (Z)."""
QUOTES = (
    *("USDT", "USDC", "USD", "EUR", "GBP", "CAD", "JPY", "CHF", "AUD", "AED"),
    *("DAI", "XBT", "BTC", "ETH", "DOT", "SOL"),
)
"""Quote assets of AssetPairs, needed where a REST body runs a pair together.

TUSD and PYUSD are left out: XBTUSD would end in the one, XPYUSD in the other.
"""


def asset(name: str) -> str:
    return _OURS.get(name, name)


@lru_cache(maxsize=8192)
def instrument_of(pair: str) -> str:
    """`XBT/USD` (v1), `BTC/USD` (v2) -> `BTC-USD.KRAKEN`. Raises Malformed."""
    base, slash, quote = pair.upper().partition("/")
    if not slash or not base or not quote or "/" in quote:
        raise Malformed(f"pair {pair[:40]!r} is not BASE/QUOTE")
    return make_instrument_id(f"{asset(base)}-{asset(quote)}", VENUE)


@lru_cache(maxsize=8192)
def instrument_of_rest_pair(name: str) -> str:
    """A pair as REST bodies name it -> id. Raises Malformed.

    `XBT/USD` by its separator, `XXBTZUSD` by the old eight-letter form, `XBTUSDT` by a known quote
    asset; where none fits, the venue's letters stay.
    """
    if "/" in name:
        return instrument_of(name)
    upper = name.upper()
    legacy = _LEGACY.fullmatch(upper)
    if legacy is not None:
        return instrument_of(f"{legacy.group(1)}/{legacy.group(3)}")
    for quote in QUOTES:
        if upper.endswith(quote) and len(upper) > len(quote):
            return instrument_of(f"{upper.removesuffix(quote)}/{quote}")
    return make_instrument_id(upper, VENUE)


def v2_symbol(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `BTC/USD`."""
    return symbol_of(instrument).replace("-", "/", 1)


def v1_pair(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `XBT/USD`."""
    base, _, quote = symbol_of(instrument).partition("-")
    return f"{_THEIRS.get(base, base)}/{_THEIRS.get(quote, quote)}"


def rest_pair(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `XBTUSD`, the `altname` of AssetPairs."""
    return v1_pair(instrument).replace("/", "")
