"""Massive's (Polygon's) recordings, and its documented bodies of which there is no recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_MS, parse_time
from domain.market.observations import Bar, BookSnapshot, FxRate, Quote, SplitAnnounced, Ticker, Trade
from domain.market.reference import Dividend, OptionQuote
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.massive.com"
P = "massive"


def recorded(shared_data: Path, name: str) -> Any:
    return parse_recorded(shared_data, P, f"polygon/rest/{name}.json")


def told(shared_data: Path, name: str) -> Any:
    return raw(shared_data, f"polygon/rest/{name}.json")


DAY_BARS = "v2__aggs__ticker__AAPL__range__1__day__2005-04-01__2005-04-04"


def test_bars_of_a_range_start_where_they_are_stamped(shared_data: Path) -> None:
    parsed = recorded(shared_data, DAY_BARS)
    rows = told(shared_data, DAY_BARS)["results"]
    assert not parsed.rejects and len(parsed.observations) == 2
    for bar, row in zip(parsed.observations, rows, strict=True):
        assert bar == Bar(
            P, "AAPL.US", row["t"] * NS_PER_MS, RECV, "1d", row["o"], row["h"], row["l"], row["c"], row["v"],
            row["n"], row["vw"], adjusted=True,
        )  # fmt: skip
    assert parsed.observations[0].ts_event == parse_time("2005-04-01T05:00:00Z")


def test_bars_without_an_address_are_malformed(shared_data: Path) -> None:
    body = (shared_data / f"polygon/rest/{DAY_BARS}.json").read_text()
    assert classes(parse(P, body)) == ["malformed"]
    where = f"{API}/v2/aggs/ticker/AAPL/range/5/minute/1/2?apiKey=REDACTED"
    assert {bar.interval for bar in parse(P, body, where).observations} == {"5m"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("count", "span", "interval"),
    [(1, "minute", "1m"), (60, "minute", "1h"), (1, "hour", "1h"), (1, "week", "1w"), (1, "month", "1mo"),
     (1, "quarter", "3mo"), (1, "year", "1y"), (1, "second", "1s"), (30, "minute", "30m")],
)  # fmt: skip
def test_intervals(count: int, span: str, interval: str) -> None:
    row = {"t": 1626912000000, "o": 1.5, "h": 2, "l": 1, "c": "1.7", "v": "3"}
    body = {"ticker": "C:EURUSD", "adjusted": False, "results": [row]}
    bar = only(parse(P, body, f"{API}/v2/aggs/ticker/C:EURUSD/range/{count}/{span}/a/b"))
    assert (bar.instrument, bar.interval, bar.close, bar.adjusted) == ("EUR-USD.FX", interval, 1.7, False)


def test_an_unknown_span_is_malformed_and_a_null_bar_is_left_out() -> None:
    row = {"t": 1626912000000, "o": None, "h": None, "l": None, "c": None, "v": 0}
    body = {"ticker": "A", "results": [row]}
    assert not said(parse(P, body, f"{API}/v2/aggs/ticker/A/range/1/day/a/b"))
    assert classes(parse(P, body, f"{API}/v2/aggs/ticker/A/range/1/fortnight/a/b")) == ["malformed"]
    bare = {"ticker": "A", "results": [{"t": 1626912000000, "c": 1}]}
    assert classes(parse(P, bare, f"{API}/v2/aggs/ticker/A/range/1/day/a/b")) == ["malformed"]


def test_days_stamped_with_their_end_start_at_midnight(shared_data: Path) -> None:
    bar = only(recorded(shared_data, "v2__aggs__ticker__AAPL__prev"))
    assert bar.ts_event == parse_time("2022-04-26T04:00:00Z") and bar.interval == "1d"
    assert (bar.close, bar.volume, bar.trades, bar.vwap) == (156.8, 95595226.0, 899965, 158.6074)
    name = "v2__aggs__grouped__locale__us__market__stocks__2005-04-04+adjusted-true"
    grouped = only(recorded(shared_data, name))
    assert (grouped.instrument, grouped.ts_event) == ("GIK.US", parse_time("2020-10-14T04:00:00Z"))
    row = {"T": "C:GBPCAD", "t": 1602719999999, "o": 1.7, "h": 1.8, "l": 1.6, "c": 1.71, "v": 1}
    where = f"{API}/v2/aggs/grouped/locale/global/market/fx/2020-10-14"
    assert only(parse(P, {"results": [row]}, where)).ts_event == parse_time("2020-10-14")


def test_a_day_s_opening_and_closing(shared_data: Path) -> None:
    bar = only(recorded(shared_data, "v1__open-close__AAPL__2005-04-01+adjusted-true"))
    at = parse_time("2021-04-01T04:00:00Z")
    assert bar == Bar(P, "AAPL.US", at, RECV, "1d", 123.66, 124.18, 122.49, 123.0, 75089134.0, adjusted=True)


def test_last_trade_and_last_quote(shared_data: Path) -> None:
    assert only(recorded(shared_data, "v2__last__trade__AAPL")) == Trade(
        P, "AAPL.US", 1651179319310617300, RECV, 166.25, 2.0, None, "237688", ("12", "37")
    )
    assert only(recorded(shared_data, "v2__last__nbbo__AAPL")) == Quote(
        P, "AAPL.US", 1652192754171838500, RECV, 155.65, 1.0, 155.66, 14.0
    )
    assert only(recorded(shared_data, "v1__last__crypto__BTC__USD")) == Trade(
        P, "BTC-USD.CRYPTO", 1651180409688 * NS_PER_MS, RECV, 39976.89682331, 0.005, conditions=("2",)
    )
    assert only(recorded(shared_data, "v1__last_quote__currencies__AUD__USD")) == Quote(
        P, "AUD-USD.FX", 1652193694000 * NS_PER_MS, RECV, 0.6952, None, 0.69527, None
    )


def test_a_conversion_is_a_rate(shared_data: Path) -> None:
    name = "v1__conversion__AUD__USD+amount-100+precision-2"
    expected = FxRate(P, "AUD-USD.FX", 1652195426000 * NS_PER_MS, RECV, 0.6931)
    assert only(recorded(shared_data, name)) == expected


def test_trades_and_quotes_are_of_the_ticker_of_their_address(shared_data: Path) -> None:
    trades = recorded(shared_data, "v3__trades__AAPL+limit-2")
    assert [each.price for each in trades.observations] == [156.43, 157.43] and not trades.rejects
    first = trades.observations[0]
    assert (first.instrument, first.ts_event, first.trade_id) == ("AAPL.US", 1651181822461979400, "183276")
    quotes = recorded(shared_data, "v3__quotes__AAPL")
    assert len(quotes.observations) == 10
    assert quotes.observations[0] == Quote(P, "AAPL.US", 1652191872800638700, RECV, 155.85, 4.0, 155.87, 3.0)
    body = (shared_data / "polygon/rest/v3__trades__AAPL+limit-2.json").read_text()
    assert classes(parse(P, body)) == ["malformed"]
    row = {"conditions": [1], "id": "1", "participant_timestamp": 1625097600103000000, "price": 3, "size": 1}
    assert only(parse(P, {"results": [row]}, f"{API}/v3/trades/X:BTC-USD")).instrument == "BTC-USD.CRYPTO"


def test_snapshots_give_the_day_and_the_best_prices(shared_data: Path) -> None:
    name = "v2__snapshot__locale__us__markets__stocks__tickers__AAPL"
    ticker, quote = recorded(shared_data, name).observations
    at = 1651251948294080343
    assert ticker == Ticker(
        P, "AAPL.US", at, RECV, 159.99, 161.84, 166.2, 159.8, 68840127.0, change_pct=-2.231
    )
    assert quote == Quote(P, "AAPL.US", 1651251948407646487, RECV, 159.98, 3.0, 159.99, 5.0)
    gainers = recorded(shared_data, "v2__snapshot__locale__us__markets__stocks__gainers").observations
    assert [each.instrument for each in gainers] == ["NVCN.US", "NVCN.US", "BIOL.US", "BIOL.US"]
    row = {
        "ticker": "X:FSNUSD", "updated": 1605330008999, "todaysChangePerc": 4.27, "lastTrade": {"p": 0.293},
        "day": {"o": 0.28, "h": 0.597, "l": 0.237, "c": 0.296, "v": 4097699.5},
    }  # fmt: skip
    coin = only(parse(P, {"status": "OK", "tickers": [row]}))
    assert (coin.instrument, coin.ts_event, coin.last) == ("FSN-USD.CRYPTO", 1605330008999 * NS_PER_MS, 0.293)


def test_a_book_of_all_exchanges(shared_data: Path) -> None:
    name = "v2__snapshot__locale__global__markets__crypto__tickers__X_BTCUSD__book"
    book = only(recorded(shared_data, name))
    assert isinstance(book, BookSnapshot) and book.instrument == "BTC-USD.CRYPTO"
    assert book.bids == ((16303.17, 2.0), (16302.94, 0.02859424 + 0.023455))
    assert book.asks == ((11454.0, 1.0), (11455.0, 1.0)) and book.ts_event == 1605295074162 * NS_PER_MS


def test_the_universal_snapshot_has_rows_of_every_kind(shared_data: Path) -> None:
    parsed = recorded(shared_data, "v3__snapshot")
    assert [each.kind for each in said(parsed)] == ["ticker", "quote", "option"]
    assert classes(parsed) == ["not_found"]
    indices = recorded(shared_data, "v3__snapshot__indices+ticker.any_of-SPX,APx,APy")
    assert (indices.observations[0].instrument, indices.observations[0].last) == ("SPX.INDEX", 3822.39)
    assert classes(indices) == ["not_found", "entitlement"]
    name = "v1__summaries+ticker.any_of-NCLH,O_NCLH221014C00005000,C_EURUSD,X_BTCUSD,APx"
    summaries = said(recorded(shared_data, name))
    assert {each.instrument for each in summaries} == {
        "NCLH.US", "NCLH221014C00005000.OPRA", "EUR-USD.FX", "BTC-USD.CRYPTO",
    }  # fmt: skip


def test_an_option_with_its_greeks(shared_data: Path) -> None:
    option = only(recorded(shared_data, "v3__snapshot__options__AAPL__O_AAPL230616C00150000"))
    assert option == OptionQuote(
        P, "AAPL230616C00150000.OPRA", 1651254260800059648, RECV, "AAPL.US", "2023-06-16", 150.0, "call",
        "american", 100.0, 28.9, 294.0, 29.25, 209.0, 29.25, 8.0, 8133.0, 0.3570277203465058,
        0.6436614934293701, 0.0061735291012820675, -0.028227189324641973, 0.6381159723175714,
    )  # fmt: skip
    contract = only(recorded(shared_data, "v3__reference__options__contracts__OEVRI240119C00002500"))
    assert (contract.instrument, contract.underlying) == ("EVRI240119C00002500.OPRA", "EVRI.US")
    assert (contract.strike, contract.expiry, contract.bid) == (2.5, "2024-01-19", None)
    assert len(recorded(shared_data, "v3__reference__options__contracts").facts) == 10


def test_dividends_and_splits(shared_data: Path) -> None:
    dividends = recorded(shared_data, "v3__reference__dividends").facts
    assert len(dividends) == 10
    assert dividends[0] == Dividend(
        P, "CSSEN.US", parse_time("2025-06-12T04:00:00Z"), RECV, "2025-06-12", 0.59375, None, "2025-06-30",
        "2025-06-15", "2020-09-09", 4, "CD",
    )  # fmt: skip
    splits = recorded(shared_data, "v3__reference__splits").observations
    effective = parse_time("2022-07-18T04:00:00Z")
    assert len(splits) == 10 and splits[0] == SplitAnnounced(P, "GOOGL.US", RECV, RECV, effective, 1.0, 20.0)
    row = {
        "ticker": "AAPL", "cash_amount": "0.26", "currency": "USD", "ex_dividend_date": "2025-08-11",
        "distribution_type": "recurring", "frequency": 4,
    }  # fmt: skip
    paid = only(parse(P, {"status": "OK", "results": [row]}, f"{API}/stocks/v1/dividends?ticker=AAPL"))
    assert (paid.amount, paid.currency, paid.dividend_type) == (0.26, "USD", "recurring")
    row = {"ticker": "AAPL", "execution_date": "2020-08-31", "split_from": 1, "split_to": 4}
    split = only(parse(P, {"results": [row]}, f"{API}/stocks/v1/splits"))
    assert (split.split_from, split.split_to) == (1.0, 4.0)


def test_tickers_and_companies(shared_data: Path) -> None:
    listed = recorded(shared_data, "v3__reference__tickers").observations
    assert [each.instrument for each in listed] == ["A.US", "AA.US"]
    assert (listed[0].quote, listed[0].asset_class, listed[0].status) == ("USD", "equity", "trading")
    (profile,) = recorded(shared_data, "v3__reference__tickers__AAPL").facts
    assert (profile.market_cap, profile.shares_outstanding) == (2488795282370.0, 16319440000.0)
    assert (profile.exchange, profile.currency, profile.employees) == ("XNAS", "USD", 154000)
    assert (profile.listed_on, profile.identifiers["cik"]) == ("1980-12-12", "0000320193")
    legacy = only(recorded(shared_data, "meta_symbols_TSLA_company_legacy_real"))
    assert (legacy.instrument, legacy.market_cap, legacy.sector) == (
        "TSLA.US",
        59838568121.0,
        "Consumer Cyclical",
    )
    assert legacy.currency is None and "figi" not in legacy.identifiers and "TM" in legacy.peers
    renamed = only(recorded(shared_data, "vX__reference__tickers__META__events+types-ticker_change"))
    assert (renamed.instrument, renamed.aliases) == ("META.US", ("FB",))
    body = {"stock_symbol": "AAPL", "results": [{"ticker": "MSFT"}, {"ticker": "GOOGL"}]}
    assert only(parse(P, body)).peers == ("MSFT", "GOOGL")


def test_exchanges_and_codes(shared_data: Path) -> None:
    exchanges = recorded(shared_data, "v3__reference__exchanges").facts
    assert len(exchanges) == 24
    assert (exchanges[0].instrument, exchanges[0].name) == ("XASE.EXCHANGE", "NYSE American, LLC")
    for name in ("v3__reference__conditions+asset_class-stocks", "v3__reference__tickers__types"):
        assert not said(recorded(shared_data, name)) and not recorded(shared_data, name).rejects


def test_news(shared_data: Path) -> None:
    item = only(recorded(shared_data, "v2__reference__news+ticker-NFLX"))
    assert (item.instrument, item.source) == ("MASSIVE.NEWS", "MarketWatch")
    assert item.id == "JeJEhAVoKaqJ2zF9nzQYMg07UlEeWlis6Dsop33TPQY"
    assert item.ts_event == item.published_at == parse_time("2022-04-28T17:08:00Z")
    assert "MSFT.US" in item.symbols and item.sentiment is None


def test_the_calendar(shared_data: Path) -> None:
    days = recorded(shared_data, "v1__marketstatus__upcoming").facts
    rows = told(shared_data, "v1__marketstatus__upcoming")
    assert len(days) == 14
    assert (days[0].instrument, days[0].event, days[0].date) == ("CALENDAR.XNYS", "holiday", "2022-05-30")
    for day, row in zip(days, rows, strict=True):
        assert (day.event == "early_close") == (row["status"] == "early-close")
        assert day.closes == (parse_time(row["close"]) if "close" in row else None)
    now = recorded(shared_data, "v1__marketstatus__now").facts
    assert {each.exchange: each.status for each in now}["crypto"] == "open" and len(now) == 6
    assert now[0].ts_event == parse_time("2022-04-28T20:48:08Z")


def test_statements_old_and_new(shared_data: Path) -> None:
    statements = recorded(shared_data, "vX__reference__financials").facts
    found = {each.statement: each for each in statements}
    assert set(found) == {"income", "balance", "cash_flow", "facts"}
    balance = found["balance"]
    assert (balance.instrument, balance.period, balance.period_end) == (
        "CIK0001413447.US", "quarterly", "2022-04-03",
    )  # fmt: skip
    assert (balance.currency, balance.fiscal_year, balance.fiscal_period) == ("USD", 2022, "Q1")
    assert balance.values["assets"] == 21321000000.0 and balance.filed_on == "2022-05-03"
    row = {
        "tickers": ["AAPL"], "cik": "0000320193", "period_end": "2025-06-28", "timeframe": "quarterly",
        "fiscal_year": 2025, "fiscal_quarter": 3, "revenue": 94036000000, "net_income": None,
    }  # fmt: skip
    body = {"status": "OK", "results": [row, row | {"timeframe": "?"}]}
    for name, kind in (("income-statements", "income"), ("balance-sheets", "balance"),
                       ("cash-flow-statements", "cash_flow")):  # fmt: skip
        parsed = parse(P, body, f"{API}/stocks/financials/v1/{name}?tickers=AAPL")
        (one,) = parsed.facts
        assert (one.statement, one.instrument, one.period) == (kind, "AAPL.US", "quarterly")  # type: ignore[union-attr]
        assert one.values == {"revenue": 94036000000.0, "net_income": None}  # type: ignore[union-attr]
        assert classes(parsed) == ["malformed"]


def test_indicators_are_unsupported(shared_data: Path) -> None:
    for path in (shared_data / "polygon/rest").glob("v1__indicators__*"):
        assert classes(parse_recorded(shared_data, P, f"polygon/rest/{path.name}")) == ["unsupported"]
        assert classes(parse(P, path.read_bytes())) == ["unsupported"]


def test_frames_of_the_socket(shared_data: Path) -> None:
    frames = (shared_data / "polygon/ws/mock_server_messages.jsonl").read_text().splitlines()
    parsed = [parse(P, frame, source="ws") for frame in frames]
    assert not any(each.rejects for each in parsed)
    assert [len(each.observations) for each in parsed] == [0, 0, 0, 1, 2]
    assert parsed[3].observations == [
        Trade(P, "AAPL.US", 1651684192462 * NS_PER_MS, RECV, 161.87, 300.0, None, "5096", ("14", "41"))
    ]


T0 = 1610144640000


@pytest.mark.parametrize(
    ("frame", "instrument", "kind"),
    [
        ({"ev": "Q", "sym": "MSFT", "bp": 114.125, "bs": 100, "ap": 114.128, "as": 1, "t": T0},
         "MSFT.US", "quote"),
        ({"ev": "C", "p": "USD/CNH", "x": "44", "a": 6.83366, "b": 6.83363, "t": T0}, "USD-CNH.FX", "quote"),
        ({"ev": "XT", "pair": "BTC-USD", "p": 33021.9, "t": T0, "s": 0.016, "i": 14272084},
         "BTC-USD.CRYPTO", "trade"),
        ({"ev": "XQ", "pair": "BTC-USD", "bp": 1, "bs": 0.48, "ap": 2, "as": 0.6, "t": T0},
         "BTC-USD.CRYPTO", "quote"),
        ({"ev": "XL2", "pair": "BTC-USD", "t": T0, "b": [[1, 2]], "a": [[3, 4]]},
         "BTC-USD.CRYPTO", "book_snapshot"),
        ({"ev": "FMV", "fmv": 189.22, "sym": "AAPL", "t": 1678220098130}, "AAPL.US", "ticker"),
        ({"ev": "FMV", "fmv": 7.2, "sym": "O:TSLA210903C00700000", "t": 1401715883806000000},
         "TSLA210903C00700000.OPRA", "ticker"),
        ({"ev": "V", "val": 3988.5, "T": "I:SPX", "t": 1678220098130}, "SPX.INDEX", "ticker"),
    ],
)  # fmt: skip
def test_documented_events(frame: dict[str, Any], instrument: str, kind: str) -> None:
    found = only(parse(P, [frame], source="ws"))
    assert (found.instrument, found.kind) == (instrument, kind)
    assert found.ts_event in (frame["t"] * NS_PER_MS, frame["t"])


@pytest.mark.parametrize(
    ("event", "more", "interval"),
    [("A", {"sym": "SPCE", "e": T0 + 1000}, "1s"), ("AM", {"sym": "SPCE", "e": T0 + 60_000}, "1m"),
     ("XA", {"pair": "BCD-USD", "e": T0 + 60_000}, "1m"), ("XAS", {"pair": "BCD-USD"}, "1s"),
     ("CA", {"pair": "USD/EUR"}, "1m"), ("CAS", {"pair": "USD/EUR"}, "1s")],
)  # fmt: skip
def test_bars_of_the_socket(event: str, more: dict[str, Any], interval: str) -> None:
    frame = {
        "ev": event,
        "v": 200,
        "vw": 25.3981,
        "o": 25.39,
        "c": 25.4,
        "h": 25.5,
        "l": 25.3,
        "z": 50,
        "s": T0,
    }
    bar = only(parse(P, [frame | more], source="ws"))
    assert (bar.interval, bar.ts_event, bar.close, bar.volume) == (interval, T0 * NS_PER_MS, 25.4, 200.0)
    assert (bar.trades, bar.vwap) == (None, 25.3981)


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ({"status": "ERROR", "request_id": "x", "error": "Unknown API Key"}, 401, "auth"),
        ({"status": "ERROR", "error": "You've exceeded the maximum requests per minute, please upgrade"}, 429,
         "throttled"),
        ({"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}, 403, "entitlement"),
        ({"status": "NOT_AUTHORIZED", "request_id": "x"}, 401, "entitlement"),
        ({"status": "NOT_FOUND", "message": "Ticker not found."}, 404, "not_found"),
        ({"status": "ERROR", "error": "Could not parse the time parameter: 'from'."}, 400, "bad_request"),
        ({"status": "ERROR", "error": "API Key was not provided"}, 401, "auth"),
        ({"status": "OK"}, 503, "upstream"),
        ([{"ev": "status", "status": "auth_failed", "message": "authentication failed"}], None, "auth"),
        ([{"ev": "status", "status": "max_connections", "message": "Maximum number of connections."}],
         None, "throttled"),
        ([{"ev": "LULD", "T": "MSFT", "h": 218.96, "l": 198.11, "t": 1601316752683746}], None, "unsupported"),
        ([{"ev": "??"}], None, "malformed"),
        ({"what": 1}, None, "malformed"),
        ([7], None, "malformed"),
    ],
)  # fmt: skip
def test_errors_have_their_class(body: object, status: int | None, found: str) -> None:
    parsed = parse(P, body, "" if isinstance(body, list) else f"{API}/v3/trades/AAPL", status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_an_empty_answer_is_understood() -> None:
    for where in (f"{API}/v2/aggs/ticker/AAPL/range/1/day/a/b", f"{API}/v3/trades/AAPL", ""):
        parsed = parse(P, {"status": "OK", "resultsCount": 0, "results": []}, where)
        assert not said(parsed) and not parsed.rejects


def test_polygon_is_its_other_name(shared_data: Path) -> None:
    body = json.dumps({"ev": "V", "val": 1, "T": "I:SPX", "t": T0})
    assert parse("polygon", body, source="ws") == parse(P, body, source="ws")


def test_rows_of_figures() -> None:
    row = {"date": "1962-01-02", "yield_1_year": 3.22, "yield_10_year": None}
    parsed = parse(P, {"status": "OK", "results": [row]}, f"{API}/fed/v1/treasury-yields")
    assert [(each.instrument, each.value) for each in parsed.facts] == [  # type: ignore[union-attr]
        ("YIELD_1_YEAR.MASSIVE", 3.22), ("YIELD_10_YEAR.MASSIVE", None),
    ]  # fmt: skip
    assert parsed.facts[0].ts_event == parse_time("1962-01-02")
    row = {"ticker": "A", "settlement_date": "2025-03-14", "short_interest": 3906231, "days_to_cover": 1.67}
    parsed = parse(P, {"status": "OK", "results": [row]}, f"{API}/stocks/v1/short-interest")
    assert [(each.name, each.value) for each in parsed.facts] == [  # type: ignore[union-attr]
        ("short_interest", 3906231.0), ("days_to_cover", 1.67),
    ]  # fmt: skip


def test_a_file_named_like_a_path_has_that_address() -> None:
    row = {"ticker": "A", "cash_amount": 1, "ex_dividend_date": "2025-03-14"}
    body = {"status": "OK", "results": [row]}
    assert only(parse(P, body, "stocks__v1__dividends+ticker-A.json", source="file")).amount == 1.0
    bar = {"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": T0}
    name = "v2__aggs__ticker__X_BTCUSD__range__5__minute__a__b.json"
    found = only(parse(P, {"status": "OK", "results": [bar]}, name, source="file"))
    assert (found.instrument, found.interval) == ("BTC-USD.CRYPTO", "5m")
    assert classes(parse(P, {"status": "OK", "results": [bar]}, "aggs.json", source="file")) == ["malformed"]


def test_older_ticks() -> None:
    row = {"c": [12, 41], "i": "1", "p": 171.55, "q": 1063, "s": 100, "t": 1517562000016036600, "x": 11}
    where = f"{API}/v2/ticks/stocks/trades/AAPL/2018-02-02"
    assert only(parse(P, {"ticker": "AAPL", "results": [row]}, where)).price == 171.55
    body = {"symbol": "BTC-USD", "ticks": [{"c": [2], "p": 15482.89, "s": 0.0018, "t": 1604880000067}]}
    assert only(parse(P, body)).instrument == "BTC-USD.CRYPTO"
    body = {"pair": "AUD/USD", "ticks": [{"ap": 0.71703, "bp": 0.71701, "t": 1602633600000}]}
    assert only(parse(P, body)).ask == 0.71703
    row = {"ticker": "RAPP", "listing_date": "2024-06-07", "issuer_name": "Rapport", "final_issue_price": 17}
    event = only(parse(P, {"results": [row]}, f"{API}/vX/reference/ipos"))
    assert (event.event, event.date, event.details) == ("ipo", "2024-06-07", {"final_issue_price": "17"})
