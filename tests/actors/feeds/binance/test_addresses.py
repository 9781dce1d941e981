"""Address and stream name decide what a payload is; its shape only where there is neither."""

from __future__ import annotations

from collections import Counter

import pytest

from actors.feeds.base import Origin, Parsed
from actors.feeds.binance import adapter
from actors.feeds.binance.address import read_address, read_stream
from domain.market.observations import Bar, BookDelta, BookSnapshot
from tests.actors.feeds.binance.frames import (
    COINM_WS,
    NOW,
    NOW_MS,
    agg_trade,
    book_ticker,
    combined,
    depth,
    exchange_info,
    http,
    kline,
    raw,
    snapshot_body,
    ws,
)

FAPI = "https://fapi.binance.com/fapi/v1"
MARKET = "wss://fstream.binance.com/market/stream"
PUBLIC = "wss://fstream.binance.com/public/stream"
ROW = [NOW_MS - 120_000, "1", "4", "1", "2", "10", NOW_MS - 60_001, "20", 3, "5", "10", "0"]
DAY = {"symbol": "SOLUSDT", "lastPrice": "4", "openPrice": "3", "volume": "1", "closeTime": NOW_MS}
TICKER = {"e": "24hrTicker", "E": NOW_MS, "s": "SOLUSDT", "c": "5", "o": "4", "h": "6", "l": "3",
          "v": "10", "q": "50", "P": "25.0"}  # fmt: skip


def parse(payload: str, origin: Origin) -> Parsed:
    return adapter().parse(payload, origin)


def classes(payload: str, origin: Origin) -> list[str]:
    """Of the rejects, where nothing came of it."""
    parsed = parse(payload, origin)
    assert parsed.observations == []
    return [each.reject_class for each in parsed.rejects]


def instruments(payload: str, origin: Origin) -> list[str]:
    return [each.instrument for each in parse(payload, origin).observations]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (f"{FAPI}/markPriceKlines?symbol=SOLUSDT&interval=1m", raw([ROW])),
        (f"{FAPI}/indexPriceKlines?pair=SOLUSDT&interval=1m", raw([ROW])),
        (f"{FAPI}/premiumIndexKlines?symbol=SOLUSDT&interval=1m", raw([ROW])),
        (f"{FAPI}/continuousKlines?pair=SOLUSDT&contractType=PERPETUAL&interval=1m", raw([ROW])),
        ("https://api.binance.com/api/v3/uiKlines?symbol=SOLUSDT&interval=1m", raw([ROW])),
        ("https://api.binance.com/api/v3/klines?symbol=SOLUSDT&interval=1d&timeZone=8", raw([ROW])),
        (f"{FAPI}/rpiDepth?symbol=SOLUSDT&limit=1000", snapshot_body(7)),
        ("https://api.binance.com/api/v3/ticker?symbol=SOLUSDT&windowSize=1h", raw(DAY)),
        ("https://api.binance.com/api/v3/ticker?symbols=%5B%22SOLUSDT%22%5D&windowSize=7d", raw([DAY])),
        ("https://api.binance.com/api/v3/ticker/tradingDay?symbol=SOLUSDT", raw(DAY)),
        ("https://api.binance.com/api/v3/avgPrice?symbol=SOLUSDT", '{"mins":5,"price":"9.3","closeTime":1}'),
        (f"{FAPI}/premiumIndex?symbol=SOLUSDT", '{"symbol":"SOLUSDT","price":"9.3","time":1}'),
        ("https://eapi.binance.com/eapi/v1/depth?symbol=SOL-261225-200-C", snapshot_body(7)),
        ("https://fapi.binance.com/futures/data/basis?pair=SOLUSDT", raw([DAY])),
        ("https://api.binance.com/bapi/market/v1/depth?symbol=SOLUSDT", snapshot_body(7)),
        ("https://p2p.binance.com/api/v3/depth?symbol=SOLUSDT", snapshot_body(7)),
    ],
)
def test_an_answer_of_a_resource_that_is_not_used_is_unsupported(address: str, body: str) -> None:
    assert classes(body, http(address)) == ["unsupported"]


