"""One HTTP connection: what it may send, how long it may take, and that it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployments.wire import http, stalling, transport
from deployments.wire.limits import FLOOD_BYTES, MAX_HEAD_BYTES
from tests.deployments.wire.kit import UPGRADE, echo, listening

pytestmark = pytest.mark.anyio

SHORT_S = 0.1
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in (
        (http, ["HEAD_S", "BODY_S"]),
        (stalling, ["STALL_S"]),
        (transport, ["ABORT_S", "GOODBYE_S"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, SHORT_S)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"GET / HT", b"408"),
        (HEAD, b"408"),
        (UPGRADE, b"408"),
        (HEAD + b"Content-Length: 10\r\n\r\n12345", b"408"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", b"408"),
    ],
    ids=[
        "nothing",
        "a stray line",
        "half a line",
        "half a head",
        "half an upgrade",
        "half a body",
        "no last chunk",
    ],
)
async def test_what_is_not_complete_in_time_is_refused_and_ends(sent: bytes, status: bytes) -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(sent)
        assert (await client.rest())[9:12] == status
        await server.empty()


@pytest.mark.usefixtures("impatient")
async def test_stray_bytes_after_an_answer_do_not_keep_a_connection() -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer()).startswith(b"HTTP/1.1 200")
        await client.send(b"\r\n")
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"A: " + b"a" * MAX_HEAD_BYTES, b"431"),
        (HEAD + b"A: a\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"a" * MAX_HEAD_BYTES, b"431"),
        (UPGRADE + b"Content-Length: 3\r\n\r\nabc", b"400"),
        (UPGRADE + b"Content-Length: 3\r\n\r\n", b"400"),
        (UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (UPGRADE + b"A: " + b"a" * 8192 + b"\r\n\r\n", b"431"),
        (UPGRADE.replace(b"/v1/stream", b"/" + b"a" * 8192) + b"\r\n", b"414"),
        (b"no request at all\r\n\r\n", b"400"),
    ],
    ids=[
        "a header without end", "many headers", "a line without end", "upgrade with a body",
        "upgrade with the body to come", "upgrade with chunks", "upgrade with a long header",
        "upgrade with a long line", "nonsense",
    ],
)  # fmt: skip
async def test_what_no_client_means_is_answered_and_ends(sent: bytes, status: bytes) -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(sent)
        told = await client.rest()
        assert told[9:12] == status, told
        assert b"application/problem+json" in told and b"nosniff" in told
        await server.empty()


async def test_a_body_without_end_is_refused_while_the_client_still_sends() -> None:
    async def reads_on(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] == "http.request":
            pass

    async with listening(reads_on) as server:
        client = await server.connect()
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        sending = asyncio.ensure_future(client.send(chunk * (4 * FLOOD_BYTES // len(chunk))))
        assert (await client.answer()).startswith(b"HTTP/1.1 413")
        sending.cancel()


async def test_an_early_answer_reaches_a_client_that_still_sends() -> None:
    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    async with listening(deaf) as server:
        client = await server.connect()
        await client.send(HEAD + b"Content-Length: 1000000\r\n\r\n" + bytes(500_000))
        assert (await client.rest()).startswith(b"HTTP/1.1 413")
        await server.empty()


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_takes_nothing_of_an_answer_is_cut_off() -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.until(lambda: len(server.connections) == 1)
        await server.empty()
        client.sock.close()


async def test_requests_sent_ahead_are_bounded() -> None:
    async with listening(echo) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert (await client.rest()).count(b"HTTP/1.1 200") < 50
        await server.empty()


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with listening(echo) as server:
        client = await server.connect()
        for body in (b"", b"abc"):
            await client.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await client.answer(b"\r\n\r\n%d" % len(body))
        assert len(server.connections) == 1
        client.sock.close()
