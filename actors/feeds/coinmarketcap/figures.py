"""Figures of the whole market: counts, shares of single coins, sums per currency."""

from __future__ import annotations

from actors.feeds.coinmarketcap.coins import currency, prices_of
from actors.feeds.rest.arrays import named
from actors.feeds.rest.coins import thing_id
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.market.reference import MarketFigure

_PERCENT = ("dominance", "percentage", "change")
_NOT_FIGURES = frozenset({"quote", "last_updated", "symbol", "id", "timestamp"})


def market(reading: Reading, data: Row, answered: int) -> None:
    stamp = data.text("last_updated")
    ts_event = answered if stamp is None else zoned_ns(stamp)
    _figures(reading, data, None, ts_event)
    for code, quote in prices_of(data):
        reading.one(named(code), _in_currency, reading, code, quote, ts_event)


def _in_currency(reading: Reading, code: str, quote: Row, ts_event: int) -> None:
    _figures(reading, quote, currency(code), ts_event)


def _figures(reading: Reading, row: Row, unit: str | None, ts_event: int) -> None:
    """Whatever is a number; `unit` of those that are neither a share nor a count."""
    instrument = thing_id("MARKET", "global")
    for name in row:
        if name in _NOT_FIGURES or name.endswith("last_updated"):
            continue
        value = row.raw(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        figure = MarketFigure(
            reading.provider,
            instrument,
            ts_event,
            reading.recv,
            name,
            row.number(name),
            "percent" if any(word in name for word in _PERCENT) else unit or "count",
        )
        reading.add(figure)
