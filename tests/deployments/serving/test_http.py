"""HTTP over a real socket: every route, every kind of error."""

from __future__ import annotations

import json
import re

import pytest

from domain.clock import NS_PER_MIN, NS_PER_S, format_time, parse_time
from domain.envelope import Cursor, parse_cursor
from domain.market.observations import Trade
from observability.metrics import Telemetry
from tests.deployments.serving.kit import (
    BTC,
    ETH,
    START,
    a_bar,
    a_delta,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
)
from tests.deployments.serving.log_directory import bar_row

pytestmark = pytest.mark.anyio

OPEN = ["/healthz", "/readyz", "/docs", "/openapi.json"]
GUARDED = [
    "/metrics",
    "/v1/instruments",
    f"/v1/instruments/{BTC}",
    f"/v1/instruments/{BTC}/last",
    f"/v1/instruments/{BTC}/trades",
    f"/v1/instruments/{BTC}/book",
    f"/v1/instruments/{BTC}/bars",
    f"/v1/instruments/{BTC}/indicators",
    f"/v1/instruments/{BTC}/anomalies",
    f"/v1/instruments/{BTC}/patterns",
    f"/v1/instruments/{BTC}/state",
    "/v1/indicators",
    "/v1/feeds",
    "/v1/providers",
    "/v1/system",
]


