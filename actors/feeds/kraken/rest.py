"""Kraken's public REST bodies: `{"error": [...], "result": ...}`.

    AssetPairs -> InstrumentInfo    Trades -> Trade    OHLC -> Bar
    Ticker -> Quote, Ticker         Depth -> BookSnapshot

Recognised by the endpoint, else by shape. A body names its pair without a separator: the pair of the
endpoint (`?pair=XBT/USD`) comes first, then what `names.instrument_of_rest_pair` can tell. Source:
docs.kraken.com/api/docs/rest-api; no recording was at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from actors.feeds.base import Origin, Reject
from actors.feeds.kraken.facts import UNREADABLE, Fact, Reading, class_of
from actors.feeds.kraken.names import PROVIDER, asset, instrument_of, instrument_of_rest_pair
from actors.feeds.kraken.v1 import INTERVALS_MIN
from actors.feeds.kraken.wire import Decimals
from actors.feeds.rest_calls import NO_ANSWER, reject_class
from actors.feeds.scan import Amount, Price, checked_ns, decimal_seconds_ns
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Quote, Side, Ticker, Trade

MAX_MESSAGE_CHARS = 200
DEFAULT_INTERVAL_MIN = 1
_RESOURCE = re.compile(r"\b(AssetPairs|Trades|OHLC|Depth|Ticker)\b", re.IGNORECASE)
_MONEY_PREFIX = re.compile(r"[XZ](?=[A-Z0-9]{3}$)")


class PairBody(Struct):
    altname: str
    pair_decimals: Decimals
    lot_decimals: Decimals
    wsname: str | None = None
    status: str = "online"
    tick_size: Price | None = None


class TickerBody(Struct):
    a: tuple[Amount, float, Amount]
    b: tuple[Amount, float, Amount]
    c: tuple[Amount, Amount]
    v: tuple[Amount, Amount] | None = None
    l: tuple[Amount, Amount] | None = None  # noqa: E741 - the venue's own name
    h: tuple[Amount, Amount] | None = None


class DepthBody(Struct):
    asks: list[tuple[Price, Amount, float]]
    bids: list[tuple[Price, Amount, float]]


OhlcRow = tuple[int, Amount, Amount, Amount, Amount, Amount, Amount, int]
Status = Literal["trading", "halted", "closed"]
_STATUS: dict[str, Status] = {
    "online": "trading",
    "limit_only": "trading",
    "reduce_only": "trading",
    "delisted": "closed",
}


def status_of(text: str) -> Status:
    """post_only, cancel_only, maintenance ...: nothing can trade."""
    return _STATUS.get(text, "halted")


def asset_of(name: str) -> str:
    """`XXBT` -> `BTC`, `ZUSD` -> `USD`; newer names have no prefix."""
    return asset(_MONEY_PREFIX.sub("", name) if len(name) == 4 and name[0] in "XZ" else name)


def resource(endpoint: str) -> str | None:
    """`trades`, `ohlc` ... of an address or of a file's name."""
    found = _RESOURCE.search(endpoint.replace("_", " "))
    return found.group(1).lower() if found else None


def _query(endpoint: str, name: str) -> str | None:
    return parse_qs(urlsplit(endpoint).query).get(name, [None])[0]


def _pair_id(endpoint: str) -> str | None:
    pair = _query(endpoint, "pair")
    try:
        return instrument_of_rest_pair(pair) if pair and "," not in pair else None
    except Malformed:
        return None


def same_resource(url: str, endpoint: str) -> bool:
    """Same path and pair, whatever host and spelling; bars of another interval are another resource."""
    ours, theirs = urlsplit(url), urlsplit(endpoint)
    if resource(ours.path) is None or resource(ours.path) != resource(theirs.path):
        return False
    if _pair_id(url) != _pair_id(endpoint):
        return False
    return resource(ours.path) != "ohlc" or _interval_min(url) == _interval_min(endpoint)


def refuse(payload: str | bytes, status: int, reading: Reading) -> None:
    """An HTTP error with the venue's own words, where it gave some. Status 0: no answer came."""
    if status == NO_ANSWER:
        reading.reject("upstream", "no answer")
        return
    try:
        words = _errors(msgspec.json.decode(payload, type=dict[str, Any]))
    except UNREADABLE:
        words = ""
    reading.reject(reject_class(status), f"HTTP {status} {words}".rstrip())


