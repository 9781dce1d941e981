"""Twelve Data's recordings, and its documented bodies of which there is no recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_S, parse_time
from domain.market.observations import Bar, FxRate, SplitAnnounced, Ticker
from domain.market.reference import Dividend, Metric, Recommendation
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.twelvedata.com"
P = "twelve_data"


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, P, f"twelve_data/{name}.json", endpoint)


def of_kind(parsed: Any, kind: str) -> list[Any]:
    return [each for each in said(parsed) if each.kind == kind]


def test_times_of_a_series_are_on_the_clocks_of_the_exchange(shared_data: Path) -> None:
    parsed = recorded(shared_data, "sharp_TimeSeries_0")
    assert not parsed.rejects
    assert of_kind(parsed, "bar") == [
        Bar(
            P, "AAPL.US", parse_time("2021-03-01T20:59:00Z"), RECV, "1m", 127.6399, 127.93, 127.63, 127.79,
            1691294.0, adjusted=True,
        )
    ]  # fmt: skip
    (info,) = of_kind(parsed, "instrument")
    assert (info.instrument, info.quote) == ("AAPL.US", "USD")


def test_a_day_begins_at_midnight_of_the_exchange(shared_data: Path) -> None:
    bars = of_kind(recorded(shared_data, "batch_time_series"), "bar")
    assert [bar.instrument for bar in bars] == ["AAPL.US", "MSFT.US"]
    assert {bar.ts_event for bar in bars} == {parse_time("2024-11-22T05:00:00Z")} and bars[0].interval == "1d"


def series(**meta: Any) -> dict[str, Any]:
    row = {"datetime": "2024-07-01 10:00:00", "open": "1.5", "high": "2", "low": "1", "close": "1.7"}
    return {"meta": {"interval": "5min", **meta}, "values": [row], "status": "ok"}


def test_an_address_may_ask_for_another_zone_and_no_adjustment() -> None:
    body = series(symbol="AAPL", exchange="NASDAQ", exchange_timezone="America/New_York")
    where = f"{API}/time_series?symbol=AAPL&interval=5min&timezone=UTC&adjust=none&apikey=REDACTED"
    bar = only(parse(P, body, where))
    assert (bar.ts_event, bar.adjusted) == (parse_time("2024-07-01T10:00:00Z"), False)
    assert bar.volume != bar.volume, "no volume is no 0"


def test_currencies_and_coins_are_utc() -> None:
    euro = only(parse(P, series(symbol="EUR/USD", type="Physical Currency")))
    assert (euro.instrument, euro.ts_event) == ("EUR-USD.FX", parse_time("2024-07-01T10:00:00Z"))
    coin = series(symbol="BTC/USD", exchange="Coinbase Pro", type="Digital Currency")
    assert only(parse(P, coin)).instrument == "BTC-USD.COINBASE"
    assert only(parse(P, series(symbol="BTC/USD"))).instrument == "BTC-USD.CRYPTO"


def test_a_series_without_zone_interval_or_symbol_is_malformed() -> None:
    assert classes(parse(P, series(symbol="AAPL", exchange="NASDAQ"))) == ["malformed"]
    body = series(symbol="EUR/USD")
    del body["meta"]["interval"]
    assert classes(parse(P, body)) == ["malformed"]
    assert only(parse(P, body, f"{API}/time_series?interval=1h&symbol=EUR/USD")).interval == "1h"
    assert classes(parse(P, series())) == ["malformed"]


def test_a_bad_bar_costs_itself() -> None:
    body = series(symbol="EUR/USD")
    body["values"] += [{"datetime": "x", "open": "1", "high": "1", "low": "1", "close": "1"}, {"open": None}]
    parsed = parse(P, body)
    assert len(parsed.observations) == 1 and classes(parsed) == ["malformed"]


def test_quotes_of_a_batch(shared_data: Path) -> None:
    apple, microsoft = of_kind(recorded(shared_data, "batch_quote"), "ticker")
    assert apple == Ticker(
        P,
        "AAPL.US",
        1732305600 * NS_PER_S,
        RECV,
        229.87,
        228.84,
        230.5,
        227.25,
        35462000.0,
        change_pct=0.59074,
    )
    assert microsoft.instrument == "MSFT.US"


def test_errors_of_a_batch_stand_beside_its_answers(shared_data: Path) -> None:
    parsed = recorded(shared_data, "batch_error")
    assert len(of_kind(parsed, "bar")) == 1 and classes(parsed) == ["not_found"]
    mixed = recorded(shared_data, "batch_multi")
    assert [each.kind for each in said(mixed) if each.kind != "instrument"] == ["bar", "ticker"]
    assert classes(mixed) == ["malformed"], "the price names no symbol"
    wrapped = {
        "code": 200,
        "status": "success",
        "data": {"a": {"status": "success", "response": series(symbol="EUR/USD")}},
    }
    assert only(parse(P, wrapped)).instrument == "EUR-USD.FX"


def test_a_price_alone_needs_its_address(shared_data: Path) -> None:
    assert classes(recorded(shared_data, "sharp_RealTimePrice_0")) == ["malformed"]
    ticker = only(recorded(shared_data, "sharp_RealTimePrice_0", f"{API}/price?symbol=AAPL&apikey=REDACTED"))
    assert (ticker.instrument, ticker.last, ticker.ts_event) == ("AAPL.US", 127.79, RECV)
    batch = {"AAPL": {"price": "1"}, "EUR/USD": {"price": "2"}}
    found = [each.instrument for each in parse(P, batch, f"{API}/price?symbol=AAPL,EUR/USD").observations]
    assert found == ["AAPL.US", "EUR-USD.FX"]


def test_pence_are_said_by_the_instrument() -> None:
    body = {
        "symbol": "OCDO", "exchange": "LSE", "mic_code": "XLON", "currency": "GBp", "timestamp": 1732305600,
        "close": "1259.5", "percent_change": "0",
    }  # fmt: skip
    info, ticker = parse(P, body, f"{API}/quote?symbol=OCDO").observations
    assert (info.instrument, info.quote, ticker.last) == ("OCDO.XLON", "GBp", 1259.5)  # type: ignore[union-attr]


def test_rates(shared_data: Path) -> None:
    expected = FxRate(P, "EUR-USD.FX", 1754555760 * NS_PER_S, RECV, 1.16844)
    assert only(recorded(shared_data, "exchange_rate")) == expected
    assert only(recorded(shared_data, "currency_conversion")) == expected


def test_frames_of_the_socket(shared_data: Path) -> None:
    assert of_kind(recorded(shared_data, "websocket_price_event"), "ticker") == [
        Ticker(P, "AAPL.US", 1631772000 * NS_PER_S, RECV, 150.25)
    ]
    for name in ("websocket_heartbeat", "websocket_subscribe_status"):
        assert not said(recorded(shared_data, name)) and not recorded(shared_data, name).rejects
    frame = {"event": "price", "symbol": "BTC/USD", "exchange": "Huobi", "timestamp": 1, "price": 5, "bid": 4,
             "ask": "6", "day_volume": 7}  # fmt: skip
    ticker, quote = parse(P, frame, source="ws").observations
    assert (ticker.volume, quote.bid, quote.ask) == (7.0, 4.0, 6.0)  # type: ignore[union-attr]
    failed = {
        "event": "subscribe-status",
        "status": "error",
        "success": None,
        "fails": [{"symbol": "NOSUCH"}],
    }
    assert classes(parse(P, failed, source="ws")) == ["not_found"]
    assert classes(parse(P, failed | {"fails": None}, source="ws")) == ["bad_request"]
    assert classes(parse(P, {"event": "weather"}, source="ws")) == ["malformed"]


def test_a_four_for_one_split_has_four_new_shares(shared_data: Path) -> None:
    parsed = recorded(shared_data, "splits_calendar")
    told = raw(shared_data, "twelve_data/splits_calendar.json")
    assert not parsed.rejects and len(parsed.observations) == len(told) == 100
    reverse = parsed.observations[1]
    assert reverse == SplitAnnounced(P, "SMXWW.US", RECV, RECV, parse_time("2025-08-07T04:00:00Z"), 7.0, 1.0)
    for split, row in zip(parsed.observations, told, strict=True):
        assert split.split_from / split.split_to == pytest.approx(row["ratio"], rel=1e-4)
    row = {
        "date": "2020-08-31",
        "description": "4-for-1 split",
        "ratio": 0.25,
        "from_factor": 4,
        "to_factor": 1,
    }
    split = only(parse(P, {"meta": {"symbol": "AAPL", "exchange": "NASDAQ"}, "splits": [row]}))
    assert (split.split_from, split.split_to) == (1.0, 4.0)


def test_dividends(shared_data: Path) -> None:
    dividends = recorded(shared_data, "dividends_calendar").facts
    assert len(dividends) == 100
    at = parse_time("2029-12-14T05:00:00Z")
    assert dividends[0] == Dividend(P, "GECCH.US", at, RECV, "2029-12-14", 0.51345, None)
    body = {"meta": {"symbol": "AAPL", "exchange": "NASDAQ", "currency": "USD"},
            "dividends": [{"ex_date": "2021-08-06", "amount": 0.22}]}  # fmt: skip
    assert only(parse(P, body)).currency == "USD"


def test_earnings_of_a_company_and_of_a_day() -> None:
    row = {
        "date": "2020-04-30",
        "eps_estimate": 2.09,
        "eps_actual": "2.55",
        "difference": 0.46,
        "surprise_prc": 22.01,
    }
    body = {"meta": {"symbol": "AAPL", "exchange": "NASDAQ", "currency": "USD"}, "earnings": [row]}
    earnings = only(parse(P, body))
    assert (earnings.eps_actual, earnings.eps_estimate, earnings.surprise_pct) == (2.55, 2.09, 22.01)
    assert (earnings.reported_on, earnings.period_end, earnings.currency) == ("2020-04-30", None, "USD")
    day = {"earnings": {"2020-04-30": [row | {"symbol": "AAPL", "exchange": "NASDAQ", "currency": "USD"}]}}
    assert only(parse(P, day)) == earnings


def test_statements_have_every_line_by_its_path(shared_data: Path) -> None:
    statements = recorded(shared_data, "income_statement").facts
    assert [each.period_end for each in statements] == ["2025-12-31", "2024-12-31", "2023-12-31"]
    first = statements[0]
    assert (first.instrument, first.statement, first.period) == ("ALT.US", "income", "annual")
    assert (first.currency, first.fiscal_year) == ("USD", 2026)
    assert first.values["net_income"] == -88093000.0 and first.values["cost_of_goods"] is None
    assert first.values["operating_expense.research_and_development"] == 66432000.0
    assert first.values["non_operating_interest.expense"] == 1636000.0


@pytest.mark.parametrize(
    ("name", "line", "value"),
    [("balance_sheet_consolidated", "assets.current_assets.inventory.total_inventory", 7286000000.0),
     ("income_statement_consolidated", "earnings_per_share.diluted_eps", 6.08),
     ("cash_flow_consolidated", "cash_flow_from_operating_activities.free_cash_flow", 108807000000.0)],
)  # fmt: skip
def test_consolidated_statements_need_their_address(
    shared_data: Path, name: str, line: str, value: float
) -> None:
    assert classes(recorded(shared_data, name)) == ["malformed"]
    parsed = recorded(shared_data, name, f"{API}/{name.replace('_con', '/con')}?symbol=AAPL&period=quarterly")
    first = parsed.facts[0]
    assert (first.instrument, first.period, first.period_end) == ("AAPL.US", "quarterly", "2024-09-30")
    assert first.values[line] == value and not parsed.rejects


def test_companies(shared_data: Path) -> None:
    profile = only(recorded(shared_data, "profile"))
    assert (profile.instrument, profile.employees, profile.sector) == ("AAPL.US", 164000, "Technology")
    recommendations = recorded(shared_data, "recommendations").facts
    assert recommendations[0] == Recommendation(P, "AAPL.US", RECV, RECV, "current_month", 4, 23, 15, 1, 1)
    assert len(recommendations) == 4
    rating = recorded(shared_data, "analyst_ratings_us_equities").facts[0]
    assert (rating.event, rating.date, rating.name) == ("rating", "2025-08-07", "B of A Securities")
    assert rating.details["price_target_current"] == "250"
    assert len(recorded(shared_data, "analyst_ratings_snapshot").facts) == 30
    filing = recorded(shared_data, "edgar_fillings").facts[0]
    assert (filing.form, filing.accession, filing.filed_at) == (
        "10-Q",
        "0000320193-25-000073",
        1754006400 * NS_PER_S,
    )


def figures(parsed: Any) -> dict[tuple[str, str | None], float | None]:
    return {
        (each.name, each.period or each.period_end): each.value
        for each in parsed.facts
        if isinstance(each, Metric)
    }


def test_figures_are_metrics_by_their_path(shared_data: Path) -> None:
    estimates = recorded(shared_data, "earnings_estimate")
    assert figures(estimates)["earnings_estimate.avg_estimate", "current_quarter"] == 1.75802
    assert estimates.facts[0].period_end == "2025-09-30" and estimates.facts[0].currency == "USD"
    assert figures(recorded(shared_data, "price_target"))["price_target.median", None] == 237.0
    assert figures(recorded(shared_data, "growth_estimates"))["growth_estimates.next_year", None] == 0.0776
    assert figures(recorded(shared_data, "eps_trend"))["eps_trend.30_days_ago", "next_quarter"] == 2.41761
    assert (
        figures(recorded(shared_data, "eps_revisions"))["eps_revision.up_last_week", "current_quarter"] == 18
    )
    assert (
        figures(recorded(shared_data, "market_capitalization"))["market_cap", "2025-08-07"] == 3265333168995.0
    )
    statistics = figures(recorded(shared_data, "statistics"))
    assert statistics["statistics.valuations_metrics.market_capitalization", None] == 953495257088.0
    assert statistics["statistics.financials.balance_sheet.total_cash_mrq", None] is None
    assert ("statistics.financials.fiscal_year_ends", None) not in statistics


def test_funds(shared_data: Path) -> None:
    fund = recorded(shared_data, "etfs_world")
    assert (fund.facts[0].kind, fund.facts[0].instrument) == ("profile", "IVV.US")
    assert figures(fund)["summary.nav", None] == 413.24
    for name in ("etfs_world_risk", "mutual_funds_world_performance", "mutual_funds_world_purchase_info"):
        assert classes(recorded(shared_data, name)) == ["malformed"]
        parsed = recorded(shared_data, name, f"{API}/fund?symbol=IVV")
        assert parsed.facts and not parsed.rejects


def test_calendars_and_lists(shared_data: Path) -> None:
    listings = recorded(shared_data, "ipo_calendar").facts
    told = raw(shared_data, "twelve_data/ipo_calendar.json")
    assert len(listings) == sum(map(len, told.values()))
    assert (listings[0].instrument, listings[0].date, listings[0].details["currency"]) == (
        "BIVIW.US",
        "2025-08-08",
        "USD",
    )
    sessions = recorded(shared_data, "exchange_schedule").facts
    assert [each.details["open_time"] for each in sessions][:2] == ["04:00:00", "09:30:00"]
    listed = recorded(shared_data, "cross_listings").observations
    assert [each.instrument for each in listed][:2] == ["NVDA.US", "NVDA.XWBO"]
    assert only(recorded(shared_data, "mutual_funds_list")).instrument == "0P0001LCQ3.US"
    movers = recorded(shared_data, "market_movers_stocks").observations
    assert len(movers) == 25 and movers[0].ts_event == parse_time("2024-11-22T14:30:00Z")
    assert (movers[0].last, movers[0].volume) == (5.59, 657100.0)
    bars = recorded(shared_data, "time_series_cross").observations
    assert {bar.instrument for bar in bars} == {"JPY-BTC.CRYPTO"} and bars[0].open == 0.000000059152179
    for name in ("countries", "instrument_type", "last_changes", "etfs_family", "etfs_type", "tax_info",
                 "mutual_funds_family", "sanctioned_entities", "technical_indicators"):  # fmt: skip
        assert not recorded(shared_data, name).rejects
    pair = {
        "data": [{"symbol": "EUR/USD", "currency_group": "Major", "currency_base": "Euro"}],
        "status": "ok",
    }
    info = only(parse(P, pair))
    assert (info.base, info.quote, info.asset_class) == ("EUR", "USD", "fx")


APPLE = {"symbol": "AAPL", "exchange": "NASDAQ", "mic_code": "XNGS", "currency": "USD"}


def test_documented_bodies_without_a_recording() -> None:
    close = of_kind(parse(P, APPLE | {"datetime": "2021-09-16", "close": "148.79"}), "ticker")
    assert [(each.last, each.ts_event) for each in close] == [(148.79, parse_time("2021-09-16T04:00:00Z"))]
    state = only(parse(P, [{"code": "XNYS", "is_market_open": True, "time_to_close": "01:02:03"}]))
    assert (state.instrument, state.status, state.details) == (
        "CALENDAR.XNYS",
        "open",
        {"time_to_close": "01:02:03"},
    )
    assert only(parse(P, {"meta": APPLE, "url": "https://x.test/a.png"})).identifiers == {
        "logo": "https://x.test/a.png"
    }
    row = {
        "full_name": "A B",
        "position": "CEO",
        "date_reported": "2021-05-05",
        "shares": 5,
        "description": "Sale at 1",
    }
    sale = only(parse(P, {"meta": APPLE, "insider_transactions": [row]}))
    assert (sale.owner, sale.transactions[0].shares, sale.transactions[0].code) == ("A B", -5.0, "S")
    row = {"entity_name": "Vanguard", "date_reported": "2021-05-05", "shares": 7, "percent_held": "0.07"}
    held = parse(P, {"meta": APPLE, "institutional_holders": [row]})
    assert figures(held) == {
        ("institutional_holders.Vanguard.shares", "2021-05-05"): 7.0,
        ("institutional_holders.Vanguard.percent_held", "2021-05-05"): 0.07,
    }
    for body in ({"current_usage": 1, "plan_limit": 8}, {"datetime": "1980-12-12", "unix_time": 1},
                 {"data": [{"name": "BitMEX"}]}, {"meta": APPLE, "key_executives": []}):  # fmt: skip
        parsed = parse(P, body)
        assert not parsed.rejects and not said(parsed)


def test_indicators_are_unsupported(shared_data: Path) -> None:
    for name in (
        "exponential_moving_average",
        "heikinashi_candles",
        "sharp_AdxValues_0",
        "time_series_forecast",
    ):
        assert classes(recorded(shared_data, name)) == ["unsupported"]


@pytest.mark.parametrize(
    ("code", "message", "found"),
    [
        (401, "**apikey** parameter is incorrect or not specified.", "auth"),
        (403, "/earnings is available exclusively with grow or pro or ultra plans.", "entitlement"),
        (404, "**symbol** not found: XYZ", "not_found"),
        (400, "No data is available on the specified dates. Try different start/end dates.", "not_found"),
        (429, "You have run out of API credits for the current minute. 9 were used.", "throttled"),
        (429, "You have run out of API credits for the day.", "throttled"),
        (400, "Invalid **interval** provided: 2min.", "bad_request"),
        (500, "Something went wrong on our side.", "upstream"),
        (429, "", "throttled"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 403])
def test_errors_have_their_class_also_with_200(code: int, message: str, found: str, status: int) -> None:
    body = {"code": code, "message": message, "status": "error"}
    parsed = parse(P, body, f"{API}/quote?symbol=AAPL&apikey=sesame77", status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_recorded_errors(shared_data: Path) -> None:
    for name in ("AdxValues_1", "BollingerBands_1", "Quote_2", "RealTimePrice_1", "TimeSeries_1"):
        assert classes(recorded(shared_data, f"sharp_{name}")) == ["auth"]
    for name in ("AdxValues_2", "BollingerBands_2", "Quote_1", "RealTimePrice_2", "TimeSeries_2"):
        assert classes(recorded(shared_data, f"sharp_{name}")) == ["not_found"]
