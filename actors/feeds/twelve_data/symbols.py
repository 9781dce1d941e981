"""Twelve Data's symbols: `AAPL` with its exchange beside it, `EUR/USD`, `BTC/USD`, `SPX`."""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.observations import InstrumentInfo

PROVIDER = "twelve_data"
VENUES = ("US", "FX", "CRYPTO", "INDEX", "BINANCE", "COINBASE", "KRAKEN")
_COIN_EXCHANGES = {
    "COINBASE PRO": "COINBASE",
    "COINBASE": "COINBASE",
    "BINANCE": "BINANCE",
    "KRAKEN": "KRAKEN",
}


def instrument_of(row: Row) -> InstrumentId:
    """Of a row that names its symbol, and its exchange where there are several. Raises Malformed."""
    symbol = row.must_letters("symbol")
    kind = (row.letters("type", "instrument_type") or "").lower()
    exchange = row.letters("exchange")
    if "/" in symbol:
        return _pair(symbol, exchange)
    if kind == "index":
        return make_instrument_id(symbol, listings.INDEX)
    mic = row.letters("mic_code")
    if mic is None and symbol.rpartition(".")[2].upper() in listings.SUFFIX_MICS and "." in symbol:
        return listings.suffixed(symbol)
    return listings.listed(symbol, mic, exchange) or listings.suffixed(symbol)


def _pair(symbol: str, exchange: str | None) -> InstrumentId:
    """Coins of one exchange are its own instruments, not those of the coin at large."""
    base, _, quote = symbol.partition("/")
    found = listings.pair(base, quote)
    venue = _COIN_EXCHANGES.get((exchange or "").upper())
    return make_instrument_id(symbol, venue) if venue and not found.endswith(".FX") else found


def from_letters(symbol: str, mic: str | None = None, exchange: str | None = None) -> InstrumentId:
    """`AAPL`, `AAPL:NASDAQ`, `EUR/USD` as they stand in an address. Raises Malformed."""
    letters, _, named = symbol.strip().partition(":")
    told = {"symbol": letters, "mic_code": mic, "exchange": named or exchange}
    return instrument_of(Row({name: text for name, text in told.items() if text}))


def asked_for(reading: Reading, name: str | None = None) -> InstrumentId:
    """Whom a body without a symbol is about. `name`: its key in a batch. Raises Malformed."""
    where = reading.where
    if name is not None:
        return from_letters(name, where.get("mic_code"), where.get("exchange"))
    if where.get("symbol") is None and reading.origin.symbol and reading.origin.venue:
        return make_instrument_id(reading.origin.symbol, reading.origin.venue)
    symbol = subject(reading.origin, where, "symbol")
    if "," in symbol:
        raise Malformed("its address names several symbols")
    return from_letters(symbol, where.get("mic_code"), where.get("exchange"))


def whose(reading: Reading, body: Row) -> InstrumentId:
    """By `meta`, else by the body itself, else by its address. Raises Malformed."""
    meta = body.row("meta")
    if meta.letters("symbol"):
        return instrument_of(meta)
    return instrument_of(body) if body.letters("symbol") else asked_for(reading)


def describe(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """The currency that prices are in, as the provider writes it: pence stay pence (`GBp`)."""
    currency = row.letters("currency")
    if currency is None:
        return
    reading.add(
        InstrumentInfo(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            row.letters("symbol") or instrument,
            quote=currency,
            asset_class="equity",
        )
    )