def test_bars_of_trades_are_bars_whatever_else_the_host_has() -> None:
    (bar,) = parse(raw([ROW]), http(f"{FAPI}/klines?symbol=SOLUSDT&interval=1m")).observations
    assert isinstance(bar, Bar)
    zoned = http("https://api.binance.com/api/v3/klines?symbol=SOLUSDT&interval=1m&timeZone=8")
    assert len(parse(raw([ROW]), zoned).observations) == 1  # minutes begin alike everywhere


@pytest.mark.parametrize("address", [f"{FAPI}/depth?symbol=SOLUSDT", f"{FAPI}/ticker/24hr"])
def test_rows_of_an_answer_that_has_none_are_no_bars(address: str) -> None:
    assert classes(raw([ROW]), http(address)) == ["unsupported"]


def test_what_an_address_promises_counts_more_than_what_the_body_looks_like() -> None:
    assert classes(raw(DAY), http(f"{FAPI}/depth?symbol=SOLUSDT")) == ["malformed"]


@pytest.mark.parametrize(
    ("address", "status"), [(f"{FAPI}/rpiDepth", 400), ("https://eapi.binance.com/eapi/v1/depth", 429)]
)
def test_an_error_is_classed_by_its_code_wherever_it_comes_from(address: str, status: int) -> None:
    body = '{"code":-1003,"msg":"Too many requests"}'
    assert classes(body, http(address, status)) == ["throttled"]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("solusdt@rpiDepth@500ms", depth(1, 2, "SOLUSDT", pu=0)),
        ("solusdt@markPriceKline_1m", kline()),
        ("solusd@indexPriceKline_1m", kline()),
        ("solusdt_perpetual@continuousKline_1m", kline()),
        ("solusdt@kline_1d@+08:00", kline(i="1d")),
        ("solusdt@ticker_1h", TICKER),
        ("!ticker_4h@arr", [TICKER, TICKER]),
        ("!markPrice@arr", [{"e": "markPriceUpdate", "s": "SOLUSDT"}]),
        ("solusdt@avgPrice", {"e": "avgPrice", "s": "SOLUSDT", "w": "4"}),
        ("solusdt@kline_1m", kline() | {"e": "markPrice_kline"}),
        ("solusdt@ticker", TICKER | {"e": "1hTicker"}),
    ],
)
def test_a_message_of_a_stream_that_is_not_used_is_unsupported(stream: str, data: object) -> None:
    count = len(data) if isinstance(data, list) else 1
    assert classes(combined(stream, data), ws(MARKET)) == ["unsupported"] * count


def test_the_stream_of_an_address_decides_as_one_of_an_envelope_does() -> None:
    change = raw(depth(1, 2, "SOLUSDT", pu=0))
    base = "wss://fstream.binance.com/public/ws"
    assert classes(change, ws(f"{base}/solusdt@rpiDepth@500ms")) == ["unsupported"]
    assert isinstance(parse(change, ws(f"{base}/solusdt@depth20")).observations[0], BookSnapshot)
    assert len(parse(change, ws(f"{base}/solusdt@depth")).observations) == 1


def test_a_message_without_a_name_is_of_the_only_stream_of_its_socket_that_fits() -> None:
    base = "wss://fstream.binance.com/public/ws"
    change = raw(depth(1, 2, "SOLUSDT", pu=0))
    several = ws(f"{base}/solusdt@depth5/btcusdt@depth/solusdt@bookTicker/!ticker@arr")
    assert isinstance(parse(change, several).observations[0], BookSnapshot)
    assert len(parse(raw(book_ticker("SOLUSDT")), several).observations) == 1
    assert len(parse(raw([TICKER, TICKER]), several).observations) == 2
    assert classes('{"result":null,"id":1}', several) == []


