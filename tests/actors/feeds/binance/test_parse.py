"""Frames of sockets -> observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.feeds.base import Adapter, Origin
from actors.feeds.binance import adapter
from domain.market.observations import Bar, BookDelta, BookSnapshot, Observation, Quote, Ticker, Trade
from tests.actors.feeds.binance.frames import (
    COINM_WS,
    NOW,
    NOW_MS,
    US_WS,
    USDM_WS,
    agg_trade,
    book_ticker,
    combined,
    depth,
    exchange_info,
    http,
    kline,
    raw,
    ws,
)


def only(frame: str, origin: Origin | None = None, using: Adapter | None = None) -> Observation:
    parsed = (using or adapter()).parse(frame, origin or ws())
    assert parsed.rejects == []
    assert len(parsed.observations) == 1
    return parsed.observations[0]


def refused(frame: str | bytes, origin: Origin | None = None) -> tuple[str, str]:
    parsed = adapter().parse(frame, origin or ws())
    assert parsed.observations == []
    assert len(parsed.rejects) == 1
    return parsed.rejects[0].reject_class, parsed.rejects[0].reason


TRADE = Trade(
    provider="binance",
    instrument="BTCUSDT.BINANCE",
    ts_event=NOW - 5_000_000,
    ts_recv=NOW,
    price=100.5,
    size=0.25,
    side="buy",
    trade_id="7",
)


@pytest.mark.parametrize(
    "frame",
    [
        raw(agg_trade()),
        combined("btcusdt@aggTrade", agg_trade()),
        raw(agg_trade(p=100.5, q=0.25)),
        raw({"stream": "btcusdt@aggTrade", "data": agg_trade(), "extra": [1]}),
        raw({"data": agg_trade(unknown={"x": 1}), "stream": "btcusdt@aggTrade"}),
        " " + raw(agg_trade()),
    ],
)
def test_an_aggregated_trade_is_one_trade_in_every_form(frame: str) -> None:
    assert only(frame) == TRADE


def test_bytes_read_like_text() -> None:
    assert adapter().parse(raw(agg_trade()).encode(), ws()).observations == [TRADE]


def test_the_aggressor_sells_where_the_buyer_is_the_maker() -> None:
    trade = only(raw(agg_trade(m=True)))
    assert isinstance(trade, Trade)
    assert trade.side == "sell"


def test_a_single_trade_keeps_its_own_id_and_an_unusual_kind_as_a_condition() -> None:
    frame = {
        "e": "trade",
        "E": NOW_MS,
        "s": "BTCUSDT",
        "t": 12345,
        "p": "1",
        "q": "2",
        "T": NOW_MS,
        "m": False,
    }
    plain, liquidated = only(raw(frame)), only(raw(frame | {"X": "INSURANCE_FUND"}))
    assert isinstance(plain, Trade)
    assert isinstance(liquidated, Trade)
    assert (plain.trade_id, plain.conditions) == ("12345", ())
    assert liquidated.conditions == ("INSURANCE_FUND",)
    assert refused(raw(frame | {"X": "NA", "p": "0"}))[0] == "unsupported"
    assert refused(raw(frame | {"p": "0"})) == ("malformed", "trade 12345 has the price 0")


@pytest.mark.parametrize("frame", [raw(book_ticker()), combined("btcusdt@bookTicker", book_ticker())])
def test_the_spot_best_prices_have_no_time_but_ours(frame: str) -> None:
    assert only(frame) == Quote("binance", "BTCUSDT.BINANCE", NOW, NOW, 25.35, 31.21, 25.36, 40.66)


def test_the_derivatives_best_prices_have_the_engines_time() -> None:
    frame = {"e": "bookTicker", "E": NOW_MS, "T": NOW_MS - 2, "ps": "BTCUSDT"} | book_ticker()
    quote = only(raw(frame), ws(USDM_WS))
    assert (quote.instrument, quote.ts_event) == ("BTCUSDT.BINANCE_USDM", NOW - 2_000_000)


def test_an_empty_side_is_no_price() -> None:
    quote = only(raw(book_ticker(b="0.00000000", B="0.00000000")))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, 25.36)


def test_a_spot_diff_has_first_and_last_id() -> None:
    assert only(combined("btcusdt@depth@100ms", depth(157, 160))) == BookDelta(
        provider="binance",
        instrument="BTCUSDT.BINANCE",
        ts_event=NOW,
        ts_recv=NOW,
        bids=((100.0, 1.5),),
        asks=((101.0, 0.0),),
        sequence=(157, 160),
        prev_sequence=None,
    )


def test_a_derivatives_diff_names_the_update_before_it() -> None:
    delta = only(raw(depth(157, 160, pu=149, T=NOW_MS - 1)), ws(USDM_WS))
    assert isinstance(delta, BookDelta)
    assert (delta.prev_sequence, delta.ts_event) == (149, NOW - 1_000_000)


@pytest.mark.parametrize(
    ("frame", "origin"),
    [
        (combined("btcusdt@depth5", {"lastUpdateId": 160, "bids": [["1", "2"]], "asks": [["3", "4"]]}), ws()),
        (
            raw({"lastUpdateId": 160, "bids": [["1", "2"]], "asks": [["3", "4"]]}),
            ws("wss://stream.binance.com:9443/ws/btcusdt@depth5@100ms"),
        ),
        (
            combined("btcusdt@depth5@500ms", depth(150, 160, pu=1, b=[["1", "2"]], a=[["3", "4"]])),
            ws(),
        ),
        (
            raw(depth(150, 160, pu=1, b=[["1", "2"]], a=[["3", "4"]])),
            ws("wss://stream.binance.com/ws/btcusdt@depth5"),
        ),
    ],
)
def test_a_partial_depth_stream_gives_full_snapshots(frame: str, origin: Origin) -> None:
    snapshot = only(frame, origin)
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.instrument == "BTCUSDT.BINANCE"
    assert (snapshot.bids, snapshot.asks) == (((1.0, 2.0),), ((3.0, 4.0),))
    assert (snapshot.sequence, snapshot.depth) == ((160, 160), 5)


def test_levels_with_a_third_entry_are_read() -> None:
    delta = only(combined("btcusdt@depth", depth(1, 2, b=[["1", "2", []]])))
    assert isinstance(delta, BookDelta)
    assert delta.bids == ((1.0, 2.0),)


@pytest.mark.parametrize("closed", [True, False])
def test_a_candle_is_a_bar_that_knows_whether_it_is_closed(closed: bool) -> None:
    assert only(combined("btcusdt@kline_1m", kline(closed=closed))) == Bar(
        provider="binance",
        instrument="BTCUSDT.BINANCE",
        ts_event=NOW - 60 * 10**9,
        ts_recv=NOW,
        interval="1m",
        open=10.0,
        high=13.0,
        low=9.0,
        close=12.0,
        volume=4.0,
        trades=2,
        vwap=11.0,
        closed=closed,
    )


def test_coin_margined_volume_counts_contracts_so_it_gives_no_vwap() -> None:
    bar = only(combined("btcusd_perp@kline_1m", kline() | {"s": "BTCUSD_PERP"}), ws(COINM_WS))
    assert isinstance(bar, Bar)
    assert (bar.instrument, bar.vwap) == ("BTCUSD_PERP.BINANCE_COINM", None)


TICKER = {"e": "24hrTicker", "E": NOW_MS, "s": "BTCUSDT", "c": "5", "o": "4", "h": "6", "l": "3",
          "v": "10", "q": "50", "P": "25.0", "p": "1"}  # fmt: skip
MINI = {key: value for key, value in TICKER.items() if key not in "Pp"} | {"e": "24hrMiniTicker"}


def test_tickers_come_alone_and_in_arrays() -> None:
    full, mini = only(raw(TICKER)), only(combined("btcusdt@miniTicker", MINI))
    assert isinstance(full, Ticker)
    assert isinstance(mini, Ticker)
    assert (full.last, full.open, full.high, full.low) == (5.0, 4.0, 6.0, 3.0)
    assert (full.volume, full.quote_volume, full.change_pct) == (10.0, 50.0, 25.0)
    assert (mini.last, mini.change_pct) == (5.0, None)
    array = adapter().parse(combined("!miniTicker@arr", [MINI, MINI | {"s": "ETHUSDT"}]), ws())
    assert [each.instrument for each in array.observations] == ["BTCUSDT.BINANCE", "ETHUSDT.BINANCE"]


def test_one_bad_entry_of_an_array_leaves_the_others() -> None:
    parsed = adapter().parse(raw([TICKER, TICKER | {"c": "nan"}, 5, TICKER | {"s": "ETHUSDT"}]), ws())
    assert [each.instrument for each in parsed.observations] == ["BTCUSDT.BINANCE", "ETHUSDT.BINANCE"]
    assert [each.reject_class for each in parsed.rejects] == ["malformed", "malformed"]


def test_a_ticker_before_the_first_trade_says_nothing() -> None:
    parsed = adapter().parse(raw(TICKER | {"c": "0.00000000"}), ws())
    assert (parsed.observations, parsed.rejects) == ([], [])


@pytest.mark.parametrize(
    "frame",
    [
        '{"result":null,"id":1}',
        '{"result":["btcusdt@trade"],"id":3}',
        '{"e":"serverShutdown","E":1}',
        "{}",
        "[]",
    ],
)
def test_what_is_understood_and_says_nothing(frame: str) -> None:
    parsed = adapter().parse(frame, ws())
    assert (parsed.observations, parsed.rejects) == ([], [])


@pytest.mark.parametrize("event", ["markPriceUpdate", "forceOrder", "somethingNew"])
def test_events_without_use_are_unsupported(event: str) -> None:
    assert refused(raw({"e": event, "E": NOW_MS, "s": "BTCUSDT"})) == (
        "unsupported",
        f"event {event!r} is not used",
    )


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (raw({key: value for key, value in agg_trade().items() if key != "q"}), "`q`"),
        (combined("btcusdt@aggTrade", {k: v for k, v in agg_trade().items() if k != "T"}), "`T`"),
        (raw({key: value for key, value in book_ticker().items() if key != "s"}), "`s`"),
        (combined("btcusdt@bookTicker", {"u": 1, "s": "BTCUSDT"}), "`b`"),
        (raw({key: value for key, value in depth(1, 2).items() if key != "U"}), "`U`"),
        (raw(agg_trade(p="nan")), "$.p"),
        (raw(agg_trade(p="inf")), "$.p"),
        (raw(agg_trade(p="-1")), "$.p"),
        (raw(agg_trade(q="-0.1")), "$.q"),
        (raw(agg_trade(p=[1])), "$.p"),
        (raw(agg_trade(T=10**30)), "$.T"),
        (raw(agg_trade(T=4_102_444_800_001)), "4102444800001"),
        (raw(depth(1, 2, E=4_102_444_800_000_001)), "4102444800000001"),
        (raw(agg_trade(s="")), "$.s"),
        (raw(agg_trade(s="btc usdt")), "btc usdt"[:3].upper()),
        (raw(depth(1, 2, b=[["-1", "1"]])), "$.b[0][0]"),
        (raw(depth(1, 2, a=[["1"]])), "$.a[0]"),
        (raw(depth(9, 2)), "u=2"),
        (raw({"e": ["aggTrade"]}), "`e`"),
    ],
)
def test_a_damaged_message_is_malformed_and_names_the_field(frame: str, field: str) -> None:
    reject_class, reason = refused(frame)
    assert reject_class == "malformed"
    assert field in reason


@pytest.mark.parametrize(
    "frame", ["", "nonsense", '{"e":"aggTrade"', b"\xff\xfe", '"text"', "12", "null", "[" * 5000, "\ud800"]
)
def test_bytes_that_are_no_message_are_malformed(frame: str | bytes) -> None:
    assert refused(frame)[0] == "malformed"


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1_700_000_000_000, 1_700_000_000_000_000_000),
        (1_700_000_000_000_123, 1_700_000_000_000_123_000),
        ("1700000000000", 1_700_000_000_000_000_000),
        (123_456_785, 123_456_785_000_000),
    ],
)
def test_times_are_milliseconds_or_microseconds(value: Any, ns: int) -> None:
    assert only(raw(agg_trade(T=value))).ts_event == ns


@pytest.mark.parametrize(
    ("endpoint", "venue", "expected"),
    [
        ("", None, "BINANCE"),
        ("", "BINANCE_TR", "BINANCE_TR"),
        ("", "KRAKEN", "BINANCE"),
        ("wss://data-stream.binance.vision/ws", "BINANCE_US", "BINANCE"),
        (US_WS, None, "BINANCE_US"),
        ("wss://stream-cloud.trbinance.com/stream", None, "BINANCE_TR"),
        ("https://api.binance.me/api/v3/depth", None, "BINANCE_TR"),
        (USDM_WS, None, "BINANCE_USDM"),
        ("http://127.0.0.1:9/fapi/v1/depth", None, "BINANCE_USDM"),
        ("http://127.0.0.1:9/stream", "BINANCE_US", "BINANCE_US"),
        ("https://evilbinance.us/x", None, "BINANCE"),
    ],
)
def test_the_host_names_the_venue_then_the_caller_then_the_main_one(
    endpoint: str, venue: str | None, expected: str
) -> None:
    assert only(raw(agg_trade()), ws(endpoint, venue)).instrument == f"BTCUSDT.{expected}"


def test_exchange_info_tells_where_to_cut_a_symbol() -> None:
    binance = adapter()
    binance.parse(exchange_info(), http("https://api.binance.us/api/v3/exchangeInfo"))
    assert only(raw(agg_trade()), ws(US_WS), binance).instrument == "BTC-USDT.BINANCE_US"
    assert only(raw(agg_trade()), ws(), binance).instrument == "BTCUSDT.BINANCE"


def test_an_id_that_was_given_out_never_changes_and_gets_an_alias() -> None:
    binance = adapter()
    before = only(raw(agg_trade()), ws(), binance)
    info = only(exchange_info(), http("https://api.binance.com/api/v3/exchangeInfo"), binance)
    after = only(raw(agg_trade()), ws(), binance)
    assert before == after
    assert (info.instrument, info.aliases) == ("BTCUSDT.BINANCE", ("BTC-USDT.BINANCE",))  # type: ignore[union-attr]


def test_derivatives_keep_the_venues_letters() -> None:
    binance = adapter()
    binance.parse(exchange_info(), http("https://fapi.binance.com/fapi/v1/exchangeInfo"))
    assert only(raw(agg_trade()), ws(USDM_WS), binance).instrument == "BTCUSDT.BINANCE_USDM"


def test_the_documented_derivatives_messages_are_read(shared_data: Path) -> None:
    read = {}
    for path in sorted((shared_data / "binance" / "ws_doc_samples_futures").glob("*.json")):
        parsed = adapter().parse(path.read_bytes(), ws(USDM_WS))
        read[path.stem] = [type(each).__name__ for each in parsed.observations] or [
            each.reject_class for each in parsed.rejects
        ]
    assert read == {
        "agg_trade_stream": ["Trade"],
        "book_ticker_stream": ["Quote"],
        "depth_update_stream": ["BookDelta"],
        "kline_stream_closed": ["Bar"],
        "kline_stream_open": ["Bar"],
        "liquidation_stream": ["unsupported"],
        "mark_price_stream": ["unsupported"],
        "ticker_stream": ["Ticker"],
        "trade_stream": ["Trade"],
    }
