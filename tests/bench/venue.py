"""A Binance.US on the loopback that prints trades at a steady rate, in a process of its own.

python -m tests.bench.venue PORT INSTRUMENTS TRADES_PER_S
"""

from __future__ import annotations

import asyncio
import sys
import time

from aiohttp import web

from domain.clock import NS_PER_MS
from tests.bench.frames import binance_trades

TICK_S = 0.005
PREPARED = 200_000


class Tape:
    """Trades in turn over the instruments, made beforehand but for their time."""

    def __init__(self, instruments: int) -> None:
        self._frames = binance_trades(PREPARED, instruments, start_ns=0)
        self._next = 0

    def take(self, count: int) -> list[str]:
        """Stamped with now. Raises IndexError past the end of the tape."""
        now_ms = time.time_ns() // NS_PER_MS
        taken = self._frames[self._next : self._next + count]
        if len(taken) < count:
            raise IndexError("the tape has run out")
        self._next += count
        return [_stamped(frame, now_ms) for frame in taken]


def _stamped(frame: str, now_ms: int) -> str:
    """The tape's times are all at the epoch: `"E":1` and `"T":0` up to some hundred ms."""
    head, _, rest = frame.partition('"E":')
    body = rest[rest.index(",") :]
    before, _, after = body.partition('"T":')
    return f'{head}"E":{now_ms}{before}"T":{now_ms}{after[after.index(",") :]}'


class Venue:
    """REST answers are empty; the socket sends what the tape gives."""

    def __init__(self, instruments: int, per_s: float) -> None:
        self._tape = Tape(instruments)
        self._per_s = per_s

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() != "websocket":
            listing = '{"timezone":"UTC","serverTime":0,"symbols":[]}'
            return web.Response(
                text=listing if request.path.endswith("exchangeInfo") else "[]",
                content_type="application/json",
            )
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        reader = asyncio.create_task(self._drop(socket))
        try:
            await self._print(socket)
        except (ConnectionError, IndexError):
            pass
        finally:
            reader.cancel()
        return socket

    async def _print(self, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while not socket.closed:
            due = int((loop.time() - began) * self._per_s) - sent
            for frame in self._tape.take(due):
                await socket.send_str(frame)
            sent += due
            await asyncio.sleep(TICK_S)

    async def _drop(self, socket: web.WebSocketResponse) -> None:
        """Subscriptions are taken for granted."""
        async for _ in socket:
            pass


def main() -> None:
    port, instruments, per_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    application = web.Application()
    application.router.add_get("/{path:.*}", Venue(instruments, per_s).handle)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
