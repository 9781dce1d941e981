"""Alpha Vantage's recordings, and its documented bodies of which there is no recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import parse_time
from domain.market.observations import Bar, FxRate, Quote, SplitAnnounced, Ticker
from domain.market.reference import Dividend, Earnings, Macro, Metric
from tests.parsed import RECV, classes, only, parse, parse_recorded, said

API = "https://www.alphavantage.co/query"
P = "alpha_vantage"


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    path = f"{P}/{name}" if name.endswith(".csv") else f"{P}/{name}.json"
    return parse_recorded(shared_data, P, path, endpoint)


def java(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return recorded(shared_data, f"java_client/{name}", endpoint)


def starts(parsed: Any) -> list[int]:
    assert not parsed.rejects
    return [bar.ts_event for bar in parsed.observations if isinstance(bar, Bar)]


def test_intraday_bars_of_old_recordings_are_stamped_with_their_end(shared_data: Path) -> None:
    parsed = java(shared_data, "timeseries_intraday")
    assert starts(parsed) == [parse_time("2020-05-08T18:00:00Z"), parse_time("2020-05-08T17:55:00Z")]
    assert parsed.observations[0] == Bar(
        P, "IBM.US", parse_time("2020-05-08T18:00:00Z"), RECV, "5m", 121.79, 121.86, 121.7225, 121.74, 31454.0
    )
    assert starts(recorded(shared_data, "mock_time_series"))[0] == parse_time("2017-12-18T19:55:00Z")


def test_the_table_with_a_bar_of_eight_in_the_evening_is_stamped_with_ends(shared_data: Path) -> None:
    name = "mock_time_series_extended.csv"
    where = f"{API}?function=TIME_SERIES_INTRADAY_EXTENDED&symbol=IBM&interval=1min&slice=year1month1"
    parsed = recorded(shared_data, name, where)
    assert len(starts(parsed)) == 11190
    first = parsed.observations[0]
    assert first == Bar(
        P, "IBM.US", parse_time("2020-12-19T00:59:00Z"), RECV, "1m", 218.79, 218.79, 218.75, 218.75, 1102.0
    )
    assert classes(recorded(shared_data, name)) == ["malformed"]
    no_interval = f"{API}?function=TIME_SERIES_INTRADAY_EXTENDED&symbol=IBM"
    assert classes(recorded(shared_data, name, no_interval)) == ["malformed"]


def intraday(*stamps: str) -> dict[str, Any]:
    row = {"1. open": "1", "2. high": "2", "3. low": "1", "4. close": "2", "5. volume": "3"}
    meta = {"2. Symbol": "IBM", "4. Interval": "60min", "6. Time Zone": "US/Eastern"}
    return {"Meta Data": meta, "Time Series (60min)": dict.fromkeys(stamps, row)}


@pytest.mark.parametrize(
    ("stamps", "first"),
    [
        (("2025-07-01 19:00:00", "2025-07-01 04:00:00"), "2025-07-01T23:00:00Z"),
        (("2025-07-01 10:00:00",), "2025-07-01T14:00:00Z"),
        (("2021-07-01 10:00:00",), "2021-07-01T13:00:00Z"),
        (("2021-07-01 10:00:00", "2021-07-01 04:00:00"), "2021-07-01T14:00:00Z"),
        (("2025-07-01 20:00:00",), "2025-07-01T23:00:00Z"),
    ],
)
def test_ends_or_starts(stamps: tuple[str, ...], first: str) -> None:
    parsed = parse(P, intraday(*stamps))
    assert starts(parsed)[0] == parse_time(first) and parsed.observations[0].interval == "1h"  # type: ignore[union-attr]


def test_days_weeks_and_months_begin_with_their_first_midnight(shared_data: Path) -> None:
    days = java(shared_data, "timeseries_daily")
    assert starts(days) == [parse_time("2020-05-08T04:00:00Z"), parse_time("2020-05-07T04:00:00Z")]
    assert [bar.closed for bar in days.observations] == [False, True], "refreshed at 14:07"
    weeks = java(shared_data, "timeseries_weekly")
    assert starts(weeks) == [parse_time("2020-05-04T04:00:00Z"), parse_time("2020-04-27T04:00:00Z")]
    assert [(bar.interval, bar.closed) for bar in weeks.observations] == [("1w", False), ("1w", True)]
    months = java(shared_data, "timeseries_monthly")
    assert starts(months) == [parse_time("2020-05-01T04:00:00Z"), parse_time("2020-04-01T04:00:00Z")]
    assert [(bar.interval, bar.closed) for bar in months.observations] == [("1mo", False), ("1mo", True)]
    for name, interval in (("weeklyadjusted", "1w"), ("monthlyadjusted", "1mo")):
        adjusted = java(shared_data, f"timeseries_{name}")
        assert {bar.interval for bar in adjusted.observations} == {interval} and not adjusted.facts
    assert weeks.observations[0].volume == 18730017.0


def test_adjusted_days_have_their_dividend_beside_them(shared_data: Path) -> None:
    parsed = java(shared_data, "timeseries_dailyadjusted")
    at = parse_time("2020-05-07T04:00:00Z")
    assert parsed.facts == [Dividend(P, "IBM.US", at, RECV, "2020-05-07", 1.63, None)]
    assert [bar.close for bar in parsed.observations] == [121.805, 121.23]
    assert not any(bar.adjusted for bar in parsed.observations)
    row = {
        "1. open": "500",
        "2. high": "500",
        "3. low": "499",
        "4. close": "500",
        "8. split coefficient": "4.0",
    }
    body = {
        "Meta Data": {"2. Symbol": "AAPL", "5. Time Zone": "US/Eastern"},
        "Time Series (Daily)": {"2020-08-31": row},
    }
    split = [each for each in parse(P, body).observations if isinstance(each, SplitAnnounced)]
    assert split == [SplitAnnounced(P, "AAPL.US", RECV, RECV, parse_time("2020-08-31T04:00:00Z"), 1.0, 4.0)]


def test_currencies_and_coins(shared_data: Path) -> None:
    days = java(shared_data, "forex_daily")
    assert starts(days) == [parse_time("2020-05-06"), parse_time("2020-05-05")]
    first = days.observations[0]
    assert (first.instrument, first.close, first.volume != first.volume) == ("EUR-USD.FX", 1.0794, True)
    assert starts(java(shared_data, "forex_monthly")) == [parse_time("2020-05-01"), parse_time("2020-04-01")]
    assert java(shared_data, "forex_weekly").observations[0].interval == "1d", "its name says daily"
    weekly = java(shared_data, "forex_weekly", f"{API}?function=FX_WEEKLY&from_symbol=EUR&to_symbol=USD")
    assert weekly.observations[0].interval == "1w"
    assert starts(java(shared_data, "forex_intraday"))[0] == parse_time("2020-05-06T21:50:00Z")
    coins = java(shared_data, "crypto_daily")
    assert coins.observations[0].instrument == "BTC-EUR.CRYPTO" and starts(coins)[0] == parse_time(
        "2025-08-24"
    )
    assert [bar.closed for bar in coins.observations] == [False, True, True]
    assert starts(java(shared_data, "crypto_weekly")) == [
        parse_time("2025-08-18"), parse_time("2025-08-11"), parse_time("2025-08-04"),
    ]  # fmt: skip
    assert starts(java(shared_data, "crypto_monthly"))[:2] == [
        parse_time("2025-08-01"),
        parse_time("2025-07-01"),
    ]
    assert starts(java(shared_data, "crypto_intraday"))[0] == parse_time("2025-08-24T15:40:00Z")


def test_points_of_coins_are_no_bars(shared_data: Path) -> None:
    points = recorded(shared_data, "mock_crypto_currencies").observations
    assert len(points) == 923
    assert points[0] == Ticker(
        P, "BTC-CNY.CRYPTO", parse_time("2017-12-20T19:30:00Z"), RECV, 123574.46322682, volume=1.19411989
    )


def test_quotes(shared_data: Path) -> None:
    assert only(recorded(shared_data, "global_quote")) == Ticker(
        P, "MSFT.US", parse_time("2018-10-05T04:00:00Z"), RECV, 112.13, 112.63, 113.17, 110.64, 29062853.0,
        change_pct=-0.5852,
    )  # fmt: skip
    assert only(java(shared_data, "timeseries_globalquote")).last == 121.74
    empty = parse(P, {"Global Quote": {}}, f"{API}?function=GLOBAL_QUOTE&symbol=NOSUCH")
    assert classes(empty) == ["not_found"] and "NOSUCH" in empty.rejects[0].reason
    row = {"01. symbol": "TSCO.LON", "05. price": "291.5", "07. latest trading day": "2020-07-01"}
    london = only(parse(P, {"Global Quote": row}))
    assert (london.instrument, london.ts_event) == ("TSCO.XLON", parse_time("2020-06-30T23:00:00Z"))
    assert classes(java(shared_data, "timeseries_realtimebulkquote")) == ["entitlement"], (
        "its prices are made up"
    )


def test_rates(shared_data: Path) -> None:
    parsed = recorded(shared_data, "CURRENCY_EXCHANGE_RATE_EUR_USD")
    at = parse_time("2022-03-21T11:29:42Z")
    assert parsed.observations == [
        FxRate(P, "EUR-USD.FX", at, RECV, 1.1030223),
        Quote(P, "EUR-USD.FX", at, RECV, 1.1030223, None, 1.1030223, None),
    ]
    without = only(java(shared_data, "exchangerate_data-with-no-bid-or-ask-price"))
    assert (without.instrument, without.rate) == ("USD-JPY.FX", 106.89)
    assert only(recorded(shared_data, "mock_foreign_exchange")).instrument == "BTC-CNY.CRYPTO"


def test_an_overview(shared_data: Path) -> None:
    parsed = recorded(shared_data, "OVERVIEW_AAPL")
    profile = parsed.facts[0]
    assert (profile.instrument, profile.market_cap, profile.currency) == ("AAPL.US", 2824689943000.0, "USD")
    assert (profile.identifiers, profile.sector) == ({"cik": "320193"}, "TECHNOLOGY")
    found = {each.name: each for each in parsed.facts if isinstance(each, Metric)}
    assert (found["PERatio"].value, found["PERatio"].period, found["PERatio"].currency) == (
        30.69,
        None,
        "USD",
    )
    ttm = found["RevenueTTM"]
    assert (ttm.value, ttm.period, ttm.period_end) == (365817004000.0, "ttm", "2021-09-30")
    assert "ExDividendDate" not in found and "CIK" not in found
    assert recorded(shared_data, "mock_company_overview").facts[0].employees == 352600
    assert classes(parse(P, {}, f"{API}?function=OVERVIEW&symbol=NOSUCH")) == ["not_found"]
    assert classes(parse(P, {})) == ["malformed"]


def test_statements(shared_data: Path) -> None:
    parsed = recorded(shared_data, "mock_fundamental_data")
    assert not parsed.rejects
    first = parsed.facts[0]
    assert (first.instrument, first.statement, first.period) == ("IBM.US", "income", "annual")
    assert (first.period_end, first.currency) == ("2019-12-31", "USD")
    assert first.values["totalRevenue"] == 77147000000.0 and first.values["effectOfAccountingCharges"] is None
    assert {each.period for each in parsed.facts} == {"annual", "quarterly"}
    for name, kind in (("balancesheet", "balance"), ("cashflow", "cash_flow"), ("incomestatement", "income")):
        facts = java(shared_data, f"fundamentaldata_{name}").facts
        assert {each.statement for each in facts} == {kind}
        assert len({(each.period, each.period_end) for each in facts}) == len(facts), "one per report"
    body = {"symbol": "IBM", "annualReports": [{"fiscalDateEnding": "2020-12-31", "profit": "1"}]}
    assert classes(parse(P, body)) == ["malformed"]
    assert only(parse(P, body, f"{API}?function=CASH_FLOW&symbol=IBM")).statement == "cash_flow"


def test_earnings(shared_data: Path) -> None:
    facts = java(shared_data, "fundamentaldata_earnings").facts
    assert [(each.period, each.eps_actual) for each in facts[:3]] == [
        ("annual", 8.67), ("annual", None), ("quarterly", 2.58),
    ]  # fmt: skip
    assert facts[2] == Earnings(
        P, "IBM.US", parse_time("2020-09-30"), RECV, "quarterly", "2020-09-30", None, 2.58, 2.579,
        0.001, 0.0388,        reported_on="2020-10-19",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "series", "instrument", "unit", "value"),
    [
        ("cpi", "CPI", "CPI_MONTHLY", "index 1982-1984=100", 287.504),
        ("treasuryyield", "TREASURY_YIELD_10YEAR", "TREASURY_YIELD_10YEAR_MONTHLY", "percent", 2.75),
        ("realgdppercapita", "REAL_GDP", "REAL_GDP_ANNUAL", "billions of dollars", 19427.287),
        ("realgdp", "REAL_GDP_PER_CAPITA", "REAL_GDP_PER_CAPITA_QUARTERLY", "chained 2012 dollars", 59312.0),
        ("federalfundsrate", "FEDERAL_FUNDS_RATE", "FEDERAL_FUNDS_RATE_MONTHLY", "percent", 0.33),
        ("unemployment", "UNEMPLOYMENT", "UNEMPLOYMENT_MONTHLY", "percent", 3.6),
        ("durables", "DURABLES", "DURABLES_MONTHLY", "millions of dollars", 308600.0),
        ("nonfarmpayroll", "NONFARM_PAYROLL", "NONFARM_PAYROLL_MONTHLY", "thousands of persons", 149938.0),
        ("consumersentiment", "CONSUMER_SENTIMENT", "CONSUMER_SENTIMENT_MONTHLY", "index 1966:Q1=100", 59.4),
        ("inflation", "INFLATION", "INFLATION_ANNUAL", "percent", 4.69785886363739),
        ("inflationexpectation", "INFLATION_EXPECTATION", "INFLATION_EXPECTATION_MONTHLY", "percent", 5.4),
        ("retailsales", "RETAIL_SALES", "RETAIL_SALES_MONTHLY", "millions of dollars", 593300.0),
    ],
)
def test_series_of_the_economy(
    shared_data: Path, name: str, series: str, instrument: str, unit: str, value: float
) -> None:
    first = java(shared_data, f"economicindicator_{name}").facts[0]
    assert (first.series, first.instrument, first.unit) == (series, f"{instrument}.ALPHA_VANTAGE", unit)
    assert first.value == value


def test_a_missing_value_is_none_and_old_days_are_days() -> None:
    body = {"name": "10-Year Treasury Constant Maturity Rate", "interval": "monthly", "unit": "percent",
            "data": [{"date": "1953-04-01", "value": "."}, {"date": "x", "value": "1"}]}  # fmt: skip
    parsed = parse(P, body)
    assert parsed.facts == [
        Macro(P, "TREASURY_YIELD_10YEAR_MONTHLY.ALPHA_VANTAGE", parse_time("1953-04-01"), RECV,
              "TREASURY_YIELD_10YEAR", None, unit="percent", title=body["name"])
    ]  # fmt: skip
    assert classes(parsed) == ["malformed"]


def test_lists_sectors_and_hours(shared_data: Path) -> None:
    found = java(shared_data, "search_data").observations
    assert (found[0].instrument, found[0].quote, found[0].venue_symbol) == ("TSCO.XLON", "GBX", "TSCO.LON")
    assert len(recorded(shared_data, "symbol_search").observations) == 10
    figure = recorded(shared_data, "SECTOR_2022").facts[0]
    assert (figure.instrument, figure.name) == (
        "SECTOR_INFORMATION_TECHNOLOGY.INDEX",
        "Real-Time Performance",
    )
    assert (figure.value, figure.unit, figure.ts_event) == (
        2.19,
        "percent",
        parse_time("2022-03-21T11:03:51Z"),
    )
    assert recorded(shared_data, "mock_sector").facts[0].ts_event == parse_time("2017-12-20T19:08:00Z")
    hours = java(shared_data, "marketstatus_data").facts
    assert (hours[0].instrument, hours[0].status, len(hours)) == ("CALENDAR.US", "closed", 16)
    rating = java(shared_data, "crypto_rating").facts[0]
    assert (rating.instrument, rating.name, rating.value) == ("BTC.CRYPTO", "fcas score", 887.0)


def test_documented_bodies_without_a_recording() -> None:
    row = {
        "ex_dividend_date": "2025-08-08",
        "payment_date": "2025-09-10",
        "amount": "1.68",
        "record_date": "None",
    }
    dividend = only(parse(P, {"symbol": "IBM", "data": [row]}))
    assert (dividend.amount, dividend.pay_date, dividend.record_date) == (1.68, "2025-09-10", None)
    split = only(
        parse(P, {"symbol": "IBM", "data": [{"effective_date": "1999-05-27", "split_factor": "2.0000"}]})
    )
    assert (split.split_from, split.split_to) == (1.0, 2.0)
    item = {"title": "t", "url": "https://x.test/1", "time_published": "20240410T013000", "source": "Wire",
            "overall_sentiment_score": 0.25,
            "ticker_sentiment": [{"ticker": "AAPL"}, {"ticker": "CRYPTO:BTC"}]}  # fmt: skip
    news = only(parse(P, {"items": "1", "feed": [item]}))
    assert (news.ts_event, news.sentiment) == (parse_time("2024-04-10T01:30:00Z"), 0.25)
    assert news.symbols == ("AAPL.US", "CRYPTO:BTC")
    mover = {"ticker": "ABC", "price": "1.5", "change_percentage": "12.5%", "volume": "100"}
    gainer = only(parse(P, {"last_updated": "2024-04-10 16:15:59 US/Eastern", "top_gainers": [mover]}))
    assert (gainer.change_pct, gainer.ts_event) == (12.5, parse_time("2024-04-10T20:15:59Z"))
    body = {"endpoint": "Realtime Bulk Quotes", "message": "", "data": [
        {"symbol": "MSFT", "timestamp": "2024-10-18 19:59:55.291", "close": "418.16"}]}  # fmt: skip
    assert only(parse(P, body)).ts_event == parse_time("2024-10-18T23:59:55.291Z")


def test_indicators_are_unsupported(shared_data: Path) -> None:
    for path in sorted((shared_data / P / "java_client").glob("indicator_*.json")):
        assert classes(java(shared_data, path.stem)) == ["unsupported"]
    assert classes(recorded(shared_data, "mock_technical_indicator")) == ["unsupported"]


DAILY = (
    "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please "
    "subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to remove all limits."
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"Note": "Our standard API call frequency is 5 calls per minute; see premium."}, "throttled"),
        ({"Information": "Please consider spreading out your free API requests more sparingly (1 request per "
                         "second). You may subscribe to any of the premium plans."}, "throttled"),
        ({"Information": DAILY.format(key="SESAME77")}, "throttled"),
        ({"Information": "Thank you! This is a premium endpoint. You may subscribe."}, "entitlement"),
        ({"Information": "The **demo** API key is for demo purposes only."}, "auth"),
        ({"Error Message": "the parameter apikey is invalid or missing. Please claim a free one."}, "auth"),
        ({"Error Message": "Invalid API call. Please retry or visit the documentation."}, "bad_request"),
        ({"Meta Data": {}}, "malformed"),
        ([], "malformed"),
    ],
)  # fmt: skip
def test_errors_come_with_200(body: object, found: str) -> None:
    parsed = parse(P, body, f"{API}?function=GLOBAL_QUOTE&symbol=IBM&apikey=SESAME77", status=200)
    assert classes(parsed) == [found] and not said(parsed)
    assert "SESAME77" not in parsed.rejects[0].reason


def test_the_key_is_cut_out_where_no_address_says_it() -> None:
    parsed = parse(P, {"Information": DAILY.format(key="DEMOKEY")})
    assert classes(parsed) == ["throttled"] and "DEMOKEY" not in parsed.rejects[0].reason


def test_the_recorded_note(shared_data: Path) -> None:
    assert classes(recorded(shared_data, "rate_limit_Note_http200")) == ["throttled"]
