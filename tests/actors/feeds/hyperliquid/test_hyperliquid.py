"""Hyperliquid's frames and answers as they are documented; no recording was at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.clock import NS_PER_MS
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Quote, Trade
from tests.parsed import RECV, classes, only, parse, said

WS, INFO = "wss://api.hyperliquid.xyz/ws", "https://api.hyperliquid.xyz/info"
MS = 1_764_072_000_123
AT = MS * NS_PER_MS


def frame(channel: str, data: object) -> dict[str, object]:
    return {"channel": channel, "data": data}


def trade(**more: object) -> dict[str, object]:
    plain = {
        "coin": "BTC",
        "side": "B",
        "px": "91000.5",
        "sz": "0.01",
        "time": MS,
        "hash": "0xab",
        "tid": 118906512037719,
        "users": ["0x1", "0x2"],
    }
    return plain | more


BOUGHT = Trade("hyperliquid", "BTC.HYPERLIQUID", AT, RECV, 91000.5, 0.01, "buy", "118906512037719")


def test_a_trade_has_the_side_of_its_aggressor() -> None:
    rows = [trade(), trade(side="A", tid=2)]
    found = said(parse("hyperliquid", frame("trades", rows), WS, source="ws"))
    assert found[0] == BOUGHT
    assert (found[1].side, found[1].trade_id) == ("sell", "2")
    assert said(parse("hyperliquid", rows, INFO)) == found


def test_equal_trades_without_ids_are_two() -> None:
    rows = [trade(tid=None), trade(tid=None)]
    assert [each.trade_id for each in said(parse("hyperliquid", frame("trades", rows)))] == [None, None]


def test_a_bad_trade_costs_itself_and_nobody_is_named() -> None:
    rows = [trade(px="0"), trade(side="C"), trade(time=5.5e30), trade(coin=None), {}, None, trade()]
    parsed = parse("hyperliquid", frame("trades", rows))
    assert said(parsed) == [BOUGHT] and classes(parsed) == ["malformed"] * 6
    assert "0x1" not in repr(parsed)


@pytest.mark.parametrize("coin", ["BTC", "kPEPE", "PURR/USDC", "@107", "xyz:TSLA"])
def test_markets_keep_their_letters(coin: str) -> None:
    ids = {
        "BTC": "BTC",
        "kPEPE": "KPEPE",
        "PURR/USDC": "PURR-USDC",
        "@107": "SPOT:107",
        "xyz:TSLA": "XYZ:TSLA",
    }
    found = only(parse("hyperliquid", frame("trades", [trade(coin=coin)])))
    assert found.instrument == f"{ids[coin]}.HYPERLIQUID"


BOOK: dict[str, Any] = {
    "coin": "ETH",
    "time": MS,
    "levels": [
        [{"px": "3000.1", "sz": "2", "n": 1}, {"px": "3000.2", "sz": "1.5", "n": 3}],
        [{"px": "3000.4", "sz": "0", "n": 0}, {"px": "3000.3", "sz": "4", "n": 1}],
    ],
}


@pytest.mark.parametrize("body", [frame("l2Book", BOOK), BOOK])
def test_a_book_is_a_snapshot_best_level_first(body: dict[str, Any]) -> None:
    assert only(parse("hyperliquid", body, INFO)) == BookSnapshot(
        "hyperliquid",
        "ETH.HYPERLIQUID",
        AT,
        RECV,
        ((3000.2, 1.5), (3000.1, 2.0)),
        ((3000.3, 4.0),),
        depth=20,
    )


@pytest.mark.parametrize(
    "levels", [[[]], [[{"px": "x", "sz": "1"}], []], [[{"px": "1"}], []], [{}, []], None, [[5], []]]
)
def test_a_level_that_cannot_be_read_makes_the_book_useless(levels: object) -> None:
    parsed = parse("hyperliquid", frame("l2Book", BOOK | {"levels": levels}))
    assert classes(parsed) == ["malformed"] and not said(parsed)


def test_the_best_prices_are_a_quote_and_an_empty_side_is_null() -> None:
    best = {"coin": "ETH", "time": MS, "bbo": [{"px": "3000.2", "sz": "1.5", "n": 3}, None]}
    assert only(parse("hyperliquid", frame("bbo", best))) == Quote(
        "hyperliquid", "ETH.HYPERLIQUID", AT, RECV, 3000.2, 1.5, None, None
    )
    assert classes(parse("hyperliquid", frame("bbo", best | {"bbo": []}))) == ["malformed"]


def candle(**more: object) -> dict[str, object]:
    plain = {"t": MS, "T": MS + 59_999, "s": "BTC", "i": "1m", "n": 7, "v": "1.25"}
    return plain | {"o": "1", "c": "2.5", "h": "3", "l": "0.5"} | more


@pytest.mark.parametrize("body", [frame("candle", candle()), frame("candle", [candle()]), [candle()]])
def test_a_candle_is_a_bar_from_its_start(body: object) -> None:
    assert only(parse("hyperliquid", body)) == Bar(
        "hyperliquid", "BTC.HYPERLIQUID", AT, RECV, "1m", 1.0, 3.0, 0.5, 2.5, 1.25, 7
    )


def test_a_month_has_our_name_and_a_bar_is_open_until_its_end() -> None:
    month = only(parse("hyperliquid", [candle(i="1M", T=RECV // NS_PER_MS + 1)]))
    assert (month.interval, month.closed) == ("1mo", False)


def test_empty_candles_are_left_out_and_bad_ones_cost_themselves() -> None:
    rows = [
        candle(o=None, h=None, l=None, c=None),
        candle(c=None),
        candle(v=None),
        candle(i="7m"),
        candle(s=None),
        candle(),
    ]
    parsed = parse("hyperliquid", rows)
    assert len(said(parsed)) == 1 and classes(parsed) == ["malformed"] * 4


def test_perpetuals_are_instruments() -> None:
    meta = {
        "universe": [
            {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
            {"name": "OLD", "szDecimals": 1, "isDelisted": True},
            {"name": "X", "szDecimals": 99},
            {},
        ]
    }
    first = InstrumentInfo(
        "hyperliquid",
        "BTC.HYPERLIQUID",
        RECV,
        RECV,
        "BTC",
        base="BTC",
        quote="USD",
        asset_class="future",
        size_precision=5,
        lot_size=1e-05,
    )
    for body in (meta, [meta, [{"funding": "0.1"}]]):
        parsed = parse("hyperliquid", body, INFO)
        assert said(parsed)[0] == first and said(parsed)[1].status == "closed"
        assert len(said(parsed)) == 2 and classes(parsed) == ["malformed"] * 2


def test_spot_pairs_know_their_tokens_by_number() -> None:
    meta = {
        "tokens": [{"name": "USDC", "index": 0}, {"name": "HYPE", "index": 150}, {"index": 3}],
        "universe": [{"name": "@107", "tokens": [150, 0]}, {"name": "@9", "tokens": [8]}],
    }
    parsed = parse("hyperliquid", meta, INFO)
    first, second = said(parsed)
    assert (first.instrument, first.base, first.quote) == ("SPOT:107.HYPERLIQUID", "HYPE", "USDC")
    assert first.aliases == ("HYPE-USDC",) and (second.base, second.quote) == (None, None)
    assert classes(parsed) == ["malformed"]


@pytest.mark.parametrize(
    "body",
    [
        frame("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "trades"}}),
        {"channel": "pong"},
        [],
        frame("trades", []),
        {"universe": []},
    ],
)
def test_acknowledgements_and_empty_answers_give_nothing(body: object) -> None:
    parsed = parse("hyperliquid", body, INFO)
    assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        (frame("error", "Already subscribed: {}"), None, "bad_request"),
        (frame("error", "Too many subscriptions"), None, "throttled"),
        (frame("error", {"a": 1}), None, "bad_request"),
        ("Failed to deserialize the JSON body into the target type", 422, "bad_request"),
        ({"error": "rate limited, too many requests"}, 200, "throttled"),
        (json.dumps("Too many requests"), 200, "throttled"),
        ("null", 500, "not_found"),
        ("", 429, "throttled"),
        (frame("allMids", {"mids": {"BTC": "1"}}), None, "unsupported"),
        ({"BTC": "91000.5", "ETH": "3000.2"}, None, "unsupported"),
        ({"a": 1}, None, "malformed"),
        ([[1, 2], [3]], None, "malformed"),
        ([{"a": 1}], None, "malformed"),
        (5, None, "malformed"),
        ({"channel": 5}, None, "malformed"),
    ],
)
def test_anything_else_says_what_it_is(body: Any, status: int | None, found: str) -> None:
    parsed = parse("hyperliquid", body, INFO, status=status)
    assert classes(parsed) == [found] and not said(parsed)
