"""Pairs that Kraken writes otherwise than our ids: xStocks (`AAPLx/USD`), REST's old keys, dark pools."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import Effects, FeedSettings, HttpRequest, Origin, Session
from actors.feeds.kraken import adapter
from actors.feeds.kraken.names import Names, instrument_of_rest_pair, old_asset, split
from domain.market.observations import BookDelta, BookSnapshot, InstrumentInfo, Ticker
from tests.actors.feeds.kraken.frames import (
    RECV,
    REST,
    book,
    guide_snapshot,
    instrument,
    refusal,
    text,
    trade,
)
from tests.actors.feeds.kraken.talk import sent

KRAKEN = adapter()
AAPL = "AAPLX-USD.KRAKEN"
XSTOCK = {
    "altname": "AAPLxUSD",
    "wsname": "AAPLx/USD",
    "aclass_base": "tokenized_asset",
    "base": "AAPLx",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "pair_decimals": 2,
    "lot_decimals": 8,
    "tick_size": "0.01",
    "status": "online",
}


@pytest.mark.parametrize(
    ("key", "pair"),
    [
        ("USDTZUSD", "USDT-USD"),
        ("USDCZUSD", "USDC-USD"),
        ("ZEURZUSD", "EUR-USD"),
        ("ZGBPZUSD", "GBP-USD"),
        ("ZAUDZUSD", "AUD-USD"),
        ("ZUSDZCAD", "USD-CAD"),
        ("ZUSDZJPY", "USD-JPY"),
        ("ZEURZJPY", "EUR-JPY"),
        ("XXBTZUSD", "BTC-USD"),
        ("XXBTZCAD", "BTC-CAD"),
        ("XETHXXBT", "ETH-BTC"),
        ("XETCXETH", "ETC-ETH"),
        ("XXDGXXBT", "DOGE-BTC"),
        ("XXMRZEUR", "XMR-EUR"),
        ("XREPXETH", "REP-ETH"),
        ("XXLMZAUD", "XLM-AUD"),
        ("XTZUSD", "XTZ-USD"),
        ("XTZEUR", "XTZ-EUR"),
        ("XTZGBP", "XTZ-GBP"),
        ("XTZXBT", "XTZ-BTC"),
        ("XTZETH", "XTZ-ETH"),
        ("REZUSD", "REZ-USD"),
        ("SCUSD", "SC-USD"),
        ("XDGEUR", "DOGE-EUR"),
        ("XDGUSD", "DOGE-USD"),
        ("ETH2.SETH", "ETH2.S-ETH"),
        ("XAUTUSD", "XAUT-USD"),
        ("ZETAUSD", "ZETA-USD"),
        ("ZRXUSD", "ZRX-USD"),
        ("ZECUSD", "ZEC-USD"),
        ("XBTUSDT", "BTC-USDT"),
        ("ETHUSDC", "ETH-USDC"),
        ("USDTUSD", "USDT-USD"),
        ("EURUSD", "EUR-USD"),
        ("USDCUSDT", "USDC-USDT"),
        ("PYUSDUSD", "PYUSD-USD"),
        ("TUSDUSD", "TUSD-USD"),
        ("USDCHF", "USD-CHF"),
        ("AUDJPY", "AUD-JPY"),
        ("REPV2XBT", "REPV2-BTC"),
        ("AAPLxUSD", "AAPLX-USD"),
        ("GOOGLxUSD", "GOOGLX-USD"),
        ("XOMxUSD", "XOMX-USD"),
        ("XXBTZUSD.d", "BTC-USD.D"),
        ("XBTUSD.d", "BTC-USD.D"),
        ("XETHXXBT.d", "ETH-BTC.D"),
        ("ETHCAD.d", "ETH-CAD.D"),
        ("BTC/USD", "BTC-USD"),
        ("XBT/USD", "BTC-USD"),
        ("AAPLx/USD", "AAPLX-USD"),
    ],
)
def test_keys_are_split_rightly(key: str, pair: str) -> None:
    assert instrument_of_rest_pair(key) == f"{pair}.KRAKEN"
    body = {"error": [], "result": {key: {"a": ["2", "1", "1"], "b": ["1", "1", "1"], "c": ["1.5", "1"]}}}
    told = KRAKEN.parse(text(body), Origin("http", RECV, f"{REST}Ticker", None, 200)).observations
    assert {each.instrument for each in told} == {f"{pair}.KRAKEN"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("XXBT", "BTC"),
        ("XBT", "BTC"),
        ("XXDG", "DOGE"),
        ("ZUSD", "USD"),
        ("ZKRW", "KRW"),
        ("XETH", "ETH"),
        ("XAUT", "XAUT"),
        ("XION", "XION"),
        ("XCAD", "XCAD"),
        ("ZETA", "ZETA"),
        ("ZORA", "ZORA"),
        ("ZEUS", "ZEUS"),
        ("AAPLx", "AAPLx"),
        ("USDT", "USDT"),
    ],
)
def test_only_the_oldest_assets_have_a_letter_before_their_name(name: str, ours: str) -> None:
    assert old_asset(name) == ours


def test_a_key_that_nothing_tells_apart_keeps_the_venues_letters() -> None:
    assert split("FOOBAR") is None
    assert instrument_of_rest_pair("FOOBAR.d") == "FOOBAR.D.KRAKEN"


def infos(*rows: dict[str, Any]) -> list[InstrumentInfo]:
    body = {"error": [], "result": {str(index): row for index, row in enumerate(rows)}}
    told = KRAKEN.parse(text(body), Origin("http", RECV, f"{REST}AssetPairs", None, 200))
    assert told.rejects == []
    return [each for each in told.observations if isinstance(each, InstrumentInfo)]


def test_an_xstock_keeps_its_letters_in_both_protocols() -> None:
    [rest] = infos(XSTOCK)
    [ws] = KRAKEN.parse(instrument("AAPLx/USD"), Origin("ws", RECV)).observations
    for told in (rest, ws):
        assert isinstance(told, InstrumentInfo)
        assert (told.instrument, told.venue_symbol) == (AAPL, "AAPLx/USD")
        assert (told.base, told.quote) == ("AAPLx", "USD")
    assert rest.aliases == ("AAPLxUSD", "0")


def test_the_old_pairs_are_written_as_in_the_newer_protocol() -> None:
    [told] = infos({**XSTOCK, "altname": "XDGXBT", "wsname": "XDG/XBT", "base": "XXDG", "quote": "XXBT"})
    assert (told.instrument, told.venue_symbol) == ("DOGE-BTC.KRAKEN", "DOGE/BTC")


@pytest.mark.parametrize(
    ("altname", "base", "quote", "instrument_id", "ours"),
    [
        ("XBTUSD.d", "XXBT", "ZUSD", "BTC-USD.D.KRAKEN", ("BTC", "USD")),
        ("ETHXBT.d", "XETH", "XXBT", "ETH-BTC.D.KRAKEN", ("ETH", "BTC")),
        ("ETHEUR.d", "XETH", "ZEUR", "ETH-EUR.D.KRAKEN", ("ETH", "EUR")),
    ],
)
def test_a_dark_pool_takes_base_and_quote_from_its_body(
    altname: str, base: str, quote: str, instrument_id: str, ours: tuple[str, str]
) -> None:
    row = {"altname": altname, "base": base, "quote": quote, "pair_decimals": 1, "lot_decimals": 8}
    for wsname in (None, ""):
        [told] = infos({**row, "wsname": wsname})
        assert (told.instrument, told.venue_symbol) == (instrument_id, altname)
        assert (told.base, told.quote) == ours
        assert instrument_of_rest_pair(altname) == instrument_id


def test_a_pair_without_a_name_for_sockets_is_named_by_base_and_quote() -> None:
    row = {"altname": "XBTPYUSD", "base": "XXBT", "quote": "PYUSD", "pair_decimals": 1, "lot_decimals": 8}
    [told] = infos(row)
    assert (told.instrument, told.base, told.quote) == ("BTC-PYUSD.KRAKEN", "BTC", "PYUSD")
    [bare] = infos({"altname": "ADAEUR", "pair_decimals": 1, "lot_decimals": 8})
    assert (bare.instrument, bare.base, bare.quote) == ("ADA-EUR.KRAKEN", "ADA", "EUR")


def test_a_name_that_asset_pairs_has_told_comes_before_any_rule() -> None:
    names = Names()
    [told] = infos({"altname": "XBTPYUSD", "wsname": "XBT/PYUSD", "pair_decimals": 1, "lot_decimals": 8})
    names.learn(told)
    assert names.instrument("XBTPYUSD") == "BTC-PYUSD.KRAKEN"
    assert names.rest("BTC-PYUSD.KRAKEN") == "XBTPYUSD"
    assert (names.v1("BTC-PYUSD.KRAKEN"), names.v2("BTC-PYUSD.KRAKEN")) == ("XBT/PYUSD", "BTC/PYUSD")


def feed_of(*instruments: str, bars: int = 0) -> Session:
    return adapter().session(FeedSettings(instruments, ("trades", "book"), book_depth=10, backfill_bars=bars))


def symbols(effects: Effects) -> list[list[str]]:
    return [each["params"]["symbol"] for each in sent(effects) if "symbol" in each["params"]]


def test_an_xstock_is_subscribed_in_the_venues_letters_once_they_are_known() -> None:
    feed = feed_of(AAPL, "BTC-USD.KRAKEN")
    first = feed.on_open(0, RECV)
    assert sent(first)[0]["params"]["include_tokenized_assets"] is True
    assert symbols(first)[0] == ["AAPLX/USD", "BTC/USD"]
    told = feed.on_frame(0, instrument("AAPLx/USD"), RECV)
    assert symbols(told) == [["AAPLx/USD"], ["AAPLx/USD"]]
    late = feed.on_frame(0, refusal("Currency pair not supported AAPLX/USD", "AAPLX/USD"), RECV)
    assert [reject.reject_class for reject, _ in late.rejects] == ["not_found"]
    assert symbols(feed.on_open(0, RECV))[0] == ["AAPLx/USD", "BTC/USD"]


def test_a_refusal_that_comes_before_the_letters_is_not_the_end() -> None:
    feed = feed_of(AAPL)
    feed.on_open(0, RECV)
    feed.on_frame(0, refusal("Currency pair not supported AAPLX/USD", "AAPLX/USD"), RECV)
    assert symbols(feed.on_open(0, RECV)) == []
    assert symbols(feed.on_frame(0, instrument("AAPLx/USD"), RECV)) == [["AAPLx/USD"], ["AAPLx/USD"]]
    assert feed.on_frame(0, instrument("AAPLx/USD"), RECV).sends == [], "once"


def test_a_pair_that_the_venue_refuses_by_its_own_letters_is_left_out() -> None:
    feed = feed_of("XXX-USD.KRAKEN", "BTC-USD.KRAKEN")
    feed.on_open(0, RECV)
    feed.on_frame(0, refusal("Currency pair not supported XXX/USD", "XXX/USD"), RECV)
    assert symbols(feed.on_open(0, RECV))[0] == ["BTC/USD"]


def test_frames_of_an_xstock_are_taken_and_its_book_renewed_in_its_letters() -> None:
    feed = feed_of(AAPL)
    feed.on_open(0, RECV)
    feed.on_frame(0, instrument("AAPLx/USD"), RECV)
    whole = guide_snapshot().replace("BTC/USD", "AAPLx/USD")
    feed.on_frame(0, whole, RECV)
    frames = [trade(each, symbol="AAPLx/USD") for each in (1, 2)]
    told = feed.take_frames(0, [(frame, RECV) for frame in frames])
    assert [each.instrument for each in told.observations] == [AAPL, AAPL]
    plain = book("update", [("45283.5", "0.2")], [], None, "AAPLx/USD")
    assert [type(each) for each in feed.on_frame(0, plain, RECV).observations] == [BookDelta]
    broken = feed.on_frame(0, book("update", [("45283.5", "0.3")], [], 7, "AAPLx/USD"), RECV)
    assert symbols(broken) == [["AAPLx/USD"], ["AAPLx/USD"]]


def test_rest_is_asked_for_an_xstock_by_its_class() -> None:
    feed = feed_of(AAPL, "BTC-USD.KRAKEN", bars=2)
    pairs, *_ = feed.on_start(RECV).requests
    coin = {**XSTOCK, "altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT"}
    body = text({"error": [], "result": {"XXBTZUSD": coin}})
    [tokens] = feed.on_response(pairs, 200, {}, body, RECV).requests
    assert tokens.url.endswith("/AssetPairs?aclass_base=tokenized_asset")
    answered = feed.on_response(tokens, 200, {}, text({"error": [], "result": {"AAPLxUSD": XSTOCK}}), RECV)
    [bars] = answered.requests
    assert "OHLC?pair=AAPLxUSD&" in bars.url
    assert bars.url.endswith("&asset_class=tokenized_asset")
    assert [each.instrument for each in answered.observations] == [AAPL]


def test_nobody_asks_for_tokens_where_every_pair_is_described() -> None:
    feed = feed_of("BTC-USD.KRAKEN")
    [pairs] = feed.on_start(RECV).requests
    coin = {**XSTOCK, "altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT"}
    body = text({"error": [], "result": {"XXBTZUSD": coin}})
    assert feed.on_response(pairs, 200, {}, body, RECV).requests == []


def test_an_answer_over_a_pair_that_rules_would_split_wrongly_is_read_by_the_table() -> None:
    name = "BTC-PYUSD.KRAKEN"
    feed = feed_of(name, bars=2)
    pairs, *_ = feed.on_start(RECV).requests
    row = {**XSTOCK, "altname": "XBTPYUSD", "wsname": "XBT/PYUSD", "base": "XXBT", "quote": "PYUSD"}
    feed.on_response(pairs, 200, {}, text({"error": [], "result": {"XBTPYUSD": row}}), RECV)
    quote = {"a": ["2", "1", "1"], "b": ["1", "1", "1"], "c": ["1.5", "1"]}
    body = text({"error": [], "result": {"XBTPYUSD": quote}})
    url = f"{REST}Ticker?pair=XBTPYUSD"
    told = feed.on_response(HttpRequest(url, "unsolicited"), 200, {}, body, RECV).observations
    assert {each.instrument for each in told} == {name}
    assert any(isinstance(each, Ticker) for each in told)


def test_a_depth_of_zero_says_nothing_of_the_depth() -> None:
    feed = feed_of("BTC-USD.KRAKEN")
    ack = {"channel": "book", "depth": 0, "snapshot": True, "symbol": "BTC/USD"}
    feed.on_frame(0, text({"method": "subscribe", "result": ack, "success": True}), RECV)
    [snapshot] = feed.on_frame(0, guide_snapshot(), RECV).observations
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.depth, len(snapshot.bids)) == (10, 10)
