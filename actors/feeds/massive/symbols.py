"""Massive's tickers: `AAPL`, `O:AAPL230616C00150000`, `X:BTCUSD`, `C:EURUSD`, `I:SPX`; pairs `BTC-USD`."""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id

PROVIDER = "massive"
STREAM = InstrumentId("MASSIVE.NEWS")
VENUES = ("US", "OPRA", "CRYPTO", "FX", "INDEX")
_PREFIX_OF_TYPE = {"options": "O", "crypto": "X", "fx": "C", "forex": "C", "indices": "I"}


def instrument_of(ticker: str, kind: str | None = None) -> InstrumentId:
    """`kind` (`indices`, `crypto` ...) counts for a ticker without a prefix. Raises Malformed."""
    prefix, mark, letters = ticker.strip().partition(":")
    if not mark:
        prefix, letters = _PREFIX_OF_TYPE.get(kind or "", ""), ticker.strip()
    match prefix.upper():
        case "":
            return listings.share(letters)
        case "O":
            return make_instrument_id(letters, listings.OPTIONS)
        case "I":
            return make_instrument_id(letters, listings.INDEX)
        case "X":
            return make_instrument_id("-".join(_cut(letters)), listings.COINS)
        case "C":
            return make_instrument_id("-".join(_cut(letters)), listings.FX)
    raise Malformed(f"ticker {ticker[:40]!r} has an unknown prefix")


def pair_of(text: str) -> InstrumentId:
    """`BTC-USD`, `AUD/USD`. Raises Malformed."""
    return listings.pair(*_cut(text))


def _cut(letters: str) -> tuple[str, str]:
    cut = listings.cut_pair(letters)
    if cut is None:
        raise Malformed(f"pair {letters[:40]!r} cannot be split into its two codes")
    return cut


def asked_for(reading: Reading, pattern: str) -> InstrumentId:
    """Whom a body without a ticker is about: a part of its path, a parameter, or as assumed."""
    found = reading.where.match(pattern)
    if found is not None and found["ticker"]:
        return instrument_of(found["ticker"])
    if reading.where.get("ticker") is None and reading.origin.symbol and reading.origin.venue:
        return make_instrument_id(reading.origin.symbol, reading.origin.venue)
    return instrument_of(subject(reading.origin, reading.where, "ticker"))


def results_of(value: object) -> list[object]:
    """The rows of a body; none where it says that all is well and has no rows. Raises Malformed."""
    body = Row(value)
    if "results" not in body and "status" not in body:
        raise Malformed("results are missing")
    return body.items("results")
