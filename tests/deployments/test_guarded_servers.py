"""Serve's own way of starting a server, with our protocols and front in it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.wire.http import BoundedHttp
from deployments.wire.websocket import BoundedSocket

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def http_util(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve's module, guarded for the length of a test."""
    from ray.serve._private import http_util

    from deployments.gateway import guard_the_servers

    monkeypatch.setattr(http_util, "uvicorn", http_util.uvicorn)
    monkeypatch.setattr(http_util, "_apply_middlewares", http_util._apply_middlewares)
    assert guard_the_servers() == []
    yield http_util


async def test_serve_starts_our_protocols_behind_our_front(http_util: Any) -> None:
    from ray.serve.config import HTTPOptions

    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = HTTPOptions(host="127.0.0.1", port=port)
    options.middlewares = []
    task, server = await http_util.start_asgi_http_server(app, options, event_loop=asyncio.get_running_loop())
    try:
        answer = await asked(
            port, b"X-Request-ID: forged\r\nX-Forwarded-For: 192.0.2.1\r\nX-FinanceHub-Peer: 192.0.2.1\r\n"
        )
    finally:
        server.should_exit = True
        await task
    assert (server.config.http_protocol_class, server.config.ws_protocol_class) == (
        BoundedHttp,
        BoundedSocket,
    )
    assert not server.config.ws_per_message_deflate
    assert b"forged" not in answer and b"x-request-id" in answer.lower() and b"nosniff" in answer
    assert b"x-financehub-peer" not in dict(seen[0]["headers"]), "there is no HAProxy in front"
    assert seen[0]["client"][0] == "127.0.0.1", "nobody says whom it speaks for by a header"


async def asked(port: int, headers: bytes) -> bytes:
    async with asyncio.timeout(10):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return answer


def test_guarding_twice_is_guarding_once(http_util: Any) -> None:
    from deployments.gateway import guard_the_servers

    before = http_util.uvicorn, http_util._apply_middlewares
    guard_the_servers()
    assert before == (http_util.uvicorn, http_util._apply_middlewares)
