"""Kraken's public REST bodies: `{"error": [...], "result": ...}`.

    AssetPairs -> InstrumentInfo    Trades -> Trade    OHLC -> Bar
    Ticker -> Quote, Ticker         Depth -> BookSnapshot

Where there is an address it decides alone: an unlisted one is unsupported whatever its body looks like;
without one the shape does. A body names its pair without a separator: the pair of the endpoint
(`?pair=XBT/USD`) comes first, then the names that AssetPairs gave, then the rules of `names.split`. An
error beside a result concerns what is not in the result. Source: docs.kraken.com/api/docs/rest-api; no
recording was at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from actors.feeds.absent import Maybe, MaybeId, amount, level, price, priced, required_moment, side
from actors.feeds.addresses import Hosts, parts
from actors.feeds.base import Origin
from actors.feeds.kraken.facts import UNREADABLE, Fact, Reading, class_of
from actors.feeds.kraken.names import (
    PROVIDER,
    VENUE,
    asset,
    instrument_of,
    instrument_of_rest_pair,
    old_asset,
)
from actors.feeds.kraken.v1 import INTERVALS_MIN
from actors.feeds.kraken.wire import Decimals
from actors.feeds.rest_calls import NO_ANSWER, reject_class
from actors.feeds.scan import Amount, Price, checked_ns, decimal_seconds_ns
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed
from domain.ids import make_instrument_id, symbol_of
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Quote, Side, Ticker, Trade

MAX_MESSAGE_CHARS = 200
DEFAULT_INTERVAL_MIN = 1
ASSET_CLASS = "aclass_base"
DARK = ".d"
Resolve = Callable[[str], str]
"""A pair as REST names it -> its id; raises Malformed."""
HOSTS = Hosts(
    "kraken.com",
    frozenset(
        {
            "api.kraken.com",
            "ws.kraken.com",
            "ws-auth.kraken.com",
            "beta-ws.kraken.com",
            "beta-ws-auth.kraken.com",
        }
    ),
)
"""Spot. Other hosts of Kraken (futures, the unified sockets, order by order) speak other protocols."""
_RESOURCE = re.compile(r"\b(AssetPairs|Trades|OHLC|Depth|Ticker)\b", re.IGNORECASE)


class PairBody(Struct):
    altname: str
    pair_decimals: Decimals
    lot_decimals: Decimals
    wsname: str | None = None
    status: str | None = "online"
    tick_size: Maybe = None
    base: str | None = None
    quote: str | None = None


class TickerBody(Struct):
    a: tuple[Maybe, Maybe, Maybe]
    b: tuple[Maybe, Maybe, Maybe]
    c: tuple[Maybe, Maybe]
    v: tuple[Maybe, Maybe] | None = None
    l: tuple[Maybe, Maybe] | None = None  # noqa: E741 - the venue's own name
    h: tuple[Maybe, Maybe] | None = None


class DepthBody(Struct):
    asks: list[tuple[Amount, Amount, float]]
    bids: list[tuple[Amount, Amount, float]]


OhlcRow = tuple[int, Amount, Amount, Amount, Amount, Maybe, Amount, int]
Status = Literal["trading", "halted", "closed"]
_STATUS: dict[str, Status] = {
    "online": "trading",
    "limit_only": "trading",
    "reduce_only": "trading",
    "delisted": "closed",
}


def status_of(text: str | None) -> Status:
    """post_only, cancel_only, maintenance ...: nothing can trade."""
    return _STATUS.get(text or "online", "halted")


def resource(endpoint: str) -> str | None:
    """`trades`, `ohlc` ... of an address, whose last part it is, or of a file's name."""
    if HOSTS.is_address(endpoint):
        found = _RESOURCE.fullmatch(parts(endpoint).path.rstrip("/").rpartition("/")[2])
    else:
        found = _RESOURCE.search(endpoint.replace("_", " "))
    return found.group(1).lower() if found else None


def _query(endpoint: str, name: str) -> str | None:
    return parse_qs(parts(endpoint).query).get(name, [None])[0]


