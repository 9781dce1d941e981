"""One connection kept open: dial, read, notice death, dial again; swap sockets without a hole.

dial ──> opened ──> frames ──> lost ──> back off ──> dial ...
                       │  those that wait in the socket together are handed over together
                       └─ replace(): a second socket is opened and subscribed; once it delivers,
                          the first is dropped, and nobody sees a loss
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from msgspec import Struct

from actors.backoff import Backoff
from actors.feeds.base import Endpoint, Received
from actors.transport import Socket, Transport
from domain.errors import Unavailable

SEND_WINDOW_S = 1.0
CLOSE_S = 2.0
"""How long a stopping link waits for its sockets to say goodbye."""


class LinkSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`sends_per_s`: Binance closes a socket that gets more than 5 messages a second.

    `overlap_s`: how long an old socket is kept while its successor delivers nothing.
    `stable_s`: a connection that lived so long makes the next delay start small again.
    `max_run`, `max_run_chars`: frames handed over at once; the last one may go beyond the characters.
    """

    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    overlap_s: float = 3.0
    stable_s: float = 30.0
    sends_per_s: int = 4
    max_unsent: int = 1000
    max_run: int = 64
    max_run_chars: int = 262_144


class LinkHost(Protocol):
    """Whom a link tells; the calls do not wait."""

    def opened(self, link: Link) -> None:
        """A socket is open; what is sent from now on goes to it."""

    def now_ns(self) -> int:
        """When a frame was received; never decreases."""

    def received(self, link: Link, run: Sequence[Received]) -> bool:
        """Frames, oldest first. Returns whether they gave observations."""

    def lost(self, link: Link, reason: str) -> None: ...

    def failed(self, link: Link, reason: str) -> None:
        """A socket could not be opened; another attempt follows."""


class Wire:
    """One socket being read and written. Its `reader` ends when the socket does.

    What is read is handed over once the socket has nothing more at hand: a single frame at once, under
    load a run of them, which costs less a frame. Nobody waits for a run to fill.
    """

    def __init__(
        self,
        socket: Socket,
        now_ns: Callable[[], int],
        received: Callable[[Sequence[Received]], bool],
        settings: LinkSettings,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.opened_s = self.last_frame_s = self._loop.time()
        self.delivers = asyncio.Event()
        self._socket = socket
        self._now_ns = now_ns
        self._received = received
        self._settings = settings
        self._doom = ""
        self._error: BaseException | None = None
        self._run: list[Received] = []
        self._run_chars = 0
        self._handing_over: asyncio.Handle | None = None
        self._unsent: asyncio.Queue[str] = asyncio.Queue()
        self.reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: str) -> None:
        if self._unsent.qsize() >= self._settings.max_unsent:
            self.drop(f"{self._settings.max_unsent} frames wait to be sent")
        else:
            self._unsent.put_nowait(frame)

    def drop(self, reason: str) -> None:
        """Treat the socket as lost."""
        if not self.reader.done() and not self._doom:
            self._doom = reason
            self.reader.cancel()

    def why(self) -> str:
        """The reason of the end; raises what went wrong with the frames, if that was it."""
        if self._error is not None:
            raise self._error
        return self._doom if self.reader.cancelled() else self.reader.result()

    def fault(self) -> BaseException | None:
        """What went wrong with the frames of a socket that has ended; None where nothing did."""
        if self._error is None and self.reader.done() and not self.reader.cancelled():
            return self.reader.exception()
        return self._error

    def fail(self, error: BaseException) -> None:
        """End, with what went wrong elsewhere."""
        self._error = self._error or error
        self.reader.cancel()

    async def close(self) -> None:
        self._idle()
        self.reader.cancel()
        self._writer.cancel()
        await self._socket.close()

    async def _read(self) -> str:
        """`receive` waits only where the socket has nothing; then `_idle` has its turn."""
        try:
            while (frame := await self._socket.receive()) is not None:
                if self._doom:
                    return self._doom  # frames already buffered do not let a cancellation in
                self._keep(frame)
            self._hand_over()
            return self._socket.reason
        finally:
            self.delivers.set()  # whoever waits for this socket must not wait for a dead one

    def _keep(self, frame: str | bytes) -> None:
        self.last_frame_s = self._loop.time()
        self._run.append((frame, self._now_ns()))
        self._run_chars += len(frame)
        if len(self._run) >= self._settings.max_run or self._run_chars >= self._settings.max_run_chars:
            self._hand_over()
        elif self._handing_over is None:
            self._handing_over = self._loop.call_soon(self._idle)

    def _idle(self) -> None:
        """The reader waits for more, or is to be stopped. It hears of what goes wrong here."""
        if self._handing_over is not None:
            self._handing_over.cancel()
            self._handing_over = None
        try:
            self._hand_over()
        except Exception as error:  # noqa: BLE001 - raised again by `why`, to whom the end is of interest
            self.fail(error)

    def _hand_over(self) -> None:
        run, self._run, self._run_chars = self._run, [], 0
        if run and self._received(run):
            self.delivers.set()

    async def _write(self) -> None:
        """Send what is queued, within the venue's bound on messages."""
        loop = asyncio.get_running_loop()
        sent: deque[float] = deque(maxlen=self._settings.sends_per_s)
        while True:
            frame = await self._unsent.get()
            if len(sent) == sent.maxlen:
                await asyncio.sleep(max(0.0, sent[0] + SEND_WINDOW_S - loop.time()))
            sent.append(loop.time())
            try:
                await self._socket.send(frame)
            except Unavailable:
                return  # the reader notices the same death and tells why


