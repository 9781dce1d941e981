"""IEX's symbols: `MSFT`, abroad with a suffix (`AAB-CT`), coins as `BTCUSDT`.

What was made from trades at IEX alone (minute bars, its own best bid and ask) is of `IEXG`, never of `US`.
"""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.reading import Reading
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id

PROVIDER = "iex"
OWN = "IEXG"
STREAM = InstrumentId("IEX.NEWS")
VENUES = ("US", "IEXG", "FX", "CRYPTO")
_SUFFIXES = listings.table(
    "CT=XTSE CV=XTSX LN=XLON GY=XETR FP=XPAR NA=XAMS BB=XBRU IM=XMIL SM=XMAD SE=XSWX HK=XHKG"
)
_EXCHANGES = listings.table(
    "ETR=XETR FRA=XFRA LON=XLON PAR=XPAR AMS=XAMS BRU=XBRU MIL=XMIL MEX=XMEX SWX=XSWX"
)
_MARKS = {"+": ".WS", "#": ".WI", "*": ".CL", "$": ".WD"}
"""Nasdaq's marks of warrants, of what trades when issued or distributed, and of what was called."""
ABOUT = r"stock/(?P<symbol>[^/]+)"


def instrument_of(symbol: str, exchange: str | None = None) -> InstrumentId:
    """`exchange` is a MIC or IEX's own code of three letters. Raises Malformed."""
    letters, mark, suffix = symbol.strip().rpartition("-")
    mic = _SUFFIXES.get(suffix.upper()) if mark else None
    if mic is not None:
        return make_instrument_id(letters, mic)
    symbol = "".join(_MARKS.get(each, each) for each in symbol.strip())
    found = listings.listed(symbol, _EXCHANGES.get(exchange or "", exchange), exchange)
    return found or listings.share(symbol)


def coin_of(symbol: str) -> InstrumentId:
    """Raises Malformed."""
    cut = listings.cut_pair(symbol)
    if cut is None:
        raise Malformed(f"symbol {symbol[:40]!r} is no pair")
    return make_instrument_id("-".join(cut), listings.COINS)


def asked_for(reading: Reading, venue: str | None = None) -> InstrumentId:
    """Whom a body without a symbol is about: `/stock/{symbol}/...`. Raises Malformed."""
    found = reading.where.match(rf"{ABOUT}(?:/.*)?")
    symbol = found["symbol"] if found is not None else None
    if symbol is None and reading.origin.symbol and reading.origin.venue:
        return make_instrument_id(reading.origin.symbol, reading.origin.venue)
    symbol = symbol or subject(reading.origin, reading.where, "symbol", "symbols")
    if symbol.lower() == "market" or "," in symbol:
        raise Malformed("its address names no single symbol")
    return make_instrument_id(symbol, venue) if venue else instrument_of(symbol)
