"""Charts of one coin. A point is a price at an instant: a ticker, never a bar.

CoinGecko stamps a bar with its end (docs.coingecko.com/reference/coins-id-ohlc); ours begin at their start.
"""

from __future__ import annotations

import math

from actors.feeds.coingecko.subjects import Named, coin_letters, currency
from actors.feeds.rest.arrays import array, cells
from actors.feeds.rest.coins import pair_id
from actors.feeds.rest.days import epoch_ns
from actors.feeds.rest.numbers import amount, is_absent, price
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.clock import NS_PER_MIN
from domain.errors import Malformed
from domain.market.observations import Bar, Ticker

HOUR_NS = 60 * NS_PER_MIN
LENGTH_NS = {"30m": 30 * NS_PER_MIN, "1h": HOUR_NS, "4h": 4 * HOUR_NS, "1d": 24 * HOUR_NS, "4d": 96 * HOUR_NS}
_BY_DAYS = ((2.0, "30m"), (30.0, "4h"))
"""Up to so many days a bar is so long; beyond, four days."""
_BY_NAME = {"daily": "1d", "hourly": "1h"}


def market_chart(reading: Reading, value: object, named: Named) -> None:
    """Three arrays of (ms, value), joined by their times."""
    body = Row(value)
    instrument = pair_id(coin_letters(reading, named), currency(reading))
    caps = _series(reading, body.items("market_caps"), "market_caps")
    volumes = _series(reading, body.items("total_volumes"), "total_volumes")
    for ts_event, last in _series(reading, body.items("prices"), "prices").items():
        if last:
            cap, volume = caps.get(ts_event), volumes.get(ts_event)
            reading.add(
                Ticker(
                    reading.provider,
                    instrument,
                    ts_event,
                    reading.recv,
                    last,
                    quote_volume=volume,
                    market_cap=cap or None,
                )
            )


def _series(reading: Reading, points: list[object], what: str) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for number, point in enumerate(points):
        reading.one(f"{what} {number}", _keep_point, found, point)
    return found


def _keep_point(found: dict[int, float | None], point: object) -> None:
    stamp, value = cells(point, 2)
    found[epoch_ns(stamp, "ms")] = amount(value)


def ohlc(reading: Reading, value: object, named: Named) -> None:
    interval = _interval(reading)
    instrument = pair_id(coin_letters(reading, named), currency(reading))
    for number, row in enumerate(array(value)):
        reading.one(f"row {number}", _bar, reading, instrument, interval, row)


def _interval(reading: Reading) -> str:
    """Raises Malformed where the address does not say it."""
    name = reading.where.get("interval")
    if name is not None and name.lower() in _BY_NAME:
        return _BY_NAME[name.lower()]
    days = reading.where.get("days")
    if days is None:
        raise Malformed("it names no interval: `days` stands in the address alone, which is not known")
    if days.lower() == "max":
        return "4d"
    count = amount(days)
    if not count:
        raise Malformed(f"days {days[:40]!r} is no number of days")
    return next((found for most, found in _BY_DAYS if count <= most), "4d")


def _bar(reading: Reading, instrument: str, interval: str, row: object) -> None:
    """Nothing where its prices are null."""
    stamp, *given = cells(row, 5)
    if any(is_absent(each) for each in given):
        return
    end = epoch_ns(stamp, "ms")
    opened, high, low, close = (price(each) for each in given)
    if opened is None or high is None or low is None or close is None:
        raise Malformed("a price of the bar is 0")
    if low > min(opened, close, high) or high < max(opened, close):
        raise Malformed("highest and lowest price of the bar contradict the others")
    bar = Bar(
        reading.provider,
        instrument,
        end - LENGTH_NS[interval],
        reading.recv,
        interval,
        opened,
        high,
        low,
        close,
        math.nan,
        closed=end <= reading.recv,
    )
    reading.add(bar)
