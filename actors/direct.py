"""A shard's own door: the two calls that come hundreds of times a second, without Ray in between.

    client ── Ray: "where is your door?" ──> shard            once, and again after a loss
    client <── nonce ── door; client ── HMAC(secret, nonce) ──> door
    client ── [number, kind, what] ──> door ── [number, status, answer] ──> client     any number at a time

A Ray call costs each of its ends about 1 ms of CPU, a call through the door a tenth of it. Everything
else stays with Ray, and so do these calls while there is no connection: the door is a shorter way to the
same methods, never the only one. A frame is its length (4 bytes, big endian) and so much msgpack.

The secret is the door's own, made at its start and told by Ray only; it never crosses the connection.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from struct import Struct as Packing
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from actors import direct_forms as forms
from actors.answers import PollReply
from actors.intake import Ack
from domain.errors import FinanceHubError, NotOwner
from observability.log import get_log

log = get_log("direct")

LENGTH = Packing(">I")
MAX_FRAME_BYTES = 64 << 20
"""A poll's reply has about 8 MB, a call of a feed its 10,000 events or one deep book."""
MAX_UNPROVEN_BYTES = 64
"""Nobody whom we do not know yet makes us keep more."""
MAX_UNREAD_BYTES = 64 << 20
"""What the other end does not take; then the connection is given up."""
MAX_CONNECTIONS = 256
MAX_CALLS = 2_000
"""At a time and over all connections, as many as the actor takes from Ray."""
PROOF_S = 5.0
SECRET_BYTES, NONCE_BYTES = 32, 16


class Door(Struct, frozen=True):
    """Where a shard listens, and what proves that Ray has said so."""

    host: str
    port: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Door({self.host}:{self.port})"


def proof(secret: bytes, nonce: bytes) -> bytes:
    """What answers the door's first frame."""
    return hmac.digest(secret, nonce, "sha256")


class Behind(Protocol):
    """What the door opens to: a `KeeperShard`."""

    async def observe(self, payload: forms.Payload) -> list[Ack]: ...

    async def poll(self, after: dict[str, int], wait_s: float) -> PollReply: ...


class Framed(asyncio.Protocol):
    """One end of a connection: frames of at most `limit` bytes, whole and in order."""

    def __init__(self) -> None:
        self.limit = MAX_UNPROVEN_BYTES
        self.transport: asyncio.Transport
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, without saying so

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        start, held = 0, len(self._buffer)
        while held - start >= LENGTH.size and not self.transport.is_closing():
            (size,) = LENGTH.unpack_from(self._buffer, start)
            if size > self.limit:
                self.transport.abort()
                return
            end = start + LENGTH.size + size
            if end > held:
                break
            self.received(bytes(self._buffer[start + LENGTH.size : end]))
            start = end
        del self._buffer[:start]

    def received(self, frame: bytes) -> None:
        raise NotImplementedError

    def send(self, frame: bytes) -> None:
        """Unless the connection is over; one whose other end takes nothing is given up."""
        if self.transport.is_closing():
            return
        if len(frame) > MAX_FRAME_BYTES or self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()
            return
        self.transport.write(LENGTH.pack(len(frame)) + frame)


