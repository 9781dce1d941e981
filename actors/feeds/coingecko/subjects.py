"""Coin and currency of a body that names neither: by its address, else as assumed. All raise Malformed."""

from __future__ import annotations

from collections.abc import Mapping

from actors.feeds.rest.coins import KNOWN, coingecko_letters, currency_of, thing_id
from actors.feeds.rest.reading import Reading
from domain.errors import Malformed

Named = Mapping[str, str]
"""What the path of an address names."""


def coin_letters(reading: Reading, named: Named) -> str:
    """The coin of a chart. A contract's coin is not known by its id: it is named by platform and contract."""
    if named.get("contract"):
        return coingecko_letters(f"{named.get('platform')}/{named['contract'].lower()}")
    if named.get("coin"):
        return coingecko_letters(named["coin"])
    base = _assumed(reading)[0]
    if base is None:
        raise Malformed("it names no coin: neither the body nor its address says whose it is")
    return base if base in KNOWN or ":" in base else coingecko_letters(base.lower().replace("_", "-"))


def currency(reading: Reading) -> str:
    found = reading.where.get("vs_currency") or _assumed(reading)[1]
    if found is None:
        raise Malformed("it names no currency: `vs_currency` stands in the address alone, which is not known")
    return currency_of(found)


def exchange(reading: Reading, named: Named) -> str:
    if not named.get("exchange"):
        raise Malformed("it does not name the exchange by its id, and its address is not known")
    return thing_id("EXCHANGE", named["exchange"])


def _assumed(reading: Reading) -> tuple[str | None, str | None]:
    """`BTC-USD` -> (`BTC`, `USD`), `BTC` -> (`BTC`, None)."""
    symbol = (reading.origin.symbol or "").strip().upper()
    base, dash, quote = symbol.rpartition("-")
    if dash and base and quote:
        return base, quote
    return symbol or None, None
