"""The OpenAPI document and `Allow`: what they say is what is checked and served."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio

BARS = "/v1/instruments/{instrument}/bars"


async def test_allow_names_every_method_of_a_path(serve):
    async with serve() as served, served.http() as http:
        for path, allowed in {
            "/v1/indicators": "GET, HEAD, OPTIONS, POST",
            "/v1/feeds": "GET, HEAD, OPTIONS",
            "/v1/tickets": "OPTIONS, POST",
            "/v1/instruments/BTC-USD.SIM/bars": "GET, HEAD, OPTIONS",
        }.items():
            for method in ("DELETE", "OPTIONS", "PATCH"):
                answer = await http.request(method, path)
                assert answer.headers["allow"] == allowed, (method, path)


async def test_the_document_says_what_is_checked(serve):
    async with serve() as served, served.http(None) as http:
        made = (await http.get("/openapi.json")).json()
    bars = {item["name"]: item["schema"] for item in made["paths"][BARS]["get"]["parameters"]}
    assert (bars["limit"]["minimum"], bars["limit"]["maximum"], bars["limit"]["type"]) == (
        1,
        5_000,
        "integer",
    )
    assert bars["interval"]["enum"] == ["1s", "1m", "5m", "15m", "1h", "4h", "1d"]
    assert "oneOf" not in bars["limit"]
    levels = made["components"]["schemas"]["BookBody"]["properties"]["bids"]["items"]
    assert levels == {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    assert made["components"]["schemas"]["Question"]["properties"]["instruments"]["maxItems"] == 50


async def test_null_is_no_value_of_a_parameter_and_kinds_are_known(serve):
    async with serve() as served, served.http() as http:
        for query in ("limit=null", "from=null", "page=null", "kind=nonsense", "class=null"):
            answer = await http.get(f"/v1/instruments/BTC/anomalies?{query}")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]
