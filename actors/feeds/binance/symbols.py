"""The venue's letters and our ids.

Spot `BTCUSDT` is `BTC-USDT.BINANCE` once `exchangeInfo` (or the settings) has said where to cut it,
else the letters stay. An id that was given out never changes: what is learnt later becomes an alias.
"""

from __future__ import annotations

from actors.feeds.binance.venues import VENUES, Venue
from domain.errors import NotFound
from domain.ids import InstrumentId, instrument_id, make_instrument_id, symbol_of, venue_of

MAX_SYMBOLS = 65_536
"""Ids remembered. All Binance venues together list about 6,000."""


class SymbolTable:
    """(venue, venue symbol) -> instrument id. One per adapter, shared with its session."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], InstrumentId] = {}
        self._letters: dict[str, str] = {}

    def resolve(self, venue: str, symbol: str) -> InstrumentId:
        """The id of a venue's symbol, given out for good. Raises Malformed for letters we cannot use."""
        known = self._ids.get((venue, symbol))
        return known if known is not None else self._pin(venue, symbol, make_instrument_id(symbol, venue))

    def learn(self, venue: Venue, symbol: str, base: str, quote: str) -> tuple[InstrumentId, str | None]:
        """What exchangeInfo says -> (id, alias or None). Raises Malformed for letters we cannot use."""
        letters = make_instrument_id(symbol, venue.name)
        if not (venue.spot and base and quote):
            return self.resolve(venue.name, symbol), None
        canonical = make_instrument_id(f"{base}-{quote}", venue.name)
        given = self._pin(venue.name, symbol, canonical)
        return given, letters if given == canonical else canonical

    def assign(self, instrument: str) -> tuple[Venue, str, InstrumentId]:
        """An id from the settings -> (venue, the venue's letters, the id they have from now on).

        Raises Malformed for what is no id and NotFound for a venue that is not Binance's.
        """
        wanted = instrument_id(instrument)
        venue = VENUES.get(venue_of(wanted))
        if venue is None:
            raise NotFound(f"venue of {instrument!r} is not one of {', '.join(VENUES)}")
        symbol = symbol_of(wanted)
        letters = symbol.replace("-", "") if venue.spot else symbol
        return venue, letters, self._pin(venue.name, letters, wanted)

    def letters(self, instrument: str) -> str:
        """The venue's letters of an id that was given out."""
        return self._letters.get(instrument) or symbol_of(instrument)

    def _pin(self, venue: str, symbol: str, given: InstrumentId) -> InstrumentId:
        if len(self._ids) >= MAX_SYMBOLS:
            return given
        given = self._ids.setdefault((venue, symbol), given)
        self._letters.setdefault(given, symbol)
        return given
