"""Nothing in every way a venue writes it, put in every place of every documented payload of every provider.

A 0, "", null or a date far away where a value belongs is no value: no price, tick, time or trade id of it may
come out. What a provider rejects instead is its affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from actors.feeds.absent import amount, moment, price, priced, required_moment, side
from actors.feeds.base import FeedSettings, HttpRequest, Origin
from actors.feeds.registry import known_providers, load_adapter
from actors.feeds.scan import decimal_seconds_ns
from domain.clock import parse_time
from domain.errors import Malformed
from domain.market.observations import (
    Bar,
    BookDelta,
    BookSnapshot,
    InstrumentInfo,
    Observation,
    Quote,
    Ticker,
    Trade,
)
from tests.actors.feeds.binance import frames as binance
from tests.actors.feeds.coinbase import frames as coinbase
from tests.actors.feeds.kraken import frames as kraken
from tests.actors.feeds.kraken import test_rest as kraken_rest
from tests.actors.feeds.kraken import test_v1 as kraken_v1

Sample = tuple[Any, Origin]
NOTHING = [
    "0",
    "0.00000",
    0,
    "",
    None,
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T00:00:00Z",
]
EARLIEST = parse_time("2009-01-03T00:00:00Z")
"""No market that is read here is older."""
NUMBERS_FROM_ZERO = {"binance"}
"""Venues whose first trade has the number 0."""


def _coinbase() -> list[Sample]:
    ws = [
        coinbase.MATCH,
        coinbase.SNAPSHOT,
        coinbase.L2UPDATE,
        coinbase.TICKER,
        coinbase.HEARTBEAT,
        {"type": "status", "products": [coinbase.PRODUCT]},
    ]
    bodies = {
        "/products": [coinbase.PRODUCT],
        "/products/BTC-USD/trades": coinbase.TRADES,
        "/products/BTC-USD/candles?granularity=60": coinbase.CANDLES,
        "/products/BTC-USD/book?level=2": coinbase.BOOK,
        "/products/BTC-USD/book": coinbase.BOOK,
        "/products/BTC-USD/ticker": coinbase.REST_TICKER,
        "/products/BTC-USD/stats": coinbase.STATS,
    }
    return [(each, coinbase.WS) for each in ws] + [
        (each, coinbase.http(path)) for path, each in bodies.items()
    ]


def _kraken() -> list[Sample]:
    texts = [
        kraken.trade(1, 2),
        kraken.guide_snapshot(),
        kraken.book("update", kraken.levels("45283.5 0.1"), [], 7),
        kraken.instrument(),
        json.dumps(kraken.TICKER),
        json.dumps(kraken.OHLC),
    ]
    at = "1542057314.748456"
    v1 = [
        [1, [kraken_v1.TRADE_ROW], "trade", "XBT/USD"],
        [1, kraken_v1.TICKER, "ticker", "XBT/USD"],
        [1, ["5698.4", "5700.0", at, "1.0", "0.9"], "spread", "XBT/USD"],
        [1, [at, "1542057360.435743", *["3586.7"] * 4, "3586.69", "0.03", 2], "ohlc-5", "XBT/USD"],
        [1, {"as": [["101.0", "1.0", at]], "bs": [["99.0", "1.0", at]]}, "book-10", "XBT/USD"],
        [1, {"b": [["99.0", "1.0", at]], "c": "7"}, "book-10", "XBT/USD"],
    ]
    bodies = {
        "Trades?pair=XBTUSDT": json.loads(kraken_rest.TRADES),
        "OHLC?pair=XBTUSDT&interval=1": kraken_rest.OHLC,
        "Depth?pair=XBTUSDT": kraken_rest.DEPTH,
        "Ticker?pair=XBTUSDT": kraken_rest.TICKER,
        "AssetPairs": kraken_rest.PAIRS,
    }
    return [
        *((json.loads(each), kraken.WS) for each in texts),
        *((each, kraken.WS) for each in v1),
        *(
            (each, Origin("http", kraken.RECV, kraken.REST + path, "KRAKEN", 200))
            for path, each in bodies.items()
        ),
    ]


def _binance() -> list[Sample]:
    day = {
        "e": "24hrTicker", "E": binance.NOW_MS, "s": "BTCUSDT", "c": "100", "o": "90", "h": "110", "l": "80",
        "v": "5", "q": "500", "P": "1.5",
    }  # fmt: skip
    row = [binance.NOW_MS - 60_000, "10", "13", "9", "12", "4", binance.NOW_MS - 1, "44", 2, "1", "11", "0"]
    streams = {
        "btcusdt@aggTrade": binance.agg_trade(),
        "btcusdt@bookTicker": binance.book_ticker(),
        "btcusdt@depth@100ms": binance.depth(1, 2),
        "btcusdt@kline_1m": binance.kline(),
        "btcusdt@ticker": day,
    }
    rest = "https://api.binance.com/api/v3/"
    bodies = {
        "depth?symbol=BTCUSDT&limit=100": json.loads(binance.snapshot_body(5)),
        "exchangeInfo": json.loads(binance.exchange_info()),
        "aggTrades?symbol=BTCUSDT&fromId=1": json.loads(binance.rest_agg_trades(1, 2)),
        "klines?symbol=BTCUSDT&interval=1m": [row],
    }
    return [
        *((json.loads(binance.combined(name, data)), binance.ws()) for name, data in streams.items()),
        *((body, binance.http(rest + path)) for path, body in bodies.items()),
    ]


SAMPLES = {"binance": _binance(), "coinbase": _coinbase(), "kraken": _kraken()}


def mutants(value: Any, into: Any) -> Iterator[Any]:
    """The value with one of its leaves replaced."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in mutants(inner, into):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for changed in mutants(inner, into):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif not isinstance(value, bool):
        yield into


