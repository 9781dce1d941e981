"""Kraken WebSocket v1: each documented form, and the recording of 2021."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.feeds.kraken import adapter
from domain.clock import NS_PER_MIN
from domain.market.observations import Bar, BookDelta, BookSnapshot, Quote, Ticker, Trade
from tests.actors.feeds.kraken.frames import RECV, WS, text

KRAKEN = adapter()
COMMON = ("kraken", "BTC-USD.KRAKEN")
TRADE_ROW = ["5541.20000", "0.15850568", "1534614057.321597", "s", "l", ""]
TICKER = {
    "a": ["5525.40000", 1, "1.000"],
    "b": ["5525.10000", 1, "0.500"],
    "c": ["5525.10000", "0.00398963"],
    "v": ["2634.11501494", "3591.17907851"],
    "p": ["5631.44067", "5653.78939"],
    "t": [11493, 16267],
    "l": ["5505.00000", "5505.00000"],
    "h": ["5783.00000", "5783.00000"],
    "o": ["5760.70000", "5763.40000"],
}


def parsed(frame: Any) -> list[Any]:
    answer = KRAKEN.parse(text(frame), WS)
    assert answer.rejects == []
    return answer.observations


def rejected(frame: Any) -> tuple[str, str]:
    answer = KRAKEN.parse(frame if isinstance(frame, str) else text(frame), WS)
    assert answer.observations == []
    [reject] = answer.rejects
    return reject.reject_class, reject.reason


def test_trades_name_the_takers_side_and_have_no_id() -> None:
    bought = ["6060.00000", "0.02455000", "1534614057.324998", "b", "m", "note"]
    sold, second = parsed([0, [TRADE_ROW, bought], "trade", "XBT/USD"])
    assert sold == Trade(*COMMON, 1_534_614_057_321_597_000, RECV, 5541.2, 0.15850568, "sell")
    assert (second.side, second.ts_event, second.trade_id) == ("buy", 1_534_614_057_324_998_000, None)
    assert second.conditions == ("note",)


def test_a_ticker_is_a_quote_and_a_summary_of_24_hours() -> None:
    assert parsed([340, TICKER, "ticker", "XBT/USD"]) == [
        Quote(*COMMON, RECV, RECV, 5525.1, 0.5, 5525.4, 1.0),
        Ticker(*COMMON, RECV, RECV, 5525.1, 5763.4, 5783.0, 5505.0, 3591.17907851),
    ]


def test_a_spread_is_a_quote() -> None:
    row = ["5698.40000", "5700.00000", "1542057299.545897", "1.01234567", "0.98765432"]
    [quote] = parsed([0, row, "spread", "XBT/USD"])
    assert quote == Quote(*COMMON, 1_542_057_299_545_897_000, RECV, 5698.4, 1.01234567, 5700.0, 0.98765432)


def test_an_ohlc_row_is_a_bar_named_by_its_start() -> None:
    row = ["1542057314.748456", "1542057360.435743", *["3586.70000"] * 4, "3586.69", "0.03373000", 2]
    [bar] = parsed([42, row, "ohlc-5", "XBT/USD"])
    assert isinstance(bar, Bar)
    assert (bar.interval, bar.ts_event) == ("5m", 1_542_057_360_435_743_000 - 5 * NS_PER_MIN)
    assert (bar.trades, bar.vwap, bar.closed) == (2, 3586.69, False)


def test_a_snapshot_carries_the_depth_of_its_channel() -> None:
    body = {
        "as": [["5541.3", "2.5", "1534614248.123678"], ["5541.8", "0.33", "1534614098.345543"]],
        "bs": [["5541.2", "1.529", "1534614248.765567"]],
    }
    [book] = parsed([0, body, "book-100", "XBT/USD"])
    assert book == BookSnapshot(
        *COMMON,
        1_534_614_248_765_567_000,
        RECV,
        ((5541.2, 1.529),),
        ((5541.3, 2.5), (5541.8, 0.33)),
        depth=100,
    )


def test_both_sides_of_an_update_may_come_in_one_body_or_in_two() -> None:
    a = [["5541.30000", "2.50700000", "1534614248.456738"], ["5542.50000", "0.40100000", "1534614248.456738"]]
    b = [["5541.30000", "0.00000000", "1534614335.345903"]]
    expected = BookDelta(
        *COMMON,
        1_534_614_335_345_903_000,
        RECV,
        ((5541.3, 0.0),),
        ((5541.3, 2.507), (5542.5, 0.401)),
        checksum=974942666,
    )
    assert parsed([1234, {"a": a}, {"b": b, "c": "974942666"}, "book-10", "XBT/USD"]) == [expected]
    assert parsed([1234, {"a": a, "b": b, "c": "974942666"}, "book-10", "XBT/USD"]) == [expected]


def test_a_republished_level_does_not_lend_its_old_time() -> None:
    gone, back = (
        ["1874.0", "0.00000000", "1689026888.933331"],
        ["1890.18", "0.65840067", "1689026999.673117", "r"],
    )
    [delta] = parsed([560, {"a": [gone, back], "c": "1"}, "book-100", "ETH/USD"])
    assert delta.ts_event == 1_689_026_888_933_331_000
    [alone] = parsed([560, {"a": [back], "c": "1"}, "book-100", "ETH/USD"])
    assert alone.ts_event == 1_689_026_999_673_117_000


@pytest.mark.parametrize(
    ("pair", "instrument"),
    [
        ("XBT/USD", "BTC-USD.KRAKEN"),
        ("XDG/XBT", "DOGE-BTC.KRAKEN"),
        ("WAVES/EUR", "WAVES-EUR.KRAKEN"),
        ("ETH2.S/ETH", "ETH2.S-ETH.KRAKEN"),
    ],
)
def test_pairs_are_split_by_the_venues_own_separator(pair: str, instrument: str) -> None:
    assert parsed([0, [TRADE_ROW], "trade", pair])[0].instrument == instrument


@pytest.mark.parametrize(
    "event",
    [
        {"event": "heartbeat"},
        {
            "connectionID": 8628615390848610000,
            "event": "systemStatus",
            "status": "online",
            "version": "1.0.0",
        },
        {"event": "pong", "reqid": 42},
        {
            "channelID": 10001,
            "channelName": "ticker",
            "event": "subscriptionStatus",
            "pair": "XBT/EUR",
            "status": "subscribed",
            "subscription": {"name": "ticker"},
        },
    ],
)
def test_events_give_nothing(event: dict[str, Any]) -> None:
    assert parsed(event) == []


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Subscription depth not supported", "not_found"),
        ("Currency pair not in ISO 4217-A3 format foobar", "not_found"),
        ("Exceeded msg rate", "throttled"),
        ("Malformed request", "bad_request"),
        ("EService: Unavailable", "upstream"),
    ],
)
def test_a_refused_subscription_is_a_reject(message: str, kind: str) -> None:
    event = {"errorMessage": message, "event": "subscriptionStatus", "pair": "FOO/BAR", "status": "error"}
    assert rejected(event) == (kind, message)


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        ([0, {}, "book-10", "XBT/USD"], "`a` or `b`"),
        ([0, {"a": [["1", "1"]], "c": "1"}, "book-10", "XBT/USD"], "price, size, time"),
        ([0, {"a": [["nan", "1", "1534614248.0"]]}, "book-10", "XBT/USD"], "nan"),
        ([0, {"a": [["1", "-1", "1534614248.0"]]}, "book-10", "XBT/USD"], "negative"),
        ([0, {"a": [["1", "1", "yesterday"]]}, "book-10", "XBT/USD"], "yesterday"),
        ([0, {"a": [["1", "1", "1534614248.0"]], "c": "99999999999"}, "book-10", "XBT/USD"], "32-bit"),
        ([0, {"a": [[1, 1, 1]]}, "book-10", "XBT/USD"], "str"),
        ([0, [["0", *TRADE_ROW[1:]]], "trade", "XBT/USD"], "float"),
        ([0, [["inf", *TRADE_ROW[1:]]], "trade", "XBT/USD"], "float"),
        ([0, [[*TRADE_ROW[:3], "x", "l", ""]], "trade", "XBT/USD"], "'x'"),
        ([0, [TRADE_ROW[:3]], "trade", "XBT/USD"], "length 6"),
        ([0, [TRADE_ROW], "trade", "XBTUSD"], "BASE/QUOTE"),
        ([0, {"a": TICKER["a"], "b": TICKER["b"]}, "ticker", "XBT/USD"], "`c`"),
        ([0, "what", "ticker", "XBT/USD"], "object"),
    ],
)
def test_damaged_frames_are_rejects_that_say_what_is_wrong(frame: Any, word: str) -> None:
    kind, reason = rejected(frame)
    assert kind == "malformed"
    assert word in reason


def test_a_bad_trade_rejects_itself_alone() -> None:
    answer = KRAKEN.parse(text([0, [TRADE_ROW, ["nan", *TRADE_ROW[1:]], TRADE_ROW], "trade", "XBT/USD"]), WS)
    assert (len(answer.observations), len(answer.rejects)) == (2, 1)


def test_a_channel_that_we_do_not_know_is_unsupported() -> None:
    assert rejected([0, {}, "ownTrades", "XBT/USD"])[0] == "unsupported"


def test_an_array_of_frames_is_read_frame_by_frame() -> None:
    frames = [[0, [TRADE_ROW], "trade", "XBT/USD"], {"event": "heartbeat"}, [0, TICKER, "ticker", "XBT/USD"]]
    assert [type(each) for each in parsed(frames)] == [Trade, Quote, Ticker]


def test_every_recorded_frame_parses(shared_data: Path) -> None:
    kinds: dict[str, int] = {}
    with (shared_data / "captures" / "kraken_v1.jsonl").open() as lines:
        for line in lines:
            answer = KRAKEN.parse(json.loads(line)["frame"], WS)
            assert answer.rejects == []
            for each in answer.observations:
                kinds[each.kind] = kinds.get(each.kind, 0) + 1
    assert kinds == {"quote": 18, "ticker": 18, "book_snapshot": 10, "book_delta": 4269, "trade": 10}