def _pair_id(endpoint: str, resolve: Resolve = instrument_of_rest_pair) -> str | None:
    pair = _query(endpoint, "pair")
    try:
        return resolve(pair) if pair and "," not in pair else None
    except Malformed:
        return None


def same_resource(url: str, endpoint: str) -> bool:
    """Same path and pair, whatever host and spelling; bars of another interval are another resource."""
    ours, theirs = parts(url), parts(endpoint)
    if resource(ours.path) is None or resource(ours.path) != resource(theirs.path):
        return False
    if _pair_id(url) != _pair_id(endpoint) or _query(url, ASSET_CLASS) != _query(endpoint, ASSET_CLASS):
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
    errors = [errors] if isinstance(errors, str) and errors else errors
    return "; ".join(str(each) for each in errors)[:MAX_MESSAGE_CHARS] if isinstance(errors, list) else ""


def read_body(
    body: dict[str, Any], origin: Origin, reading: Reading, resolve: Resolve = instrument_of_rest_pair
) -> None:
    """A decoded body; adds to the reading. A bad row rejects itself alone."""
    words, result = _errors(body), body.get("result")
    if words:
        reading.reject(class_of(words), words)
        if not result:
            return
    if not isinstance(result, dict):
        keys = ", ".join(sorted(body)[:8])[:MAX_MESSAGE_CHARS]
        reading.reject("malformed", f"missing field `result`; an object with {keys or 'no fields'}")
        return
    named = [(name, value) for name, value in result.items() if name != "last"]
    kind = resource(origin.endpoint)
    if kind is None and not HOSTS.is_address(origin.endpoint):
        kind = _kind_by_shape([value for _, value in named])
    if kind is None:
        if named:
            reading.reject("unsupported", f"a result of the address {origin.endpoint[:80]!r}")
        return
    for name, value in named:
        try:
            _BODIES[kind](name, value, resolve, origin, reading)
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


def _instrument(name: str, resolve: Resolve, origin: Origin) -> str:
    return _pair_id(origin.endpoint, resolve) or resolve(name)


def _rows(value: Any, make: Callable[[Any], Fact | None], where: str, reading: Reading) -> None:
    if not isinstance(value, list):
        raise Malformed(f"expected an array, got {type(value).__name__}")
    for index, row in enumerate(value):
        reading.attempt(partial(make, row), f"{where} row {index}")


def _asset_pair(name: str, value: Any, resolve: Resolve, origin: Origin, reading: Reading) -> None:
    body: PairBody = _convert(value, PairBody)
    base, quote = _assets(body)
    symbol = f"{base}/{quote}" if base and quote else body.altname
    dark = body.altname[-2:].lower() == DARK
    instrument = instrument_of(symbol) if "/" in symbol else instrument_of_rest_pair(symbol)
    if dark:
        instrument = make_instrument_id(symbol_of(instrument) + DARK, VENUE)
    reading.facts.append(
        InstrumentInfo(
            PROVIDER,
            instrument,
            origin.ts_recv,
            origin.ts_recv,
            body.altname if dark else symbol,
            base or None,
            quote or None,
            price_precision=body.pair_decimals,
            size_precision=body.lot_decimals,
            tick_size=price(body.tick_size),
            lot_size=float(Decimal(1).scaleb(-body.lot_decimals)),
            status=status_of(body.status),
            aliases=tuple(each for each in dict.fromkeys([body.altname, name]) if each),
        )
    )


def _assets(body: PairBody) -> tuple[str, str]:
    """(base, quote) in the venue's letters; the dark pools have no `wsname`, the bodies of old no `base`."""
    if body.wsname:
        base, _, quote = body.wsname.removesuffix(DARK).partition("/")
        return asset(base), asset(quote)
    if body.base and body.quote:
        return old_asset(body.base), old_asset(body.quote)
    base, _, quote = symbol_of(instrument_of_rest_pair(body.altname)).partition("-")
    return base, quote


def _trades(name: str, value: Any, resolve: Resolve, origin: Origin, reading: Reading) -> None:
    instrument = _instrument(name, resolve, origin)
    _rows(value, lambda row: _trade(row, instrument, origin), "trades", reading)


