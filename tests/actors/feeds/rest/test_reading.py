"""Rows, addresses and symbols."""

from __future__ import annotations

import pytest

from actors.feeds.base import Origin
from actors.feeds.rest import listings
from actors.feeds.rest.endpoints import address_of, subject
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import FxRate
from tests.parsed import classes, parse, said


def test_a_file_s_name_is_no_address() -> None:
    assert not address_of(Origin("file", 0, "quote_AAPL.json"))
    with pytest.raises(Malformed):
        subject(Origin("file", 0, "AAPL.json"), address_of(Origin("file", 0, "AAPL.json")), "symbol")


def test_an_address_gives_path_and_parameters_at_any_host() -> None:
    where = address_of(
        Origin("http", 0, "http://127.0.0.1:9/finnhub/stock/profile2?Symbol=BRK.B&token=REDACTED")
    )
    assert where.match("stock/profile2") and not where.match("profile") and where.get("symbol") == "BRK.B"
    assert where.get("token") is None
    assert subject(Origin("http", 0, symbol="X"), where, "symbol") == "BRK.B"
    assert subject(Origin("file", 0, symbol="X"), address_of(Origin("file", 0)), "symbol") == "X"


@pytest.mark.parametrize("endpoint", ["http://[", "x" * 20_000, "://", "http://a/%ff%00"])
def test_no_address_raises(endpoint: str) -> None:
    address_of(Origin("http", 0, endpoint))


def test_a_bad_row_costs_itself() -> None:
    reading = Reading("p", Origin("http", 5))

    def rate(row: Row) -> None:
        reading.add(FxRate("p", "EUR-USD.FX", 1, reading.recv, row.must_price("rate")))

    def body(value: object) -> None:
        assert isinstance(value, list)
        reading.each(value, rate)

    parsed = read_json(reading, b'[{"rate": "1.5"}, {"rate": "x"}, 7, {"rate": null}]', body)
    assert [each.rate for each in parsed.observations] == [1.5]  # type: ignore[union-attr]
    assert [reject.reason for reject in parsed.rejects] == [
        "row 1: rate: 'x' is no number",
        "row 2: a int where an object was expected",
        "row 3: rate is missing",
    ]


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ("Unknown symbol", 404, "not_found"),
        ("<html><title>Request Rate Threshold Exceeded</title></html>", 403, "throttled"),
        ("<html>502</html>", 502, "upstream"),
        ("<html>hello</html>", 200, "upstream"),
        ('{"a": 1', 200, "malformed"),
        ("[" * 5_000, 200, "malformed"),
        ("", None, "malformed"),
        (b"\xff\xfe{}", None, "malformed"),
    ],
)
def test_what_is_no_json_is_classed(body: str | bytes, status: int | None, found: str) -> None:
    parsed = read_json(Reading("p", Origin("http", 0, status=status)), body, lambda value: None)
    assert [reject.reject_class for reject in parsed.rejects] == [found]


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("AAPL", "AAPL.US"), ("BRK.B", "BRK.B.US"), ("BRK-B", "BRK.B.US"), ("BACpL", "BAC-PL.US"),
        ("OCDO.L", "OCDO.XLON"), ("WSU.DE", "WSU.XETR"), ("0700.HK", "0700.XHKG"),
    ],
)  # fmt: skip
def test_symbols_with_suffixes(symbol: str, instrument: str) -> None:
    assert listings.suffixed(symbol) == instrument


def test_an_exchange_of_the_us_is_the_us_and_another_its_mic() -> None:
    assert listings.listed("AAPL", "XNGS", "NASDAQ") == "AAPL.US"
    assert listings.listed("AAPL", None, "NASDAQ") == "AAPL.US"
    assert listings.listed("NVDA", "XWBO", "VSE") == "NVDA.XWBO"
    assert listings.listed("NVDA", None, "somewhere") is None


def test_pairs() -> None:
    assert listings.pair("EUR", "usd") == "EUR-USD.FX" and listings.pair("BTC", "USD") == "BTC-USD.CRYPTO"
    assert listings.cut_pair("EURUSD") == ("EUR", "USD") and listings.cut_pair("BTCUSDT") == ("BTC", "USDT")
    assert listings.cut_pair("BTC-USD") == ("BTC", "USD") and listings.cut_pair("XYZ") is None
    with pytest.raises(Malformed):
        listings.pair("USD", "USD")


@pytest.mark.parametrize(
    "provider", ["finnhub", "massive", "twelve_data", "alpha_vantage", "iex", "yahoo", "alpaca"]
)
def test_a_status_alone_refuses_no_data_and_classes_what_says_nothing(provider: str) -> None:
    body, where = GOOD[provider]
    assert (
        said(parse(provider, body, where, status=403)) == said(parse(provider, body, where, status=200)) != []
    )
    for status, found in ((429, "throttled"), (503, "upstream")):
        parsed = parse(provider, {}, where, status=status)
        assert classes(parsed) == [found] and not said(parsed)


T = "2021-02-22T15:51:44Z"
GOOD: dict[str, tuple[object, str]] = {
    "finnhub": ({"c": 1, "pc": 1, "t": 1}, "https://x.test/quote?symbol=A"),
    "massive": ({"results": {"T": "A", "p": 1, "s": 1, "t": 1, "y": 1}}, "https://x.test/v2/last/trade/A"),
    "twelve_data": ({"price": "1"}, "https://x.test/price?symbol=A"),
    "alpha_vantage": (
        {"Global Quote": {"01. symbol": "A", "05. price": "1", "07. latest trading day": "2020-01-02"}},
        "https://x.test/query?function=GLOBAL_QUOTE&symbol=A",
    ),
    "iex": (1.5, "https://x.test/stock/A/price"),
    "yahoo": (
        {"quoteResponse": {"result": [{"symbol": "A", "regularMarketPrice": 1, "regularMarketTime": 1}]}},
        "https://x.test/v7/finance/quote",
    ),
    "alpaca": ({"trade": {"t": T, "p": 1, "s": 1}}, "https://x.test/v2/stocks/A/trades/latest"),
}
