"""An actor's own door: calls that come often, or that somebody waits for, without Ray in between.

    client ── Ray: "where is your door?" ──> actor            once, and again after a loss
    client <── nonce ── door; client ── own nonce, HMAC of both ──> door; client <── HMAC of both ── door
    client ── [number, kind, what] ──> door ── [number, status, answer] ──> client     any number at a time

A Ray call costs each of its ends about 1 ms of CPU, a call through the door a tenth of it. A shard, a
Reader and the ConnectionManager have one. Lifecycle stays with Ray, and so does every call while there is
no connection: the door is a shorter way to the same methods, never the only one. A frame is its length
(4 bytes, big endian) and so much msgpack.

The secret is the door's own, made at its start and told by Ray only; it never crosses the connection. Both
ends prove that they know it: a port that its shard has left may be somebody else's by now, and whoever takes
batches there must not be believed: each end unpickles what the other says.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import secrets
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from struct import Struct as Packing
from typing import Any, Protocol, cast

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
FIRST_BUFFER_BYTES, KEPT_BUFFER_BYTES = 4 << 10, 1 << 20
"""It doubles as frames need it; a larger one than is kept goes with the frame it was for."""
MAX_UNPROVEN_BYTES = 64
"""Nobody whom we do not know yet makes us keep more."""
MAX_UNREAD_BYTES = 64 << 20
"""What the other end does not take; then the connection is given up."""
MAX_CONNECTIONS = 256
MAX_CALLS = 2_000
"""At a time and over all connections, as many as the actor takes from Ray."""
PROOF_S = 5.0
SECRET_BYTES, NONCE_BYTES = 32, 16
OF_CLIENT, OF_DOOR = b"financehub direct client", b"financehub direct door"
"""What each end's proof begins with, so that neither can be had from the other end."""
KEEP_ALIVE_S, KEEP_ALIVE_TRIES = 15, 4
"""A silent other end is asked so often: one whose machine has gone holds its connection for a minute."""


class Door(Struct, frozen=True):
    """Where an actor listens, and what proves that Ray has said so."""

    host: str
    port: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Door({self.host}:{self.port})"


def proof(secret: bytes, who: bytes, of_door: bytes, of_client: bytes) -> bytes:
    """What shows that one end knows the secret: 32 bytes over both nonces."""
    return hmac.digest(secret, who + of_door + of_client, "sha256")


def _keep_alive(transport: asyncio.Transport) -> None:
    """Half-open connections end by themselves, where the system can see to it so soon."""
    found = transport.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_S),
        ("TCP_KEEPINTVL", KEEP_ALIVE_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_TRIES),
    ):
        if hasattr(socket, name):
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Behind(Protocol):
    """A `KeeperShard`, the only one that is asked these two in a form of their own."""

    async def observe(self, payload: forms.Payload) -> list[Ack]: ...

    async def poll(self, after: dict[str, int], wait_s: float) -> PollReply: ...


