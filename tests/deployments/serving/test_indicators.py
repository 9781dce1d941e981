"""Indicators over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from deployments.http.indicators import AT_ONCE
from domain.clock import NS_PER_MIN, format_time
from domain.errors import Corrupt, Unavailable
from domain.indicators.catalog import CATALOG
from tests.deployments.serving.kit import BTC, ETH, START, a_bar, a_split
from tests.deployments.serving.log_directory import bar_row
from tests.deployments.serving.test_http import problem

pytestmark = pytest.mark.anyio

PATH = f"/v1/instruments/{BTC}/indicators"


@pytest.fixture
def traded(directory):
    """Eight closed minutes with closes 1 to 8, and one that forms at 2."""
    for minute in range(8):
        directory.append(a_minute(minute, float(minute + 1)))
        directory.append(a_minute(minute, float(minute + 1), ETH))
    directory.forming[(BTC, "1m")] = bar_row(a_bar(BTC, START + 8 * NS_PER_MIN), closed=False)
    return directory


def a_minute(minute: int, close: float, instrument: str = BTC):
    bar = a_bar(instrument, START + minute * NS_PER_MIN)
    return type(bar)(
        **{name: getattr(bar, name) for name in bar.__struct_fields__} | {"close": close, "high": close + 1}
    )


async def test_each_bar_has_its_values_and_the_newest_is_provisional(serve, traded):
    async with serve() as served, served.http() as http:
        params = {"spec": ["sma(3)", "macd(1,2,1).signal"], "limit": 3}
        body = (await http.get(PATH, params=params)).json()
    assert [item["ts_event"] for item in body["items"]] == [
        format_time(START + minute * NS_PER_MIN) for minute in (6, 7, 8)
    ]
    assert [item["values"]["sma(3)"] for item in body["items"]] == [6.0, 7.0, pytest.approx(17 / 3)]
    assert [item["provisional"] for item in body["items"]] == [False, False, True]
    assert [each["spec"] for each in body["specs"]] == ["sma(3)", "macd(1,2,1).signal"]
    assert body["next_page"] is None and body["cursor"].startswith("c1.")


async def test_values_are_null_while_warming_up_and_pages_go_on(serve, traded):
    async with serve() as served, served.http() as http:
        params = {"spec": "sma(3)", "limit": 4, "from": format_time(START)}
        first = (await http.get(PATH, params=params)).json()
        rest = (await http.get(PATH, params={**params, "page": first["next_page"]})).json()
    found = [item["values"]["sma(3)"] for item in (*first["items"], *rest["items"])]
    assert found == [None, None, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"spec": "rsl(14)"}, "did you mean 'rsi'"),
        ({"spec": "sma(0)"}, "period must be 1 to"),
        ({}, "spec"),
        ({"spec": "sma(5)@1m", "interval": "1h"}, "finer than the bars"),
        ({"spec": "sma(5)", "interval": "7m"}, "is none of 1s, 1m"),
        ({"spec": "sma(5)", "limit": 1001}, "from 1 to 1000"),
        ({"spec": "vwap", "session": "noon"}, "is not like 00:00"),
        ({"spec": "sma(5)", "period": 3}, "unknown parameter 'period'"),
    ],
)
async def test_what_is_wrong_is_said(serve, traded, params, said):
    async with serve() as served, served.http() as http:
        answer = await http.get(PATH, params=params)
    assert answer.status_code == 400 and said in answer.json()["detail"], answer.text


async def test_bars_from_before_a_split_are_told_in_the_shares_of_today(serve, traded):
    """Closes 1 to 8; from the fifth minute on in new shares, four for one."""
    effective = START + 4 * NS_PER_MIN
    traded.append(a_split(effective))
    params = {"spec": "sma(2)", "to": format_time(START + 8 * NS_PER_MIN), "from": format_time(START)}
    async with serve() as served, served.http() as http:
        body = (await http.get(PATH, params=params)).json()
        raw = (await http.get(PATH, params={**params, "adjusted": "false"})).json()
        asked = {
            "instruments": [BTC],
            "specs": ["sma(2)"],
            "limit": 8,
            **{k: params[k] for k in ("from", "to")},
        }
        posted = (await http.post("/v1/indicators", json=asked)).json()["items"][0]
        posted_raw = (await http.post("/v1/indicators", json={**asked, "adjusted": False})).json()["items"][0]
        problem(await http.get(PATH, params={**params, "adjusted": "perhaps"}), 400, "bad-parameter")
    told = [item["values"]["sma(2)"] for item in body["items"]]
    assert told == [None, 0.375, 0.625, 0.875, 3.0, 5.5, 6.5, 7.5]
    assert body["splits"] == [{"effective": format_time(effective), "ratio": 4.0}]
    assert [item["values"]["sma(2)"] for item in raw["items"]] == [None, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert raw["splits"] == []
    assert (posted["items"], posted_raw["items"]) == (body["items"], raw["items"])


async def test_bars_are_adjusted_where_that_is_asked_for(serve, traded):
    effective = START + 4 * NS_PER_MIN
    traded.append(a_split(effective))
    path = f"/v1/instruments/{BTC}/bars"
    params = {"to": format_time(START + 8 * NS_PER_MIN), "from": format_time(START)}
    async with serve() as served, served.http() as http:
        recorded = await http.get(path, params=params)
        plain = await http.get(path, params={**params, "adjusted": "false"})
        adjusted = await http.get(path, params={**params, "adjusted": "true"})
        problem(await http.get(path, params={**params, "adjusted": "4"}), 400, "bad-parameter")
    assert [bar["close"] for bar in recorded.json()["items"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert recorded.content == plain.content
    assert [bar["close"] for bar in adjusted.json()["items"]] == [0.25, 0.5, 0.75, 1, 5, 6, 7, 8]
    assert [bar["adjusted"] for bar in adjusted.json()["items"]] == [True] * 4 + [False] * 4
    assert recorded.headers["etag"] != adjusted.headers["etag"]


async def test_a_split_to_come_changes_nothing_yet(serve, traded):
    traded.append(a_split(START + 9 * NS_PER_MIN))
    async with serve() as served, served.http() as http:
        body = (await http.get(PATH, params={"spec": "sma(3)", "limit": 2})).json()
    assert body["splits"] == [] and body["items"][0]["values"]["sma(3)"] == 7.0


async def test_too_many_specs_are_refused(serve, traded):
    async with serve() as served, served.http() as http:
        answer = await http.get(PATH, params={"spec": [f"sma({n})" for n in range(1, 19)]})
    problem(answer, 429, "over-limit")


async def test_the_catalogue_tells_everything_there_is(serve):
    async with serve() as served, served.http() as http:
        items = (await http.get("/v1/indicators")).json()["items"]
    assert [item["name"] for item in items] == list(CATALOG)
    macd = next(item for item in items if item["name"] == "macd")
    assert [each["name"] for each in macd["parameters"]] == ["fast", "slow", "signal"]
    assert macd["first"] == {"macd": 33, "signal": 33, "histogram": 33}
    assert all(item["formula"] and item["source"] for item in items)


async def test_several_instruments_in_one_call(serve, traded):
    asked = {
        "instruments": [BTC, ETH, "NO-SUCH.SIM"],
        "specs": ["sma(2)", "ema(3)"],
        "to": format_time(START + 8 * NS_PER_MIN),
    }
    async with serve() as served, served.http() as http:
        body = (await http.post("/v1/indicators", json=asked)).json()
    assert [each["instrument"] for each in body["items"]] == [BTC, ETH]
    assert [each["items"][0]["values"]["sma(2)"] for each in body["items"]] == [7.5, 7.5]
    assert [each["instrument"] for each in body["rejected"]] == ["NO-SUCH.SIM"]


async def test_several_instruments_are_asked_for_a_few_at_a_time(serve, traded):
    read, running, most = traded.indicators, 0, 0

    async def counted(asked, *, at=None):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return await read(asked, at=at)

    traded.indicators = counted
    asked = {"instruments": [BTC, ETH] * 25, "specs": ["obv"]}
    async with serve() as served, served.http() as http:
        body = (await http.post("/v1/indicators", json=asked)).json()
    assert len(body["items"]) == 50
    assert most == AT_ONCE


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"instruments": []}, 400),
        ({"instruments": [BTC] * 51}, 400),
        ({"instruments": [BTC] * 50, "specs": ["sma(2)", "sma(3)", "sma(4)"], "limit": 1000}, 429),
        (
            {
                "instruments": [BTC] * 50,
                "specs": [f"obv@{each}" for each in ("1m", "5m", "15m", "1h", "4h", "1d")],
            },
            429,
        ),
        ({"specs": []}, 400),
        ({"specs": "sma(2)"}, 400),
        ({"spec": ["sma(2)"]}, 400),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 400),
    ],
)
async def test_a_faulty_call_for_several_is_refused(serve, traded, change, status):
    asked = {"instruments": [BTC], "specs": ["sma(2)"]} | change
    async with serve() as served, served.http() as http:
        answer = await http.post("/v1/indicators", json=asked)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def failing(directory, *failures):
    """`failures`: (instrument, error) of those that cannot be read."""
    read, errors = directory.indicators, dict(failures)

    async def sometimes(asked, *, at=None):
        if asked.instrument in errors:
            raise errors[asked.instrument]
        return await read(asked, at=at)

    directory.indicators = sometimes
    return directory


ASKED = {"instruments": [BTC, ETH, "NO-SUCH.SIM"], "specs": ["sma(2)"]}


async def test_what_may_be_asked_again_is_told_apart_from_what_may_not(serve, traded):
    failing(traded, (ETH, Unavailable("no reader answers")))
    async with serve() as served, served.http() as http:
        answer = await http.post("/v1/indicators", json=ASKED)
    assert answer.status_code == 200
    body = answer.json()
    assert [each["instrument"] for each in body["items"]] == [BTC]
    assert [(each["instrument"], each["retryable"]) for each in body["rejected"]] == [
        (ETH, True),
        ("NO-SUCH.SIM", False),
    ]


async def test_where_nothing_could_be_read_the_whole_call_is_to_be_made_again(serve, traded):
    failing(traded, (BTC, Unavailable("no reader answers")), (ETH, Unavailable("no reader answers")))
    async with serve() as served, served.http() as http:
        answer = await http.post("/v1/indicators", json=ASKED)
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_where_nothing_asked_for_is_known_there_is_nothing_to_try_again(serve, traded):
    async with serve() as served, served.http() as http:
        answer = await http.post("/v1/indicators", json=ASKED | {"instruments": ["NO-SUCH.SIM"]})
    assert answer.status_code == 200
    assert [each["retryable"] for each in answer.json()["rejected"]] == [False]


async def test_where_stored_data_are_damaged_and_nothing_else_was_asked_it_is_our_fault(serve, traded):
    failing(traded, (BTC, Corrupt("the block is not what was sealed")))
    async with serve() as served, served.http() as http:
        problem(await http.post("/v1/indicators", json=ASKED | {"instruments": [BTC]}), 500, "corrupt")
