"""What is known about a payload besides its bytes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from actors.feeds.base import Parsed
from actors.feeds.binance.address import NOWHERE, Address
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import Venue, market_of
from actors.feeds.binance.wire import to_ns
from domain.ids import InstrumentId

PROVIDER = "binance"


class Frame(Parsed):
    """A payload read. `event` names its message: Binance's `e`, or `ack`, `error`, `depth`, ..."""

    event: str = ""


class Context(Struct, frozen=True, gc=False):
    """Where a payload came from. `ts_recv` ns; `status` is HTTP's."""

    symbols: SymbolTable
    venue: Venue
    ts_recv: int
    address: Address = NOWHERE
    source: Literal["ws", "http", "file"] = "ws"
    status: int | None = None

    def of(self, symbol: str, symbol_type: int | None = None) -> Context:
        """The context of one message: each host of the derivatives sends both of their venues."""
        venue = market_of(self.venue, symbol, symbol_type)
        return self if venue is self.venue else replace(self, venue=venue)

    def time(self, value: int | None) -> int:
        """A message's time in ns; where it has none, or writes 0 for none, the time it was received."""
        return to_ns(value) if value else self.ts_recv

    def instrument(self, symbol: str) -> InstrumentId:
        """Raises Malformed for letters that make no id."""
        return self.symbols.resolve(self.venue.name, symbol)