@pytest.mark.parametrize("streams", ["solusdt@depth/solusdt@rpiDepth@500ms", "solusdt@depth5/solusdt@depth"])
def test_a_message_that_may_be_of_two_books_is_of_none(streams: str) -> None:
    origin = ws(f"wss://fstream.binance.com/public/ws/{streams}")
    assert classes(raw(depth(1, 2, "SOLUSDT", pu=0)), origin) == ["unsupported"]


SPOT_SOCKET = "wss://stream.binance.com:9443/ws/btcusdt@aggTrade"
USDM_SOCKET = "wss://fstream.binance.com/public/ws/btcusdt@aggTrade"


@pytest.mark.parametrize("address", [SPOT_SOCKET, USDM_SOCKET, f"{SPOT_SOCKET}/btcusdt@depth5"])
@pytest.mark.parametrize(
    "message",
    [
        agg_trade(symbol="SOLUSDT"),
        {"e": "trade", "s": "BTCUSDT", "t": 7, "p": "1", "q": "1", "T": NOW_MS, "m": True},
        book_ticker(),
        book_ticker() | {"e": "bookTicker"},
        kline(),
        TICKER,
        TICKER | {"e": "24hrMiniTicker"},
        [TICKER],
    ],
)
def test_a_message_of_a_stream_that_was_subscribed_later_tells_itself(address: str, message: object) -> None:
    parsed = parse(raw(message), ws(address))
    assert (len(parsed.observations), parsed.rejects) == (1, [])


@pytest.mark.parametrize("streams", ["", "/btcusdt@depth5", "/ethusdt@depth", "/btcusdt@bookTicker"])
def test_a_change_of_a_spot_book_is_no_partial_book_whatever_its_socket_began_with(streams: str) -> None:
    (change,) = parse(raw(depth(1, 2)), ws(SPOT_SOCKET + streams)).observations
    assert isinstance(change, BookDelta)


def test_a_derivatives_change_that_was_subscribed_later_may_be_of_another_book() -> None:
    assert classes(raw(depth(1, 2, pu=0)), ws(USDM_SOCKET)) == ["unsupported"]
    assert classes(raw(depth(1, 2, pu=0)), ws("wss://proxy.example/ws/btcusdt@aggTrade")) == ["unsupported"]


@pytest.mark.parametrize(
    "body", [snapshot_body(7), raw({"e": "1hTicker", "s": "BTCUSDT"}), raw({"e": 3}), raw({"u": 1})]
)
def test_what_does_not_tell_itself_is_not_guessed(body: str) -> None:
    assert len(classes(body, ws(SPOT_SOCKET))) == 1


def test_bars_of_a_raw_socket_are_told_apart_by_their_interval() -> None:
    base = "wss://stream.binance.com:9443/ws/btcusdt@kline_1m/btcusdt@kline_5m/btcusdt@kline_1d@+08:00"
    bars = [parse(raw(kline(i=interval)), ws(base)).observations[0] for interval in ("1m", "5m", "1h")]
    assert [each.interval for each in bars if isinstance(each, Bar)] == ["1m", "5m", "1h"]
    assert classes(raw(kline(i="1d")), ws(base)) == ["unsupported"]
    assert classes(raw({"e": "kline", "s": "BTCUSDT", "k": 1}), ws(base)) == ["malformed"]
    both = ws(f"{base}/btcusdt@kline_1d")
    assert classes(raw(kline(i="1d")), both) == ["unsupported"]


def test_streams_that_mean_the_same_leave_no_doubt() -> None:
    origin = ws("wss://fstream.binance.com/ws/btcusdt@depth/btcusdt@depth@100ms/!ticker@arr/solusdt@ticker")
    assert len(parse(raw(depth(1, 2, pu=0)), origin).observations) == 1
    assert len(parse(raw(TICKER), origin).observations) == 1
    books = ws("wss://stream.binance.com:9443/ws/btcusdt@depth5/ethusdt@depth5")
    assert classes(snapshot_body(7), books) == ["unsupported"]


