"""Yahoo's symbols, told apart by their kind where it is said, else by their marks."""

from __future__ import annotations

import re
from typing import Literal

from actors.feeds.rest import listings
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.ids import InstrumentId, make_instrument_id
from domain.market.observations import InstrumentInfo

PROVIDER = "yahoo"
STREAM = InstrumentId("YAHOO.NEWS")
VENUES = ("US", "FX", "CRYPTO", "INDEX", "OPRA")
Asset = Literal["crypto", "equity", "fx", "future", "option", "index"]
ASSETS: dict[str, Asset] = {
    "CURRENCY": "fx", "CRYPTOCURRENCY": "crypto", "INDEX": "index", "FUTURE": "future", "OPTION": "option",
}  # fmt: skip
_OPTION = re.compile(r"[A-Z.]{1,6}\d{6}[CP]\d{8}")


def instrument_of(symbol: str, kind: str | None = None, exchange: str | None = None) -> InstrumentId:
    """`kind` is Yahoo's `quoteType`. Raises Malformed."""
    letters = symbol.strip()
    if letters.endswith("=X"):
        pair = letters.removesuffix("=X")
        return listings.pair("USD", pair) if len(pair) == 3 else listings.pair(pair[:3], pair[3:])
    if letters.startswith("^"):
        return make_instrument_id(letters[1:], listings.INDEX)
    if letters.endswith("=F"):
        return make_instrument_id(letters, (exchange or "FUTURES").upper())
    base, mark, quote = letters.rpartition("-")
    if kind == "CRYPTOCURRENCY" or (kind is None and mark and listings.is_money(quote) and base):
        return make_instrument_id(f"{base}-{quote}" if mark else letters, listings.COINS)
    if kind == "OPTION" or _OPTION.fullmatch(letters):
        return make_instrument_id(letters, listings.OPTIONS)
    return listings.suffixed(letters)


def describe(reading: Reading, instrument: InstrumentId, symbol: str, row: Row) -> None:
    """The currency that its prices are in, as quoted: `GBp`, `ZAc` and `ILA` are hundredths."""
    currency = row.letters("currency")
    if currency is None:
        return
    asset = ASSETS.get(row.letters("quoteType", "instrumentType") or "", "equity")
    base = instrument.rpartition(".")[0].partition("-")[0] if asset in ("fx", "crypto") else None
    reading.add(
        InstrumentInfo(
            PROVIDER, instrument, reading.recv, reading.recv, symbol, base, currency, asset_class=asset
        )
    )


def unwrapped(value: object) -> object:
    """`{"raw": 1.5, "fmt": "1.50"}` is 1.5, `{}` nothing; everything else as it is."""
    if isinstance(value, dict):
        if not value:
            return None
        if "raw" in value and value.keys() <= {"raw", "fmt", "longFmt"}:
            return value["raw"]
        return {name: unwrapped(each) for name, each in value.items()}
    return [unwrapped(each) for each in value] if isinstance(value, list) else value
