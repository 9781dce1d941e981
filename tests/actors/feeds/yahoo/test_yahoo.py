"""Yahoo's recordings, and bodies with what no recording has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_S, parse_time
from domain.market.observations import Bar, InstrumentInfo, Quote, SplitAnnounced, Ticker
from domain.market.reference import Dividend, Earnings, OptionQuote, Recommendation
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

P = "yahoo"
API = "https://query2.finance.yahoo.com"


def recorded(shared_data: Path, name: str) -> Any:
    return parse_recorded(shared_data, P, f"yahoo/{name}.json")


def of_kind(parsed: Any, kind: str) -> list[Any]:
    return [each for each in said(parsed) if each.kind == kind]


def columns(body: dict[str, Any]) -> tuple[list[int], dict[str, list[Any]]]:
    result = body["chart"]["result"][0]
    return result["timestamp"], result["indicators"]["quote"][0]


@pytest.mark.parametrize(
    ("name", "instrument", "interval", "count"),
    [
        ("chart-AAPL-2020-01-01-to-2020-01-03", "AAPL.US", "1d", 1),
        ("chart-AAPL-2020-08-31-to-2020-11-07", "AAPL.US", "1d", 49),
        ("chart-BTC-USD-2020-01-01-to-2020-01-03", "BTC-USD.CRYPTO", "1d", 3),
        ("chart-WSU.DE-2023-08-04-to-2023-08-09", "WSU.XETR", "1d", 3),
        ("chart_GSPC_1m_2022-03-21", "GSPC.INDEX", "1m", 390),
        ("historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.csv", "MSFT.US", "1d", 252),
    ],
)
def test_charts_field_by_field(
    shared_data: Path, name: str, instrument: str, interval: str, count: int
) -> None:
    parsed = recorded(shared_data, name)
    stamps, cells = columns(raw(shared_data, f"yahoo/{name}.json"))
    bars = of_kind(parsed, "bar")
    assert not parsed.rejects and len(bars) == count == len(stamps)
    for row, bar in enumerate(bars):
        assert bar == Bar(
            P, instrument, stamps[row] * NS_PER_S, RECV, interval, cells["open"][row], cells["high"][row],
            cells["low"][row], cells["close"][row], cells["volume"][row], adjusted=True,
        )  # fmt: skip


def test_dividends_and_splits_of_a_chart(shared_data: Path) -> None:
    parsed = recorded(shared_data, "chart-AAPL-2020-08-31-to-2020-11-07")
    at = 1598880600 * NS_PER_S
    assert of_kind(parsed, "split") == [SplitAnnounced(P, "AAPL.US", RECV, RECV, at, 1.0, 4.0)]
    start = parse_time("2020-11-06T05:00:00Z")
    assert of_kind(parsed, "dividend") == [Dividend(P, "AAPL.US", start, RECV, "2020-11-06", 0.205, "USD")]
    paid = of_kind(
        recorded(shared_data, "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.csv"), "dividend"
    )
    assert [(each.ex_date, each.amount) for each in paid] == [
        ("2021-02-17", 0.56), ("2021-05-19", 0.56), ("2021-08-18", 0.56), ("2021-11-17", 0.62),
    ]  # fmt: skip


def test_the_last_day_begins_when_its_session_opened(shared_data: Path) -> None:
    bars = of_kind(recorded(shared_data, "chart_SPY_1d_2020_2021"), "bar")
    stamps, _ = columns(raw(shared_data, "yahoo/chart_SPY_1d_2020_2021.json"))
    assert [bar.ts_event for bar in bars[:-1]] == [stamp * NS_PER_S for stamp in stamps[:-1]]
    assert bars[-1].ts_event == 1639146600 * NS_PER_S and bars[-1].closed


def chart(interval: str, stamps: list[int], last: int | None = None, **meta: Any) -> dict[str, Any]:
    told = {
        "symbol": "OCDO.L", "currency": "GBp", "dataGranularity": interval, "instrumentType": "EQUITY",
        "exchangeTimezoneName": "Europe/London", "regularMarketTime": last or stamps[-1],
        "currentTradingPeriod": {"regular": {"start": 1719817200, "end": 1719847800}},
    }  # fmt: skip
    cells: dict[str, list[Any]] = {name: [10.5] * len(stamps) for name in ("open", "high", "low", "close")}
    result = {
        "meta": told | meta,
        "timestamp": stamps,
        "indicators": {"quote": [cells | {"volume": [7] * len(stamps)}]},
    }
    return {"chart": {"result": [result], "error": None}}


def test_a_running_bar_is_not_closed_and_replaces_itself() -> None:
    running = 1719817200 + 3725
    minutes = of_kind(parse(P, chart("5m", [1719817200, 1719820800, running])), "bar")
    assert [bar.ts_event // NS_PER_S for bar in minutes] == [1719817200, 1719820800]
    assert [bar.closed for bar in minutes] == [True, False]
    days = of_kind(parse(P, chart("1d", [1719817200, running])), "bar")
    assert [(bar.ts_event // NS_PER_S, bar.closed) for bar in days] == [(1719817200, False)]
    (week,) = of_kind(parse(P, chart("1wk", [1719990000])), "bar")
    assert week.ts_event == parse_time("2024-06-30T23:00:00Z") and week.interval == "1w"
    (month,) = of_kind(parse(P, chart("1mo", [1721000000])), "bar")
    assert month.ts_event == parse_time("2024-06-30T23:00:00Z") and month.interval == "1mo"


def test_pence_are_kept_and_said_by_the_instrument() -> None:
    info, bar = parse(P, chart("1d", [1719817200])).observations
    assert info == InstrumentInfo(P, "OCDO.XLON", RECV, RECV, "OCDO.L", quote="GBp", asset_class="equity")
    assert bar.close == 10.5  # type: ignore[union-attr]
    row = {"symbol": "SSW.JO", "currency": "ZAc", "regularMarketPrice": 2100, "regularMarketTime": 1719817200}
    info, ticker = parse(P, {"quoteResponse": {"result": [row], "error": None}}).observations
    assert (info.instrument, info.quote, ticker.last) == ("SSW.XJSE", "ZAc", 2100.0)  # type: ignore[union-attr]


def test_null_bars_are_left_out_and_uneven_arrays_malformed(shared_data: Path) -> None:
    body = chart("1d", [1719558000, 1719817200])
    quote = body["chart"]["result"][0]["indicators"]["quote"][0]
    quote["close"] = [None, 11]
    quote["volume"] = [None, None]
    (bar,) = of_kind(parse(P, body), "bar")
    assert (bar.close, bar.volume != bar.volume) == (11.0, True)
    quote["close"] = [1]
    assert classes(parse(P, body)) == ["malformed"]
    name = "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m"
    assert not of_kind(recorded(shared_data, name), "bar") and not recorded(shared_data, name).rejects
    assert classes(parse(P, chart("7h", [1719817200]))) == ["malformed"]


def test_quotes(shared_data: Path) -> None:
    apple = [
        each for each in recorded(shared_data, "quote-AAPL-BABA").observations if each.instrument == "AAPL.US"
    ]
    at = 1739566800 * NS_PER_S
    assert apple[1:] == [
        Ticker(
            P, "AAPL.US", at, RECV, 244.6, 241.07, 245.41, 241.0, 40896227.0, None, 1.2710667, 3674405863424.0
        ),
        Quote(P, "AAPL.US", at, RECV, 244.44, 2.0, 253.37, 1.0),
    ]
    assert (apple[0].quote, apple[0].asset_class) == ("USD", "equity")
    euro = recorded(shared_data, "quote-EURUSD=X").observations
    assert {each.instrument for each in euro} == {"EUR-USD.FX"} and euro[1].last == 1.0489877
    assert (euro[2].bid, euro[2].bid_size) == (1.0489877, None), "a size of 0 is none"
    row = {"symbol": "BTC-USD", "quoteType": "CRYPTOCURRENCY", "regularMarketPrice": 5,
           "regularMarketTime": 1, "regularMarketVolume": 7}  # fmt: skip
    coin = only(parse(P, {"quoteResponse": {"result": [row]}}))
    assert (coin.instrument, coin.volume, coin.quote_volume) == ("BTC-USD.CRYPTO", None, 7.0)


def test_lists_of_quotes_and_symbols(shared_data: Path) -> None:
    gainers = recorded(shared_data, "dailyGainers")
    assert len(of_kind(gainers, "ticker")) == 5 and not gainers.rejects
    first = of_kind(gainers, "quote")[0]
    assert (first.bid, first.ask, first.ask_size) == (27.44, None, None)
    assert len(of_kind(recorded(shared_data, "screener-aggressive_small_caps"), "ticker")) == 5
    trending = recorded(shared_data, "trendingSymbols-US").facts
    assert [(each.rank, each.instrument) for each in trending][:2] == [(1, "BTC-USD.CRYPTO"), (2, "PLTR.US")]
    assert only(recorded(shared_data, "recommendationsBySymbol-AAPL")).peers[:2] == ("AMZN", "TSLA")


def test_option_chains(shared_data: Path) -> None:
    parsed = recorded(shared_data, "options-AAPL")
    told = raw(shared_data, "yahoo/options-AAPL.json")["optionChain"]["result"][0]
    options = of_kind(parsed, "option")
    assert not parsed.rejects and len(options) == sum(
        len(told["options"][0][side]) for side in ("calls", "puts")
    )
    at = told["quote"]["regularMarketTime"] * NS_PER_S
    assert options[0] == OptionQuote(
        P, "AAPL250228C00110000.OPRA", at, RECV, "AAPL.US", "2025-02-28", 110.0, "call", None, 100.0, 135.9,
        None, 136.65, None, 111.67, None, 0.0, 3.58593853515625, currency="USD",
    )  # fmt: skip
    assert {each.right for each in options} == {"call", "put"}
    assert len(of_kind(recorded(shared_data, "options_v1_old_format"), "option")) == 76


def test_a_search_finds_instruments_and_news(shared_data: Path) -> None:
    parsed = recorded(shared_data, "search-AAPL")
    assert parsed.observations[0].instrument == "AAPL.US" and len(parsed.facts) == 4
    item = parsed.facts[0]
    assert (item.instrument, item.id) == ("YAHOO.NEWS", "57ea9c09-0c99-3adf-9062-fecfdbe472cc")
    assert (item.published_at, item.symbols) == (1740442800 * NS_PER_S, ("AAPL.US",))


def test_a_summary_has_all_its_modules(shared_data: Path) -> None:
    parsed = recorded(shared_data, "quoteSummary-all-AAPL")
    assert not parsed.rejects
    (profile,) = of_kind(parsed, "profile")
    assert (profile.instrument, profile.employees, profile.sector) == ("AAPL.US", 150000, "Technology")
    (ticker,) = of_kind(parsed, "ticker")
    assert ticker.last == 245.55 and ticker.change_pct == pytest.approx(-0.11389935)
    assert of_kind(parsed, "recommendation")[0] == Recommendation(
        P, "AAPL.US", RECV, RECV, "0m", 7, 21, 14, 2, 2
    )
    at = parse_time("2024-03-31")
    assert of_kind(parsed, "earnings")[0] == Earnings(
        P, "AAPL.US", at, RECV, "quarterly", "2024-03-31", "USD", 1.53, 1.49923, 0.03, 2.0499999
    )
    income = [each for each in of_kind(parsed, "statement") if each.statement == "income"]
    assert (income[0].period, income[0].period_end, income[0].currency) == ("annual", "2024-09-30", "USD")
    assert (
        income[0].values["totalRevenue"] == 391035000000.0 and income[0].values["researchDevelopment"] is None
    )
    assert not [each for each in of_kind(parsed, "statement") if each.statement == "balance"], "days alone"
    figures = {each.name: each.value for each in of_kind(parsed, "metric")}
    assert figures["defaultKeyStatistics.sharesOutstanding"] == 15022100480.0
    assert not [name for name in figures if "Date" in name or "maxAge" in name]
    filing = of_kind(parsed, "filing")[0]
    assert (filing.form, filing.accession) == ("10-Q", "0000320193-25-000008")
    sale = of_kind(parsed, "ownership")[0]
    assert (sale.owner, sale.transactions[0].shares) == ("LEVINSON ARTHUR D", -1516.0)
    assert {each.event for each in of_kind(parsed, "calendar")} == {
        "rating",
        "earnings",
        "ex_dividend",
        "dividend",
    }


def test_statements_as_time_series(shared_data: Path) -> None:
    name = "fundamentalsTimeSeries-AAPL-financials-quarterly"
    statements = recorded(shared_data, name).facts
    assert [each.period_end for each in statements] == [
        "2024-03-31",
        "2024-06-30",
        "2024-09-30",
        "2024-12-31",
    ]
    first = statements[0]
    assert (first.statement, first.period, first.currency) == ("income", "quarterly", "USD")
    assert first.values["TotalRevenue"] == 90753000000.0
    assert first.values["ReconciledCostOfRevenue"] == 48482000000.0


def test_insights(shared_data: Path) -> None:
    figures = {each.name: each.value for each in recorded(shared_data, "insights-AAPL").facts}
    assert figures["instrumentInfo.keyTechnicals.support"] == 227.82
    assert figures["recommendation.targetPrice"] == 280.0


def failed(envelope: str, code: str, description: str) -> dict[str, Any]:
    return {envelope: {"result": None, "error": {"code": code, "description": description}}}


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        (failed("chart", "Not Found", "No data found, symbol may be delisted"), 404, "not_found"),
        (failed("quoteSummary", "Not Found", "Quote not found for ticker symbol: X"), 200, "not_found"),
        (failed("finance", "Unauthorized", "Invalid Crumb"), 401, "auth"),
        (failed("chart", "Bad Request", "Invalid input - interval=2s"), 400, "bad_request"),
        ("Too Many Requests\r\n", 429, "throttled"),
        ("Edge: Too Many Requests", 200, "throttled"),
        ("<html>Bad Gateway</html>", 502, "upstream"),
        ({"hello": 1}, 200, "malformed"),
        ({"quoteResponse": {"result": [7], "error": None}}, 200, "malformed"),
    ],
)
def test_errors_have_their_class(body: object, status: int, found: str) -> None:
    parsed = parse(P, body, f"{API}/v8/finance/chart/X?crumb=sesame77", status=status)
    assert classes(parsed) == [found] and not said(parsed)


@pytest.mark.parametrize(
    ("symbol", "kind", "instrument"),
    [
        ("JPY=X", "CURRENCY", "USD-JPY.FX"), ("BRK-B", "EQUITY", "BRK.B.US"), ("ES=F", "FUTURE", "ES=F.CME"),
        ("BTC-EUR", None, "BTC-EUR.CRYPTO"), ("UNI7083-USD", "CRYPTOCURRENCY", "UNI7083-USD.CRYPTO"),
        ("0700.HK", "EQUITY", "0700.XHKG"), ("AAPL250228C00110000", None, "AAPL250228C00110000.OPRA"),
    ],
)  # fmt: skip
def test_symbols(symbol: str, kind: str | None, instrument: str) -> None:
    row = {
        "symbol": symbol,
        "quoteType": kind,
        "exchange": "CME",
        "regularMarketPrice": 1,
        "regularMarketTime": 1,
    }
    assert only(parse(P, {"quoteResponse": {"result": [row]}})).instrument == instrument
