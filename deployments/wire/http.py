"""HTTP/1.1 of a gateway: uvicorn's protocol with bounds on heads, bodies and the time that they take.

uvicorn's own waits for the end of headers and bodies without limit, keeps headers of any size, and drops an
upgrade with a body without an answer. It trusts a proxy in front to refuse these; who reaches the port of a
replica directly, or a proxy that passes bodies on as they come, meets them here.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deployments.wire.body import announced_bytes
from deployments.wire.limits import (
    BODY_S,
    FLOOD_BYTES,
    HEAD_S,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
)
from deployments.wire.refusal import refusal
from deployments.wire.stalling import Stall
from deployments.wire.transport import EndingTransport, ending


class Refused(Exception):
    """Raised inside the parser to stop it: (status, detail)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class BoundedHttp(HttpToolsProtocol):
    """One connection. `_late` runs while a head or a body is under way and not complete."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._end: EndingTransport = None  # type: ignore[assignment]  # set with the connection, as uvicorn's
        self._stall = Stall(self.loop)
        self._late: asyncio.TimerHandle | None = None
        self._upgraded = False
        self._in_head = self._complete = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._refusal = Refused(400, "this is no HTTP/1.1 request")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end = ending(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._end))
        self._expect(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        self._stall.ends()
        self._end.gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._end.said_all:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._upgraded:
            self._in_time()
            return
        self._end.receiving = not self._complete
        if self._end.said_all:
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(Refused(431, f"request line and headers have at most {MAX_HEAD_BYTES} bytes"))
        elif not self._complete or self._idle():
            self._expect(HEAD_S if self._in_head else BODY_S)
        else:
            self._in_time()

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._complete = False
        self._body_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= MAX_HEADERS:
            self._stop(431, f"a request has at most {MAX_HEADERS} headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if announced_bytes(self.headers) and self.parser.should_upgrade() and self._should_upgrade():
            self._stop(400, "an upgrade has no body")
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(429, f"at most {MAX_PIPELINED} requests are sent ahead")
        self._in_head, self._head_bytes = False, 0
        self._in_time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > FLOOD_BYTES:
            self._stop(413, f"a request body has at most {MAX_BODY_BYTES} bytes")
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = self._complete = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for what the parser refuses, our own refusals among them."""
        self._refuse(self._refusal)

    def pause_writing(self) -> None:
        self._stall.begins(self._end)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stall.ends()
        super().resume_writing()

    def _stop(self, status: int, detail: str) -> None:
        self._refusal = Refused(status, detail)
        raise self._refusal

    def _idle(self) -> bool:
        """Nothing is under way, and uvicorn does not count the time: it stopped at stray bytes."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering and self.timeout_keep_alive_task is None

    def _expect(self, within_s: float) -> None:
        if self._late is None:
            self._late = self.loop.call_later(within_s, self._too_late)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self._in_head and self._complete:  # not even begun
            self.transport.abort()
        else:
            self._refuse(Refused(408, "the request was not complete in time"))

    def _refuse(self, why: Refused) -> None:
        """Answer where nothing was answered yet, and end."""
        self._in_time()
        unanswered = self._unanswered()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if unanswered and not self.transport.is_closing():
            self.transport.write(refusal(why.status, why.detail))
        self._end.say_no_more()

    def _unanswered(self) -> bool:
        """Until its head is complete a request has no cycle: the one there is the request's before it."""
        cycle = self.cycle
        if cycle is None:
            return True
        return cycle.response_complete if self._in_head else not cycle.response_started
