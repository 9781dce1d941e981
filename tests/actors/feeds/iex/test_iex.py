"""IEX Cloud's recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_MS, parse_time
from domain.market.observations import Bar, FxRate, Quote, SplitAnnounced, Ticker, Trade
from domain.market.reference import Dividend, Earnings
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://cloud.iexapis.com/v1"
P = "iex"


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    file = name if "." in name else f"{name}.json"
    return parse_recorded(shared_data, P, f"iex/{file}", endpoint)


def plain(shared_data: Path, name: str) -> Any:
    """Without the address that it was fetched from."""
    return parse(P, (shared_data / "iex" / name).read_bytes())


def test_a_quote_has_its_change_in_percent(shared_data: Path) -> None:
    assert only(recorded(shared_data, "quote_msft")) == Ticker(
        P, "MSFT.US", 1554408000193 * NS_PER_MS, RECV, 119.36, 120.0, 120.23, 118.38, 20088221.0,
        change_pct=-0.508, market_cap=915754985600.0,
    )  # fmt: skip
    coin = only(recorded(shared_data, "crypto_btcusdt"))
    assert (coin.instrument, coin.last, coin.volume) == ("BTC-USDT.CRYPTO", 3563.22, 28053.196533)


def test_the_best_prices_at_iex_are_of_iex_alone(shared_data: Path) -> None:
    body = raw(shared_data, "iex/quote_msft.json")
    body |= {"iexBidPrice": 119.3, "iexBidSize": 100, "iexAskPrice": "119.4", "iexAskSize": 200}
    _, quote = parse(P, body, f"{API}/stock/MSFT/quote").observations
    at = 1554407999529 * NS_PER_MS
    assert quote == Quote(P, "MSFT.IEXG", at, RECV, 119.3, 100.0, 119.4, 200.0)


def test_minutes_are_of_trades_at_iex(shared_data: Path) -> None:
    parsed = recorded(shared_data, "chart_1d")
    rows = raw(shared_data, "iex/chart_1d.json")
    assert not parsed.rejects
    assert len(parsed.observations) == sum(row["close"] is not None for row in rows) == 388
    assert parsed.observations[0] == Bar(
        P, "MSFT.IEXG", parse_time("2019-08-09T13:30:00Z"), RECV, "1m", 138.72, 138.72, 138.5, 138.68, 3673.0,
        23, 138.632,
    )  # fmt: skip
    assert {bar.interval for bar in recorded(shared_data, "chart_chartInterval").observations} == {"10m"}
    assert set(classes(parse(P, rows, symbol="MSFT"))) == {"malformed"}, "no interval"


def test_days_begin_in_new_york(shared_data: Path) -> None:
    days = recorded(shared_data, "chart_msft").observations
    assert days[0] == Bar(
        P, "MSFT.US", parse_time("2019-07-10T04:00:00Z"), RECV, "1d", 137.13, 138.58, 137.02, 137.85,
        24204362.0, adjusted=True,
    )  # fmt: skip
    assert len(days) == 23
    assert len(recorded(shared_data, "dynamic_1m").observations) == 23
    day = only(recorded(shared_data, "historical_prices_msft_date_and_chart_by_day"))
    assert (day.ts_event, day.interval) == (parse_time("2020-11-10T05:00:00Z"), "1d")
    assert classes(plain(shared_data, "chart_msft.json")) == ["malformed"] * 1, "whose?"


def test_dividends_and_splits(shared_data: Path) -> None:
    dividends = recorded(shared_data, "dividends_msft").facts
    assert len(dividends) == 3
    assert dividends[0] == Dividend(
        P, "MSFT.US", parse_time("2019-05-15T04:00:00Z"), RECV, "2019-05-15", 0.46, "USD", "2019-06-13",
        "2019-05-16", "2019-03-11", 4, "No Change QoQ",
    )  # fmt: skip
    assert len(recorded(shared_data, "dividends_msft_default_range").facts) == 1
    assert not said(recorded(shared_data, "dividends_msft_invalid_range"))
    row = {"exDate": "2020-08-31", "ratio": 0.25, "toFactor": 4, "fromFactor": 1}
    split = only(parse(P, [row], f"{API}/stock/AAPL/splits/5y"))
    assert split == SplitAnnounced(P, "AAPL.US", RECV, RECV, parse_time("2020-08-31T04:00:00Z"), 1.0, 4.0)


@pytest.mark.parametrize(
    ("name", "kind", "line", "value"),
    [("income_msft", "income", "totalRevenue", 37154000000.0),
     ("balance_sheet_msft", "balance", "goodwill", 43890000000.0),
     ("cash_flow_msft", "cash_flow", "netBorrowings", None)],
)  # fmt: skip
def test_statements(shared_data: Path, name: str, kind: str, line: str, value: float | None) -> None:
    statement = only(recorded(shared_data, name))
    assert (statement.instrument, statement.statement, statement.period) == ("MSFT.US", kind, "quarterly")
    assert (statement.period_end, statement.currency) == ("2020-09-30", "USD")
    assert statement.values[line] == value and "reportDate" not in statement.values
    annual = recorded(
        shared_data, name, f"{API}/stock/MSFT/{name.split('_msft')[0].replace('_', '-')}?period=annual"
    )
    assert only(annual).period == "annual"


def test_a_company_without_statements_has_none(shared_data: Path) -> None:
    assert (
        not said(recorded(shared_data, "income_nsrgy")) and not recorded(shared_data, "income_nsrgy").rejects
    )


def test_earnings(shared_data: Path) -> None:
    assert only(recorded(shared_data, "earnings_msft")) == Earnings(
        P, "MSFT.US", parse_time("2018-12-31"), RECV, "quarterly", "2018-12-31", None, 1.1, 1.09, 0.01,
        reported_on="2019-01-30", fiscal_year=2018, fiscal_period="Q4",
    )  # fmt: skip


def test_companies_and_figures(shared_data: Path) -> None:
    profile = only(recorded(shared_data, "company_msft"))
    assert (profile.instrument, profile.employees, profile.exchange) == ("MSFT.US", 131000, "NASDAQ")
    assert only(recorded(shared_data, "logo_msft")).identifiers["logo"].endswith("MSFT.png")
    stats = {each.name: each for each in recorded(shared_data, "key_stats_msft").facts}
    assert (stats["marketcap"].value, stats["ttmEPS"].period) == (990869169557.0, "ttm")
    assert "companyName" not in stats and "exDividendDate" not in stats
    assert len(recorded(shared_data, "advanced_stats_msft").facts) > 40
    one = only(recorded(shared_data, "key_stat_individual"))
    assert (one.instrument, one.name, one.value) == ("VTI.US", "ttmDividendRate", 2.7887693754001748)
    assert classes(plain(shared_data, "key_stat_individual.json")) == ["malformed"]


def test_news(shared_data: Path) -> None:
    items = recorded(shared_data, "news_msft").facts
    first = items[0]
    assert len(items) == 10 and first.instrument == "IEX.NEWS"
    assert (first.title, first.summary) == ("Spotify joins Microsoft's Xbox Game Bar", None)
    assert (first.ts_event, first.symbols) == (1554412248000 * NS_PER_MS, ("MSFT.US",))


def test_trades_prices_and_the_day(shared_data: Path) -> None:
    trades = recorded(shared_data, "largest-trades_aapl").observations
    assert len(trades) == 10
    at = 1554402911513 * NS_PER_MS
    assert trades[1] == Trade(P, "AAPL.US", at, RECV, 195.65, 17425.0, conditions=("EDGX",))
    assert trades[0].conditions == ()
    price = only(recorded(shared_data, "price_msft"))
    assert (price.instrument, price.last, price.ts_event) == ("MSFT.US", 119.36, RECV)
    assert classes(plain(shared_data, "price_msft.json")) == ["malformed"]
    day = only(recorded(shared_data, "ohlc_msft"))
    assert (day.last, day.open, day.high, day.low) == (119.36, 120.0, 120.23, 118.38)
    market = recorded(shared_data, "ohlc_market")
    told = raw(shared_data, "iex/ohlc_market.json")
    assert not market.rejects and market.observations[0].instrument == "BXS.US"
    priced = [row for row in told.values() if (row.get("close") or {}).get("price") is not None]
    assert len(market.observations) == len(priced)


def test_rates_sectors_and_lists(shared_data: Path) -> None:
    at = 1627045829863 * NS_PER_MS
    assert only(recorded(shared_data, "fx_latest_one_symbol")) == FxRate(P, "USD-CAD.FX", at, RECV, 1.25674)
    sector = recorded(shared_data, "sectors_sectors-performance").facts[0]
    assert (sector.instrument, sector.value, sector.unit) == ("SECTOR_MATERIALS.INDEX", 1.013, "percent")
    active = recorded(shared_data, "stock_market_list_mostactive").observations
    assert (active[0].instrument, active[0].open, active[0].change_pct) == ("AMD.US", None, -1.496)
    listed = recorded(shared_data, "ref-data_exchange_symbols").observations
    assert len(listed) == 2351 and (listed[0].instrument, listed[0].quote) == ("A.XTSE", "CAD")
    isin = recorded(shared_data, "ref-data_isin").observations
    assert [(each.instrument, each.aliases) for each in isin] == [
        ("AAPL.US", ("US0378331005",)), ("APC.XETR", ("US0378331005",)),
    ]  # fmt: skip
    assert len(recorded(shared_data, "ref-data_isin_mapped").observations) == 5
    assert classes(recorded(shared_data, "ref-data_wrong_isin_mapped")) == ["not_found"]
    assert classes(plain(shared_data, "ref-data_wrong_isin_mapped.json")) == ["not_found"]


def test_documented_bodies_without_a_recording() -> None:
    row = {"symbol": "MSFT", "date": "2019-04-03", "open": 1, "high": 2, "low": 1, "close": 2, "volume": 3}
    day = only(parse(P, row, f"{API}/stock/MSFT/previous"))
    assert (day.instrument, day.interval, day.ts_event) == (
        "MSFT.US",
        "1d",
        parse_time("2019-04-03T04:00:00Z"),
    )
    row = {
        "symbol": "MSFT",
        "delayedPrice": 143.08,
        "high": 143.9,
        "low": 142,
        "delayedPriceTime": 1498762739791,
    }
    assert only(parse(P, row, f"{API}/stock/MSFT/delayed-quote")).ts_event == 1498762739791 * NS_PER_MS
    assert only(parse(P, ["AAPL", "IBM"], f"{API}/stock/MSFT/peers")).peers == ("AAPL", "IBM")
    row = {"consensusStartDate": 1542240000000, "ratingBuy": 8, "ratingOverweight": 2, "ratingHold": 1,
           "ratingUnderweight": 1, "ratingSell": 0}  # fmt: skip
    counts = only(parse(P, [row], f"{API}/stock/MSFT/recommendation-trends"))
    assert (counts.period, counts.strong_buy, counts.strong_sell) == ("2018-11-15", 8, 0)
    coin = only(parse(P, {"symbol": "BTCUSDT", "price": "3500.5"}, f"{API}/crypto/BTCUSDT/price"))
    assert (coin.instrument, coin.last) == ("BTC-USDT.CRYPTO", 3500.5)
    row = {"symbol": "USDCAD", "rate": 1.25, "timestamp": 1627045829863}
    assert only(parse(P, [[row]], f"{API}/fx/historical?symbols=USDCAD")).rate == 1.25
    assert only(parse(P, row, f"{API}/fx/convert?symbols=USDCAD")).rate == 1.25


def test_what_iex_itself_quotes_and_sells_is_of_iex() -> None:
    row = {"symbol": "SNAP", "bidSize": 200, "bidPrice": 110.94, "askSize": 0, "askPrice": 0,
           "lastSalePrice": "111.76", "lastSaleSize": 5, "lastSaleTime": 1480446905681,
           "lastUpdated": 1480446910557}  # fmt: skip
    quote, trade = parse(P, [row], f"{API}/tops?symbols=SNAP").observations
    assert quote == Quote(P, "SNAP.IEXG", 1480446910557 * NS_PER_MS, RECV, 110.94, 200.0, None, None)
    assert trade == Trade(P, "SNAP.IEXG", 1480446905681 * NS_PER_MS, RECV, 111.76, 5.0)
    row = {"symbol": "SNAP", "price": 111.76, "size": 5, "time": 1480446905681}
    assert only(parse(P, [row], f"{API}/tops/last?symbols=SNAP")) == trade


def test_financials_and_estimates() -> None:
    row = {"reportDate": "2017-03-31", "currency": "USD", "grossProfit": 20591000000, "totalDebt": None}
    facts = only(parse(P, {"symbol": "AAPL", "financials": [row]}, f"{API}/stock/AAPL/financials"))
    assert (facts.statement, facts.period_end, facts.currency) == ("facts", "2017-03-31", "USD")
    assert facts.values == {"grossProfit": 20591000000.0, "totalDebt": None}
    row = {
        "consensusEPS": 2.02,
        "fiscalPeriod": "Q2 2017",
        "fiscalEndDate": "2017-03-31",
        "reportDate": "2017-04-15",
    }
    estimate = only(parse(P, {"symbol": "AAPL", "estimates": [row]}))
    assert (estimate.eps_actual, estimate.eps_estimate, estimate.reported_on) == (None, 2.02, "2017-04-15")


def test_a_batch_has_an_object_per_symbol(shared_data: Path) -> None:
    body = {"MSFT": {"quote": raw(shared_data, "iex/quote_msft.json"), "price": 1.5}}
    parsed = parse(P, body, f"{API}/stock/market/batch?symbols=msft&types=quote,price")
    assert [each.instrument for each in parsed.observations] == ["MSFT.US"] and classes(parsed) == [
        "unsupported"
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [("balance_sheet_invalid.txt", "not_found"), ("cash_flow_invalid.txt", "not_found"),
     ("chart_bad_option.json", "bad_request"), ("client_access_denied.txt", "auth"),
     ("historical_prices_invalid_date.txt", "bad_request"), ("historical_prices_invalid_range.txt", "auth")],
)  # fmt: skip
def test_recorded_errors(shared_data: Path, name: str, found: str) -> None:
    assert classes(recorded(shared_data, name)) == [found] == classes(plain(shared_data, name))


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ("You have exceeded your allotted message quota.", 402, "throttled"),
        ("An API key is required to access this data and no key was provided", 402, "auth"),
        ("Too many requests", 429, "throttled"),
        ("The requested data is not available to your current tier.", 402, "entitlement"),
        ("", 500, "upstream"),
    ],
)
def test_errors_are_sentences(body: str, status: int, found: str) -> None:
    assert classes(parse(P, body, f"{API}/stock/MSFT/quote?token=REDACTED", status=status)) == [found]


def test_an_unknown_share_has_an_empty_chart(shared_data: Path) -> None:
    parsed = recorded(shared_data, "historical_prices_abcd")
    assert not said(parsed) and not parsed.rejects