def emptied(value: Any, into: Any) -> Any:
    """The value with all its numbers replaced, as of a pair that never traded."""
    if isinstance(value, dict):
        return {key: emptied(inner, into) for key, inner in value.items()}
    if isinstance(value, list):
        return [emptied(inner, into) for inner in value]
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return into
    return into if isinstance(value, float) else value


def none_or_positive(*values: float | None) -> bool:
    return all(value is None or value > 0 for value in values)


def complaint(seen: Observation, ts_recv: int, provider: str) -> str:
    """What is wrong with an observation; "" where it says only what is."""
    if not EARLIEST <= seen.ts_event <= max(ts_recv, EARLIEST) + 366 * 86_400 * 10**9:
        return "its time is none"
    match seen:
        case Ticker():
            sound = seen.last > 0 and none_or_positive(seen.open, seen.high, seen.low)
        case Quote():
            sound = none_or_positive(seen.bid, seen.ask)
            sound = sound and (seen.bid is not None or seen.bid_size is None)
            sound = sound and (seen.ask is not None or seen.ask_size is None)
        case Trade():
            sound = seen.price > 0 and (seen.trade_id != "0" or provider in NUMBERS_FROM_ZERO)
        case Bar():
            sound = min(seen.open, seen.high, seen.low, seen.close) > 0 and none_or_positive(seen.vwap)
        case BookSnapshot() | BookDelta():
            sound = all(level[0] > 0 for level in (*seen.bids, *seen.asks))
        case InstrumentInfo():
            sound = none_or_positive(seen.tick_size, seen.lot_size)
            sound = sound and "" not in (seen.venue_symbol, seen.base, seen.quote)
        case _:
            sound = True
    return "" if sound else "it shows nothing as a value"


def test_every_provider_is_looked_at() -> None:
    assert set(SAMPLES) == set(known_providers())


def _variants(payload: Any) -> Iterator[Any]:
    for nothing in NOTHING:
        yield from mutants(payload, nothing)
        yield emptied(payload, nothing)


@pytest.mark.parametrize("provider", known_providers())
def test_nothing_is_never_told_as_a_value(provider: str) -> None:
    adapter = load_adapter(provider)
    for payload, origin in SAMPLES[provider]:
        assert adapter.parse(json.dumps(payload), origin).rejects == []
        for variant in _variants(payload):
            text = json.dumps(variant)
            for seen in adapter.parse(text, origin).observations:
                assert complaint(seen, origin.ts_recv, provider) == "", (seen, text)


