"""What is known about a payload besides its bytes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from actors.feeds.base import Parsed
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import NOWHERE, Address, Venue
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

    def instrument(self, symbol: str) -> InstrumentId:
        """Raises Malformed for letters that make no id."""
        return self.symbols.resolve(self.venue.name, symbol)
