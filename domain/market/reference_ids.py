"""Where the prices of one thing meet: the reference instrument of what is traded at a venue.

    BTC-USD.COINBASE, BTC-USD.KRAKEN, BTC-USDT.BINANCE -> BTC-USD.CRYPTO      AAPL.XNAS -> AAPL.US

Coins that promise a dollar count as dollars. They are worth a little more or less, so the providers of one
reference differ by a bias; `reference_price` asks each for its own move, not for its level.
"""

from __future__ import annotations

import re

from domain.ids import InstrumentId, symbol_of, venue_of
from domain.market.observations import InstrumentInfo, Ticker

COINS, SHARES = "CRYPTO", "US"
REFERENCE_VENUES = frozenset({COINS, SHARES})
SPOT_VENUES = frozenset({"BINANCE", "BINANCE_US", "BINANCE_TR", "COINBASE", "KRAKEN"})
"""Venues whose pairs are exchanged at once. A venue that is not here meets nobody."""
US_EXCHANGES = frozenset({"XNAS", "XNYS", "ARCX", "BATS", "EDGX", "XASE", "IEXG"})
DOLLAR_COINS = ("USDC", "USDT", "FDUSD", "PYUSD", "USDP", "USDS", "DAI", "TUSD", "BUSD")
"""In the order in which they are preferred where a venue has several."""
MONEY = frozenset(
    ("USD", "EUR", "GBP", "JPY", "CAD", "AUD", "CHF", "NZD", "TRY", "BRL", "ARS", "MXN", "ZAR", "PLN", "SEK")
)
"""A pair of two currencies is no coin: its reference is the FX rate."""
DERIVED = frozenset({"future", "option", "index", "fx", "macro", "news"})
_CODE = re.compile(r"[A-Z0-9]{1,20}")


def is_reference(instrument: str) -> bool:
    return venue_of(instrument) in REFERENCE_VENUES


def is_sample(event: object) -> bool:
    """Whether an observation is a feed's sample of its price, and nothing that its provider said as such."""
    return (
        isinstance(event, Ticker)
        and is_reference(event.instrument)
        and event.open is event.volume is event.quote_volume is event.change_pct is event.market_cap is None
    )


def reference_of(instrument: str, info: InstrumentInfo | None = None) -> InstrumentId | None:
    """The reference that an instrument's prices belong to; None where there is none.

    Spot pairs of coins at the venues above and shares at US exchanges have one. Derivatives, simulated
    instruments, currencies, one dollar coin in another, and references themselves have none. `info` is
    what the venue says; without it a pair is read off the id, or not at all (`BELBTC.BINANCE_TR`).
    """
    if info is not None and info.asset_class in DERIVED:
        return None
    venue = venue_of(instrument)
    if venue in US_EXCHANGES:
        return InstrumentId(f"{symbol_of(instrument)}.{SHARES}")
    pair = _pair(instrument, info) if venue in SPOT_VENUES else None
    if pair is None:
        return None
    base, quote = pair
    if base in MONEY or (base in DOLLAR_COINS and quote in DOLLAR_COINS):
        return None
    return InstrumentId(f"{base}-{'USD' if quote in DOLLAR_COINS else quote}.{COINS}")


def detour(instrument: str, info: InstrumentInfo | None = None) -> int:
    """0 where prices are in the reference's own currency; else the more the less its coin is a dollar."""
    pair = _pair(instrument, info)
    return DOLLAR_COINS.index(pair[1]) + 1 if pair is not None and pair[1] in DOLLAR_COINS else 0


def _pair(instrument: str, info: InstrumentInfo | None) -> tuple[str, str] | None:
    """(base, quote) as described, else as the id says."""
    if info is not None and info.base and info.quote:
        base, quote = info.base, info.quote
    else:
        base, _, quote = symbol_of(instrument).rpartition("-")
    return (base, quote) if _CODE.fullmatch(base) and _CODE.fullmatch(quote) else None