@pytest.mark.parametrize("provider", known_providers())
def test_nothing_is_never_told_as_a_value_by_a_session_either(provider: str) -> None:
    """The sessions have short ways of their own. The sample itself comes first, so that they are taken."""
    adapter = load_adapter(provider)
    for payload, origin in SAMPLES[provider]:
        sample = json.dumps(payload, separators=(",", ":"))
        for variant in _variants(payload):
            session = adapter.session(FeedSettings())
            frame = json.dumps(variant, separators=(",", ":"))
            if origin.source == "http":
                request = HttpRequest(origin.endpoint, "unsolicited")
                effects = session.on_response(request, 200, {}, frame, origin.ts_recv)
            else:
                run = [(each, origin.ts_recv) for each in (sample, sample, frame)]
                effects = session.take_frames(0, run, origin.endpoint)
            for seen in effects.observations:
                assert complaint(seen, origin.ts_recv, provider) == "", (seen, frame)


def test_prices_and_amounts_differ_in_what_zero_means() -> None:
    assert [price(each) for each in (0.0, "", None, 1.5)] == [None, None, None, 1.5]
    assert [amount(each) for each in (0.0, "", None, 1.5)] == [0.0, None, None, 1.5]
    assert [side(*each) for each in ((0.0, 5.0), ("", 5.0), (2.0, 0.0), (2.0, 3.0))] == [
        (None, None),
        (None, None),
        (2.0, None),
        (2.0, 3.0),
    ]


def test_a_bar_is_priced_wholly_or_not_at_all() -> None:
    assert priced(1.0, 2.0, 1.0, 2.0)
    assert not priced(0.0, 0.0, 0.0, 0.0)
    with pytest.raises(Malformed, match="are 0"):
        priced(1.0, 2.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000000Z",
        "0001-01-01",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1900-01-01 00:00:00",
        "2100-12-25T08:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_a_date_far_away_is_no_time(text: str | None) -> None:
    assert moment(text) is None
    with pytest.raises(Malformed, match="there is none"):
        required_moment(text)


def test_other_times_are_read_and_nonsense_is_malformed() -> None:
    assert moment("2026-01-01T00:00:00Z") == required_moment("2026-01-01T00:00:00Z") == coinbase.RECV
    assert moment("1618678133.365913", decimal_seconds_ns) == 1_618_678_133_365_913_000
    assert moment("0.0", decimal_seconds_ns) is None
    for nonsense in ("soon", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "0001"):
        with pytest.raises(Malformed):
            moment(nonsense)


ZERO = ["0", "0.00000000"]
AT = "1618678133.365913"
EMPTY_ASKS: list[tuple[str, Any, Origin]] = [
    ("coinbase", {**coinbase.SNAPSHOT, "asks": [ZERO]}, coinbase.WS),
    ("coinbase", {**coinbase.L2UPDATE, "changes": [["buy", "10", "1"], ["sell", *ZERO]]}, coinbase.WS),
    ("coinbase", {**coinbase.BOOK, "asks": [[*ZERO, 0]]}, coinbase.http("/products/BTC-USD/book?level=2")),
    ("kraken", [1, {"as": [[*ZERO, AT]], "bs": [["9.0", "1.0", AT]]}, "book-10", "XBT/USD"], kraken.WS),
    ("kraken", json.loads(kraken.book("snapshot", [("9.0", "1.0")], [("0", "0.0")], None)), kraken.WS),
    ("kraken", json.loads(kraken.book("update", [("9.0", "1.0")], [("0.0", "0")], None)), kraken.WS),
    (
        "kraken",
        {"error": [], "result": {"XBTUSD": {"asks": [["0.0", "0.0", 0]], "bids": [["9.0", "1.0", 0]]}}},
        Origin("http", kraken.RECV, kraken.REST + "Depth?pair=XBTUSD", "KRAKEN", 200),
    ),
]


@pytest.mark.parametrize(("provider", "payload", "origin"), EMPTY_ASKS)
def test_a_side_without_orders_may_be_written_as_a_level_of_zero(
    provider: str, payload: Any, origin: Origin
) -> None:
    adapter = load_adapter(provider)
    told = adapter.parse(json.dumps(payload), origin)
    assert told.rejects == []
    [book] = told.observations
    assert isinstance(book, BookSnapshot | BookDelta)
    assert (len(book.bids) > 0, book.asks) == (True, ())


@pytest.mark.parametrize("changes", [[["sell", "0", "1.5"]], [["buy", "9", "1"], ["sell", 0, 2]]])
def test_what_is_offered_at_zero_is_malformed(changes: Any) -> None:
    told = load_adapter("coinbase").parse(json.dumps({**coinbase.L2UPDATE, "changes": changes}), coinbase.WS)
    assert (told.observations, [reject.reject_class for reject in told.rejects]) == ([], ["malformed"])
