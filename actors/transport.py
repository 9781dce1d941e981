"""Sockets and GET requests to providers, over aiohttp. The only place that knows how to reach out.

Times of PROVIDERS.md: connect 5 s, total 15 s. Everything received is bounded; nothing is retried here;
error texts carry no credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from msgspec import Struct

from actors.feeds.redaction import redact
from domain.errors import Unavailable

MIB = 1024 * 1024


class TransportSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`heartbeat_s`: a ping so often; no pong in half that time means that the socket is dead."""

    connect_s: float = 5.0
    total_s: float = 15.0
    heartbeat_s: float = 20.0
    close_s: float = 1.0
    max_frame_bytes: int = 32 * MIB
    max_body_bytes: int = 64 * MIB
    user_agent: str = "financehub/0.1"


class Response(Struct, frozen=True):
    """An answer; status 0 with a reason where none came. Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reason: str = ""


class Socket:
    """One open WebSocket. `reason` says why it ended."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self.reason = ""

    async def receive(self) -> str | bytes | None:
        """The next frame as received, None once the socket has ended. Pings are answered on the way."""
        message = await self._ws.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        self.reason = self._why(message)
        return None

    def _why(self, message: aiohttp.WSMessage) -> str:
        if message.type is aiohttp.WSMsgType.ERROR:
            return f"socket error: {describe(message.data)}"
        if message.type is aiohttp.WSMsgType.CLOSE:
            return f"closed by the venue: {message.data} {str(message.extra or '')[:200]}".rstrip()
        error = self._ws.exception()
        return f"connection lost: {describe(error)}" if error else f"connection lost: {self._ws.close_code}"

    async def send(self, frame: str) -> None:
        """Raises Unavailable where the socket has ended."""
        try:
            await self._ws.send_str(frame)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"cannot send: {describe(error)}") from None

    async def close(self) -> None:
        await self._ws.close()


class Transport:
    """One client session; its connections are shared by all requests to a host."""

    def __init__(self, settings: TransportSettings | None = None) -> None:
        self._settings = settings or TransportSettings()
        self._client: aiohttp.ClientSession | None = None

    async def connect(self, url: str) -> Socket:
        """Open a WebSocket. Raises Unavailable with the reason."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_s):
                ws = await self._session().ws_connect(
                    url,
                    heartbeat=settings.heartbeat_s,
                    max_msg_size=settings.max_frame_bytes,
                    timeout=aiohttp.ClientWSTimeout(ws_close=settings.close_s),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"cannot connect to {redact(url)}: {describe(error)}") from None
        return Socket(ws)

    async def get(self, url: str) -> Response:
        """One attempt; whatever goes wrong before a whole answer is there gives status 0."""
        try:
            async with self._session().get(url) as response:
                body = await self._body(response)
                return Response(response.status, response.headers, body, response.reason or "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Response(0, {}, b"", describe(error))

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > self._settings.max_body_bytes:
                raise aiohttp.ClientPayloadError(f"body exceeds {self._settings.max_body_bytes} bytes")
        return bytes(body)

    def _session(self) -> aiohttp.ClientSession:
        """Made late: aiohttp wants a running loop."""
        if self._client is None:
            settings = self._settings
            self._client = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=settings.total_s, connect=settings.connect_s),
                headers={"User-Agent": settings.user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


def describe(error: object) -> str:
    """Kind and text of an error, without credentials, at most 300 characters."""
    text = " ".join(redact(word) for word in str(error).split(" "))
    return f"{type(error).__name__}: {text}"[:300].rstrip(": ")
