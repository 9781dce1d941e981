"""HTTP against its own OpenAPI document: whatever is asked is answered as the document says, never a 500."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.asgi import ServingSettings, create_app
from deployments.auth.keys import make_key
from deployments.auth.tokens import Authority
from domain.clock import ManualClock
from tests.deployments.serving.kit import BTC, START, a_bar, a_delta, a_quote, a_snapshot, a_ticker, a_trade
from tests.deployments.serving.log_directory import LogDirectory

Ask = Callable[[str, str, dict[str, str], bytes], Awaitable[httpx.Response]]

PLAUSIBLE = [
    BTC, "BTC", "now", "now-5m", "2027-01-15", "2027-01-15T08:00:00.000000001Z", "c1.kA", "c1.", "1", "0",
    "-1", "5000", "99999999999999999999", "1m", "1d", "x", "", "*", "%", "null", "NaN", "1e3", "true",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(PLAUSIBLE), st.text(max_size=30), st.integers().map(str))
NEEDED = {"spec": "sma(5)"}
"""A value for each query parameter that a route cannot do without."""
BODIES = {"/v1/indicators": b'{"instruments": ["BTC"], "specs": ["sma(5)"]}'}
MAY_FAIL = {500, 501, 502}
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Served:
    """The application in this process, its routes as it documents them, and one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        authority = Authority(make_key(), clock=ManualClock(START))
        self.token = authority.issue("ann", "admin", 3600)
        directory = LogDirectory()
        directory.introduce(BTC, base="BTC")
        directory.append(
            a_trade(), a_quote(), a_ticker(), a_bar(), a_snapshot(), a_delta(bids=((98.5, 1.0),))
        )
        self.app = create_app(directory, authority, ServingSettings())
        self.document = self.ask("GET", "/openapi.json").json()
        self.operations = [
            (method.upper(), path, operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method in ("get", "post", "put", "delete", "patch")
        ]

    def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}"} if headers is None else headers

        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://served") as client:
                return await client.request(method, target, headers=sent, content=body)

        return self.loop.run_until_complete(answer())


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deployments.http.serving.AFTER_WAIT_S", 0.0)
        made = Served()
        yield made
        made.loop.close()


def check(served: Served, answer: httpx.Response, operation: dict[str, Any] | None) -> None:
    """A problem has the problem's body; an answer has the fields that the document requires."""
    assert answer.status_code not in MAY_FAIL, answer.text
    assert served.token not in answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}
        assert answer.json()["status"] == answer.status_code
        return
    told = (operation or {}).get("responses", {}).get(str(answer.status_code), {})
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    if schema is not None and answer.content:
        fits(served.document, schema, answer.json(), "$")


def fits(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str) -> None:
    """Required and known fields, null only where it is allowed, as far as this document uses JSON Schema."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        if value is None:
            assert {"type": "null"} in choices, f"{at} is null"
            return
        (schema,) = [choice for choice in choices if choice != {"type": "null"}]
        fits(document, schema, value, at)
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or json_type(value) & set(kinds), f"{at}: {value!r} is no {kinds}"
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"]), at
        for key, item in value.items():
            fits(document, schema["properties"][key], item, f"{at}.{key}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            fits(document, schema["items"], item, f"{at}[{index}]")


def json_type(value: Any) -> set[str]:
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int):
        return {"integer", "number"}
    names = {float: {"number"}, str: {"string"}, list: {"array"}, dict: {"object"}}
    return names[type(value)]


@FUZZ
@given(data=st.data())
def test_whatever_a_documented_route_is_asked_it_answers_as_documented(
    served: Served, data: st.DataObject
) -> None:
    method, path, operation = data.draw(st.sampled_from(served.operations))
    names = [item["name"] for item in operation.get("parameters", ()) if item["in"] == "query"]
    query = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), TEXTS, max_size=4))
    instrument = data.draw(st.one_of(st.just(BTC), TEXTS))
    target = path.replace("{instrument}", quote(instrument, safe="") or "%20")
    body = data.draw(st.binary(max_size=40))
    answer = served.ask(method, f"{target}?{urlencode(query)}" if query else target, None, body)
    check(served, answer, operation)


def test_every_documented_route_answers_well_with_what_it_needs_alone(served: Served) -> None:
    for method, path, operation in served.operations:
        needed = [item["name"] for item in operation.get("parameters", ()) if item["required"]]
        query = urlencode({name: NEEDED[name] for name in needed if name != "instrument"})
        body = BODIES[path] if "requestBody" in operation else b""
        answer = served.ask(method, f"{path.replace('{instrument}', BTC)}?{query}", None, body)
        assert answer.status_code in (200, 201), (path, answer.text)
        check(served, answer, operation)


@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"]),
    path=st.text(st.characters(codec="ascii", exclude_characters="?#", min_codepoint=33), max_size=40),
    query=st.text(st.characters(codec="ascii", exclude_characters="#", min_codepoint=33), max_size=40),
    header=st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=60),
)
def test_no_request_line_or_header_brings_it_down(
    served: Served, method: str, path: str, query: str, header: str
) -> None:
    headers = {"Authorization": header.strip(), "If-None-Match": header.strip(), "Content-Length": "0"}
    try:
        answer = served.ask(method, f"/{path.lstrip('/')}?{query}", headers)
    except httpx.InvalidURL:
        return
    if method not in ("OPTIONS", "HEAD"):
        check(served, answer, None)
    assert answer.status_code not in MAY_FAIL
