"""Stocktwits: messages become opinions of their symbols, without text and author."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.feeds.base import Origin
from actors.feeds.stocktwits import adapter
from domain.clock import parse_time
from domain.sentiment.hashing import text_hash
from domain.sentiment.scoring import TAG_METHOD, VADER_METHOD, score
from tests.parsed import RECV, classes, parse, parse_recorded, raw, said

RECORDED = "stocktwits/streams_symbol_F_2019-04-26.json"
STREAM = "STOCKTWITS.NEWS"


def instrument_of(symbol: str) -> str:
    return f"{symbol.removesuffix('.X')}-USD.CRYPTO" if symbol.endswith(".X") else f"{symbol}.US"


def message(**changed: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "body": "$F it&#39;s going to soar",
        "created_at": "2026-11-02T10:20:30Z",
        "user": {"id": 1, "username": "somebody", "name": "Some Body"},
        "symbols": [{"id": 1, "symbol": "F", "title": "Ford"}],
        "entities": {"sentiment": None},
    } | changed


def page(*messages: Any) -> dict[str, Any]:
    return {"response": {"status": 200}, "cursor": {"more": True}, "messages": list(messages)}


def test_every_recorded_message_is_an_opinion_in_its_stream_and_per_symbol(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "stocktwits", RECORDED)
    rows = raw(shared_data, RECORDED)["messages"]
    assert len(rows) == 30 and not parsed.rejects
    expected = [
        (str(row["id"]), instrument, parse_time(row["created_at"]))
        for row in rows
        for instrument in (STREAM, *dict.fromkeys(instrument_of(each["symbol"]) for each in row["symbols"]))
    ]
    assert [(each.id, each.instrument, each.ts_event) for each in parsed.facts] == expected
    for row in rows:
        tag = ((row["entities"]["sentiment"] or {}).get("basic") or "").lower() or None
        mine = [each for each in parsed.facts if each.id == str(row["id"])]
        assert {each.label for each in mine} == {tag}
        text = html.unescape(row["body"])
        wanted = (1.0 if tag == "bullish" else -1.0, TAG_METHOD) if tag else (score(text).value, VADER_METHOD)
        assert {(each.score, each.method) for each in mine} == {wanted}


def test_neither_text_nor_author_is_kept(shared_data: Path) -> None:
    printed = msgspec.json.encode(parse_recorded(shared_data, "stocktwits", RECORDED).facts).decode()
    for row in raw(shared_data, RECORDED)["messages"]:
        assert json.dumps(row["body"]) not in printed and row["body"] not in printed
        assert f'"{row["user"]["username"]}"' not in printed and f"/{row['user']['username']}" not in printed


def test_the_hash_is_that_of_the_text_under_the_key() -> None:
    body = json.dumps(page(message()))
    found = [adapter(key).parse(body, Origin("file", RECV)).facts[0].text_hash for key in (b"one", b"two")]
    assert found == [text_hash("$F it's going to soar", key) for key in (b"one", b"two")]


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ({"symbol": "BTC.X"}, "BTC-USD.CRYPTO"),
        ({"symbol": "BRK.B"}, "BRK.B.US"),
        ({"symbol": "ES_F"}, "ES-F.STOCKTWITS"),
        ({"symbol": "WEED.CA"}, "WEED.CA.STOCKTWITS"),
        ({"symbol": "EURUSD"}, "EURUSD.STOCKTWITS"),
        ({"symbol": "GOLD", "instrument_class": "Commodity"}, "GOLD.STOCKTWITS"),
        ({"symbol": "SPY", "instrument_class": "ExchangeTradedFund"}, "SPY.US"),
        ({"symbol": "ETH.X", "instrument_class": "CryptoCurrency"}, "ETH-USD.CRYPTO"),
    ],
)
def test_symbols_find_their_instrument(symbol: dict[str, str], instrument: str) -> None:
    parsed = parse("stocktwits", page(message(symbols=[symbol])))
    assert [each.instrument for each in parsed.facts] == [STREAM, instrument]


def test_a_symbol_that_cannot_be_read_leaves_the_message_to_its_stream() -> None:
    parsed = parse("stocktwits", page(message(symbols=[{"symbol": None}, 5, {"symbol": "ÄÖ"}])))
    assert [each.instrument for each in parsed.facts] == [STREAM] and not parsed.rejects


@pytest.mark.parametrize(
    "entities", [None, {}, {"sentiment": {}}, {"sentiment": {"basic": None}}, {"sentiment": {"basic": "Odd"}}]
)
def test_without_a_tag_the_words_are_scored(entities: Any) -> None:
    found = parse("stocktwits", page(message(entities=entities))).facts[0]
    assert found.label is None and found.method == VADER_METHOD and found.score > 0.3


def test_a_tag_comes_before_the_words() -> None:
    found = parse("stocktwits", page(message(entities={"sentiment": {"basic": "Bearish"}}))).facts[0]
    assert (found.label, found.score, found.method) == ("bearish", -1.0, TAG_METHOD)


def test_bad_messages_cost_themselves_and_copies_come_once() -> None:
    rows = [message(), 5, message(id=None), message(id="8", created_at="soon"), message(), message(id="9")]
    parsed = parse("stocktwits", page(*rows))
    assert list(dict.fromkeys(each.id for each in parsed.facts)) == ["7", "9"]
    assert len(said(parsed)) == 4 and classes(parsed) == ["malformed"] * 3


def test_trending_symbols_have_their_places() -> None:
    symbols = [
        {"symbol": "GME", "title": "GameStop"},
        {"symbol": "BTC.X", "title": "Bitcoin", "trending_score": 9.5},
        {"title": "x"},
    ]
    parsed = parse("stocktwits", {"response": {"status": 200}, "symbols": symbols})
    found = [
        (each.rank, each.instrument, each.symbol, each.name, each.score, each.list) for each in parsed.facts
    ]
    assert found == [
        (1, "GME.US", "GME", "GameStop", None, "trending"),
        (2, "BTC-USD.CRYPTO", "BTC.X", "Bitcoin", 9.5, "trending"),
    ]
    assert classes(parsed) == ["malformed"]


@pytest.mark.parametrize(
    ("status", "text", "found"),
    [
        (429, "Rate limit exceeded. Client may not make more than 200 requests an hour.", "throttled"),
        (404, "Symbol not found", "not_found"),
        (401, "Invalid or missing access token", "auth"),
        (403, "No permission", "entitlement"),
        (500, "Oops", "upstream"),
        (400, "Bad parameter", "bad_request"),
    ],
)
@pytest.mark.parametrize("http", [200, None])
def test_errors_have_their_class_from_the_body(status: int, text: str, found: str, http: int | None) -> None:
    body = {"response": {"status": status}, "errors": [{"message": text}]}
    assert classes(parse("stocktwits", body, status=http)) == [found]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"response": {"status": 200}}, "malformed"),
        ([], "malformed"),
        ({"errors": [5], "response": 7}, "malformed"),
        ({"errors": []}, "bad_request"),
        ("<html>Just a moment...</html>", "upstream"),
    ],
)
def test_what_is_no_answer_is_refused(body: Any, found: str) -> None:
    assert classes(parse("stocktwits", body)) == [found]


def test_no_messages_say_nothing() -> None:
    parsed = parse("stocktwits", page())
    assert not said(parsed) and not parsed.rejects
