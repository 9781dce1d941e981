"""`company_tickers.json` (an object of rows), `..._exchange.json` and `..._mf.json` (names and rows)."""

from __future__ import annotations

from actors.feeds.rest.listings import share
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.sec_edgar.names import PROVIDER, cik
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo
from domain.market.reference import Profile


def is_tickers(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("fields"), list) and isinstance(value.get("data"), list):
        return True
    return any(isinstance(row, dict) and "cik_str" in row for row in value.values())


def read_tickers(reading: Reading, value: object) -> None:
    body = Row(value)
    rows = _table(body) if body.has("fields", "data") else [body.raw(name) for name in body]
    reading.each(rows, _company, reading)


def _table(body: Row) -> list[object]:
    names = [name for name in body.items("fields") if isinstance(name, str)]
    rows = body.items("data")
    return [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in rows]


def _company(reading: Reading, row: Row) -> None:
    number, ticker = cik(row.raw("cik_str", "cik")), row.must_letters("ticker", "symbol")
    if ticker.lower() in ("none", "n/a"):
        raise Malformed(f"ticker {ticker!r}")
    instrument, now = share(ticker), reading.recv
    exchange = row.letters("exchange")
    reading.add(
        InstrumentInfo(
            PROVIDER,
            instrument,
            now,
            now,
            venue_symbol=ticker,
            asset_class="equity",
            aliases=(f"CIK{number}",),
        ),
        Profile(
            PROVIDER,
            instrument,
            now,
            now,
            name=row.text("title", "name"),
            symbol=ticker,
            exchange=exchange,
            identifiers={"cik": number},
        ),
    )