def test_a_notice_of_the_connection_is_understood_on_any_socket() -> None:
    notice = '{"e":"serverShutdown","E":1}'
    for address in (MARKET, "wss://fstream.binance.com/public/ws/solusdt@depth"):
        assert classes(notice, ws(address)) == []


@pytest.mark.parametrize(
    ("endpoint", "venue"),
    [
        ("wss://fstream-mm.binance.com/market/stream", "BINANCE_USDM"),
        ("wss://fstream-auth.binance.com/market/stream", "BINANCE_USDM"),
        ("wss://fstream3.binance.com/stream", "BINANCE_USDM"),
        ("https://demo-fapi.binance.com/x", "BINANCE_USDM"),
        ("wss://stream.binancefuture.com/ws", "BINANCE_USDM"),
        ("wss://dstream-mm.binance.com/stream", "BINANCE_COINM"),
        ("wss://dstream.binancefuture.com/stream", "BINANCE_COINM"),
        ("https://testnet.binancefuture.com/dapi/v1/depth", "BINANCE_COINM"),
        ("wss://stream.testnet.binance.vision/stream", "BINANCE"),
        ("https://testnet.binance.vision/api/v3/depth", "BINANCE"),
        ("https://api4.binance.com/api/v3/depth", "BINANCE"),
        ("https://api-gcp.binance.com/api/v3/depth", "BINANCE"),
        ("wss://demo-stream.binance.com/stream", "BINANCE"),
        ("https://data.binance.com/api/v3/depth", "BINANCE"),
        ("wss://data-stream.binance.com/stream", "BINANCE"),
        ("https://www.binance.com/api/v3/depth", "BINANCE"),
        ("https://www.binance.com/fapi/v1/depth", "BINANCE_USDM"),
        ("https://www.binance.com/dapi/v1/depth", "BINANCE_COINM"),
        ("wss://nbstream.binance.com/eoptions/stream", None),
        ("wss://something-new.binance.com/stream", None),
        ("wss://vstream.binance.com/stream", None),
        ("wss://xstream.binance.us/stream", None),
    ],
)
def test_a_host_is_of_the_market_that_its_name_says_or_of_none(endpoint: str, venue: str | None) -> None:
    address = read_address(endpoint)
    assert (address.venue.name if address.venue else None) == venue


@pytest.mark.parametrize(
    "endpoint", ["wss://something-new.binance.com/stream", "wss://nbstream.binance.com/ws"]
)
def test_nothing_is_read_from_a_host_of_binance_that_is_not_known(endpoint: str) -> None:
    for frame in (raw(agg_trade()), combined("btcusdt@aggTrade", agg_trade()), raw([TICKER])):
        assert classes(frame, ws(endpoint)) == ["unsupported"]
    assert parse('{"result":null,"id":1}', ws(endpoint)).rejects == []


@pytest.mark.parametrize("host", ["data.binance.com", "www.binance.com"])
def test_hosts_that_serve_spot_beside_others_are_read_for_the_resources_that_are_used(host: str) -> None:
    (snapshot,) = parse(snapshot_body(7), http(f"https://{host}/api/v3/depth?symbol=SOLUSDT")).observations
    assert snapshot.instrument == "SOLUSDT.BINANCE"
    for path in ("bapi/asset/v2/public/depth", "api/v3/avgPrice", "eapi/v1/depth", "en/trade/SOL_USDT"):
        assert classes(snapshot_body(7), http(f"https://{host}/{path}?symbol=SOLUSDT")) == ["unsupported"]


def merged(symbol: str, symbol_type: int | None) -> dict[str, object]:
    told = {} if symbol_type is None else {"st": symbol_type}
    return TICKER | {"s": symbol} | told


@pytest.mark.parametrize("endpoint", [MARKET, COINM_WS])
def test_the_symbol_type_says_which_derivatives_venue_a_message_is_of(endpoint: str) -> None:
    entries = [merged("SOLUSDT", 1), merged("SOLUSD_PERP", 2), merged("SOLUSD_261225", 2), merged("ODD", 2)]
    assert instruments(combined("!ticker@arr", entries), ws(endpoint)) == [
        "SOLUSDT.BINANCE_USDM",
        "SOLUSD_PERP.BINANCE_COINM",
        "SOLUSD_261225.BINANCE_COINM",
        "ODD.BINANCE_COINM",
    ]


