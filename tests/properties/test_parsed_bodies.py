"""Whatever happens to a body on its way, its parser answers: facts that can be written, or rejects."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Origin, Parsed
from actors.feeds.registry import load_parser

RECV = 1_800_000_000_000_000_000
GECKO = "https://api.coingecko.com/api/v3"
CMC = "https://pro-api.coinmarketcap.com"
PRICES = {"USD": {"price": 1.5, "volume_24h": 2, "last_updated": "2026-11-27T10:00:00Z"}}
YIELDS = (
    "<feed xmlns:m='m' xmlns:d='d'><entry><content><m:properties><d:NEW_DATE>2026-11-27T00:00:00</d:NEW_DATE>"
    "<d:BC_2YEAR m:null='true'/><d:BC_10YEAR>4.11</d:BC_10YEAR></m:properties></content></entry></feed>"
)
XML = "<observations><observation date='2026-11-27' value='1'/></observations>"
LEVEL = {"px": "1.5", "sz": "2", "n": 1}
BODIES: tuple[tuple[str, str, Any], ...] = (
    ("coingecko", "", {"bitcoin": {"usd": 1, "usd_24h_vol": 2, "last_updated_at": 1764072000}}),
    ("coingecko", f"{GECKO}/coins/markets?vs_currency=usd", [{"id": "bitcoin", "current_price": 1}]),
    ("coingecko", f"{GECKO}/coins/bitcoin/ohlc?vs_currency=usd&days=1", [[1764072000000, 1, 2, 1, 2]]),
    (
        "coingecko",
        f"{GECKO}/coins/bitcoin/market_chart?vs_currency=usd",
        {"prices": [[1764072000000, 1.5]], "market_caps": [[1764072000000, 2]], "total_volumes": []},
    ),
    ("coingecko", f"{GECKO}/search/trending", {"coins": [{"item": {"id": "a", "score": 0}}], "nfts": []}),
    ("coinmarketcap", f"{CMC}/v2/x/quotes/latest", {"status": {"error_code": "1008"}, "data": None}),
    ("coinmarketcap", "", {"status": {}, "data": [{"id": 1, "symbol": "BTC", "quote": PRICES}]}),
    ("coinmarketcap", "", {"data": {"btc_dominance": 57.5, "quote": PRICES}}),
    (
        "exchangerate_host",
        "",
        {"success": True, "timestamp": 1764072000, "source": "USD", "quotes": {"USDEUR": 1}},
    ),
    ("exchangerate_host", "", {"success": False, "error": {"code": 104, "info": "x"}}),
    ("frankfurter", "", [{"date": "2026-11-27", "base": "EUR", "quote": "USD", "rate": 1.16}]),
    ("frankfurter", "", {"amount": 1.0, "base": "EUR", "date": "2026-11-27", "rates": {"USD": 1.16}}),
    (
        "fred",
        "https://api.stlouisfed.org/fred/series/observations?series_id=DGS10",
        {
            "units": "lin",
            "observations": [{"date": "2026-11-27", "value": ".", "realtime_end": "9999-12-31"}],
        },
    ),
    ("fred", "", {"observations": [{"date": "2020-10-01", "GDP_20210128": "1"}]}),
    ("fred", "", {"seriess": [{"id": "GDP", "title": "x", "last_updated": "2022-03-18 15:24:43-05"}]}),
    ("fred", "/fred/series/observations?series_id=X", XML),
    ("us_treasury", "", YIELDS),
    ("ecb", "", "KEY,TIME_PERIOD,OBS_VALUE,TITLE\nEXR.D.USD.EUR.SP00.A,2026-11-27,1.16,x\nA.B,2026-Q1,2,y\n"),
    ("hyperliquid", "", {"channel": "trades", "data": [{"coin": "BTC", "side": "B", "time": 1, **LEVEL}]}),
    (
        "hyperliquid",
        "",
        {"channel": "l2Book", "data": {"coin": "B", "time": 1, "levels": [[LEVEL], [LEVEL]]}},
    ),
    ("hyperliquid", "", {"channel": "bbo", "data": {"coin": "B", "time": 1, "bbo": [LEVEL, None]}}),
    (
        "hyperliquid",
        "",
        [{"t": 1, "T": 2, "s": "B", "i": "1m", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1"}],
    ),
    ("hyperliquid", "", {"tokens": [{"name": "A", "index": 0}], "universe": [{"name": "@1", "tokens": [0]}]}),
)
"""(provider, address, body)"""
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["", ".", "None", "NaN", "1e999", "-1", "9999-12-31", "0001-01-01", "2026-02-30", "\u0669"]
    ),
    st.just([]),
    st.just({}),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=30),
)


def check(parsed: Parsed) -> None:
    """Facts have ids and whole times and can be written; a reason is short."""
    for each in (*parsed.observations, *parsed.facts):
        written = json.loads(msgspec.json.encode(each))
        assert (
            "." in written["instrument"]
            and isinstance(written["ts_event"], int)
            and written["ts_recv"] == RECV
        )
    assert all(0 < len(each.reason) <= 400 for each in parsed.rejects)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of everything inside, outermost first."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(BODIES), ODD, st.integers(0, 10**6), st.booleans(), st.sampled_from(["", "BTC-USD"]))
def test_a_value_of_another_kind_never_raises(
    body: tuple[str, str, Any], odd: Any, place: int, removed: bool, symbol: str
) -> None:
    provider, endpoint, value = copy.deepcopy(body)
    inside = places(value)
    if inside:
        holder, key = inside[place % len(inside)]
        if removed and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = odd
    text = value if isinstance(value, str) else json.dumps(value)
    origin = Origin("http" if endpoint else "file", RECV, endpoint, symbol=symbol or None)
    check(load_parser(provider).parse(text, origin))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(BODIES), st.binary(max_size=12), st.integers(0, 10**6), st.integers(0, 40))
def test_bytes_that_are_lost_or_changed_never_raise(
    body: tuple[str, str, Any], foreign: bytes, at: int, lost: int
) -> None:
    provider, endpoint, value = body
    raw = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    at %= len(raw) + 1
    broken = raw[:at] + foreign + raw[at + lost :]
    for status in (None, 200, 503):
        origin = Origin("http" if endpoint else "file", RECV, endpoint, status=status)
        check(load_parser(provider).parse(broken, origin))
        check(load_parser(provider).parse(broken.decode(errors="replace"), origin))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(BODIES), st.text(max_size=60))
def test_no_address_makes_a_parser_raise(body: tuple[str, str, Any], tail: str) -> None:
    provider, endpoint, value = body
    text = value if isinstance(value, str) else json.dumps(value)
    for address in (endpoint + tail, f"{endpoint}&days={tail}&date={tail}&interval={tail}&frequency={tail}"):
        check(load_parser(provider).parse(text, Origin("http", RECV, address)))


def test_every_body_is_understood_as_it_is_written() -> None:
    for provider, endpoint, value in BODIES:
        text = value if isinstance(value, str) else json.dumps(value)
        parsed = load_parser(provider).parse(text, Origin("http" if endpoint else "file", RECV, endpoint))
        assert parsed.observations or parsed.facts or parsed.rejects[0].reject_class == "throttled", text
