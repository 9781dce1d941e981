"""Anomalies and chart patterns over HTTP and on their channels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_MIN, NS_PER_S, format_time
from domain.patterns.found import PatternFound
from tests.deployments.serving.kit import BTC, ETH, START, a_bar, check_chain
from tests.deployments.serving.test_http import problem

pytestmark = pytest.mark.anyio


def an_anomaly(kind="decimal_slip", verdict="data_error", *, ts=START, instrument=BTC):
    return AnomalyFound(
        provider="sim",
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts + 5,
        anomaly=kind,
        verdict=verdict,
        severity=0.75,
        evidence=(("ratio", 10.0),),
        about="t7",
    )


def a_pattern(state="confirmed", *, ts=START, pattern="double_top"):
    return PatternFound(
        provider="sim",
        instrument=BTC,
        ts_event=ts,
        ts_recv=ts + NS_PER_MIN,
        interval="1m",
        figure=3,
        pattern=pattern,
        state=state,
        anchors=((ts - 2 * NS_PER_MIN, 110.0, "top"), (ts - NS_PER_MIN, 109.0, "top")),
        target=90.0,
        confidence=0.5,
        direction=-1,
    )


async def test_an_anomaly_is_told_with_class_evidence_and_place(serve, directory):
    (offset,) = directory.append(an_anomaly())
    async with serve() as served, served.http() as http:
        body = (await http.get(f"/v1/instruments/{BTC}/anomalies?from=2027-01-01T00:00:00Z")).json()
    (item,) = body["items"]
    assert (item["kind"], item["class"], item["severity"]) == ("decimal_slip", "data_error", 0.75)
    assert item["evidence"] == {"ratio": 10.0}
    assert (item["about"], item["taints"], item["offset"]) == ("t7", True, offset)
    assert item["ts_event"] == format_time(START)
    assert body["next_page"] is None and body["cursor"].startswith("c1.")


async def test_anomalies_are_chosen_by_kind_class_and_time_and_paged(serve, directory):
    for second in range(5):
        ts = START + second * NS_PER_S
        directory.append(an_anomaly(ts=ts), an_anomaly("halt", "market_event", ts=ts))
    path = f"/v1/instruments/{BTC}/anomalies"
    since = {"from": format_time(START), "limit": 2}
    async with serve() as served, served.http() as http:
        halts = (await http.get(path, params={**since, "kind": "halt", "limit": 9})).json()["items"]
        errors = (await http.get(path, params={**since, "class": "data_error", "limit": 9})).json()["items"]
        found, page = [], {}
        while True:
            body = (await http.get(path, params={**since, **page})).json()
            found += [item["offset"] for item in body["items"]]
            if body["next_page"] is None:
                break
            page = {"page": body["next_page"]}
    assert {item["kind"] for item in halts} == {"halt"} and len(halts) == 5
    assert {item["class"] for item in errors} == {"data_error"} and len(errors) == 5
    assert found == list(range(1, 11))


async def test_a_pattern_is_told_with_what_is_to_be_drawn(serve, directory):
    directory.append(a_pattern("forming"), a_pattern(ts=START + NS_PER_MIN))
    path = f"/v1/instruments/{BTC}/patterns"
    async with serve() as served, served.http() as http:
        items = (await http.get(path, params={"from": format_time(START)})).json()["items"]
        confirmed = (await http.get(path, params={"from": format_time(START), "state": "confirmed"})).json()
    assert [item["state"] for item in items] == ["forming", "confirmed"]
    assert items[0]["anchors"][0] == {
        "time": format_time(START - 2 * NS_PER_MIN),
        "price": 110.0,
        "role": "top",
    }
    assert (items[0]["figure"], items[0]["target"], items[0]["interval"]) == (3, 90.0, "1m")
    assert [item["state"] for item in confirmed["items"]] == ["confirmed"]


HEAD = ((0, 80.0), (20, 106.0), (30, 100.0), (42, 112.0), (54, 100.0), (64, 106.0), (84, 86.0))
"""Head and shoulders with a ruler: (bar, close)."""


def hourly(points=HEAD, *, length=60 * NS_PER_MIN, interval="1h"):
    """Closed bars along straight lines, each opening at the last close."""
    closes = np.interp(range(points[-1][0] + 1), *zip(*points, strict=True)).tolist()
    for number, (opened, close) in enumerate(pairwise([closes[0], *closes])):
        bar = a_bar(BTC, START + number * length, interval)
        yield replace(bar, open=opened, close=close, high=max(opened, close), low=min(opened, close))


def of_hours(**chosen):
    return {
        "interval": "1h",
        "from": format_time(START),
        "to": format_time(START + 10**5 * NS_PER_S * 4),
    } | chosen


async def test_figures_in_bars_of_an_interval_are_found_for_the_answer_with_what_is_to_be_drawn(
    serve, directory
):
    directory.append(*hourly())
    async with serve() as served, served.http() as http:
        path = f"/v1/instruments/{BTC}/patterns"
        body = (await http.get(path, params=of_hours(pattern="head_and_shoulders"))).json()
        none = (await http.get(path, params=of_hours(interval="4h"))).json()
    assert [(item["state"], item["ts_event"]) for item in body["items"]][1:] == [
        ("confirmed", format_time(START + 72 * 60 * NS_PER_MIN)),
        ("target_hit", format_time(START + 82 * 60 * NS_PER_MIN)),
    ]
    confirmed = body["items"][1]
    assert [each["role"] for each in confirmed["anchors"]][:3] == ["left_shoulder", "neckline", "head"]
    assert confirmed["anchors"][2]["time"] == format_time(START + 42 * 60 * NS_PER_MIN)
    assert confirmed["anchors"][2]["price"] == 112.0
    assert (confirmed["interval"], confirmed["target"], confirmed["offset"]) == ("1h", 88.0, None)
    assert none["items"] == []


async def test_what_became_known_before_the_window_is_not_told_again(serve, directory):
    directory.append(*hourly())
    since = format_time(START + 80 * 60 * NS_PER_MIN)
    params = of_hours(pattern="head_and_shoulders") | {"from": since}
    async with serve() as served, served.http() as http:
        items = (await http.get(f"/v1/instruments/{BTC}/patterns", params=params)).json()["items"]
    assert [(item["state"], len(item["anchors"])) for item in items] == [("target_hit", 5)]


async def test_found_patterns_are_paged_and_chosen_by_state(serve, directory):
    directory.append(*hourly())
    path, found, page = f"/v1/instruments/{BTC}/patterns", [], {}
    async with serve() as served, served.http() as http:
        whole = (await http.get(path, params=of_hours())).json()["items"]
        confirmed = (await http.get(path, params=of_hours(state="confirmed"))).json()["items"]
        while True:
            body = (await http.get(path, params=of_hours(limit=2) | page)).json()
            found += body["items"]
            if body["next_page"] is None:
                break
            page = {"page": body["next_page"]}
    assert found == whole and len(whole) == 3
    assert confirmed == [item for item in whole if item["state"] == "confirmed"] != []


async def test_candlesticks_come_on_demand(serve, directory):
    pytest.importorskip("talib")
    directory.append(*hourly())
    path = f"/v1/instruments/{BTC}/patterns"
    async with serve() as served, served.http() as http:
        with_them = (await http.get(path, params=of_hours(candles="true", limit=1000))).json()["items"]
        one = (await http.get(path, params=of_hours(pattern="cdl_marubozu"))).json()["items"]
        unknown = await http.get(path, params=of_hours(pattern="cdl_cup"))
    assert {"head_and_shoulders", "cdl_marubozu"} <= {item["pattern"] for item in with_them}
    assert one and {(item["pattern"], item["state"], item["figure"]) for item in one} == {
        ("cdl_marubozu", "confirmed", 0)
    }
    assert "TA-Lib has no 'cdl_cup'" in problem(unknown, 400, "malformed")["detail"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("interval=7m", "interval is one of 1s"),
        ("candles=true", "in bars of an `interval`"),
        ("pattern=cdl_doji", "in bars of an `interval`"),
        ("rough=true", "in bars of an `interval`"),
        ("adjusted=true", "in the prices of then"),
        ("interval=1h&page=zzz", "none of this list's"),
    ],
)
async def test_what_bars_cannot_be_searched_for_is_explained(serve, directory, path, said):
    directory.introduce(BTC)
    async with serve() as served, served.http() as http:
        answer = await http.get(f"/v1/instruments/{BTC}/patterns?{path}")
    assert said in problem(answer, 400, "bad-parameter")["detail"]


async def test_a_window_of_too_many_bars_is_refused(serve, directory):
    directory.introduce(BTC)
    async with serve() as served, served.http() as http:
        path = f"/v1/instruments/{BTC}/patterns"
        answer = await http.get(path, params=of_hours(interval="1m"))
    assert "more than 4000 bars" in problem(answer, 429, "over-limit")["detail"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("anomalies?class=bad", "class is one of market_event"),
        ("patterns?pattern=cup", "pattern is one of head_and_shoulders"),
        ("patterns?state=done", "state is one of forming"),
        ("patterns?page=zzz", "none of this list's"),
        ("anomalies?limit=0", "limit is from 1"),
    ],
)
async def test_what_cannot_be_chosen_is_explained(serve, directory, path, said):
    directory.introduce(BTC)
    async with serve() as served, served.http() as http:
        answer = await http.get(f"/v1/instruments/{BTC}/{path}")
    assert said in problem(answer, 400, "bad-parameter")["detail"]


async def test_both_channels_carry_their_decisions_in_a_chain(serve, directory):
    directory.introduce(ETH)
    async with serve() as served, served.socket() as client:
        await client.subscribe("anomalies", "*.SIM")
        await client.subscribe("patterns", BTC)
        directory.append(an_anomaly(), a_pattern(), an_anomaly("halt", "market_event"))
        directory.append(an_anomaly(instrument=ETH))
        anomalies = await client.take("anomaly", 3)
        await client.send({"op": "ping"})
        await client.until("pong")
    pattern = client.of("pattern")[0]
    check_chain(anomalies)
    assert [frame["kind"] for frame in anomalies if frame["instrument"] == BTC] == ["decimal_slip", "halt"]
    assert anomalies[0]["class"] == "data_error" and anomalies[0]["evidence"] == {"ratio": 10.0}
    assert pattern["pattern"] == "double_top" and pattern["prev"] is None
    assert pattern["anchors"][1]["time"] == format_time(START - NS_PER_MIN)


async def test_signals_resume_from_a_cursor(serve, directory):
    directory.append(an_anomaly())
    cursor = directory.cursor().encode()
    directory.append(an_anomaly("halt", "market_event"), a_pattern())
    async with serve() as served, served.socket(subprotocol="msgpack") as client:
        await client.subscribe("anomalies", BTC, cursor=cursor)
        frame = await client.until("anomaly")
        await client.subscribe("patterns", BTC, cursor=cursor)
        pattern = await client.until("pattern")
    assert (frame["kind"], frame["prev"]) == ("halt", 1)
    assert pattern["anchors"][0]["time"] == START - 2 * NS_PER_MIN


@pytest.mark.parametrize(("chosen", "most"), [({}, 3), ({"class": "data_error"}, 10_000)])
async def test_no_more_is_read_than_a_page_may_need(serve, directory, chosen, most):
    directory.append(*(an_anomaly(ts=START + second * NS_PER_S) for second in range(9)))
    read, asked = directory.decisions, []

    async def counted(instrument, kinds, start, end, limit, after_offset=0):
        asked.append(limit)
        return await read(instrument, kinds, start, end, limit, after_offset)

    directory.decisions = counted
    params = {"from": format_time(START), "limit": 2, **chosen}
    async with serve() as served, served.http() as http:
        body = (await http.get(f"/v1/instruments/{BTC}/anomalies", params=params)).json()
    assert len(body["items"]) == 2 and body["next_page"] is not None
    assert asked == [most]
