"""Answers of REST, error bodies, and tables of data.binance.vision -> observations."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.feeds.base import Origin, Parsed
from actors.feeds.binance import adapter
from domain.market.observations import Bar, BookDelta, BookSnapshot, InstrumentInfo, Quote, Ticker, Trade
from tests.actors.feeds.binance.frames import (
    NOW,
    NOW_MS,
    exchange_info,
    http,
    raw,
    rest_agg_trades,
    snapshot_body,
)

API = "https://api.binance.com/api/v3"


def parse(body: str | bytes, path: str, status: int | None = 200) -> Parsed:
    return adapter().parse(body, http(f"{API}/{path}", status))


def test_a_depth_answer_is_a_snapshot_of_the_symbol_asked_for() -> None:
    parsed = parse(snapshot_body(1027024), "depth?symbol=ltcbtc&limit=5")
    assert parsed.observations == [
        BookSnapshot(
            provider="binance",
            instrument="LTCBTC.BINANCE",
            ts_event=NOW,
            ts_recv=NOW,
            bids=((99.0, 1.0),),
            asks=((102.0, 1.0),),
            sequence=(1027024, 1027024),
        )
    ]


@pytest.mark.parametrize(
    "body", [snapshot_body(1), rest_agg_trades(1), raw([[1, "1", "1", "1", "1", "1", 2]])]
)
def test_an_answer_without_a_symbol_needs_the_address_and_says_so(body: str) -> None:
    parsed = adapter().parse(body, Origin("http", NOW))
    assert parsed.observations == []
    assert parsed.rejects[0].reject_class == "malformed"
    assert "symbol" in parsed.rejects[0].reason


@pytest.mark.parametrize(
    ("length_s", "interval"),
    [(1, "1s"), (60, "1m"), (900, "15m"), (3_600, "1h"), (86_400, "1d"), (604_800, "1w")],
)
def test_a_saved_kline_answer_alone_tells_its_interval_but_not_its_symbol(
    length_s: int, interval: str
) -> None:
    row = [NOW_MS, "1", "4", "1", "2", "10", NOW_MS + length_s * 1_000 - 1, "20", 3, "5", "10", "0"]
    (bar,) = adapter().parse(raw([row]), Origin("file", NOW)).observations
    assert isinstance(bar, Bar)
    assert (bar.instrument, bar.interval) == ("UNKNOWN.BINANCE", interval)


def test_trades_and_aggregated_trades_are_trades() -> None:
    trades = [
        {"id": 28457, "price": "4.0", "qty": "12", "time": NOW_MS, "isBuyerMaker": True, "isBestMatch": True}
    ]
    single = parse(raw(trades), "trades?symbol=BTCUSDT").observations[0]
    aggregated = parse(rest_agg_trades(26129), "aggTrades?symbol=BTCUSDT").observations[0]
    assert isinstance(single, Trade)
    assert isinstance(aggregated, Trade)
    assert (single.trade_id, single.price, single.size, single.side) == ("28457", 4.0, 12.0, "sell")
    assert (aggregated.trade_id, aggregated.instrument) == ("26129", "BTCUSDT.BINANCE")


def test_klines_are_bars_and_the_last_one_may_still_be_forming() -> None:
    ended = [NOW_MS - 120_000, "1", "4", "1", "2", "10", NOW_MS - 60_001, "20", 3, "5", "10", "0"]
    forming = [NOW_MS - 60_000, "1", "4", "1", "2", "0", NOW_MS, "0", 0, "0", "0", "0"]
    parsed = parse(raw([ended, forming]), "klines?symbol=BTCUSDT&interval=1m")
    first, second = parsed.observations
    assert isinstance(first, Bar)
    assert isinstance(second, Bar)
    assert (first.interval, first.closed, first.vwap, first.trades) == ("1m", True, 2.0, 3)
    assert (second.closed, second.vwap) == (False, None)


def test_summaries_in_their_three_forms() -> None:
    day = {"symbol": "BNBBTC", "priceChangePercent": "-95.960", "lastPrice": "4", "openPrice": "99",
           "highPrice": "100", "lowPrice": "0.1", "volume": "8913.3", "quoteVolume": "15.3",
           "closeTime": NOW_MS - 7, "bidPrice": "4", "askPrice": "5"}  # fmt: skip
    assert parse(raw([day]), "ticker/24hr").observations == [
        Ticker("binance", "BNBBTC.BINANCE", NOW - 7_000_000, NOW, 4.0, 99.0, 100.0, 0.1, 8913.3, 15.3, -95.96)
    ]
    price = parse('{"symbol":"LTCBTC","price":"4.00000200"}', "ticker/price").observations
    assert price == [Ticker("binance", "LTCBTC.BINANCE", NOW, NOW, 4.000002)]
    best = {"symbol": "LTCBTC", "bidPrice": "4", "bidQty": "431", "askPrice": "4.5", "askQty": "9"}
    assert parse(raw([best]), "ticker/bookTicker").observations == [
        Quote("binance", "LTCBTC.BINANCE", NOW, NOW, 4.0, 431.0, 4.5, 9.0)
    ]


def test_a_listing_describes_its_instruments() -> None:
    assert parse(exchange_info(), "exchangeInfo").observations == [
        InstrumentInfo(
            provider="binance",
            instrument="BTC-USDT.BINANCE",
            ts_event=NOW,
            ts_recv=NOW,
            venue_symbol="BTCUSDT",
            base="BTC",
            quote="USDT",
            price_precision=2,
            size_precision=3,
            tick_size=0.01,
            lot_size=0.001,
            aliases=("BTCUSDT.BINANCE",),
        )
    ]


def test_a_derivatives_listing_states_precisions_and_its_own_word_for_status() -> None:
    body = exchange_info(
        "BTCUSD_PERP", "BTC", "USD", filters=[], status=None, contractStatus="PRE_DELIVERING",
        pricePrecision=1, quantityPrecision=0,
    )  # fmt: skip
    parsed = adapter().parse(body, http("https://dapi.binance.com/dapi/v1/exchangeInfo"))
    info = parsed.observations[0]
    assert isinstance(info, InstrumentInfo)
    assert (info.instrument, info.asset_class, info.status) == (
        "BTCUSD_PERP.BINANCE_COINM",
        "future",
        "closed",
    )
    assert (info.price_precision, info.size_precision, info.tick_size) == (1, 0, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("TRADING", "trading"), ("BREAK", "halted"), ("HALT", "halted"), ("END_OF_DAY", "closed")],
)
def test_the_venues_status_words(status: str, expected: str) -> None:
    info = parse(exchange_info(status=status), "exchangeInfo").observations[0]
    assert isinstance(info, InstrumentInfo)
    assert info.status == expected


def test_one_unusable_symbol_of_a_listing_leaves_the_others() -> None:
    listing = '{"timezone":"UTC","symbols":[{"symbol":"币安人生USDT"},{"status":1},{"symbol":"BTCUSDT"}]}'
    parsed = parse(listing, "exchangeInfo")
    assert [each.instrument for each in parsed.observations] == ["BTCUSDT.BINANCE"]
    assert [each.reject_class for each in parsed.rejects] == ["malformed", "malformed"]


@pytest.mark.parametrize(("path", "body"), [("ping", "{}"), ("time", '{"serverTime":1499827319559}')])
def test_ping_and_time_say_nothing(path: str, body: str) -> None:
    parsed = parse(body, path)
    assert (parsed.observations, parsed.rejects) == ([], [])


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ('{"code":-1121,"msg":"Invalid symbol."}', 400, "not_found"),
        ('{"code":-1003,"msg":"Too much request weight used"}', 429, "throttled"),
        ('{"code":-1100,"msg":"Illegal characters"}', 400, "bad_request"),
        ('{"code":-2014,"msg":"API-key format invalid."}', 401, "auth"),
        ('{"code":-2015,"msg":"Invalid API-key"}', 200, "auth"),
        ('{"code":-1001,"msg":"Internal error"}', 503, "upstream"),
        ('{"code":0,"msg":"Service unavailable from a restricted location"}', 451, "entitlement"),
        ('{"error":{"code":2,"msg":"Invalid request"},"id":1}', None, "bad_request"),
        ("<html>403 Forbidden</html>", 403, "throttled"),
        ("<html></html>", 451, "entitlement"),
        ("<html></html>", 404, "not_found"),
        ("Bad gateway", 502, "upstream"),
        ("<html></html>", 200, "malformed"),
        ('{"code":"x","msg":"?"}', 400, "malformed"),
        ('{"code":0,"msg":"Success","data":{"list":[]}}', 200, "unsupported"),
    ],
)
def test_refusals_are_classed_by_what_to_do(body: str, status: int | None, expected: str) -> None:
    parsed = parse(body, "depth?symbol=BTCUSDT", status)
    assert parsed.observations == []
    assert [each.reject_class for each in parsed.rejects] == [expected]


def test_a_promised_message_that_lacks_a_field_is_malformed_and_names_it() -> None:
    parsed = parse('{"bids":[],"asks":[]}', "depth?symbol=BTCUSDT")
    assert "`lastUpdateId`" in parsed.rejects[0].reason


def test_a_kline_table_is_named_after_its_symbol(shared_data: Path) -> None:
    path = shared_data / "binance" / "klines" / "ADABTC-1m-2021-11-27.csv"
    parsed = adapter().parse(path.read_bytes(), Origin("file", NOW, path.name))
    first = parsed.observations[0]
    assert (len(parsed.observations), parsed.rejects) == (10, [])
    assert isinstance(first, Bar)
    assert (first.instrument, first.interval, first.ts_event) == ("ADABTC.BINANCE", "1m", 1637971200 * 10**9)
    assert (first.open, first.volume, first.trades, first.closed) == (0.00002853, 36304.2, 79, True)


def test_a_kline_table_may_have_a_header_microseconds_and_a_damaged_row() -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tq,ignore"
    row = "1735689600000000,1,2,1,2,5,1735689659999999,9,3,1,1,0"
    name = "data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-01-01.csv"
    parsed = adapter().parse(f"{header}\n{row}\nx{row}\n", Origin("file", NOW, name))
    assert [(each.instrument, each.ts_event) for each in parsed.observations] == [
        ("BTCUSDT.BINANCE_USDM", 1735689600 * 10**9)
    ]
    assert "row 1" in parsed.rejects[0].reason


def test_depth_tables_are_snapshots_and_diffs(shared_data: Path) -> None:
    folder = shared_data / "binance" / "depth_csv"
    origin = Origin("file", NOW, "x.csv", "BINANCE_USDM")
    snap = adapter().parse((folder / "btcusdt-depth-snap.csv").read_bytes(), origin)
    update = adapter().parse((folder / "btcusdt-depth-update.csv").read_bytes(), origin)
    (snapshot,), (delta,) = snap.observations, update.observations
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(delta, BookDelta)
    assert len(snapshot.bids) + len(snapshot.asks) == 100
    assert (snapshot.bids[0], snapshot.prev_sequence) == ((20377.0, 1.77), None)
    assert (delta.sequence, delta.prev_sequence) == ((2098041693435, 2098041696700), 2098041693400)
    assert len(delta.bids) + len(delta.asks) == 100


def test_the_documented_spot_answers_are_read(shared_data: Path) -> None:
    paths = {
        "book_ticker_response": "ticker/bookTicker",
        "depth_response": "depth?symbol=LTCBTC",
        "exchange_info_response": "exchangeInfo",
        "klines_response": "klines?symbol=LTCBTC&interval=1w",
        "ticker_24hr_response": "ticker/24hr",
        "ticker_price_response": "ticker/price",
        "trades_response": "trades?symbol=LTCBTC",
    }
    for name, path in paths.items():
        body = (shared_data / "binance" / "rest_doc_samples" / f"{name}.json").read_bytes()
        parsed = parse(body, path)
        assert (name, len(parsed.observations), parsed.rejects) == (name, 1, [])
