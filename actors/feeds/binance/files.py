"""Tables of data.binance.vision, row by row: bars, trades, best prices, derivatives' depth files (T_DEPTH).

`archive` says what a table is. Times are in ms, those of spot since 2025 in us; a header may be absent.
"""

from __future__ import annotations

import csv
from collections.abc import Callable

import msgspec

from actors.feeds.base import Origin, Parsed, Reject
from actors.feeds.binance import archive, builders
from actors.feeds.binance.archive import Table
from actors.feeds.binance.context import PROVIDER, Context
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import BINANCE
from actors.feeds.binance.wire import (
    Amount,
    BookTicker,
    Id,
    Price,
    RestAggTrade,
    RestKline,
    RestTrade,
    Symbol,
    Time,
    to_ns,
)
from domain.errors import Malformed
from domain.market.observations import BookDelta, BookSnapshot, Level

VOLUME, COUNT = 5, 8
"""Columns of a table of bars."""
MAX_SHOWN_CELLS = 8
_BEGINNINGS_OF_OTHERS = ("{", "[", "<")

RowReader = Callable[[list[str]], builders.Built]


class DepthRow(msgspec.Struct, gc=False, array_like=True):
    symbol: Symbol
    timestamp: Time
    first: Id
    last: Id
    side: str
    update_type: str
    price: Price
    quantity: Amount
    prev: int


class BinanceTable:
    """One table; see `actors.feeds.base.TableReader`."""

    def __init__(self, origin: Origin, symbols: SymbolTable) -> None:
        self.refused = False
        self._origin = origin
        self._symbols = symbols
        self._kind = ""
        self._row = -1
        self._read: RowReader | None = None
        self._context = Context(symbols, BINANCE, origin.ts_recv, source=origin.source)
        self._update: list[DepthRow] = []
        """Rows of one update stand together; they differ in nothing but side, price and quantity."""

    def take(self, row: bytes) -> Parsed:
        parsed = Parsed([], [])
        try:
            cells = next(csv.reader([row.decode()]), [])
            if self._read is None and not self._begin(cells, parsed):
                return parsed
            if archive.kind_of_header(cells) is None and self._read is not None:
                self._row += 1
                built = self._read(cells)
                self.refused = isinstance(built, Reject) and built.reject_class == "unsupported"
                _add(parsed, built)
        except (msgspec.ValidationError, Malformed, UnicodeDecodeError, csv.Error, IndexError) as error:
            parsed.rejects.append(Reject("malformed", f"{self._kind or 'table'} row {self._row}: {error}"))
        return parsed

    def end(self) -> Parsed:
        parsed = Parsed([], [])
        self._finish_update(parsed)
        return parsed

    def _begin(self, cells: list[str], parsed: Parsed) -> bool:
        """By the first row. False: nothing of the table can be used, and `parsed` says why."""
        table = archive.identify(self._origin, cells)
        self._kind = table.kind or ""
        refusal = _refusal(table, cells)
        if refusal is not None:
            self.refused = True
            parsed.rejects.append(refusal)
            return False
        venue = table.venue or BINANCE
        self._context = Context(self._symbols, venue, self._origin.ts_recv, source=self._origin.source)
        self._read = self._reader(table)
        return True

    def _reader(self, table: Table) -> RowReader:
        symbol, context = table.symbol or "", self._context
        match table.kind:
            case "klines":
                return lambda cells: _kline(cells, symbol, table.interval, context)
            case "aggTrades":
                return lambda cells: _agg_trade(cells, symbol, context)
            case "trades":
                return lambda cells: _trade(cells, symbol, context)
            case "bookTicker":
                return lambda cells: _book_ticker(cells, symbol, context)
            case _:
                return self._depth

    def _depth(self, cells: list[str]) -> builders.Built:
        """The update that this row ends by being of another."""
        row = msgspec.convert(cells, DepthRow, strict=False)
        if not self._update or _update_of(self._update[0]) == _update_of(row):
            self._update.append(row)
            return None
        whole, self._update = self._update, [row]
        return _update(whole, self._context)

    def _finish_update(self, parsed: Parsed) -> None:
        whole, self._update = self._update, []
        if whole:
            try:
                _add(parsed, _update(whole, self._context))
            except Malformed as error:
                parsed.rejects.append(Reject("malformed", f"{self._kind}: {error}"))