class DirectServer:
    """Open from `start` to `close`. What was asked runs to its end even where nobody waits any more."""

    def __init__(self, behind: Behind, *, proof_s: float = PROOF_S) -> None:
        self.proof_s = proof_s
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self.connections: set[_Served] = set()
        self.calls: set[asyncio.Task[None]] = set()
        self._behind = behind
        self._server: asyncio.Server | None = None

    async def start(self, host: str) -> Door:
        """Listen on that address of this machine, on a port that is free. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Served(self), host, 0)
        return Door(host, self._server.sockets[0].getsockname()[1], self.secret)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()

    async def answer(self, kind: int, asked: msgspec.Raw) -> tuple[int, object]:
        """(status, what the answer says). Raises MsgspecError."""
        try:
            if kind == forms.OBSERVE:
                return forms.DONE, await self._behind.observe(forms.read_payload(asked))
            if kind == forms.POLL:
                return forms.DONE, forms.poll_form(await self._behind.poll(*forms.read_poll(asked)))
        except NotOwner as error:
            return forms.NOT_OWNER, str(error)
        except FinanceHubError as error:
            return forms.UNAVAILABLE, str(error)
        return forms.UNAVAILABLE, f"there is no call {kind}"


class _Served(Framed):
    """The door's end of one connection."""

    def __init__(self, server: DirectServer) -> None:
        super().__init__()
        self._server = server
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._proven = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._server.connections) >= MAX_CONNECTIONS:
            self.transport.abort()
            return
        self._server.connections.add(self)
        self._deadline = asyncio.get_running_loop().call_later(self._server.proof_s, self.transport.abort)
        self.send(self._nonce)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def received(self, frame: bytes) -> None:
        if not self._proven:
            self._prove(frame)
        elif len(self._server.calls) >= MAX_CALLS:
            self.transport.abort()
        else:
            task = asyncio.get_running_loop().create_task(self._serve(frame))
            self._server.calls.add(task)
            task.add_done_callback(self._server.calls.discard)

    def _prove(self, frame: bytes) -> None:
        if not hmac.compare_digest(frame, proof(self._server.secret, self._nonce)):
            log.warning("refused", reason="no proof that Ray has shown the way")
            self.transport.abort()
            return
        self._proven = True
        self.limit = MAX_FRAME_BYTES
        if self._deadline is not None:
            self._deadline.cancel()
        self.send(b"")

    async def _serve(self, frame: bytes) -> None:
        try:
            number, kind, asked = forms.read_envelope(frame)
            status, said = await self._server.answer(kind, asked)
            self.send(forms.encode((number, status, said)))
        except Exception as error:  # noqa: BLE001 - a defect costs one connection, and Ray is the other way
            log.error("call failed", error=repr(error))
            self.transport.abort()


class DirectConnection(Framed):
    """A client's end. `ready` resolves once the door has accepted the proof; `call` from then on."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self.limit = MAX_FRAME_BYTES
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._door = door
        self._proved = False
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[int, msgspec.Raw]]] = {}

    @property
    def open(self) -> bool:
        return self.ready.done() and not self.transport.is_closing()

    def received(self, frame: bytes) -> None:
        if not self._proved:
            self._proved = True
            self.send(proof(self._door.secret, frame))
        elif not self.ready.done():
            self.ready.set_result(None)
        else:
            self._answered(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(self._over())
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(self._over())

    async def call(self, kind: int, asked: object, timeout_s: float) -> tuple[int, msgspec.Raw]:
        """(status, answer). Raises ConnectionError, TimeoutError; a door that is late is not asked again."""
        self._number += 1
        number = self._number
        future: asyncio.Future[tuple[int, msgspec.Raw]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self.send(forms.encode((number, kind, asked)))
            if self.transport.is_closing():
                raise self._over()
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            self.transport.abort()
            raise
        finally:
            self._waiting.pop(number, None)

    def _answered(self, frame: bytes) -> None:
        try:
            number, status, said = forms.read_envelope(frame)
        except msgspec.MsgspecError:
            self.transport.abort()
            return
        future = self._waiting.get(number)
        if future is not None and not future.done():
            future.set_result((status, said))

    def _over(self) -> ConnectionError:
        return ConnectionError(f"the connection to {self._door!r} is over")


async def connected(door: Door, timeout_s: float = PROOF_S) -> DirectConnection:
    """Raises OSError, TimeoutError where the door does not open."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, connection = await loop.create_connection(lambda: DirectConnection(door), door.host, door.port)
        try:
            await connection.ready
        except BaseException:
            connection.transport.abort()
            raise
    return connection