def _trade(row: Any, instrument: str, origin: Origin) -> Trade:
    """Rows are (price, size, time, b|s, l|m, misc[, trade_id]); older bodies have no id."""
    if not isinstance(row, list) or len(row) < 6:
        raise Malformed("expected price, volume, time, side, type, misc")
    at, size = _convert(row[0], Price), _convert(row[1], Amount)
    aggressor: Side = "buy" if _convert(row[3], Literal["b", "s"]) == "b" else "sell"
    number = _convert(row[6], MaybeId) if len(row) > 6 else None
    trade_id = str(number) if number else None
    conditions = (row[5],) if isinstance(row[5], str) and row[5] else ()
    ts_event = required_moment(_seconds_text(row[2]), decimal_seconds_ns)
    return Trade(PROVIDER, instrument, ts_event, origin.ts_recv, at, size, aggressor, trade_id, conditions)


def _seconds_text(value: Any) -> str:
    """A number with a fraction comes as its text (see `parse.py`), one without as an integer."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Malformed(f"time {str(value)[:40]!r} is not decimal seconds")
    return str(value)[:MAX_MESSAGE_CHARS]


def _ohlc(name: str, value: Any, resolve: Resolve, origin: Origin, reading: Reading) -> None:
    """The last row is still forming: `last` names the newest committed one."""
    instrument = _instrument(name, resolve, origin)
    minutes = _interval_min(origin.endpoint) if "interval=" in origin.endpoint else _spacing_min(value)
    if minutes not in INTERVALS_MIN:
        raise Malformed(f"interval {minutes} min is none of {sorted(INTERVALS_MIN)}")
    forming = value[-1] if isinstance(value, list) and value else None

    def bar(row: Any) -> Bar | None:
        return _bar(row, instrument, minutes, origin, forming=row is forming)

    _rows(value, bar, "ohlc", reading)


def _bar(row: Any, instrument: str, minutes: int, origin: Origin, *, forming: bool) -> Bar | None:
    start_s, first, high, low, last, vwap, volume, trades = _convert(row, OhlcRow)
    if not priced(first, high, low, last):
        return None
    start = checked_ns(start_s * NS_PER_S)
    if not start:
        raise Malformed("the bar has no time")
    over = origin.ts_recv <= 0 or start + minutes * NS_PER_MIN <= origin.ts_recv
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
        price(vwap) if trades else None,
        closed=over and not forming,
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


def _depth(name: str, value: Any, resolve: Resolve, origin: Origin, reading: Reading) -> None:
    body: DepthBody = _convert(value, DepthBody)
    newest_s = max((row[2] for row in [*body.bids, *body.asks]), default=0.0)
    reading.facts.append(
        BookSnapshot(
            PROVIDER,
            _instrument(name, resolve, origin),
            checked_ns(int(newest_s) * NS_PER_S) if newest_s else origin.ts_recv,
            origin.ts_recv,
            tuple(sorted((row[:2] for row in body.bids if level(*row[:2]) and row[1] > 0), reverse=True)),
            tuple(sorted(row[:2] for row in body.asks if level(*row[:2]) and row[1] > 0)),
        )
    )


def _ticker(name: str, value: Any, resolve: Resolve, origin: Origin, reading: Reading) -> None:
    """`o` is left out: here it is the day's opening price, not that of 24 hours ago."""
    body: TickerBody = _convert(value, TickerBody)
    instrument, recv, last = resolve(name), origin.ts_recv, price(body.c[0])
    (bid, bid_size), (ask, ask_size) = side(body.b[0], body.b[2]), side(body.a[0], body.a[2])
    if bid is not None or ask is not None:
        reading.facts.append(Quote(PROVIDER, instrument, recv, recv, bid, bid_size, ask, ask_size))
    if last is not None:
        high, low = [price(each[1]) if each else None for each in (body.h, body.l)]
        day = amount(body.v[1]) if body.v else None
        reading.facts.append(Ticker(PROVIDER, instrument, recv, recv, last, None, high, low, day))


_BODIES: dict[str, Callable[[str, Any, Resolve, Origin, Reading], None]] = {
    "assetpairs": _asset_pair,
    "trades": _trades,
    "ohlc": _ohlc,
    "depth": _depth,
    "ticker": _ticker,
}
