"""Provider name -> adapter. A provider's package is imported only when it is asked for.

A provider of `PACKAGES` streams: it has a session, live and over recordings. Of one of `PARSERS` the payloads
are understood (`financehub parse`), and nothing connects to it yet.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from actors.feeds.base import Adapter, Parser
from domain.errors import NotFound

PACKAGES = {
    "binance": "actors.feeds.binance",
    "coinbase": "actors.feeds.coinbase",
    "kraken": "actors.feeds.kraken",
}
PARSERS: dict[str, str] = {
    "alpaca": "actors.feeds.alpaca",
    "alpha_vantage": "actors.feeds.alpha_vantage",
    "coingecko": "actors.feeds.coingecko",
    "coinmarketcap": "actors.feeds.coinmarketcap",
    "ecb": "actors.feeds.ecb",
    "exchangerate_host": "actors.feeds.exchangerate_host",
    "finnhub": "actors.feeds.finnhub",
    "frankfurter": "actors.feeds.frankfurter",
    "fred": "actors.feeds.fred",
    "hyperliquid": "actors.feeds.hyperliquid",
    "iex": "actors.feeds.iex",
    "massive": "actors.feeds.massive",
    "newsapi": "actors.feeds.newsapi",
    "reddit": "actors.feeds.reddit",
    "rss": "actors.feeds.rss",
    "sec_edgar": "actors.feeds.sec_edgar",
    "stocktwits": "actors.feeds.stocktwits",
    "twelve_data": "actors.feeds.twelve_data",
    "us_treasury": "actors.feeds.us_treasury",
    "yahoo": "actors.feeds.yahoo",
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


def parsed_providers() -> list[str]:
    """Names that `load_parser` accepts, without aliases, sorted."""
    return sorted(PACKAGES | PARSERS)


def load_parser(provider: str) -> Parser:
    """What understands a provider's payloads. Raises NotFound with the known names."""
    name = ALIASES.get(provider.lower(), provider.lower())
    package = (PACKAGES | PARSERS).get(name)
    if package is None:
        known = ", ".join(parsed_providers())
        raise NotFound(f"provider {provider!r} is not known; known are {known}")
    return cast(Parser, import_module(package).adapter())


def load_adapter(provider: str) -> Adapter:
    """The adapter of a provider or of an alias of it, in any case. Raises NotFound with the known names."""
    name = ALIASES.get(provider.lower(), provider.lower())
    package = PACKAGES.get(name)
    if package is None and name in PARSERS:
        raise NotFound(f"provider {name!r} is parsed only; those that stream are {', '.join(PACKAGES)}")
    if package is None:
        raise NotFound(f"provider {provider!r} is not known; known are {', '.join(known_providers())}")
    return cast(Adapter, import_module(package).adapter())
