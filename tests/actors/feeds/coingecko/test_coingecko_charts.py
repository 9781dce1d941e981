"""CoinGecko's points and bars: their times and what the address has to say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.feeds.base import Origin
from actors.feeds.registry import load_parser
from domain.clock import NS_PER_MS, NS_PER_S, parse_time
from domain.market.observations import Bar, Ticker
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.coingecko.com/api/v3"
HOUR = 3_600 * NS_PER_S


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, "coingecko", f"coingecko/{name}.json", endpoint)


@pytest.mark.parametrize(
    "name",
    [
        "daily_historical_prices_for_one_coin_0",
        "hourly_historical_prices_for_one_coin_0",
        "minutely_historical_prices_for_one_coin_1",
    ],
)
def test_points_of_a_chart_are_tickers_at_their_own_times(shared_data: Path, name: str) -> None:
    body = raw(shared_data, f"coingecko/{name}.json")
    found = said(recorded(shared_data, name))
    points = zip(body["prices"], body["market_caps"], body["total_volumes"], strict=True)
    assert found == [
        Ticker(
            "coingecko",
            "BTC-USD.CRYPTO",
            stamp * NS_PER_MS,
            RECV,
            price,
            quote_volume=volume,
            market_cap=cap,
        )
        for (stamp, price), (_, cap), (_, volume) in points
    ]


def test_points_are_joined_by_time_and_missing_ones_are_null() -> None:
    body = {
        "prices": [[1000, 5.0], [2000, None], [3000, "7"], ["x", 1], [4000]],
        "market_caps": [[3000, 0], [1000, 50.0]],
        "total_volumes": [[1000, None], [3000, 0.0]],
    }
    parsed = parse("coingecko", body, f"{API}/coins/ethereum/market_chart/range?vs_currency=eur")
    assert [(each.ts_event, each.last, each.market_cap, each.quote_volume) for each in said(parsed)] == [
        (NS_PER_S, 5.0, 50.0, None),
        (3 * NS_PER_S, 7.0, None, 0.0),
    ]
    assert classes(parsed) == ["malformed", "malformed"]


def test_charts_of_contracts_are_of_instruments_of_their_own() -> None:
    body = {"prices": [[1000, 5.0]], "market_caps": [], "total_volumes": []}
    ids = {
        only(parse("coingecko", body, f"{API}/coins/{path}/market_chart?vs_currency=usd")).instrument
        for path in ("ethereum/contract/0xAB", "ethereum/contract/0xac", "solana/contract/0xab", "ethereum")
    }
    assert len(ids) == 4 and "ETH-USD.CRYPTO" in ids


@pytest.mark.parametrize(
    ("name", "instrument"),
    [
        ("ohlc_data_for_one_coin_in_the_last_7_days_0", "BTC-USD.CRYPTO"),
        ("ohlc_data_for_one_coin_in_the_last_30_days_in_myr_0", "BTC-MYR.CRYPTO"),
    ],
)
def test_a_bar_begins_four_hours_before_the_end_that_it_is_stamped_with(
    shared_data: Path, name: str, instrument: str
) -> None:
    rows = raw(shared_data, f"coingecko/{name}.json")
    found = said(recorded(shared_data, name))
    assert len(found) == len(rows)
    for bar, (end, opened, high, low, close) in zip(found, rows, strict=True):
        assert isinstance(bar, Bar) and bar.instrument == instrument and bar.interval == "4h"
        assert bar.ts_event == end * NS_PER_MS - 4 * HOUR
        assert (bar.open, bar.high, bar.low, bar.close) == (opened, high, low, close)
        assert math.isnan(bar.volume)
    assert json.loads(msgspec.json.encode(found[0]))["volume"] is None


def test_the_last_bar_is_open_until_its_end_has_come(shared_data: Path) -> None:
    path = shared_data / "coingecko/ohlc_data_for_one_coin_in_the_last_7_days_0.json"
    recorded_at = parse_time("2021-05-15T15:34:27Z")
    origin = Origin("http", recorded_at, f"{API}/coins/bitcoin/ohlc?days=7&vs_currency=usd")
    found = load_parser("coingecko").parse(path.read_bytes(), origin).observations
    assert [each.closed for each in found if isinstance(each, Bar)] == [True] * 41 + [False]


@pytest.mark.parametrize(
    ("query", "interval", "hours"),
    [
        ("days=1", "30m", 0.5),
        ("days=2", "30m", 0.5),
        ("days=14", "4h", 4),
        ("days=31", "4d", 96),
        ("days=max", "4d", 96),
        ("days=90&interval=daily", "1d", 24),
        ("interval=hourly&from=1&to=2", "1h", 1),
    ],
)
def test_the_length_of_a_bar_follows_from_the_days_asked_for(query: str, interval: str, hours: float) -> None:
    body = [[1_764_072_000_000, 1, 3, "0.5", 2], [1_764_073_000_000, None, None, None, None]]
    bar = only(parse("coingecko", body, f"{API}/coins/bitcoin/ohlc?vs_currency=usd&{query}"))
    assert (bar.interval, bar.ts_event) == (interval, 1_764_072_000 * NS_PER_S - int(hours * HOUR))


def test_bars_that_contradict_themselves_cost_themselves() -> None:
    rows = [
        [1_764_072_000_000, 1, 0.9, 0.5, 2],
        [1_764_072_000_000, 1, 2, 0, 2],
        [1, 2],
        "x",
        [10**20, 1, 2, 1, 2],
    ]
    parsed = parse("coingecko", rows, f"{API}/coins/bitcoin/ohlc?vs_currency=usd&days=1")
    assert not said(parsed) and classes(parsed) == ["malformed"] * 5
