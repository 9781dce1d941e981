"""Binance: spot (.com, .us, .tr) and derivatives (USD-M, COIN-M), market data only."""

from __future__ import annotations

from actors.feeds.base import NOTHING, Assumed, FeedSettings, HttpRequest, Origin, Parsed
from actors.feeds.binance.address import same_question
from actors.feeds.binance.files import BinanceTable, read_table
from actors.feeds.binance.parse import parse_payload
from actors.feeds.binance.session import BinanceSession
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import VENUES

__all__ = ["BinanceAdapter", "adapter"]


class BinanceAdapter:
    """One per file or feed: ids depend on the instrument lists that it has seen."""

    name = "binance"
    venues: tuple[str, ...] = tuple(VENUES)

    def __init__(self) -> None:
        self.symbols = SymbolTable()

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return read_table(payload, origin, self.symbols) or parse_payload(payload, origin, self.symbols)

    def table(self, origin: Origin) -> BinanceTable:
        return BinanceTable(origin, self.symbols)

    def session(self, settings: FeedSettings, assumed: Assumed = NOTHING) -> BinanceSession:
        """Raises Malformed or NotFound for instruments and channels that Binance does not have."""
        return BinanceSession(settings, self.symbols, assumed=assumed)

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        """Same path and symbol; host, version and the other parameters may differ."""
        return same_question(request.url, endpoint)


def adapter() -> BinanceAdapter:
    return BinanceAdapter()
