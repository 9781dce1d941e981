"""Kraken's names of assets and pairs, and ours.

    AAPLx/USD   WebSocket v2     BASE/QUOTE in the venue's letters, BTC and DOGE as everybody says
    XBT/USD     WebSocket v1, `wsname` of AssetPairs: XBT and XDG for them
    XXBTZUSD    REST's keys: run together, the oldest assets with X (coin) or Z (money) before them
    XBTUSD      `altname`, the same without those letters
    XBTUSD.d    the dark pool of a pair, which has no `wsname`

An instrument's id is in capitals, so the venue's own letters are kept in a table (`Names`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from domain.errors import Malformed
from domain.ids import make_instrument_id, symbol_of
from domain.market.observations import InstrumentInfo

PROVIDER = "kraken"
VENUE = "KRAKEN"
_OURS = {"XBT": "BTC", "XDG": "DOGE"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
_MONEY = frozenset({"AUD", "CAD", "EUR", "GBP", "JPY", "KRW", "USD"})
_COINS = frozenset({"DAO", "ETC", "ETH", "ICN", "LTC", "MLN", "NMC", "REP"}) | frozenset(
    {"XBT", "XDG", "XLM", "XMR", "XRP", "XVN", "ZEC"}
)
_OLD = {f"X{coin}": coin for coin in _COINS} | {f"Z{money}": money for money in _MONEY}
"""The assets that Kraken listed first. Newer ones begin with X or Z by their own name (XAUT, ZETA)."""
QUOTES = (
    *("USDT", "USDC", "USD", "EUR", "GBP", "CAD", "JPY", "CHF", "AUD", "AED"),
    *("DAI", "XBT", "BTC", "ETH", "DOT", "SOL"),
)
"""Quote assets of AssetPairs, needed where a REST body runs a pair together.

TUSD and PYUSD are left out: XBTUSD would end in the one, XPYUSD in the other.
"""
_DARK = ".D"
TOKENIZED = "tokenized_asset"
"""The asset class that REST's questions about xStocks must name."""


def asset(name: str) -> str:
    return _OURS.get(name, name)


def old_asset(name: str) -> str:
    """`XXBT` -> `BTC`, `ZUSD` -> `USD`; newer names have no prefix: `ZETA`, `AAPLx`."""
    return asset(_OLD.get(name, name))


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

    `XBT/USD` by its separator, else as `split` says; where that does not know, the venue's letters stay.
    """
    if "/" in name:
        return instrument_of(name)
    upper = name.upper()
    stem = upper.removesuffix(_DARK)
    pair = split(stem)
    symbol = "-".join(pair) if pair is not None else stem
    return make_instrument_id(symbol + upper[len(stem) :], VENUE)


def split(name: str) -> tuple[str, str] | None:
    """(base, quote) of a key without separator: `XXBTZUSD`, `USDTZUSD`, `XTZUSD`; None where unknown."""
    if name[:4] in _OLD and name[4:] in _OLD:
        return old_asset(name[:4]), old_asset(name[4:])
    base, money = name[:-4], name[-4:]
    if money in _OLD and money[0] == "Z" and base in QUOTES:
        return asset(base), old_asset(money)
    for quote in QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return old_asset(name.removesuffix(quote)), asset(quote)
    return None


def v2_symbol(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `BTC/USD`, as far as the id shows."""
    return symbol_of(instrument).replace("-", "/", 1)


def v1_pair(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `XBT/USD`."""
    return _v1(v2_symbol(instrument))


def _v1(symbol: str) -> str:
    base, _, quote = symbol.partition("/")
    return f"{_THEIRS.get(base, base)}/{_THEIRS.get(quote, quote)}"


def rest_pair(instrument: str) -> str:
    """`BTC-USD.KRAKEN` -> `XBTUSD`, the `altname` of AssetPairs."""
    return v1_pair(instrument).replace("/", "")


class Letters(NamedTuple):
    """How the venue writes a pair. `altname` "" and `asset_class` "" where it has not said."""

    symbol: str
    altname: str = ""
    asset_class: str = ""


class Names:
    """id -> the venue's own letters, as AssetPairs and the `instrument` channel say them."""

    def __init__(self) -> None:
        self._letters: dict[str, Letters] = {}
        self._by_rest_name: dict[str, str] = {}

    def learn(self, info: InstrumentInfo, asset_class: str = "") -> None:
        known = self.letters(info.instrument)
        altname = info.aliases[0] if info.aliases else known.altname
        self._letters[info.instrument] = Letters(info.venue_symbol, altname, asset_class or known.asset_class)
        for name in info.aliases:
            self._by_rest_name[name] = info.instrument

    def letters(self, instrument: str) -> Letters:
        return self._letters.get(instrument) or Letters(v2_symbol(instrument))

    def instrument(self, rest_name: str) -> str:
        """Of a pair as REST names it. Raises Malformed."""
        return self._by_rest_name.get(rest_name) or instrument_of_rest_pair(rest_name)

    def v2(self, instrument: str) -> str:
        return self.letters(instrument).symbol

    def v1(self, instrument: str) -> str:
        return _v1(self.letters(instrument).symbol)

    def rest(self, instrument: str) -> str:
        """The pair's `altname` as AssetPairs gives it, else as the rules form it."""
        letters = self.letters(instrument)
        return letters.altname or _v1(letters.symbol).replace("/", "")