class Framed(asyncio.BufferedProtocol):
    """One end of a connection: frames of at most `limit` bytes, whole and in order.

    They are read into a buffer that stays: memory made anew for each read costs more than what is read.
    """

    def __init__(self) -> None:
        self.limit = MAX_UNPROVEN_BYTES
        self.transport: asyncio.Transport
        self._buffer = bytearray(FIRST_BUFFER_BYTES)
        self._filled = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, without saying so
        _keep_alive(self.transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        start, held = 0, self._filled
        while held - start >= LENGTH.size and not self.transport.is_closing():
            (size,) = LENGTH.unpack_from(self._buffer, start)
            if size > self.limit:
                self.transport.abort()
                return
            end = start + LENGTH.size + size
            if end > held:
                break
            with memoryview(self._buffer) as view:
                frame = bytes(view[start + LENGTH.size : end])
            self.received(frame)
            start = end
        self._make_room(start)

    def _make_room(self, start: int) -> None:
        """Move what is left to the front, and grow to the frame that has begun, as far as it has come."""
        self._filled -= start
        if start:
            self._buffer[: self._filled] = self._buffer[start : start + self._filled]
        if self._filled == len(self._buffer):
            grown = bytearray(2 * len(self._buffer))  # whoever reads into the old one holds it still
            grown[: self._filled] = self._buffer
            self._buffer = grown
        elif not self._filled and len(self._buffer) > KEPT_BUFFER_BYTES:
            self._buffer = bytearray(FIRST_BUFFER_BYTES)

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
    """Open from `start` to `close`. What was asked runs to its end even where nobody waits any more, except
    behind a door that `only_reads`: there a call ends when its caller gives up."""

    def __init__(self, behind: object, *, proof_s: float = PROOF_S, only_reads: bool = False) -> None:
        """Opens to all public methods of `behind`, with `OBSERVE` and `POLL` to those of a `Behind`."""
        self.proof_s = proof_s
        self.only_reads = only_reads
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self.connections: set[_Served] = set()
        self.calls: set[asyncio.Task[None]] = set()
        self._behind: Any = behind
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
        if kind == forms.CALL:
            return await self._answer_call(*forms.read_called(asked))
        behind: Behind = self._behind
        try:
            if kind == forms.OBSERVE:
                return forms.DONE, await behind.observe(forms.read_payload(asked))
            if kind == forms.POLL:
                return forms.DONE, forms.poll_form(await behind.poll(*forms.read_poll(asked)))
        except NotOwner as error:
            return forms.NOT_OWNER, str(error)
        except FinanceHubError as error:
            return forms.UNAVAILABLE, str(error)
        return forms.UNAVAILABLE, f"there is no call {kind}"

    async def _answer_call(
        self, method: str, args: Sequence[Any], named: Mapping[str, Any]
    ) -> tuple[int, object]:
        """As Ray would: what the method raises is raised at the caller where it is a domain error."""
        try:
            if method.startswith("_"):
                return forms.UNAVAILABLE, f"{method!r} is nobody else's to call"
            result = getattr(self._behind, method)(*args, **named)
            answer = await result if inspect.isawaitable(result) else result
            return forms.DONE, forms.answer_form(method, answer)
        except FinanceHubError as error:
            return forms.RAISED, forms.pickled(error)
        except Exception as error:  # noqa: BLE001 - a defect of one question, told to who asked it
            log.error("call failed", method=method, error=repr(error))
            return forms.UNAVAILABLE, f"{method} failed: {error!r}"


class _Served(Framed):
    """The door's end of one connection."""

    def __init__(self, server: DirectServer) -> None:
        super().__init__()
        self._server = server
        self._calls: dict[int, asyncio.Task[None]] = {}
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
        for number in list(self._calls):
            self._cancel(number)

    def received(self, frame: bytes) -> None:
        if not self._proven:
            self._prove(frame)
        else:
            self._asked(frame)

    def _asked(self, frame: bytes) -> None:
        try:
            number, kind, what = forms.read_envelope(frame)
        except msgspec.MsgspecError as error:
            log.error("call failed", error=repr(error))
            self.transport.abort()
            return
        if kind == forms.CANCEL:  # also where there is no room: it makes some
            self._cancel(number)
            return
        if len(self._server.calls) >= MAX_CALLS:
            self.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(number, kind, what))
        self._calls[number] = task
        self._server.calls.add(task)
        task.add_done_callback(partial(self._answered, number))

    def _answered(self, number: int, task: asyncio.Task[None]) -> None:
        self._server.calls.discard(task)
        self._calls.pop(number, None)

    def _cancel(self, number: int) -> None:
        task = self._calls.get(number)
        if task is not None and self._server.only_reads:
            task.cancel()

    def _prove(self, frame: bytes) -> None:
        secret, theirs, shown = self._server.secret, frame[:NONCE_BYTES], frame[NONCE_BYTES:]
        if not hmac.compare_digest(shown, proof(secret, OF_CLIENT, self._nonce, theirs)):
            log.warning("refused", reason="no proof that Ray has shown the way")
            self.transport.abort()
            return
        self._proven = True
        self.limit = MAX_FRAME_BYTES
        if self._deadline is not None:
            self._deadline.cancel()
        self.send(proof(secret, OF_DOOR, self._nonce, theirs))

    async def _serve(self, number: int, kind: int, asked: msgspec.Raw) -> None:
        try:
            status, said = await self._server.answer(kind, asked)
            self.send(forms.encode((number, status, said)))
        except Exception as error:  # noqa: BLE001 - a defect costs one connection, and Ray is the other way
            log.error("call failed", error=repr(error))
            self.transport.abort()


class DirectConnection(Framed):
    """A client's end. `ready` resolves once both have proven themselves; `call` from then on."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._door = door
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._expected: bytes | None = None
        self._number = self._heard = 0
        self._waiting: dict[int, asyncio.Future[tuple[int, msgspec.Raw]]] = {}

    @property
    def open(self) -> bool:
        return self.ready.done() and not self.transport.is_closing()

    def received(self, frame: bytes) -> None:
        if self.ready.done():
            self._heard += 1
            self._answered(frame)
        elif self._expected is None:
            secret = self._door.secret
            self._expected = proof(secret, OF_DOOR, frame, self._nonce)
            self.send(self._nonce + proof(secret, OF_CLIENT, frame, self._nonce))
        elif hmac.compare_digest(frame, self._expected):
            self.limit = MAX_FRAME_BYTES
            self.ready.set_result(None)
        else:
            self.transport.abort()  # somebody else has the port now

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(self._over())
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(self._over())

    async def call(self, kind: int, asked: object, timeout_s: float) -> tuple[int, msgspec.Raw]:
        """(status, answer). Raises ConnectionError, TimeoutError. A caller that gives up tells the door.

        A door that was silent all the while is not asked again: nobody may be there any more.
        """
        heard = self._heard
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
            self._give_up(number)
            if self._heard == heard:
                self.transport.abort()
            raise
        except asyncio.CancelledError:
            self._give_up(number)
            raise
        finally:
            self._waiting.pop(number, None)

    def _give_up(self, number: int) -> None:
        self.send(forms.encode((number, forms.CANCEL, None)))

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
