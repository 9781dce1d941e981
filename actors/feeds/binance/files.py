"""Tables of data.binance.vision: klines of 12 columns and the derivatives' depth files (T_DEPTH).

https://github.com/binance/binance-public-data. A table may have a header line or none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby

import msgspec

from actors.feeds.base import Reject
from actors.feeds.binance import builders
from actors.feeds.binance.context import PROVIDER, Context, Frame
from actors.feeds.binance.wire import Amount, Id, Price, RestKline, Symbol, Time, to_ns
from domain.errors import Malformed
from domain.market.observations import BookDelta, BookSnapshot, Level

KLINE_COLUMNS = 12
_DEPTH_HEADER = [
    "symbol",
    "timestamp",
    "first_update_id",
    "last_update_id",
    "side",
    "update_type",
    "price",
    "qty",
    "pu",
]


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


def read_csv(text: str, context: Context) -> Frame | None:
    """A table's observations; None where the text is none of these tables."""
    rows = list(csv.reader(text.splitlines()))
    if not rows or not rows[0]:
        return None
    if rows[0] == _DEPTH_HEADER:
        return _depth(rows[1:], context)
    if len(rows[0]) == KLINE_COLUMNS:
        return _klines(rows[1:] if rows[0][0] == "open_time" else rows, context)
    return None


def _klines(rows: list[list[str]], context: Context) -> Frame:
    frame = Frame(event="klines")
    symbol, interval = context.address.symbol, context.address.interval
    if symbol is None or interval is None:
        reason = "kline table: its name is not like BTCUSDT-1m-2021-11-27.csv, so the symbol is not known"
        frame.rejects.append(Reject("malformed", reason))
        return frame
    for number, row in enumerate(rows):
        try:
            bar = builders.rest_kline(
                msgspec.convert(row, RestKline, strict=False), symbol, interval, context
            )
        except (msgspec.ValidationError, Malformed) as error:
            bar = Reject("malformed", f"kline row {number}: {error}")
        _add(frame, bar)
    return frame


def _depth(rows: list[list[str]], context: Context) -> Frame:
    """Rows of one update stand together; they differ in nothing but side, price and quantity."""
    frame = Frame(event="depthUpdate")
    for _, group in groupby(_depth_rows(rows, frame), key=_update_of):
        _add(frame, _update(list(group), context))
    return frame


def _depth_rows(rows: list[list[str]], frame: Frame) -> Iterator[DepthRow]:
    for number, row in enumerate(rows):
        try:
            yield msgspec.convert(row, DepthRow, strict=False)
        except msgspec.ValidationError as error:
            frame.rejects.append(Reject("malformed", f"depth row {number}: {error}"))


def _update_of(row: DepthRow) -> tuple[str, int, int, int, str]:
    return row.symbol, row.timestamp, row.first, row.last, row.update_type


def _update(rows: list[DepthRow], context: Context) -> builders.Built:
    head = rows[0]
    bids = tuple(_level(row) for row in rows if row.side == "b")
    asks = tuple(_level(row) for row in rows if row.side == "a")
    try:
        instrument, ts_event = context.instrument(head.symbol), to_ns(head.timestamp)
    except Malformed as error:
        return Reject("malformed", f"depth row: {error}")
    kind = BookSnapshot if head.update_type == "snap" else BookDelta
    return kind(
        provider=PROVIDER,
        instrument=instrument,
        ts_event=ts_event,
        ts_recv=context.ts_recv,
        bids=bids,
        asks=asks,
        sequence=(head.first, head.last),
        prev_sequence=head.prev if head.prev >= 0 else None,
    )


def _level(row: DepthRow) -> Level:
    return row.price, row.quantity


def _add(frame: Frame, built: builders.Built) -> None:
    if isinstance(built, Reject):
        frame.rejects.append(built)
    elif built is not None:
        frame.observations.append(built)
