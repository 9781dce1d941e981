"""The serving side as one ASGI application, independent of Ray.

    scope "http"       -> Litestar (deployments/http)
    scope "websocket"  -> the stream (deployments/ws)
    scope "lifespan"   -> accepted; nothing needs it: the first request starts what it needs

Plain ASGI in front, so that Ray Serve's ingress, uvicorn and tests run the very same object.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import Any

from litestar import Litestar
from msgspec import Struct

from actors.directory import Directory
from deployments.auth.tickets import TicketBooth
from deployments.auth.tokens import Authority
from deployments.http.application import make_http
from deployments.http.measuring import measured
from deployments.http.metrics import MetricsSource, OwnMetrics
from deployments.http.serving import Serving
from deployments.instrument_index import InstrumentIndex
from deployments.problem import FRAMEWORK, MALFORMED, MEDIA_TYPE, body, problem
from deployments.wire.body import BodyRefused, with_body
from deployments.wire.front import with_headers
from deployments.ws.endpoint import Message, Receive, Scope, Send, Socket
from deployments.ws.service import StreamService
from deployments.ws.settings import StreamSettings
from observability.metrics import Telemetry


class ServingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`gateway` "" makes a new name per process: an incarnation, as the ConnectionManager wants it."""

    stream: StreamSettings = StreamSettings()
    metrics_open: bool = False
    """`/metrics` without a token for direct connections from this machine."""
    gateway: str = ""


class Gateway:
    """The ASGI application."""

    def __init__(
        self,
        directory: Directory,
        auth: Authority,
        settings: ServingSettings,
        telemetry: Telemetry | None,
        metrics: MetricsSource | None,
    ) -> None:
        name = settings.gateway or f"gateway-{secrets.token_hex(6)}"
        if metrics is None and telemetry is not None:
            metrics = OwnMetrics(telemetry, name)
        index = InstrumentIndex(directory)
        booth = TicketBooth(auth, directory)
        self._serving = Serving(directory, auth, booth, index, metrics, settings.metrics_open)
        self.stream = StreamService(directory, auth, booth, index, settings.stream, telemetry, name)
        self._serving.healths = self.stream.healths
        self._answer = measured(self._http, telemetry)

    @cached_property
    def http(self) -> Litestar:
        """Built when first wanted: routes take some time, and who has sockets only needs none."""
        return make_http(self._serving)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await Socket(self.stream, scope, receive, send).serve()
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            # A copy: the server reads its own scope again when it writes, and HEAD must stay HEAD there.
            method, send = scope["method"], with_headers(send)
            if method == "HEAD":
                method, send = "GET", _without_body(send)
            await self._answer({**scope, "method": method}, receive, send)

    async def drain(self) -> None:
        """Not ready any more; every socket closed with 4503; background work stopped."""
        self._serving.draining = True
        await self.stream.drain()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: Any = self.http
        try:
            receive = await with_body(scope, receive)
        except BodyRefused as refused:
            await _refuse_body(refused, send)
        else:
            await app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.drain()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(
    directory: Directory,
    auth: Authority,
    settings: ServingSettings,
    telemetry: Telemetry | None = None,
    *,
    metrics: MetricsSource | None = None,
) -> Gateway:
    """`metrics`: samples of all processes for `/metrics` (default: this one's)."""
    return Gateway(directory, auth, settings, telemetry, metrics)


async def _refuse_body(refused: BodyRefused, send: Send) -> None:
    row = MALFORMED if refused.status == 400 else FRAMEWORK[refused.status]
    text = body(problem(row, refused.detail))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _without_body(send: Send) -> Send:
    """HEAD is GET without the body: same status and headers."""

    async def head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {
                "type": "http.response.body",
                "body": b"",
                "more_body": message.get("more_body", False),
            }
        await send(message)

    return head