def problem(answer, status: int, slug: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status
    assert body["type"] == f"/docs#problem-{slug}"
    return body


async def test_open_routes_need_no_token(serve):
    async with serve() as served, served.http(None) as http:
        for path in OPEN:
            assert (await http.get(path)).status_code == 200, path


async def test_every_other_route_needs_one(serve):
    async with serve() as served, served.http(None) as http:
        for path in GUARDED:
            answer = await http.get(path)
            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        problem(await http.post("/v1/tickets"), 401, "unauthenticated")
        for header in ("Basic YTpi", "Bearer", "Bearer x.y.z", "Bearer " + "a" * 5000):
            problem(await http.get("/v1/feeds", headers={"Authorization": header}), 401, "unauthenticated")


async def test_no_route_is_forgotten_by_these_tests(serve):
    async with serve() as served, served.http(None) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    told = {path.replace(BTC, "{instrument}") for path in [*OPEN, *GUARDED]} | {"/v1/tickets"}
    assert set(paths) <= told


async def test_the_system_is_for_admins(serve):
    async with serve() as served:
        for role in ("viewer", "trader"):
            async with served.http(role) as http:
                body = problem(await http.get("/v1/system"), 403, "forbidden")
                assert role in body["detail"]
        async with served.http("admin") as http:
            assert "partitions" in (await http.get("/v1/system")).json()


async def test_last_tells_trade_quote_ticker_and_a_cursor(serve, directory):
    directory.append(a_trade(price=5.0), a_quote(), a_ticker(last=7.0))
    async with serve() as served, served.http() as http:
        body = (await http.get("/v1/instruments/BTC/last")).json()
        assert (body["instrument"], body["trade"]["price"], body["ticker"]["last"]) == (BTC, 5.0, 7.0)
        assert body["quote"]["ts_event"] == format_time(START)
        partition = directory.partition_of(BTC)
        assert parse_cursor(body["cursor"]).offsets == {partition: 3}
        empty = (await http.get(f"/v1/instruments/{ETH}/last")).json()
        assert (empty["trade"], empty["quote"], empty["ticker"]) == (None, None, None)


async def test_an_instrument_is_known_as_soon_as_its_cursor_is_asked_for(serve, directory):
    async with serve() as served, served.http() as http:
        for name in ("SOL-USD.SIM", "ADA-USD.SIM"):
            assert name not in (await http.get("/v1/instruments")).text
            directory.append(a_trade(name))
            after = {"after": directory.cursor().encode()}
            assert name in (await http.get("/v1/instruments", params=after)).text
            assert (await http.get(f"/v1/instruments/{name}/last", params=after)).status_code == 200


async def test_last_and_book_can_be_read_as_they_were(serve, directory):
    directory.append(a_trade(price=1.0), a_snapshot())
    past = directory.cursor().encode()
    directory.append(a_trade(price=2.0), a_delta(bids=((99.0, 0.0),)))
    async with serve() as served, served.http() as http:
        last = (await http.get(f"/v1/instruments/{BTC}/last", params={"at": past})).json()
        book = (await http.get(f"/v1/instruments/{BTC}/book", params={"at": past, "depth": 1})).json()
        state = (await http.get(f"/v1/instruments/{BTC}/state", params={"at": past})).json()
        assert (last["trade"]["price"], book["bids"]) == (1.0, [[99.0, 1.0]])
        assert (state["last"]["trade"]["price"], state["cursor"]) == (1.0, last["cursor"])
        now = (await http.get(f"/v1/instruments/{BTC}/book")).json()
        assert now["bids"][0] == [98.0, 2.0]


async def test_the_book_is_cut_to_the_depth_asked_for(serve, directory):
    directory.append(a_snapshot())
    async with serve() as served, served.http() as http:
        body = (await http.get(f"/v1/instruments/{BTC}/book", params={"depth": 1})).json()
        assert (body["bids"], body["asks"], body["usable"]) == ([[99.0, 1.0]], [[101.0, 1.0]], True)
        assert body["sequence"] == 1


async def test_an_ambiguous_alias_lists_its_candidates(serve, directory):
    directory.introduce("BTC-EUR.OTHER", base="BTC")
    async with serve() as served, served.http() as http:
        body = problem(await http.get("/v1/instruments/BTC/last"), 409, "ambiguous")
        assert [item["candidate"] for item in body["errors"]] == ["BTC-EUR.OTHER", BTC]
        problem(await http.get("/v1/instruments/NOPE/last"), 404, "not-found")
        problem(await http.get("/v1/instruments/NOPE-X.SIM/last"), 404, "not-found")


async def test_instruments_are_listed_in_pages_and_can_be_searched(serve, directory):
    for index in range(5):
        directory.introduce(f"T{index}-USD.OTHER", aliases=(f"ALIAS{index}",))
    async with serve() as served, served.http() as http:
        seen, page = [], None
        while True:
            params = {"limit": 3} | ({"page": page} if page else {})
            body = (await http.get("/v1/instruments", params=params)).json()
            seen += [item["instrument"] for item in body["items"]]
            page = body["next_page"]
            if page is None:
                break
        assert seen == sorted(seen)
        assert len(seen) == 7
        found = (await http.get("/v1/instruments", params={"venue": "OTHER", "q": "alias3"})).json()
        assert [item["instrument"] for item in found["items"]] == ["T3-USD.OTHER"]
        one = (await http.get("/v1/instruments/ALIAS3")).json()
        assert (one["instrument"], one["venue"]) == ("T3-USD.OTHER", "OTHER")


@pytest.mark.parametrize(
    ("instrument", "now", "session"),
    [
        (
            "AAPL.XNAS",
            "2026-11-27T17:59:59Z",
            {"open": True, "opens": "2026-11-30T14:30:00Z", "closes": "2026-11-27T18:00:00Z"},
        ),
        (
            "AAPL.XNAS",
            "2026-11-26T15:00:00Z",  # Thanksgiving
            {"open": False, "opens": "2026-11-27T14:30:00Z", "closes": "2026-11-27T18:00:00Z"},
        ),
        (
            "EUR-USD.FX",
            "2026-11-26T15:00:00Z",
            {"open": True, "opens": "2026-11-29T22:00:00Z", "closes": "2026-11-27T22:00:00Z"},
        ),
        ("BTC-USD.COINBASE", "2026-11-26T15:00:00Z", None),
    ],
)
async def test_an_instrument_tells_whether_its_market_is_open(
    serve, directory, clock, instrument, now, session
):
    clock.set(parse_time(now))
    directory.introduce(instrument)
    async with serve() as served, served.http() as http:
        assert (await http.get(f"/v1/instruments/{instrument}")).json()["session"] == session
        listed = (await http.get("/v1/instruments", params={"q": instrument})).json()["items"]
        assert [item["instrument"] for item in listed] == [instrument]
        assert "session" not in listed[0]


async def test_trades_page_forwards_from_a_time(serve, directory):
    directory.append(*(a_trade(price=float(index), at=START + index * NS_PER_S) for index in range(10)))
    directory.append(a_trade(ETH, 99.0))
    async with serve() as served, served.http() as http:
        params = {
            "from": format_time(START + 2 * NS_PER_S),
            "to": format_time(START + 8 * NS_PER_S),
            "limit": 4,
        }
        first = (await http.get(f"/v1/instruments/{BTC}/trades", params=params)).json()
        assert [item["price"] for item in first["items"]] == [2.0, 3.0, 4.0, 5.0]
        rest = (
            await http.get(f"/v1/instruments/{BTC}/trades", params={**params, "page": first["next_page"]})
        ).json()
        assert [item["price"] for item in rest["items"]] == [6.0, 7.0]
        assert rest["next_page"] is None
        assert first["cursor"] == directory.cursor().encode()


async def test_trades_without_a_time_are_the_newest_and_page_backwards(serve, directory):
    directory.append(*(a_trade(price=float(index)) for index in range(10)))
    async with serve() as served, served.http() as http:
        seen, page = [], None
        for _ in range(3):
            params = {"limit": 4} | ({"page": page} if page else {})
            body = (await http.get(f"/v1/instruments/{BTC}/trades", params=params)).json()
            seen.append([item["price"] for item in body["items"]])
            page = body["next_page"]
        assert seen == [[6.0, 7.0, 8.0, 9.0], [2.0, 3.0, 4.0, 5.0], [0.0, 1.0]]
        assert page is None


async def test_bars_come_oldest_first_with_the_forming_one_last(serve, directory):
    minute = 60 * NS_PER_S
    directory.append(*(a_bar(start=START + index * minute) for index in range(5)))
    directory.append(a_trade(at=START + 5 * minute + 1))
    directory.forming[(BTC, "1m")] = bar_row(a_bar(start=START + 5 * minute), closed=False)
    async with serve() as served, served.http() as http:
        body = (await http.get(f"/v1/instruments/{BTC}/bars", params={"interval": "1m"})).json()
        assert [item["closed"] for item in body["items"]] == [True] * 5 + [False]
        assert body["items"][0]["ts_event"] == format_time(START)
        assert body["items"][0]["revision"] == 0
        params = {"from": format_time(START), "to": format_time(START + 9 * minute), "limit": 4}
        first = (await http.get(f"/v1/instruments/{BTC}/bars", params=params)).json()
        rest = (
            await http.get(f"/v1/instruments/{BTC}/bars", params={**params, "page": first["next_page"]})
        ).json()
        assert len(first["items"]) == 4
        assert [item["ts_event"] for item in rest["items"]] == [
            format_time(START + index * minute) for index in (4, 5)
        ]


async def test_feeds_and_providers(serve):
    async with serve() as served, served.http() as http:
        feed = (await http.get("/v1/feeds")).json()["items"][0]
        assert (feed["provider"], feed["state"], feed["frames"]) == ("sim", "connected", 100)
        provider = (await http.get("/v1/providers")).json()["items"][0]
        assert provider["rejected_ratio"] == 0.05


async def test_own_writes_can_be_waited_for(serve, directory, monkeypatch):
    monkeypatch.setattr("deployments.http.serving.AFTER_WAIT_S", 0.05)
    directory.append(a_trade())
    reached = directory.cursor().encode()
    beyond = Cursor({directory.partition_of(BTC): 99}).encode()
    async with serve() as served, served.http() as http:
        for route in ("last", "book", "trades", "bars", "state"):
            path = f"/v1/instruments/{BTC}/{route}"
            assert (await http.get(path, params={"after": reached})).status_code == 200, route
        answer = await http.get(f"/v1/instruments/{BTC}/last", params={"after": beyond}, timeout=10)
        problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1


async def test_unavailable_owners_are_a_503_with_retry_after(serve, directory):
    async with serve() as served, served.http() as http:
        directory.unavailable = True
        for path in ("/readyz", "/v1/feeds", "/v1/instruments"):
            answer = await http.get(path)
            problem(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "1"
        assert (await http.get("/healthz")).status_code == 200


async def test_a_draining_gateway_is_not_ready(serve):
    async with serve() as served, served.http(None) as http:
        assert (await http.get("/readyz")).json() == {"status": "ready"}
        await served.app.drain()
        problem(await http.get("/readyz"), 503, "unavailable")


async def test_the_same_state_is_not_sent_twice(serve, directory):
    directory.append(a_trade(price=1.0))
    other = next(name for name in ("AA.X", "AB.X", "AC.X", "AD.X", "AE.X")
                 if directory.partition_of(name) == directory.partition_of(BTC))  # fmt: skip
    async with serve() as served, served.http() as http:
        first = await http.get(f"/v1/instruments/{BTC}/last")
        tag = first.headers["etag"]
        directory.append(a_trade(other))
        same = await http.get(f"/v1/instruments/{BTC}/last", headers={"If-None-Match": f'"x", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        directory.append(a_trade(price=2.0))
        changed = await http.get(f"/v1/instruments/{BTC}/last", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["trade"]["price"]) == (200, 2.0)


async def test_a_page_has_the_same_tag_while_only_others_trade(serve, directory):
    directory.append(a_bar(start=START), a_trade(at=START))
    other = next(name for name in ("AA.X", "AB.X", "AC.X", "AD.X", "AE.X")
                 if directory.partition_of(name) == directory.partition_of(BTC))  # fmt: skip
    end = format_time(START + 600 * NS_PER_S)
    async with serve() as served, served.http() as http:
        for path in (f"bars?from={format_time(START)}&to={end}", "trades?limit=3"):
            first = await http.get(f"/v1/instruments/{BTC}/{path}")
            directory.append(a_trade(other))
            same = await http.get(f"/v1/instruments/{BTC}/{path}")
            assert first.headers["etag"] == same.headers["etag"]
            assert first.json()["cursor"] != same.json()["cursor"]
            assert first.headers["content-type"] == "application/json"


WRONG = [
    ("/v1/feeds?limti=3", "limti"),
    ("/v1/instruments?limit=0", "limit"),
    ("/v1/instruments?limit=-5", "limit"),
    ("/v1/instruments?limit=1001", "limit"),
    ("/v1/instruments?limit=ten", "limit"),
    ("/v1/instruments?limit=1&limit=2", "limit"),
    ("/v1/instruments?q=", "q"),
    ("/v1/instruments?q=" + "x" * 65, "q"),
    ("/v1/instruments?page=zzz", "page"),
    ("/v1/instruments?after=now", "after"),
    (f"/v1/instruments/{BTC}/book?depth=0", "depth"),
    (f"/v1/instruments/{BTC}/book?depth=5001", "depth"),
    (f"/v1/instruments/{BTC}/last?at=tomorrow", "at"),
    (f"/v1/instruments/{BTC}/last?at=2200-01-01", "at"),
    (f"/v1/instruments/{BTC}/last?at=0000-01-01", "at"),
    (f"/v1/instruments/{BTC}/state?at=c1.@@", "at"),
    (f"/v1/instruments/{BTC}/trades?from=yesterday", "from"),
    (f"/v1/instruments/{BTC}/trades?from=now&to=now-5m", "from"),
    (f"/v1/instruments/{BTC}/trades?from=now-999999999w", "from"),
    (f"/v1/instruments/{BTC}/bars?interval=7m", "interval"),
    (f"/v1/instruments/{BTC}/bars?interval=", "interval"),
    (f"/v1/instruments/{BTC}/bars?to=13:00", "to"),
    (f"/v1/instruments/{BTC}/bars?after=c1.AA", "after"),
    (f"/v1/instruments/{BTC}/bars?page=bmV3ZXN0OjE", "page"),
    ("/healthz?verbose=1", "verbose"),
]


async def test_a_wrong_parameter_is_named(serve):
    async with serve() as served, served.http() as http:
        for path, parameter in WRONG:
            body = problem(await http.get(path), 400, "bad-parameter")
            assert [item["parameter"] for item in body["errors"]] == [parameter], path


async def test_an_oversized_query_is_refused(serve):
    async with serve() as served, served.http() as http:
        problem(await http.get("/v1/feeds?a=" + "x" * 45_000), 400, "bad-parameter")
        many = "&".join(f"p{index}=1" for index in range(50))
        problem(await http.get(f"/v1/feeds?{many}"), 400, "bad-parameter")


async def test_a_strange_instrument_is_refused(serve):
    async with serve() as served, served.http() as http:
        for name in ("x" * 65, "BTC%00", "..%2F..%2Fetc", "%F0%9F%92%B0", "BTC'--"):
            answer = await http.get(f"/v1/instruments/{name}/last")
            assert answer.status_code in (400, 404), name
            assert answer.headers["content-type"] == "application/problem+json"


async def test_paths_methods_and_sizes_that_are_not_served_are_problems_too(serve):
    async with serve() as served, served.http() as http:
        problem(await http.get("/v1/nothing"), 404, "not-found")
        problem(await http.get("/-/schema/openapi.json/x"), 404, "not-found")
        answer = await http.delete("/v1/feeds")
        problem(answer, 405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]
        problem(await http.post("/v1/tickets", content=b"x" * 70_000), 413, "too-large")


async def test_the_frameworks_own_schema_pages_are_not_served(serve):
    async with serve() as served, served.http(None) as http:
        for path in ("/-/schema", "/-/schema/openapi.json", "/schema"):
            assert (await http.get(path)).status_code in (401, 404)


async def test_head_is_get_without_a_body(serve):
    async with serve() as served, served.http() as http:
        answer = await http.head("/v1/feeds")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["etag"].startswith('W/"')


async def test_a_bug_is_told_without_details(serve, directory):
    async def broken():
        raise ZeroDivisionError("secret detail")

    directory.feeds = broken
    async with serve() as served, served.http() as http:
        answer = await http.get("/v1/feeds")
        problem(answer, 500, "internal")
        assert "secret" not in answer.text


async def test_openapi_describes_parameters_bodies_and_security(serve):
    async with serve() as served, served.http(None) as http:
        schema = (await http.get("/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    bars = schema["paths"]["/v1/instruments/{instrument}/bars"]["get"]
    named = {item["name"] for item in bars["parameters"]}
    assert named == {"instrument", "interval", "from", "to", "limit", "page", "adjusted", "at", "after"}
    assert schema["paths"]["/healthz"]["get"]["security"] == []
    assert schema["security"] == [{"bearer": []}]
    assert "application/problem+json" in bars["responses"]["default"]["content"]
    assert "BarBody" in json.dumps(schema["components"]["schemas"])


async def test_the_docs_page_needs_nothing_from_outside(serve):
    async with serve() as served, served.http(None) as http:
        answer = await http.get("/docs")
    page = answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|@import|url\(", page)
    outside = set(re.findall(r"https?://[^/\s]+", page)) - {"http://127.0.0.1:8000"}
    assert outside == set()
    for text in (
        "/v1/instruments/{instrument}/book",
        "curl ",
        "problem-ambiguous",
        "BTC-USD.SIM",
        "<code>/v1/stream?ticket=",
    ):
        assert text in page


async def test_metrics_are_prometheus_text(serve):
    telemetry = Telemetry("test")
    async with serve(telemetry=telemetry) as served, served.http() as http:
        await http.get("/v1/feeds")
        answer = await http.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "financehub_http_requests_total" in answer.text
    telemetry.close()


async def test_metrics_can_be_opened_to_this_machine_only(serve):
    async with serve(metrics_open=True) as served, served.http(None) as http:
        assert (await http.get("/metrics")).status_code == 200
        forwarded = await http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        problem(forwarded, 401, "unauthenticated")


async def test_times_keep_their_nanoseconds(serve, directory):
    exact = START + 123_456_789
    directory.append(Trade("sim", BTC, exact, exact, 1.0, 1.0))
    async with serve() as served, served.http() as http:
        body = (await http.get(f"/v1/instruments/{BTC}/last")).json()
        assert body["trade"]["ts_event"] == "2027-01-15T08:00:00.123456789Z"


async def test_bars_of_the_past_end_with_the_trading_known_then(serve, directory):
    minute = 60 * NS_PER_S
    directory.append(a_bar(start=START), a_trade(at=START + minute + 1))
    past = directory.cursor().encode()
    directory.append(a_bar(start=START + 90 * minute), a_trade(at=START + 91 * minute))
    async with serve() as served, served.http() as http:
        path = f"/v1/instruments/{BTC}/bars"
        body = (await http.get(path, params={"limit": 5, "at": past})).json()
        assert [item["ts_event"] for item in body["items"]] == [format_time(START)]
        now = (await http.get(path, params={"limit": 5})).json()
        assert [item["ts_event"] for item in now["items"]] == [format_time(START + 90 * minute)]


async def test_an_instrument_without_trades_has_no_bars(serve, directory):
    directory.append(a_quote())
    async with serve() as served, served.http() as http:
        for params in ({}, {"interval": "1d"}, {"at": directory.cursor().encode()}):
            answer = await http.get(f"/v1/instruments/{BTC}/bars", params=params)
            assert answer.status_code == 200
            assert answer.json() == {
                "items": [],
                "next_page": None,
                "cursor": directory.cursor().encode(),
            }


async def test_the_system_tells_times_as_every_answer_does(serve, directory, monkeypatch):
    async def system():
        feed = {"provider": "sim", "last_frame": START}
        return {"actors": [], "feeds": [feed, {"provider": "quiet", "last_frame": None}]}

    monkeypatch.setattr(directory, "system", system)
    async with serve() as served, served.http("admin") as http:
        feeds = (await http.get("/v1/system")).json()["feeds"]
    assert [feed["last_frame"] for feed in feeds] == [format_time(START), None]


async def test_requests_are_counted_by_route_and_status(serve):
    telemetry = Telemetry("test")
    async with serve(telemetry=telemetry) as served, served.http() as http:
        for path in ("/v1/feeds", "/v1/feeds?x=1", "/v1/feeds?token=secret", "/no/such/path", "/healthz"):
            await http.get(path)
        await http.get("/v1/system")
        await http.post("/v1/tickets", content=b"x" * 70_000)
    counted = {
        (sample.attributes["route"], sample.attributes["status"]): sample.value
        for sample in telemetry.collect()
        if sample.name == "financehub.http.requests"
    }
    telemetry.close()
    assert counted == {
        ("list_feeds", "200"): 1.0,
        ("list_feeds", "400"): 2.0,
        ("none", "404"): 1.0,
        ("none", "413"): 1.0,
        ("healthz", "200"): 1.0,
        ("get_system", "403"): 1.0,
    }


async def test_one_bar_without_from_is_the_one_of_the_newest_trade(serve, directory):
    start = START - START % NS_PER_MIN
    directory.append(a_bar(BTC, start), a_trade(at=start + NS_PER_MIN - 1))
    async with serve() as served, served.http() as http:
        answer = await http.get(f"/v1/instruments/{BTC}/bars?interval=1m&limit=1")
    assert [item["ts_event"] for item in answer.json()["items"]] == [format_time(start)]
