"""Finnhub's recordings, and its documented bodies of which there is no recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.clock import NS_PER_MS, NS_PER_S, parse_time
from domain.market.observations import Bar, Trade
from domain.market.reference import Earnings, Metric, Recommendation
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://finnhub.io/api/v1"
REST = "finnhub/rest"


def recorded(shared_data: Path, name: str, endpoint: str | None = None):  # type: ignore[no-untyped-def]
    return parse_recorded(shared_data, "finnhub", f"{REST}/{name}.json", endpoint)


def test_a_quote_is_of_the_symbol_of_its_address(shared_data: Path) -> None:
    ticker = only(recorded(shared_data, "quote_AAPL_2021-08-19"))
    assert (ticker.kind, ticker.instrument, ticker.ts_event) == ("ticker", "AAPL.US", 1629316803 * NS_PER_S)
    assert (ticker.last, ticker.open, ticker.high, ticker.low) == (146.36, 149.8, 150.71, 146.15)
    assert (ticker.change_pct, ticker.volume, ticker.ts_recv) == (-2.5501, None, RECV)


def test_a_quote_without_an_address_is_malformed(shared_data: Path) -> None:
    body = (shared_data / REST / "quote_AAPL_2021-08-19.json").read_text()
    assert classes(parse("finnhub", body)) == ["malformed"]
    assert classes(parse("finnhub", body, source="ws")) == ["malformed"]
    assert only(parse("finnhub", body, symbol="AAPL")).instrument == "AAPL.US"
    assert only(parse("finnhub", body, symbol="AAPL", venue="US")).instrument == "AAPL.US"


def test_an_unknown_symbol_is_all_zeros() -> None:
    body = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
    parsed = parse("finnhub", body, f"{API}/quote?symbol=NOSUCH&token=REDACTED", status=200)
    assert classes(parsed) == ["not_found"] and "NOSUCH" in parsed.rejects[0].reason


def test_candles_have_the_interval_of_their_address(shared_data: Path) -> None:
    name = "candle_AAPL_D_2020-11-09_2020-12-04"
    where = f"{API}/stock/candle?symbol=AAPL&resolution=D&from=1604880000&to=1607040000"
    parsed = recorded(shared_data, name, where)
    told = raw(shared_data, f"{REST}/{name}.json")
    assert not parsed.rejects and len(parsed.observations) == len(told["t"]) == 19
    for row, bar in enumerate(parsed.observations):
        assert bar == Bar(
            "finnhub", "AAPL.US", told["t"][row] * NS_PER_S, RECV, "1d",
            told["o"][row], told["h"][row], told["l"][row], told["c"][row], told["v"][row], adjusted=True,
        )  # fmt: skip
    assert classes(recorded(shared_data, name)) == ["malformed"]


def test_candles_without_data_are_an_empty_answer(shared_data: Path) -> None:
    assert recorded(shared_data, "candle_no_data").is_refused is False
    assert not said(recorded(shared_data, "candle_no_data"))


def test_a_null_candle_is_left_out_and_uneven_arrays_are_malformed() -> None:
    where = f"{API}/stock/candle?symbol=AAPL&resolution=5"
    body = {"s": "ok", "t": [60, 360], "o": [1, None], "h": [1, 2], "l": [1, 2], "c": [1, 2], "v": [5, None]}
    (bar,) = parse("finnhub", body, where).observations
    assert (bar.interval, bar.ts_event, bar.volume) == ("5m", 60 * NS_PER_S, 5.0)  # type: ignore[union-attr]
    assert classes(parse("finnhub", body | {"v": [5]}, where)) == ["malformed"]


def test_a_profile_counts_in_whole_units(shared_data: Path) -> None:
    profile = only(recorded(shared_data, "profile2_MSFT"))
    assert (profile.instrument, profile.symbol, profile.currency) == ("MSFT.US", "MSFT", "USD")
    assert profile.market_cap == profile.market_cap_usd == 1758286580600.1066
    assert profile.shares_outstanding == 7_454_470_000.0
    assert (profile.listed_on, profile.industry) == ("1986-03-13", "Technology")
    assert profile.exchange == "NASDAQ NMS - GLOBAL MARKET" and profile.website.startswith("https://")


def test_an_empty_profile_is_not_found() -> None:
    assert classes(parse("finnhub", {}, f"{API}/stock/profile2?symbol=NOSUCH")) == ["not_found"]


def test_peers_are_of_the_company_of_their_address(shared_data: Path) -> None:
    profile = only(recorded(shared_data, "peers_TSLA"))
    assert profile.instrument == "TSLA.US" and "RIVN" in profile.peers and "TSLA" not in profile.peers
    assert len(profile.peers) == 9
    body = (shared_data / REST / "peers_TSLA.json").read_text()
    assert classes(parse("finnhub", body)) == ["malformed"]


def test_a_peer_without_a_name_costs_itself() -> None:
    parsed = parse("finnhub", ["TSLA", None, "GM"], f"{API}/stock/peers?symbol=TSLA")
    assert classes(parsed) == ["malformed"] and parsed.facts[0].peers == ("GM",)  # type: ignore[union-attr]


def test_news_lives_in_finnhub_s_stream(shared_data: Path) -> None:
    parsed = recorded(shared_data, "company_news_AAPL_2024-04-14")
    told = raw(shared_data, f"{REST}/company_news_AAPL_2024-04-14.json")
    assert not parsed.rejects and len(parsed.facts) == 3
    for item, row in zip(parsed.facts, told, strict=True):
        assert (item.instrument, item.id, item.symbols) == ("FINNHUB.NEWS", str(row["id"]), ("AAPL.US",))  # type: ignore[union-attr]
        assert item.ts_event == item.published_at == row["datetime"] * NS_PER_S  # type: ignore[union-attr]
        assert (item.title, item.summary) == (row["headline"], row["summary"])  # type: ignore[union-attr]
        assert (item.url, item.source) == (row["url"], row["source"])  # type: ignore[union-attr]


def test_an_item_without_anything_is_malformed_and_costs_itself() -> None:
    rows = [{"headline": "", "url": "", "id": 0}, {"headline": "h", "url": "u", "id": 7, "datetime": 1}]
    parsed = parse("finnhub", rows, f"{API}/news?category=general")
    assert classes(parsed) == ["malformed"] and [item.id for item in parsed.facts] == ["7"]  # type: ignore[union-attr]


def test_recommendations(shared_data: Path) -> None:
    parsed = recorded(shared_data, "recommendation_TSLA")
    assert len(parsed.facts) == 44 and not parsed.rejects
    assert parsed.facts[0] == Recommendation(
        "finnhub", "TSLA.US", parse_time("2021-11-01"), RECV, "2021-11-01", 13, 10, 13, 6, 4
    )
    assert not said(recorded(shared_data, "recommendation_invalid_symbol_empty"))


def test_planned_listings(shared_data: Path) -> None:
    parsed = recorded(shared_data, "calendar_ipo_1")
    told = raw(shared_data, f"{REST}/calendar_ipo_1.json")["ipoCalendar"]
    assert not parsed.rejects and len(parsed.facts) == len(told) == 8
    first = parsed.facts[0]
    assert (first.event, first.date, first.instrument) == ("ipo", "2021-12-02", "UTAAU.US")  # type: ignore[union-attr]
    assert (first.exchange, first.status) == ("NASDAQ Global", "priced")  # type: ignore[union-attr]
    assert first.details == {"price": "10.00", "shares": "20000000", "value": "200000000", "symbol": "UTAAU"}  # type: ignore[union-attr]
    for event, row in zip(parsed.facts, told, strict=True):
        assert ("price" in event.details) == bool(row["price"])  # type: ignore[union-attr]


def test_trades_of_the_socket_are_all_different(shared_data: Path) -> None:
    frames = (shared_data / "finnhub/ws/trades_BTCUSDT_2024-07-21.jsonl").read_text().splitlines()
    parsed = parse("finnhub", frames[0], "wss://ws.finnhub.io?token=REDACTED", source="ws")
    told = json.loads(frames[0])["data"]
    assert not parsed.rejects and len(parsed.observations) == 10
    for trade, row in zip(parsed.observations, told, strict=True):
        at = row["t"] * NS_PER_MS
        assert trade == Trade("finnhub", "BTCUSDT.BINANCE", at, RECV, row["p"], row["v"])
    ping = parse("finnhub", frames[1], source="ws")
    assert not said(ping) and not ping.rejects


def test_trades_of_two_symbols_in_one_message(shared_data: Path) -> None:
    body = (shared_data / "finnhub/ws/trades_TSLA_AAPL_2022-12-29.jsonl").read_text().strip()
    parsed = parse("finnhub", body, source="ws")
    told = json.loads(body)["data"]
    assert [each.instrument for each in parsed.observations] == [f"{row['s']}.US" for row in told]
    assert parsed.observations[0].conditions == tuple(told[0]["c"])  # type: ignore[union-attr]
    assert parsed.observations[0].ts_event == 1672348887195 * NS_PER_MS


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ({"error": "Invalid API key"}, 401, "auth"),
        ({"error": "Invalid API key"}, 200, "auth"),
        ({"error": "API limit reached. Please try again later. Remaining Limit: 0"}, 429, "throttled"),
        ({"error": "You don't have access to this resource."}, 403, "entitlement"),
        ({"error": "You don't have access to this resource."}, 401, "entitlement"),
        ({"error": "Symbol is required"}, 422, "bad_request"),
        ({"error": "Internal server error"}, 500, "upstream"),
        ({"type": "error", "msg": "Subscribing to too many symbols"}, None, "throttled"),
        ({"type": "error", "msg": "Invalid token"}, None, "auth"),
        ("Please use an API key.", 401, "auth"),
        ("<html>502 Bad Gateway</html>", 502, "upstream"),
        ({}, 429, "throttled"),
    ],
)
def test_errors_have_their_class(body: object, status: int | None, found: str) -> None:
    parsed = parse("finnhub", body, f"{API}/quote?symbol=AAPL&token=sesame77", status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_an_error_with_the_token_is_kept_without_it() -> None:
    parsed = parse("finnhub", {"error": "Invalid API key: sesame77"}, f"{API}/quote?symbol=A&token=sesame77")
    assert classes(parsed) == ["auth"] and "sesame77" not in parsed.rejects[0].reason


def test_the_recorded_error(shared_data: Path) -> None:
    assert classes(recorded(shared_data, "error_invalid_api_key_401")) == ["auth"]


def test_earnings_of_quarters() -> None:
    row = {
        "actual": "1.88", "estimate": 1.9744, "period": "2023-03-31", "quarter": 1, "surprise": -0.0944,
        "surprisePercent": -4.7812, "symbol": "AAPL", "year": 2023,
    }  # fmt: skip
    assert only(parse("finnhub", [row], f"{API}/stock/earnings?symbol=AAPL")) == Earnings(
        "finnhub", "AAPL.US", parse_time("2023-03-31"), RECV, "quarterly", "2023-03-31", None, 1.88, 1.9744,
        -0.0944, -4.7812, fiscal_year=2023, fiscal_period="Q1",
    )  # fmt: skip
    assert only(parse("finnhub", [row | {"actual": None}])).eps_actual is None


def test_metrics_of_now_and_of_periods() -> None:
    body = {
        "symbol": "AAPL",
        "metricType": "all",
        "metric": {
            "10DayAverageTradingVolume": 32.50147, "52WeekHigh": 310.43, "52WeekHighDate": "2020-02-04",
            "peTTM": None, "bookValuePerShareAnnual": "5.1", "marketCapitalization": 2.5,
        },
        "series": {"annual": {"currentRatio": [{"period": "2019-09-28", "v": 1.5401}, {"period": "?"}]}},
    }  # fmt: skip
    parsed = parse("finnhub", body, f"{API}/stock/metric?symbol=AAPL&metric=all")
    assert classes(parsed) == ["malformed"]
    found = {(fact.name, fact.period): fact for fact in parsed.facts if isinstance(fact, Metric)}
    assert found["10DayAverageTradingVolume", None].value == 32_501_470.0
    high = found["52WeekHigh", None]
    assert (high.value, high.period_end) == (310.43, "2020-02-04") and ("52WeekHighDate", None) not in found
    assert found["peTTM", "ttm"].value is None and found["bookValuePerShareAnnual", "annual"].value == 5.1
    assert found["marketCapitalization", None].value == 2_500_000.0
    point = found["currentRatio", "annual"]
    assert (point.ts_event, point.period_end, point.value) == (parse_time("2019-09-28"), "2019-09-28", 1.5401)


def test_splits_dividends_lists_and_the_calendar_of_earnings() -> None:
    split = only(parse("finnhub", [{"symbol": "AAPL", "date": "2020-08-31", "fromFactor": 1, "toFactor": 4}]))
    assert (split.split_from, split.split_to) == (1, 4) and split.effective == parse_time(
        "2020-08-31T04:00:00Z"
    )
    row = {"symbol": "AAPL", "date": "2020-08-07", "amount": 0.82, "payDate": "2020-08-13", "currency": "USD"}
    dividend = only(parse("finnhub", [row]))
    assert (dividend.ex_date, dividend.amount, dividend.pay_date) == ("2020-08-07", 0.82, "2020-08-13")
    assert dividend.ts_event == parse_time("2020-08-07T04:00:00Z")
    found = {"count": 1, "result": [{"symbol": "OCDO.L", "displaySymbol": "OCDO.L", "type": "Common Stock"}]}
    assert only(parse("finnhub", found)).instrument == "OCDO.XLON"
    report = {"symbol": "AAPL", "date": "2020-01-28", "epsActual": 4.99, "quarter": 1, "year": 2020}
    earnings = only(parse("finnhub", {"earningsCalendar": [report]}))
    assert (earnings.reported_on, earnings.eps_actual, earnings.fiscal_period) == ("2020-01-28", 4.99, "Q1")


def test_indicators_and_strangers() -> None:
    indicator = parse("finnhub", {"s": "ok", "t": [1], "sma": [1]}, f"{API}/indicator?symbol=A")
    assert classes(indicator) == ["unsupported"]
    assert classes(parse("finnhub", {"type": "weather"}, source="ws")) == ["malformed"]
    assert classes(parse("finnhub", {"hello": "world"})) == ["malformed"]


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("OANDA:EUR_USD", "EUR-USD.FX"), ("COINBASE:BTC-USD", "BTC-USD.COINBASE"), ("^GSPC", "GSPC.INDEX"),
        ("BRK.B", "BRK.B.US"), ("0700.HK", "0700.XHKG"), ("HUOBI:btcusdt", "BTCUSDT.HUOBI"),
    ],
)  # fmt: skip
def test_symbols(symbol: str, instrument: str) -> None:
    frame = {"type": "trade", "data": [{"s": symbol, "p": "1.5", "t": 1700000000000, "v": 0}]}
    assert only(parse("finnhub", frame, source="ws")).instrument == instrument