def _errors(body: dict[str, Any]) -> str:
    errors = body.get("error")
    return "; ".join(str(each) for each in errors)[:MAX_MESSAGE_CHARS] if isinstance(errors, list) else ""


def read_body(body: dict[str, Any], origin: Origin, reading: Reading) -> None:
    """A decoded body; adds to the reading. A bad row rejects itself alone."""
    words = _errors(body)
    if words:
        reading.reject(class_of(words), words)
        return
    result = body.get("result")
    if not isinstance(result, dict):
        keys = ", ".join(sorted(body)[:8])[:MAX_MESSAGE_CHARS]
        reading.reject("malformed", f"missing field `result`; an object with {keys or 'no fields'}")
        return
    named = [(name, value) for name, value in result.items() if name != "last"]
    kind = resource(origin.endpoint) or _kind_by_shape([value for _, value in named])
    if kind is None:
        if named:
            reading.reject("unsupported", "a result of an unknown endpoint")
        return
    for name, value in named:
        try:
            _BODIES[kind](name, value, result, origin, reading)
        except UNREADABLE as error:
            reading.reject("malformed", f"{kind} {name[:40]}: {error}")


def _kind_by_shape(values: list[Any]) -> str | None:
    value = values[0] if values else None
    if isinstance(value, dict):
        shapes = (("assetpairs", "altname"), ("depth", "asks"), ("ticker", "c"))
        return next((kind for kind, key in shapes if key in value), None)
    row = value[0] if isinstance(value, list) and value else None
    if not isinstance(row, list):
        return None
    return "ohlc" if len(row) == 8 else "trades" if len(row) in (6, 7) else None


def _convert(value: Any, shape: Any) -> Any:
    return msgspec.convert(value, shape, strict=False)


def _instrument(name: str, origin: Origin) -> str:
    return _pair_id(origin.endpoint) or instrument_of_rest_pair(name)


def _rows(value: Any, make: Callable[[Any], Fact], where: str, reading: Reading) -> None:
    if not isinstance(value, list):
        raise Malformed(f"expected an array, got {type(value).__name__}")
    for index, row in enumerate(value):
        try:
            reading.facts.append(make(row))
        except UNREADABLE as error:
            reading.rejects.append(Reject("malformed", f"{where} row {index}: {error}"))


def _asset_pair(name: str, value: Any, result: dict[str, Any], origin: Origin, reading: Reading) -> None:
    body: PairBody = _convert(value, PairBody)
    instrument = instrument_of(body.wsname) if body.wsname else instrument_of_rest_pair(body.altname)
    base, _, quote = instrument.rpartition(".")[0].partition("-")
    reading.facts.append(
        InstrumentInfo(
            PROVIDER,
            instrument,
            origin.ts_recv,
            origin.ts_recv,
            f"{base}/{quote}",
            base,
            quote,
            price_precision=body.pair_decimals,
            size_precision=body.lot_decimals,
            tick_size=body.tick_size,
            lot_size=float(Decimal(1).scaleb(-body.lot_decimals)),
            status=status_of(body.status),
            aliases=tuple(dict.fromkeys([body.altname, name])),
        )
    )


def _trades(name: str, value: Any, result: dict[str, Any], origin: Origin, reading: Reading) -> None:
    instrument = _instrument(name, origin)
    _rows(value, lambda row: _trade(row, instrument, origin), "trades", reading)


def _trade(row: Any, instrument: str, origin: Origin) -> Trade:
    """Rows are (price, size, time, b|s, l|m, misc[, trade_id]); older bodies have no id."""
    if not isinstance(row, list) or len(row) < 6:
        raise Malformed("expected price, volume, time, side, type, misc")
    price, size = _convert(row[0], Price), _convert(row[1], Amount)
    taker = _convert(row[3], Literal["b", "s"])
    side: Side = "buy" if taker == "b" else "sell"
    trade_id = str(_convert(row[6], int)) if len(row) > 6 else None
    conditions = (row[5],) if isinstance(row[5], str) and row[5] else ()
    ts_event = decimal_seconds_ns(_seconds_text(row[2]))
    return Trade(PROVIDER, instrument, ts_event, origin.ts_recv, price, size, side, trade_id, conditions)


