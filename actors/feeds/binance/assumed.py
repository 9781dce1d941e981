"""What a caller says of recordings where neither they nor their addresses do."""

from __future__ import annotations

from msgspec.structs import replace

from actors.feeds.binance.context import Context


def completed(context: Context, symbol: str | None) -> Context:
    """The context of an address that names no symbol, with the one that is assumed."""
    if symbol is None or context.address.symbol is not None:
        return context
    letters = symbol.replace("-", "").replace("/", "").upper()
    return replace(context, address=replace(context.address, symbol=letters))
