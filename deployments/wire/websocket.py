"""The WebSocket of a gateway: uvicorn's protocol with everything bounded that a client may make grow.

- Reading pauses while writing does: otherwise pongs gather for a client that sends pings and reads nothing.
- What is received and not taken by the application is bounded, in messages and bytes, and so are the pieces
  of one message. No compression: 16 KB of it would become 16 MB.
- A handshake that cannot be understood is answered, and every end is one: `abort` after a deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.frames import CloseCode, Frame
from websockets.server import ServerProtocol

from deployments.wire.front import TAKEN
from deployments.wire.limits import (
    CONTROL_S,
    FLUSH_S,
    GOODBYE_S,
    MAX_CONTROL_FRAMES,
    MAX_FRAGMENTS,
    MAX_MESSAGE_BYTES,
    QUEUE_BYTES,
    QUEUE_MESSAGES,
    SLICE_BYTES,
)
from deployments.wire.refusal import refusal
from deployments.wire.stalling import RESOLUTION_S, Slowness, Stall
from deployments.wire.transport import EndingTransport, ending

CLOSE_PROTOCOL = 4400
"""As the stream closes for other faults of the protocol; told instead of 1009, which says the same."""
CLOSE_OVER_LIMIT = 4429
TOO_LONG: dict[type[Exception], int] = {RequestLineTooLong: 414, HeaderLineTooLong: 431, TooManyHeaders: 431}


class Connection(ServerProtocol):
    """Frames in and out, without I/O."""

    def fail(self, code: int, reason: str = "") -> None:
        if code == CloseCode.MESSAGE_TOO_BIG:
            code, reason = CLOSE_PROTOCOL, f"a message has at most {MAX_MESSAGE_BYTES} bytes"
        super().fail(code, reason)


class BoundedSocket(WebSocketsSansIOProtocol):
    """One socket. `_unread` was received and is not parsed yet, because a bound was reached."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Connection(max_size=MAX_MESSAGE_BYTES, logger=self.logger)
        self._end: EndingTransport = None  # type: ignore[assignment]  # set with the connection, as uvicorn's
        self._stall = Stall(self.loop)
        self._unread = b""
        self._queued_bytes = 0
        self._failed = self._parsing = False
        self._ping_ends_at = 0
        self._pong_slowness = Slowness(self.loop.time(), 0)
        self._control_frames = 0
        self._control_since_s = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end = ending(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._end))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.ends()
        self._end.gone()
        self._unread = b""
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[TAKEN] = self._end.taken
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._parse()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begins(self._end)
        self._steer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.ends()
        self._go_on()

    def handle_ping(self) -> None:
        if self._control_frame():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._control_frame():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(CLOSE_PROTOCOL, f"a message has at most {MAX_FRAGMENTS} fragments")

    def send_receive_event_to_app(self) -> None:
        """Unlike uvicorn's, reading goes on: a ping is answered while the application works on a message."""
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        message: ASGIReceiveEvent = {"type": "websocket.receive", "bytes": data}
        if self.curr_msg_data_type == "text":
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "text is not UTF-8")
                return
        self.queue.put_nowait(message)
        self._queued_bytes += _size(message)

    def handle_parser_exception(self) -> None:
        """The application learns of it; the client gets the close frame, and nothing more is read of it."""
        if self._failed:
            return
        self._failed = self.close_sent = True
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close is not None else (CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._say_and_end(b"".join(self.conn.data_to_send()))

    def send_keepalive_ping(self) -> None:
        super().send_keepalive_ping()
        self._ping_ends_at = self._end.written
        self._pong_slowness = Slowness(self.loop.time(), self._end.taken())

    def keepalive_timeout(self) -> None:
        """A pong is late only once its client has the ping, which stands behind what was written before."""
        taken = min(self._end.taken(), self._ping_ends_at)
        left_s = (self.ping_timeout or 0.0) - self._pong_slowness.for_s(self.loop.time(), taken)
        if left_s > RESOLUTION_S:
            self.pong_timer = self.loop.call_later(left_s, self.keepalive_timeout)
        else:
            super().keepalive_timeout()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        self._queued_bytes -= _size(message)
        self._go_on()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        closing = message["type"] == "websocket.close"
        if closing:
            self.close_timeout = FLUSH_S if self.transport.get_write_buffer_size() else GOODBYE_S
        await super().send(message)
        if closing or message["type"] == "websocket.accept":
            self._go_on()

    def _control_frame(self) -> bool:
        """False where it counts for nothing, for the socket has failed: maybe by too many of them."""
        now_s = self.loop.time()
        if now_s - self._control_since_s > CONTROL_S:
            self._control_since_s, self._control_frames = now_s, 0
        self._control_frames += 1
        if self._control_frames > MAX_CONTROL_FRAMES and not self._failed:
            self._fail(CLOSE_OVER_LIMIT, "too many pings")
        return not self._failed

    def _parse(self) -> None:
        """One slice."""
        if self._unread and not self._failed and not self._held():
            data, self._unread = self._unread[:SLICE_BYTES], self._unread[SLICE_BYTES:]
            super().data_received(data)
            self._check_handshake()
        if self._failed:
            self._unread = b""
        self._go_on()

    def _go_on(self) -> None:
        """The next slice, after others had their turn."""
        if self._unread and not self._held() and not self._parsing:
            self._parsing = True
            self.loop.call_soon(self._parse_later)
        self._steer()

    def _parse_later(self) -> None:
        self._parsing = False
        self._parse()

    def _held(self) -> bool:
        if not self.writable.is_set() or (self.handshake_initiated and not self.handshake_complete):
            return True
        full = self._queued_bytes >= QUEUE_BYTES or self.queue.qsize() >= QUEUE_MESSAGES
        return full and not self.close_sent

    def _steer(self) -> None:
        """Read from the socket only what can be parsed."""
        if self.transport.is_closing():
            return
        hold = not self._failed and (bool(self._unread) or self._held())
        if hold != self.read_paused:
            self.read_paused = hold
            if hold:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _check_handshake(self) -> None:
        """websockets keeps its answer to itself, and uvicorn waits for a request that never comes."""
        error = self.conn.handshake_exc
        if error is None or self.handshake_initiated or self._failed:
            return
        self._failed = self.close_sent = True
        status = next((code for kind, code in TOO_LONG.items() if isinstance(error, kind)), 400)
        self._say_and_end(refusal(status, str(error)))

    def _fail(self, code: int, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _say_and_end(self, last: bytes) -> None:
        """Reading goes on meanwhile, and drops what comes: a reset would take the last words along."""
        self.stop_keepalive()
        self.transport.write(last)
        self._end.say_no_more()


def _size(message: ASGIReceiveEvent) -> int:
    content: Any = message.get("text") or message.get("bytes") or b""
    return len(content)
