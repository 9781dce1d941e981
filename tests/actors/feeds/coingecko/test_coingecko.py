"""CoinGecko: every recorded body, errors, and what is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.feeds.coingecko.routes import PATHS
from domain.clock import NS_PER_S
from tests.parsed import classes, manifest, only, parse, parse_recorded, raw, said

API = "https://api.coingecko.com/api/v3"
HOUR = 3_600 * NS_PER_S


def recorded(shared_data: Path, name: str, endpoint: str | None = None) -> Any:
    return parse_recorded(shared_data, "coingecko", f"coingecko/{name}.json", endpoint)


def test_every_recorded_body_is_understood_with_its_address(shared_data: Path) -> None:
    """Derivatives hold three rows without a symbol; each costs itself."""
    rows = {path: row for path, row in manifest(shared_data).items() if row["provider"] == "coingecko"}
    for path, row in rows.items():
        parsed = parse_recorded(shared_data, "coingecko", path)
        if row["http_status"] != 200:
            assert parsed.is_refused and not said(parsed), path
        elif path.endswith("/derivatives.json"):
            priced = [each for each in raw(shared_data, path) if each["symbol"] and float(each["price"])]
            assert classes(parsed) == ["malformed"] * 3 and len(parsed.observations) == len(priced)
        else:
            assert not parsed.rejects, (path, parsed.rejects[:2])
    assert len(rows) > 50


def test_every_listed_part_is_recorded_or_written_below() -> None:
    """A path names a part of the parser, or None."""
    from actors.feeds.coingecko.parse import PARTS

    assert {part for _, part in PATHS if part is not None} == set(PARTS)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("price_for_one_coin_1_ERR422", "bad_request"),
        ("market_data_for_a_coin_2_ERR422", "bad_request"),
        ("ohlc_data_for_one_coin_in_the_last_7_days_1_ERR500", "upstream"),
    ],
)
def test_recorded_errors_have_their_class_also_without_a_status(
    shared_data: Path, name: str, found: str
) -> None:
    assert classes(recorded(shared_data, name)) == [found]
    body = (shared_data / f"coingecko/{name}.json").read_bytes()
    assert classes(parse("coingecko", body)) == [found]


@pytest.mark.parametrize("status", [None, 200, 400, 403, 500])
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"status": {"error_code": 10002, "error_message": "API Key Missing"}}, "auth"),
        ({"status": {"error_code": "10010", "error_message": "use the pro root"}}, "auth"),
        ({"timestamp": "x", "error_code": 10011, "status": {"error_message": "use the demo root"}}, "auth"),
        ({"status": {"error_code": 10005, "error_message": "limited to Pro"}}, "entitlement"),
        ({"error": {"status": {"error_code": 10012, "error_message": "allowed time range"}}}, "entitlement"),
        ({"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}, "throttled"),
        ({"error": "coin not found"}, "not_found"),
        ({"error": "Could not find coin with the given id"}, "not_found"),
        ({"error": "invalid vs_currency"}, "bad_request"),
        ({"status": 503, "error": "hold on"}, "upstream"),
        ("Throttled", "throttled"),
    ],
)
def test_the_class_of_an_error_is_what_its_body_says(body: Any, found: str, status: int | None) -> None:
    parsed = parse("coingecko", body, f"{API}/simple/price?ids=bitcoin&vs_currencies=usd", status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_a_ping_and_empty_lists_give_nothing() -> None:
    for body, path in (
        ({"gecko_says": "(V3) To the Moon!"}, "/ping"),
        ([], "/coins/list"),
        ({}, "/simple/price"),
    ):
        for parsed in (parse("coingecko", body), parse("coingecko", body, API + path)):
            assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    "path",
    ["/simple/token_price/ethereum", "/nfts/list", "/coins/top_gainers_losers", "/onchain/networks", "/"],
)
def test_other_addresses_are_unsupported_whatever_their_body_looks_like(path: str) -> None:
    assert classes(parse("coingecko", {"bitcoin": {"usd": 5}}, API + path)) == ["unsupported"]


@pytest.mark.parametrize(
    "body", [5, "x", None, {"a": 1}, [{"id": "a", "name": "A"}], [[1, 2, 3]], {"data": {}}]
)
def test_what_does_not_name_itself_is_malformed(body: Any) -> None:
    assert classes(parse("coingecko", body)) == ["malformed"]


def test_a_local_server_may_stand_in_for_the_provider() -> None:
    at = "http://127.0.0.1:9100/coingecko/coins/markets?vs_currency=usd&x_cg_demo_api_key=KEYA"
    assert only(parse("coingecko", [{"id": "bitcoin", "current_price": 1}], at)).last == 1.0