@pytest.mark.parametrize("endpoint", [MARKET, COINM_WS])
def test_without_a_symbol_type_the_letters_say_it(endpoint: str) -> None:
    symbols = ["SOLUSDT", "BTCUSDT_261225", "BTCUSDC", "BNBUSD_PERP", "BTCUSD_261225", "BTCBUSD_210129"]
    entries = [merged(symbol, None) for symbol in symbols]
    venues = [each.rpartition(".")[2] for each in instruments(combined("!ticker@arr", entries), ws(endpoint))]
    usdm, coinm = "BINANCE_USDM", "BINANCE_COINM"
    assert venues == [usdm, usdm, usdm, coinm, coinm, usdm]


def test_letters_that_say_nothing_leave_the_host_its_say() -> None:
    assert instruments(raw(merged("ETHBTC", None)), ws(MARKET)) == ["ETHBTC.BINANCE_USDM"]
    assert instruments(raw(merged("ETHBTC", None)), ws(COINM_WS)) == ["ETHBTC.BINANCE_COINM"]
    assert instruments(raw(merged("SOLUSD_PERP", None)), ws()) == ["SOLUSD_PERP.BINANCE"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("ticker/24hr", raw([DAY | {"symbol": "SOLUSD_PERP"}])),
        ("ticker/price", raw([{"symbol": "SOLUSD_PERP", "price": "3"}])),
        ("ticker/bookTicker", raw([{"symbol": "SOLUSD_PERP", "bidPrice": "3", "bidQty": "1",
                                    "askPrice": "4", "askQty": "1"}])),
        ("exchangeInfo", exchange_info("SOLUSD_PERP", "SOL", "USD")),
        ("depth?symbol=SOLUSD_PERP", snapshot_body(3)),
        ("klines?symbol=SOLUSD_PERP&interval=1m", raw([ROW])),
    ],
)  # fmt: skip
def test_rows_of_rest_are_of_the_venue_that_their_symbol_says(path: str, body: str) -> None:
    assert instruments(body, http(f"{FAPI}/{path}")) == ["SOLUSD_PERP.BINANCE_COINM"]


def test_every_message_of_a_merged_socket_is_told_apart() -> None:
    frames = [
        combined("!bookTicker", book_ticker("SOLUSD_PERP", st=2, T=NOW_MS)),
        combined("solusd_perp@aggTrade", agg_trade(1, "SOLUSD_PERP", st=2)),
        combined("solusd_perp@depth", depth(1, 2, "SOLUSD_PERP", st=2, pu=0)),
        combined("solusd_perp@depth5", depth(1, 2, "SOLUSD_PERP", st=2, pu=0)),
        combined("solusd_perp@kline_1m", kline() | {"s": "SOLUSD_PERP", "st": 2}),
    ]
    found = Counter(each for frame in frames for each in instruments(frame, ws(PUBLIC)))
    assert found == {"SOLUSD_PERP.BINANCE_COINM": 5}


@pytest.mark.parametrize("stream", ["", "btcusdt", "btcusdt@", "!btcusdt@aggTrade", "a@depthx", "a@kline_7q"])
def test_a_name_of_no_stream_is_none(stream: str) -> None:
    assert read_stream(stream) is None


def test_a_saved_answer_without_an_address_is_told_by_its_shape() -> None:
    assert len(parse(snapshot_body(3), Origin("file", NOW, "saved.json")).observations) == 1


def test_a_file_of_other_prices_is_not_one_of_trades() -> None:
    path = "data/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-01-01.csv"
    parsed = parse("1735689600000,1,2,1,2,0,1735689659999,0,60,0,0,0\n", Origin("file", NOW, path))
    assert parsed.observations == []
    assert len(parsed.rejects) == 1