def read_table(payload: str | bytes, origin: Origin, symbols: SymbolTable) -> Parsed | None:
    """A whole table's observations, or why a file is nothing to read; None where a payload is neither."""
    if origin.source != "file":
        return None
    name = archive.place(origin)[1]
    if archive.is_checksum(name):
        return Parsed([], [Reject("unsupported", f"{name}: the checksum of another file, no data")])
    text = payload if isinstance(payload, str) else payload.decode(errors="replace")
    rows = [row for row in text.removeprefix("\ufeff").splitlines() if row.strip()]
    if not rows or "," not in rows[0] or rows[0].lstrip().startswith(_BEGINNINGS_OF_OTHERS):
        return None
    table, whole = BinanceTable(origin, symbols), Parsed([], [])
    for row in rows:
        _extend(whole, table.take(row.encode()))
        if table.refused:
            return whole
    _extend(whole, table.end())
    return whole


def _extend(whole: Parsed, more: Parsed) -> None:
    whole.observations += more.observations
    whole.rejects += more.rejects


def _refusal(table: Table, cells: list[str]) -> Reject | None:
    """Why a table gives no observations at all."""
    if table.kind is None:
        shown = ",".join(cells[:MAX_SHOWN_CELLS])[:120]
        reason = (
            f"a table beginning with {shown!r} is none of data.binance.vision's, and its name says nothing"
        )
        return Reject("unsupported", reason)
    if table.kind in archive.REFUSED:
        return Reject("unsupported", f"{table.kind}: {archive.REFUSED[table.kind]}")
    if table.symbol is None and table.kind != "depth":
        like = f"BTCUSDT-{'1m' if table.kind == 'klines' else table.kind}-2021-11-27.csv"
        reason = f"{table.kind}: the name is not like {like}, so the symbol is not known; --symbol says it"
        return Reject("malformed", reason)
    return None


def _kline(cells: list[str], symbol: str, interval: str | None, context: Context) -> builders.Built:
    if _is_of_no_trades(cells):
        reason = "klines: prices without volume are a mark, an index or a premium, no bar of trades"
        return Reject("unsupported", reason)
    row = msgspec.convert(cells, RestKline, strict=False)
    return builders.rest_kline(row, symbol, interval or builders.interval_of(row), context)


def _is_of_no_trades(cells: list[str]) -> bool:
    """Those bars have the columns of the others: no volume, and yet they count, or their price moves."""
    if len(cells) <= COUNT or _number(cells[VOLUME]) != 0.0:
        return False
    opened, high, low, closed = cells[1:VOLUME]
    count = cells[COUNT]
    return _number(count) != 0.0 or not opened == high == low == closed


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _agg_trade(cells: list[str], symbol: str, context: Context) -> builders.Built:
    names = ("a", "p", "q", "f", "l", "T", "m")
    row = msgspec.convert(dict(zip(names, cells, strict=False)), RestAggTrade, strict=False)
    return builders.rest_agg_trade(row, symbol, context)


def _trade(cells: list[str], symbol: str, context: Context) -> builders.Built:
    names = ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker")
    row = msgspec.convert(dict(zip(names, cells, strict=False)), RestTrade, strict=False)
    return builders.rest_trade(row, symbol, context)


def _book_ticker(cells: list[str], symbol: str, context: Context) -> builders.Built:
    names = ("u", "b", "B", "a", "A", "T", "E")
    row = {"s": symbol, **dict(zip(names, cells, strict=False))}
    return builders.book_ticker(msgspec.convert(row, BookTicker, strict=False), context)


def _update_of(row: DepthRow) -> tuple[str, int, int, int, str]:
    return row.symbol, row.timestamp, row.first, row.last, row.update_type


def _update(rows: list[DepthRow], context: Context) -> builders.Built:
    """Raises Malformed."""
    head = rows[0]
    kind = BookSnapshot if head.update_type == "snap" else BookDelta
    return kind(
        provider=PROVIDER,
        instrument=context.instrument(head.symbol),
        ts_event=to_ns(head.timestamp),
        ts_recv=context.ts_recv,
        bids=tuple(_level(row) for row in rows if row.side == "b"),
        asks=tuple(_level(row) for row in rows if row.side == "a"),
        sequence=(head.first, head.last),
        prev_sequence=head.prev if head.prev >= 0 else None,
    )


def _level(row: DepthRow) -> Level:
    return row.price, row.quantity


def _add(parsed: Parsed, built: builders.Built) -> None:
    if isinstance(built, Reject):
        parsed.rejects.append(built)
    elif built is not None:
        parsed.observations.append(built)
