"""Provider name -> adapter. A provider's package is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from actors.feeds.base import Adapter
from domain.errors import NotFound

PACKAGES = {
    "binance": "actors.feeds.binance",
    "coinbase": "actors.feeds.coinbase",
    "kraken": "actors.feeds.kraken",
}
ALIASES = {"polygon": "massive"}
VENUES: dict[str, tuple[str, ...]] = {
    "binance": ("BINANCE", "BINANCE_US", "BINANCE_TR", "BINANCE_USDM", "BINANCE_COINM"),
    "coinbase": ("COINBASE",),
    "kraken": ("KRAKEN",),
}
"""What each adapter says of its venues, for those who only want to list them."""


def known_providers() -> list[str]:
    """Names that `load_adapter` accepts, without aliases, sorted."""
    return sorted(PACKAGES)


def load_adapter(provider: str) -> Adapter:
    """The adapter of a provider or of an alias of it, in any case. Raises NotFound with the known names."""
    name = ALIASES.get(provider.lower(), provider.lower())
    package = PACKAGES.get(name)
    if package is None:
        raise NotFound(f"provider {provider!r} is not known; known are {', '.join(known_providers())}")
    return cast(Adapter, import_module(package).adapter())
