"""Alpha Vantage's names: `05. price` is `price`, `TSCO.LON` is `TSCO.XLON`, `60min` is `1h`."""

from __future__ import annotations

import re

from actors.feeds.rest import listings
from actors.feeds.rest.days import NEW_YORK
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id

PROVIDER = "alpha_vantage"
STREAM = InstrumentId("ALPHA_VANTAGE.NEWS")
VENUES = ("US", "FX", "CRYPTO")
SUFFIXES = listings.table(
    "LON=XLON TRT=XTSE TRV=XTSX DEX=XETR FRK=XFRA PAR=XPAR AMS=XAMS BRU=XBRU LIS=XLIS MIL=XMIL BSE=XBOM "
    "NSE=XNSE SHH=XSHG SHZ=XSHE SAO=BVMF HKG=XHKG"
)
ZONES = listings.table(
    "XLON=Europe/London XTSE=America/Toronto XTSX=America/Toronto XETR=Europe/Berlin XFRA=Europe/Berlin "
    "XPAR=Europe/Paris XAMS=Europe/Amsterdam XBRU=Europe/Brussels XLIS=Europe/Lisbon XMIL=Europe/Rome "
    "XBOM=Asia/Kolkata XNSE=Asia/Kolkata XSHG=Asia/Shanghai XSHE=Asia/Shanghai BVMF=America/Sao_Paulo "
    f"XHKG=Asia/Hong_Kong US={NEW_YORK}"
)
INTERVALS = {"1min": "1m", "5min": "5m", "15min": "15m", "30min": "30m", "60min": "1h"}
_NUMBERED = re.compile(r"^\d{1,2}[a-z]?[.:]\s*")


def plain(value: object) -> Row:
    """An object with its field names without their numbers. Raises Malformed."""
    row = Row(value)
    return Row({_NUMBERED.sub("", name): row.raw(name) for name in row})


def instrument_of(symbol: str) -> InstrumentId:
    """Raises Malformed."""
    return listings.suffixed(symbol, SUFFIXES)


def asked_for(reading: Reading) -> InstrumentId:
    """Whom a body without a symbol is about: a share, or a pair. Raises Malformed."""
    where = reading.where
    base, quote = where.get("from_symbol", "from_currency"), where.get("to_symbol", "to_currency")
    if base and quote:
        return listings.pair(base, quote)
    market = where.get("market")
    if market and where.get("symbol"):
        return listings.pair(where.get("symbol") or "", market)
    if where.get("symbol") is None and reading.origin.symbol and reading.origin.venue:
        return make_instrument_id(reading.origin.symbol, reading.origin.venue)
    return instrument_of(subject(reading.origin, where, "symbol"))


def whose(reading: Reading, row: Row, *names: str) -> InstrumentId:
    symbol = row.letters(*names)
    return instrument_of(symbol) if symbol else asked_for(reading)


def interval_of(name: str | None) -> str:
    """`5min` -> `5m`. Raises Malformed."""
    if name is None or name not in INTERVALS:
        raise Malformed(f"interval {str(name)[:20]!r} is none of {', '.join(INTERVALS)}")
    return INTERVALS[name]
