"""Finnhub's symbols: `AAPL`, `OCDO.L`, `^GSPC`, or with their exchange `BINANCE:BTCUSDT`, `OANDA:EUR_USD`."""

from __future__ import annotations

import re

from actors.feeds.rest import listings
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.reading import Reading
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id

PROVIDER = "finnhub"
STREAM = InstrumentId("FINNHUB.NEWS")
VENUES = ("US", "FX", "CRYPTO", "INDEX", "BINANCE", "COINBASE", "KRAKEN")
_FX = frozenset({"OANDA", "FXCM", "FOREX", "FXPRO", "PEPPERSTONE", "PEPPERSTONEUK", "ICM", "IC MARKETS"})
_NO_VENUE = re.compile(r"[^A-Z0-9]+")


def instrument_of(symbol: str) -> InstrumentId:
    """Pairs of a coin exchange keep its letters: its own list says where to cut them. Raises Malformed."""
    exchange, mark, letters = symbol.strip().partition(":")
    if not mark:
        return (
            make_instrument_id(symbol.strip()[1:], listings.INDEX)
            if symbol.startswith("^")
            else listings.suffixed(symbol)
        )
    if exchange.upper() in _FX:
        cut = listings.cut_pair(letters)
        if cut is None:
            raise Malformed(f"symbol {symbol[:40]!r} is no pair of currencies")
        return listings.pair(*cut)
    return make_instrument_id(letters, _NO_VENUE.sub("_", exchange.upper()).strip("_"))


def asked_for(reading: Reading) -> InstrumentId:
    """Whom a body without a symbol is about. Raises Malformed."""
    named = reading.where.get("symbol")
    if named is None and reading.origin.symbol is not None and reading.origin.venue is not None:
        return make_instrument_id(reading.origin.symbol, reading.origin.venue)
    return instrument_of(subject(reading.origin, reading.where, "symbol"))
