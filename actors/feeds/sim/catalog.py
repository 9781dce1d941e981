"""What the simulator can trade: start prices, ticks, volatility, activity.

The figures are plausible, not real.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from domain.ids import symbol_of


class SimInstrument(Struct, frozen=True):
    """`volatility` per year, `trades_per_s` in a normal regime, `beta` to the class's common factor."""

    instrument: str
    base: str | None
    quote: str | None
    asset_class: Literal["crypto", "equity", "fx"]
    price: float
    tick: float
    lot: float
    typical_size: float
    volatility: float
    trades_per_s: float
    spread_ticks: int
    beta: float

    @property
    def price_precision(self) -> int:
        return decimals(self.tick)

    @property
    def size_precision(self) -> int:
        return decimals(self.lot)


def decimals(step: float) -> int:
    """Decimals after the point of a tick or lot: 0.01 -> 2, 1.0 -> 0."""
    text = f"{step:.10f}".rstrip("0")
    return len(text.partition(".")[2])


_CRYPTO = {
    "BTC-USD": (64_000.0, 0.01, 0.0001, 0.02, 0.55, 6.0, 40),
    "ETH-USD": (3_200.0, 0.01, 0.001, 0.3, 0.70, 4.0, 12),
    "SOL-USD": (150.0, 0.01, 0.01, 4.0, 0.90, 2.0, 3),
}
_EQUITY = {
    "AAPL": (230.0, 0.01, 1.0, 80.0, 0.28, 3.0, 2),
    "MSFT": (430.0, 0.01, 1.0, 50.0, 0.25, 2.0, 3),
    "NVDA": (140.0, 0.01, 1.0, 150.0, 0.50, 5.0, 1),
}
_FX = {
    "EUR-USD": (1.0850, 0.00001, 1_000.0, 200_000.0, 0.08, 2.0, 6),
    "GBP-USD": (1.2700, 0.00001, 1_000.0, 150_000.0, 0.09, 1.0, 9),
    "USD-JPY": (155.00, 0.001, 1_000.0, 200_000.0, 0.10, 1.5, 7),
}
_BETA = {"crypto": 0.8, "equity": 0.6, "fx": 0.5}
_FX_CODES = {"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"}


def describe(instrument: str) -> SimInstrument:
    """A catalogued instrument, or a plausible one made from an unknown symbol's shape."""
    symbol = symbol_of(instrument)
    asset_class = _asset_class(symbol)
    figures = {"crypto": _CRYPTO, "equity": _EQUITY, "fx": _FX}[asset_class].get(symbol)
    if figures is None:
        figures = {
            "crypto": (1.0 + sum(symbol.encode()) % 90, 0.0001, 0.1, 300.0, 0.9, 1.0, 8),
            "equity": (20.0 + sum(symbol.encode()) % 300, 0.01, 1.0, 100.0, 0.3, 1.0, 2),
            "fx": (1.0, 0.00001, 1_000.0, 100_000.0, 0.09, 1.0, 8),
        }[asset_class]
    price, tick, lot, size, volatility, rate, spread = figures
    base, dash, quote = symbol.partition("-")
    return SimInstrument(
        instrument=instrument,
        base=base,
        quote=quote if dash else "USD",
        asset_class=asset_class,
        price=price,
        tick=tick,
        lot=lot,
        typical_size=size,
        volatility=volatility,
        trades_per_s=rate,
        spread_ticks=spread,
        beta=_BETA[asset_class],
    )


def _asset_class(symbol: str) -> Literal["crypto", "equity", "fx"]:
    base, dash, quote = symbol.partition("-")
    if not dash:
        return "equity"
    return "fx" if base in _FX_CODES and quote in _FX_CODES else "crypto"
