"""The ASGI side of a socket: handshake, one reader, one writer, and the close frame.

The handshake is always accepted first: a close code can only be told over an open WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from deployments.auth.bearer import bearer_token
from deployments.auth.principal import Principal
from deployments.wire.front import TAKEN
from deployments.ws import protocol
from deployments.ws.channels import SHORT_FORMS
from deployments.ws.codec import chosen
from deployments.ws.outbox import Outbox
from deployments.ws.protocol import (
    Auth,
    BadFrame,
    ClientFrame,
    Failure,
    Subscribe,
    code_of,
    parts,
    read_frame,
)
from deployments.ws.rate import MessageRate, Refusals, cost_of
from deployments.ws.service import StreamService
from deployments.ws.session import Session
from domain.errors import FinanceHubError, Forbidden, OverLimit, Unauthenticated
from observability.log import get_log

log = get_log("socket")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Fail = Callable[[protocol.Id, str, str], None]

CLIENT_GONE = 1005
LATENCY_SAMPLE = 16
"""One written message in so many is measured."""
MAX_QUERY_LENGTH = 24_576
"""A cursor may be long; nothing else is."""
REFUSE_S = 1.0
"""For the last words to a client that never was one: nothing of it waits for longer."""


class Gone(Exception):
    """The client has closed the socket."""


class Ended(Exception):
    """The server ends the socket: (code, reason)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Socket:
    """One connection over its whole life."""

    def __init__(self, service: StreamService, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._settings = service.settings
        self._scope = scope
        self._receive = receive
        self._send = send
        self._codec, self._subprotocol = chosen(scope.get("subprotocols") or [])
        self._rate = MessageRate(self._settings.messages_per_s, self._settings.message_burst)
        """Until the user is known; then the user's own counts, over all sockets."""
        self._user: str | None = None
        self._bad = 0
        self._refusals = Refusals()
        self._writes = 0
        self._written = 0

    async def serve(self) -> None:
        connect = await self._receive()
        if connect["type"] != "websocket.connect":
            return
        accept: Message = {"type": "websocket.accept", "subprotocol": self._subprotocol, "headers": []}
        await self._send(accept)
        try:
            short_form = self._short_form()
            principal, rest = await self._authenticated()
            session = await self._service.open(principal, self._codec)
        except Gone:
            return
        except Ended as ended:
            await self._close(ended.code, ended.reason, REFUSE_S)
            return
        except FinanceHubError as error:
            code, reason = _refusal(error)
            await self._refuse(error, code, reason)
            return
        await self._run(session, short_form, rest)

    async def _run(self, session: Session, short_form: Subscribe | None, rest: list[ClientFrame]) -> None:
        loop = asyncio.get_running_loop()
        session.welcome()
        writer = loop.create_task(self._write(session))
        reader = loop.create_task(self._read(session, short_form, rest))
        code, reason = CLIENT_GONE, "client gone"
        try:
            first: set[asyncio.Future[Any]] = {writer, reader, session.closed}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            code, reason = self._outcome(session, reader, writer)
        finally:
            reader.cancel()
            session.end()
            try:
                if code != CLIENT_GONE:
                    await self._flush(session, writer, code)
                    await self._close(code, reason, self._settings.close_s)
            finally:
                writer.cancel()
                try:
                    await asyncio.gather(reader, writer, return_exceptions=True)
                finally:  # Serve cancels us as soon as the client has gone, which may be right now
                    await self._service.close(session, code, reason)

    def _outcome(
        self, session: Session, reader: asyncio.Task[None], writer: asyncio.Task[None]
    ) -> tuple[int, str]:
        if session.closed.done():
            return session.closed.result()
        for task in (reader, writer):
            if not task.done():
                continue
            error = task.exception()
            if isinstance(error, Ended):
                return error.code, error.reason
            if error is not None and not isinstance(error, Gone | OSError):
                log.error("socket_failed", session=session.name, error=repr(error))
                return protocol.CLOSE_DRAINING, "internal error: connect again"
        return CLIENT_GONE, "client gone"

    async def _flush(self, session: Session, writer: asyncio.Task[None], code: int) -> None:
        """Let the last answers out, except where the client does not take anything anyway."""
        if code == protocol.CLOSE_TOO_SLOW:
            session.outbox.clear()
            writer.cancel()
            return
        if not writer.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.close_s):
                    await session.outbox.empty()

    async def _read(self, session: Session, short_form: Subscribe | None, rest: list[ClientFrame]) -> None:
        if short_form is not None:
            await self._open_short_form(session, short_form)
        for frame in self._affordable(rest, session.fail):
            await session.perform(frame)
        while True:
            if session.outbox.full:  # answers have no bound of their own: who takes none asks no more
                await session.outbox.room()
            for frame in self._frames(await self._message(), session.fail):
                await session.perform(frame)

    async def _open_short_form(self, session: Session, op: Subscribe) -> None:
        try:
            answer = await session.subscriber.subscribe(op)
        except FinanceHubError as error:
            session.fail(None, code_of(error), str(error))
            raise Ended(protocol.CLOSE_PROTOCOL, f"{code_of(error)}: {error}"[:120]) from None
        if answer is not None and answer.rejected:
            refused = answer.rejected[0]
            session.fail(None, refused.code, refused.message)
            raise Ended(protocol.CLOSE_PROTOCOL, f"{refused.code}: {refused.message}"[:120])

    async def _write(self, session: Session) -> None:
        """Joins whatever has gathered into one message; never waits for more."""
        outbox = session.outbox
        outbox.taken = self._scope.get("extensions", {}).get(TAKEN, outbox.taken)
        while True:
            await outbox.wake.wait()
            frames = outbox.take()
            now_s = time.monotonic()
            cursor = session.cursor_frame(now_s)
            if cursor is not None:
                frames.append(cursor)
            if not frames:
                outbox.wake.clear()
                continue
            outbox.begin_write()
            await self._send(self._message_of(frames))
            outbox.end_write()
            self._measure(outbox, len(frames))

    def _message_of(self, frames: list[bytes]) -> Message:
        data = self._codec.join(frames)
        if self._codec.text:
            return {"type": "websocket.send", "text": data.decode()}
        return {"type": "websocket.send", "bytes": data}

    def _measure(self, outbox: Outbox, frames: int) -> None:
        self._writes += 1
        self._written += frames
        telemetry = self._service.telemetry
        if telemetry is None or self._writes % LATENCY_SAMPLE:
            return
        telemetry.count("financehub.gateway.frames", self._written)
        self._written = 0
        newest = outbox.newest
        received = getattr(newest.event, "ts_recv", None) if newest is not None else None
        if received is not None:
            age_ns = self._service.authority.clock.now_ns() - received
            telemetry.observe("financehub.gateway.delivered", max(0.0, age_ns / 1e9))

    async def _message(self) -> str | bytes:
        """The next message of the client. Raises Gone, or Ended where it is too large."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        data: str | bytes = text if text is not None else message.get("bytes") or b""
        if _size(data, self._settings.max_message_bytes) > self._settings.max_message_bytes:
            raise Ended(
                protocol.CLOSE_PROTOCOL, f"a message has at most {self._settings.max_message_bytes} bytes"
            )
        return data

    def _frames(self, data: str | bytes, fail: Fail) -> list[ClientFrame]:
        """Understood frames; the others are answered. Raises Ended after repeated abuse."""
        frames: list[ClientFrame] = []
        text = isinstance(data, str)
        try:
            raws = parts(data)
        except BadFrame as error:
            self._count_bad(error, fail)
            return frames
        for raw in raws:
            try:
                frames.extend(self._affordable([read_frame(raw, text=text)], fail))
            except BadFrame as error:
                if self._takes(1.0):
                    self._count_bad(error, fail)
                else:
                    self._count_throttled(error.frame_id, fail)
        return frames

    def _affordable(self, frames: list[ClientFrame], fail: Fail) -> list[ClientFrame]:
        """Those that the rate allows; the others are answered. Raises Ended after repeated abuse."""
        allowed: list[ClientFrame] = []
        for frame in frames:
            if self._takes(cost_of(frame)):
                allowed.append(frame)
            else:
                self._count_throttled(frame.id, fail)
        return allowed

    def _takes(self, cost: float) -> bool:
        if self._user is None:
            taken = self._rate.allows(time.monotonic(), cost)
        else:
            taken = self._service.rate.take(self._user, cost)
        if taken:
            self._refusals.allowed()
        return taken

    def _count_bad(self, error: BadFrame, fail: Fail) -> None:
        fail(error.frame_id, code_of(error), str(error))
        self._bad += 1
        if self._bad > self._settings.bad_frames_allowed:
            raise Ended(protocol.CLOSE_PROTOCOL, f"{self._bad} frames could not be understood")

    def _count_throttled(self, frame_id: protocol.Id, fail: Fail) -> None:
        if self._refusals.refused(time.monotonic()):
            raise Ended(protocol.CLOSE_OVER_LIMIT, "too many messages")
        fail(
            frame_id,
            "rate_limited",
            f"at most {self._settings.messages_per_s:g} messages and patterns per second",
        )

    async def _authenticated(self) -> tuple[Principal, list[ClientFrame]]:
        """From the header, a ticket, or the first message; and what came with that message.

        Raises Unauthenticated, OverLimit, Gone, Ended.
        """
        token = bearer_token(self._scope["headers"])
        if token is not None:
            return self._checked(self._service.authority.verify(token)), []
        tickets = self._query().get("ticket")
        if tickets:
            return self._checked(self._service.booth.read(tickets[0])), []
        try:
            with self._service.lobby.place(self._scope):
                async with asyncio.timeout(self._settings.auth_deadline_s):
                    return await self._from_first_message()
        except TimeoutError:
            raise Unauthenticated(
                f'no credential within {self._settings.auth_deadline_s:g} s: send {{"op":"auth"}} first'
            ) from None

    def _checked(self, principal: Principal) -> Principal:
        principal.require("read")
        self._user = principal.user
        return principal

    async def _from_first_message(self) -> tuple[Principal, list[ClientFrame]]:
        failures: list[bytes] = []

        def fail(frame_id: protocol.Id, code: str, message: str) -> None:
            failures.append(self._codec.encode(Failure(frame_id, code, message)))

        while True:
            frames = self._frames(await self._message(), fail)
            for index, frame in enumerate(frames):
                if isinstance(frame, Auth):
                    return self._checked(self._service.authority.verify(frame.token)), frames[index + 1 :]
                fail(frame.id, "unauthenticated", "authenticate first")
            if failures:
                await self._send(self._message_of(failures))
                failures.clear()

    def _query(self) -> dict[str, list[str]]:
        raw: bytes = self._scope.get("query_string", b"")
        if len(raw) > MAX_QUERY_LENGTH:
            raise Ended(protocol.CLOSE_PROTOCOL, "the query is too long")
        try:
            return parse_qs(raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=16)
        except ValueError:
            raise Ended(protocol.CLOSE_PROTOCOL, "the query has too many fields") from None

    def _short_form(self) -> Subscribe | None:
        """`/ws/market/{symbol}/{channel}` as a subscription; None on `/v1/stream`. Raises Ended."""
        path = str(self._scope["path"]).rstrip("/").removeprefix(str(self._scope.get("root_path", "")))
        if path == "/v1/stream":
            return None
        pieces = path.split("/")
        if len(pieces) != 5 or pieces[:3] != ["", "ws", "market"] or pieces[4] not in SHORT_FORMS:
            raise Ended(
                protocol.CLOSE_PROTOCOL,
                "no such stream: /v1/stream or /ws/market/{symbol}/{price|orderbook|trades|ticker}",
            )
        query = self._query()
        depth = query.get("depth", [None])[0]
        if depth is not None and not depth.isdecimal():
            raise Ended(protocol.CLOSE_PROTOCOL, "depth is a number of levels")
        return Subscribe(
            channel=SHORT_FORMS[pieces[4]],
            instruments=(pieces[3],),
            depth=None if depth is None else int(depth[:6]),
            cursor=query.get("cursor", [None])[0],
        )

    async def _refuse(self, error: FinanceHubError, code: int, reason: str) -> None:
        frame = self._codec.encode(Failure(None, code_of(error), str(error)))
        try:
            async with asyncio.timeout(REFUSE_S):
                await self._send(self._message_of([frame]))
        except (OSError, TimeoutError):
            return  # it takes nothing: no close frame either
        await self._close(code, reason, REFUSE_S)

    async def _close(self, code: int, reason: str, within_s: float) -> None:
        """Behind what is already written, so a slow client learns why."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(within_s):
                message = {"type": "websocket.close", "code": code, "reason": _short(reason)}
                await self._send(message)


def _size(data: str | bytes, enough: int) -> int:
    """Bytes of a message; at least `enough` + 1 where its letters alone are more."""
    if isinstance(data, bytes) or len(data) > enough:
        return len(data)
    return len(data.encode(errors="surrogatepass"))


def _short(reason: str) -> str:
    """A close reason has at most 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")


def _refusal(error: FinanceHubError) -> tuple[int, str]:
    """Close code for a handshake that fails."""
    if isinstance(error, Unauthenticated):
        return protocol.CLOSE_UNAUTHENTICATED, str(error)
    if isinstance(error, Forbidden):
        return protocol.CLOSE_FORBIDDEN, str(error)
    if isinstance(error, OverLimit):
        return protocol.CLOSE_OVER_LIMIT, str(error)
    return protocol.CLOSE_DRAINING, str(error)
