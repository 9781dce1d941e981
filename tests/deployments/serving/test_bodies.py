"""Request bodies and what every answer carries: decoded in one place, bounded, never a reason for a 500."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from deployments.wire import body
from deployments.wire.limits import MAX_BODY_BYTES
from tests.deployments.serving.test_http import problem

pytestmark = pytest.mark.anyio
QUESTION = b'{"instruments": ["BTC"], "specs": ["sma(5)"]}'


BAD = [
    b"[" * 2_000,
    b'{"a":' * 2_000,
    b'{"instruments": ' + b"[" * 2_000 + b"]" * 2_000 + b', "specs": ["sma(5)"]}',
    b'{"instruments": ["\xff\xfe"], "specs": ["sma(5)"]}',
    b"\xff\xfe",
    "{}".encode("utf-16"),
    b"{",
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"1e999",
    b"1" * 5_000,
    b'{"instruments": ["\\ud800"], "specs": ["sma(5)"]}',
    b'{"instruments": ["BTC"], "specs": ["\\ud800"]}',
    b'{"instruments": ["BTC"], "specs": ["sma(5)"], "limit": 1' + b"0" * 100 + b"}",
    b'{"instruments": ["BTC"], "specs": ["sma(5)"], "other": 1}',
    b'{"instruments": ["BTC"], "specs": ["' + b"ema(9, " * 500 + b'"]}',
]
KINDS = ("application/json", "application/x-msgpack", "multipart/form-data", "text/plain")


async def test_a_body_that_cannot_be_understood_is_400(serve) -> None:
    async with serve() as served, served.http() as http:
        for sent in BAD:
            for kind in KINDS:
                answer = await http.post("/v1/indicators", content=sent, headers={"Content-Type": kind})
                assert answer.status_code == 400, (sent[:40], kind, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1_000):
        yield b" " * 1_000


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/indicators"])
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 2_000, 3_000_000])
async def test_a_body_in_chunks_over_the_bound_is_413(serve, path: str, size: int) -> None:
    async with serve() as served, served.http() as http:
        problem(await http.post(path, content=chunks(size)), 413, "too-large")
        assert (await http.get("/healthz")).status_code == 200


async def test_a_body_in_chunks_inside_the_bound_is_read(serve) -> None:
    async def question() -> AsyncIterator[bytes]:
        for letter in QUESTION:
            yield bytes([letter])

    async with serve() as served, served.http() as http:
        answer = await http.post("/v1/indicators", content=question())
        assert answer.status_code == 200, answer.text


async def test_a_body_that_does_not_come_is_408(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_S", 0.1)
    async with serve() as served:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        writer.write(b"POST /v1/indicators HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + QUESTION)
        assert b" 408 " in await asyncio.wait_for(reader.read(), 5.0)
        writer.close()


async def test_a_head_request_disturbs_nobody_on_its_connection(serve) -> None:
    async with serve() as served:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        for _ in range(3):
            writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(15) == b'{"status":"ok"}'
        writer.close()


async def test_the_servers_own_scope_stays_as_it_is(serve) -> None:
    scope = {
        "type": "http", "method": "HEAD", "path": "/healthz", "raw_path": b"/healthz", "root_path": "",
        "query_string": b"", "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
        "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    before = dict(scope)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None:
        pass

    async with serve() as served:
        await served.app(scope, receive, send)
    assert scope == before


PATHS = (
    *("/", "/live.js", "/docs", "/openapi.json", "/healthz", "/readyz", "/v1/feeds", "/v1/none", "/metrics"),
    *("/-/schema", "/v1/instruments/none", "/v1/feeds?other=1"),
)


@pytest.mark.parametrize("role", ["viewer", None])
async def test_every_answer_forbids_sniffing_framing_and_caching_by_others(serve, role: str) -> None:
    async with serve() as served, served.http(role) as http:
        for path in PATHS:
            headers: httpx.Headers = (await http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] in ("no-store", "no-cache", "private, no-cache")


async def test_a_ticket_is_stored_nowhere(serve) -> None:
    async with serve() as served, served.http() as http:
        assert (await http.post("/v1/tickets")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("role", ["viewer", "admin", None])
async def test_the_frameworks_own_pages_are_gone_for_everybody(serve, role: str | None) -> None:
    async with serve() as served, served.http(role) as http:
        for path in (
            "/-/schema",
            "/-/schema/",
            "/-/schema/openapi.json",
            "/-/schema/openapi.yaml",
            "/-/schema/oauth2",
        ):
            problem(await http.get(path), 404, "not-found")
        assert (await http.get("/openapi.json")).status_code == 200