class Link:
    """Keeps one endpoint connected. `run` it as a task; cancelling it closes the socket."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        host: LinkHost,
        gate: asyncio.Event,
        seed: str,
        settings: LinkSettings | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._host = host
        self._gate = gate
        self._settings = settings or LinkSettings()
        self._backoff = Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s, seed)
        self._wire: Wire | None = None
        self._wanted = asyncio.Event()
        self._aside: set[asyncio.Task[None]] = set()

    @property
    def connection(self) -> int:
        return self.endpoint.connection

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    async def run(self) -> None:
        """For ever. Dials only while the gate is open."""
        try:
            while True:
                reason = await self._serve(await self._dial())
                self._host.lost(self, reason)
                await asyncio.sleep(self._backoff.next_s())
        finally:
            if self._aside:
                await asyncio.wait(self._aside, timeout=CLOSE_S)

    def send(self, frame: str) -> None:
        """Queue a text frame for the open socket; without one it goes the way of the connection."""
        if self._wire is not None:
            self._wire.send(frame)

    def replace(self, endpoint: Endpoint | None = None) -> None:
        """Move to a new socket (of a changed endpoint where given), overlapped."""
        self.endpoint = endpoint or self.endpoint
        if self._wire is not None:
            self._wanted.set()

    def drop(self, reason: str) -> None:
        """Treat the open socket as lost."""
        if self._wire is not None:
            self._wire.drop(reason)

    def check(self, now_s: float) -> None:
        """Notice silence and old age; `now_s` of the loop's clock."""
        if self._wire is None:
            return
        silent_s = now_s - self._wire.last_frame_s
        life_s = self.endpoint.max_life_s
        if silent_s > self.endpoint.silence_s:
            self._wire.drop(f"silent for {silent_s:.1f} s")
        elif life_s is not None and now_s - self._wire.opened_s > life_s:
            self.replace()

    async def _dial(self) -> Socket:
        while True:
            await self._gate.wait()
            try:
                return await self._transport.connect(self.endpoint.url)
            except Unavailable as error:
                self._host.failed(self, str(error))
            await asyncio.sleep(self._backoff.next_s())

    async def _serve(self, socket: Socket) -> str:
        """Until the connection is lost, over as many sockets as it takes; returns the reason."""
        wire = self._adopt(socket)
        successor = asyncio.create_task(self._successor())
        try:
            self._host.opened(self)
            while True:
                await asyncio.wait({wire.reader, successor}, return_when=asyncio.FIRST_COMPLETED)
                if wire.reader.done():
                    return wire.why()
                retired, wire = wire, self._adopt(successor.result())
                self._start_aside(self._retire(retired, wire))
                self._host.opened(self)
                successor = asyncio.create_task(self._successor())
        finally:
            self._leave(wire, successor)

    def _adopt(self, socket: Socket) -> Wire:
        self._wire = Wire(socket, self._host.now_ns, self._received, self._settings)
        self._wanted.clear()
        return self._wire

    def _received(self, run: Sequence[Received]) -> bool:
        return self._host.received(self, run)

    async def _successor(self) -> Socket:
        """Wait until another socket is wanted, then open it."""
        await self._wanted.wait()
        return await self._dial()

    async def _retire(self, old: Wire, new: Wire) -> None:
        """Go on reading the old socket until the new one delivers; then close it. What its frames broke must
        not go by unseen: the session has taken them, and nobody has had what they gave."""
        try:
            async with asyncio.timeout(self._settings.overlap_s):
                await new.delivers.wait()
        except TimeoutError:
            pass  # a quiet market: the old one is as silent as the new one
        finally:
            await old.close()
            if (fault := old.fault()) is not None:
                new.fail(fault)

    def _leave(self, wire: Wire, successor: asyncio.Task[Socket]) -> None:
        """The connection is over: nothing is read or left open."""
        self._wire = None
        if asyncio.get_running_loop().time() - wire.opened_s >= self._settings.stable_s:
            self._backoff.reset()
        self._start_aside(wire.close())
        if successor.done() and not successor.cancelled():
            self._start_aside(successor.result().close())
        successor.cancel()

    def _start_aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Closing a half-open socket takes a second; nobody waits for it."""
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
