"""The parts of the API: by the address, else by the look of the body.

An address decides alone: a part that is not listed is unsupported, whatever its body looks like.
"""

from __future__ import annotations

from actors.feeds.rest.endpoints import Address

_COIN = r"coins/(?P<coin>[^/]+)"
_CONTRACT = r"coins/(?P<platform>[^/]+)/contract/(?P<contract>[^/]+)"
PATHS = (
    ("ping", "ping"),
    ("simple/price", "simple_price"),
    ("simple/supported_vs_currencies", "names"),
    ("coins/list", "coins"),
    ("coins/markets", "coin_markets"),
    ("coins/categories/list", "category_names"),
    ("coins/categories", "categories"),
    ("coins/(?:list/new|top_gainers_losers)", None),
    (rf"{_CONTRACT}/market_chart(?:/range)?", "market_chart"),
    (_CONTRACT, "coin"),
    (rf"{_COIN}/market_chart(?:/range)?", "market_chart"),
    (rf"{_COIN}/ohlc(?:/range)?", "ohlc"),
    (rf"{_COIN}/history", "history"),
    (rf"{_COIN}/tickers", "tickers"),
    (_COIN, "coin"),
    ("search/trending", "trending"),
    ("global/decentralized_finance_defi", "defi"),
    ("global", "global"),
    ("derivatives/exchanges/list", "exchange_names"),
    ("derivatives/exchanges/(?P<exchange>[^/]+)", "derivative_exchange"),
    ("derivatives/exchanges", "derivative_exchanges"),
    ("derivatives", "derivatives"),
    ("exchanges/list", "exchange_names"),
    ("exchanges/(?P<exchange>[^/]+)/volume_chart(?:/range)?", "volume_chart"),
    ("exchanges/(?P<exchange>[^/]+)/tickers", "tickers"),
    ("exchanges/(?P<exchange>[^/]+)/status_updates", "status_updates"),
    ("exchanges/(?P<exchange>[^/]+)", "exchange"),
    ("exchanges", "exchanges"),
    ("indexes/list", "index_names"),
    ("indexes/(?P<market>[^/]+)/(?P<index>[^/]+)", "index"),
    ("indexes", "indexes"),
    ("events/countries", "names"),
    ("events/types", "names"),
    ("finance_platforms", "finance_platforms"),
    ("finance_products", "finance_products"),
    ("status_updates", "status_updates"),
    ("asset_platforms", "asset_platforms"),
    ("exchange_rates", "exchange_rates"),
    ("companies/public_treasury/(?P<coin>[^/]+)", "treasuries"),
)
"""(path, part), the first that fits; None: known, and not read."""

_OBJECTS = (
    ({"gecko_says"}, "ping"),
    ({"prices", "market_caps"}, "market_chart"),
    ({"prices", "total_volumes"}, "market_chart"),
    ({"id", "symbol", "market_data", "last_updated"}, "coin"),
    ({"id", "symbol", "name", "links"}, "coin"),
    ({"id", "symbol", "name", "localization"}, "history"),
    ({"tickers", "year_established"}, "exchange"),
    ({"name", "tickers"}, "tickers"),
    ({"name", "open_interest_btc"}, "derivative_exchange"),
    ({"name", "is_multi_asset_composite"}, "index"),
    ({"total_holdings", "companies"}, "treasuries"),
    ({"status_updates"}, "status_updates"),
    ({"rates"}, "exchange_rates"),
)
_ROWS = (
    ({"current_price"}, "coin_markets"),
    ({"contract_type", "index_id"}, "derivatives"),
    ({"market", "is_multi_asset_composite"}, "indexes"),
    ({"number_of_perpetual_pairs"}, "derivative_exchanges"),
    ({"trade_volume_24h_btc"}, "exchanges"),
    ({"category_id"}, "category_names"),
    ({"market_cap", "volume_24h"}, "categories"),
    ({"chain_identifier"}, "asset_platforms"),
    ({"platform", "identifier"}, "finance_products"),
    ({"name", "website_url", "centralized"}, "finance_platforms"),
    ({"id", "symbol", "name"}, "coins"),
)
_DATA = (
    ({"active_cryptocurrencies"}, "global"),
    ({"defi_market_cap"}, "defi"),
)
BAR_CELLS, POINT_CELLS = 5, 2


def by_address(where: Address) -> tuple[str | None, dict[str, str]]:
    """The part, and what its path names: `coin`, `exchange` ..."""
    for pattern, part in PATHS:
        match = where.match(pattern)
        if match is not None:
            return part, match.groupdict()
    return None, {}


def by_shape(value: object) -> str | None:
    if isinstance(value, list):
        return _of_array(value)
    if not isinstance(value, dict):
        return None
    data = value.get("data")
    if isinstance(data, dict):
        return next((part for keys, part in _DATA if keys <= data.keys()), None)
    if isinstance(data, list):
        return "names" if set(value) <= {"data", "count"} else None
    if isinstance(value.get("coins"), list):
        return "trending"
    found = next((part for keys, part in _OBJECTS if keys <= value.keys()), None)
    prices = not value or any(isinstance(each, dict) for each in value.values())
    return "simple_price" if found is None and prices else found


def _of_array(rows: list[object]) -> str | None:
    if not rows or isinstance(rows[0], str):
        return "names"
    cells = next((len(row) for row in rows if isinstance(row, list)), None)
    if cells is not None:
        return {BAR_CELLS: "ohlc", POINT_CELLS: "volume_chart"}.get(cells)
    first = next((row for row in rows if isinstance(row, dict)), {})
    return next((part for keys, part in _ROWS if keys <= first.keys()), None)