def _seconds_text(value: Any) -> str:
    """A number with a fraction comes as its text (see `parse.py`), one without as an integer."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Malformed(f"time {str(value)[:40]!r} is not decimal seconds")
    return str(value)[:MAX_MESSAGE_CHARS]


def _ohlc(name: str, value: Any, result: dict[str, Any], origin: Origin, reading: Reading) -> None:
    """The last row is still forming: `last` names the newest committed one."""
    instrument = _instrument(name, origin)
    minutes = _interval_min(origin.endpoint) if "interval=" in origin.endpoint else _spacing_min(value)
    if minutes not in INTERVALS_MIN:
        raise Malformed(f"interval {minutes} min is none of {sorted(INTERVALS_MIN)}")
    forming = len(value) - 1 if isinstance(value, list) else -1
    bars = Reading()
    _rows(value, lambda row: _bar(row, instrument, minutes, origin), "ohlc", bars)
    if bars.facts and not bars.rejects and forming >= 0:
        newest = bars.facts[-1]
        assert isinstance(newest, Bar)  # noqa: S101 - `_bar` makes nothing else
        bars.facts[-1] = msgspec.structs.replace(newest, closed=False)
    reading.facts += bars.facts
    reading.rejects += bars.rejects


def _bar(row: Any, instrument: str, minutes: int, origin: Origin) -> Bar:
    start_s, first, high, low, last, vwap, volume, trades = _convert(row, OhlcRow)
    start = checked_ns(start_s * NS_PER_S)
    closed = origin.ts_recv <= 0 or start + minutes * NS_PER_MIN <= origin.ts_recv
    return Bar(
        PROVIDER,
        instrument,
        start,
        origin.ts_recv,
        INTERVALS_MIN[minutes],
        first,
        high,
        low,
        last,
        volume,
        trades,
        vwap if trades else None,
        closed=closed,
    )


def _interval_min(endpoint: str) -> int:
    text = _query(endpoint, "interval") or ""
    return int(text[:9]) if text.isascii() and text.isdigit() else DEFAULT_INTERVAL_MIN


def _spacing_min(rows: Any) -> int:
    """The interval of a body without its endpoint: the least distance between two rows."""
    if not isinstance(rows, list):
        return DEFAULT_INTERVAL_MIN
    starts = sorted({row[0] for row in rows if isinstance(row, list) and row and type(row[0]) is int})
    return min((later - earlier for earlier, later in pairwise(starts)), default=60) // 60


def _depth(name: str, value: Any, result: dict[str, Any], origin: Origin, reading: Reading) -> None:
    body: DepthBody = _convert(value, DepthBody)
    newest_s = max((level[2] for level in [*body.bids, *body.asks]), default=0.0)
    reading.facts.append(
        BookSnapshot(
            PROVIDER,
            _instrument(name, origin),
            checked_ns(int(newest_s) * NS_PER_S) if newest_s else origin.ts_recv,
            origin.ts_recv,
            tuple(sorted((level[:2] for level in body.bids if level[1] > 0), reverse=True)),
            tuple(sorted(level[:2] for level in body.asks if level[1] > 0)),
        )
    )


def _ticker(name: str, value: Any, result: dict[str, Any], origin: Origin, reading: Reading) -> None:
    """`o` is left out: here it is the day's opening price, not that of 24 hours ago."""
    body: TickerBody = _convert(value, TickerBody)
    instrument, recv = instrument_of_rest_pair(name), origin.ts_recv
    bid, ask = body.b[0] or None, body.a[0] or None
    bid_size, ask_size = body.b[2] if bid else None, body.a[2] if ask else None
    high, low, volume = [each[1] if each else None for each in (body.h, body.l, body.v)]
    reading.facts += [
        Quote(PROVIDER, instrument, recv, recv, bid, bid_size, ask, ask_size),
        Ticker(PROVIDER, instrument, recv, recv, body.c[0], None, high, low, volume),
    ]


_BODIES: dict[str, Callable[[str, Any, dict[str, Any], Origin, Reading], None]] = {
    "assetpairs": _asset_pair,
    "trades": _trades,
    "ohlc": _ohlc,
    "depth": _depth,
    "ticker": _ticker,
}
