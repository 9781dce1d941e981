"""A WebSocket client in a thread that proves what the stream promises: nothing missing, nothing twice.

It follows trades, books and bars of everything (or what it is given), keeps each chain's newest offset, and
after every loss of its socket comes back with the newest cursor. What breaks the promise is in `faults`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from domain.envelope import parse_cursor
from tests.scenarios.instance import until

CHANNELS = ({"channel": "trades"}, {"channel": "book"}, {"channel": "bars", "interval": "1s"})
EVERY_CHANNEL = (
    *CHANNELS,
    {"channel": "quotes"},
    {"channel": "ticker"},
    {"channel": "patterns"},
    {"channel": "anomalies"},
    {"channel": "status", "instruments": []},
    {"channel": "indicators", "instruments": ["BTC-USD.SIM"], "spec": "sma(5)", "interval": "1s"},
)
CHANNEL_OF = {
    "trade": "trades",
    "bar": "bars",
    "book": "book",
    "book_snapshot": "book",
    "quote": "quotes",
    "ticker": "ticker",
    "pattern": "patterns",
    "anomaly": "anomalies",
    "status": "status",
    "indicator": "indicators",
}
EVERYTHING = ("BTC-USD.SIM", "SOL-USD.SIM", "EUR-USD.SIM")
"""One liquid instrument of each partition that has any."""
RETRY_S = 0.1
OPEN_TIMEOUT_S = 10.0
SILENT_S = 20.0
"""A socket that says nothing for so long is taken for dead."""

Frame = dict[str, Any]
Chain = tuple[str, str]
Place = tuple[str, int]


class Book:
    """Levels as a client builds them from frames; `offset` is the last event inside."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.offset = 0

    def take(self, kind: str, bids: list[list[float]], asks: list[list[float]], offset: int) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            if kind == "book_snapshot":
                side.clear()
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        self.offset = offset

    def top(self, depth: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        return sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]


class Follower:
    """Runs from `start` to `stop`; everything but these two may be read meanwhile."""

    def __init__(self, url: str, token: str, channels: Sequence[Mapping[str, Any]] = CHANNELS) -> None:
        self._url = url
        self._token = token
        self._channels = channels
        self.frames = 0
        """Links of chains that were followed."""
        self.connects = 0
        self.trades: dict[Place, str] = {}
        """(instrument, offset) -> trade id"""
        self.bars: dict[Place, int] = {}
        """(instrument, offset) -> start of the bar, ns"""
        self.books: dict[str, Book] = {}
        self.heard: dict[str, tuple[int, float]] = {}
        """Instrument -> (ts_recv ns of its newest trade, monotonic s of its arrival)"""
        self.cursor: str | None = None
        self.faults: list[str] = []
        self.closes: list[str] = []
        self.gaps = 0
        self.repeats = 0
        self._last: dict[Chain, int] = {}
        self._waits: dict[str, tuple[int, float | None]] = {}
        self._answered = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Follower:
        """Go on from the newest cursor, where there is one."""
        self._stopping.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        until(lambda: self.cursor, 60.0, "the first cursor arrives")
        return self

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is None:
            return
        self._thread.join(SILENT_S + OPEN_TIMEOUT_S)
        assert not self._thread.is_alive(), "the follower does not stop"

    def __enter__(self) -> Follower:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def offsets(self) -> Mapping[str, int]:
        """Partition -> up to where everything has come."""
        return parse_cursor(self.cursor).offsets if self.cursor else {}

    def wait_for(self, offsets: Mapping[str, int], timeout_s: float = 60.0) -> None:
        def reached() -> bool:
            mine = self.offsets()
            return all(mine.get(partition, 0) >= offset for partition, offset in offsets.items())

        try:
            until(reached, timeout_s, f"the client reaches {dict(offsets)}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is at {dict(self.offsets())}") from None

    def recovery_s(self, harm: Callable[[], object], *instruments: str) -> list[float]:
        """Seconds from the harm until each instrument has a trade that was made after it."""
        harm()
        made_ns, began_s = time.time_ns(), time.monotonic()
        self._waits = dict.fromkeys(instruments, (made_ns, None))
        until(lambda: all(at for _, at in self._waits.values()), 90.0, f"trades of {instruments} flow again")
        return [at - began_s for _, at in self._waits.values() if at is not None]

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._connected()
            except (OSError, WebSocketException, TimeoutError) as error:
                self.closes.append(f"{type(error).__name__}: {error}"[:200])
            await asyncio.sleep(RETRY_S)

    async def _connected(self) -> None:
        async with connect(
            f"{self._url}/v1/stream",
            additional_headers={"Authorization": f"Bearer {self._token}"},
            subprotocols=["msgpack"],
            compression=None,
            proxy=None,
            max_size=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=1.0,
        ) as socket:
            resume = {"cursor": self.cursor} if self.cursor else {}
            wanted = [{"instruments": ["*.SIM"], **each, **resume} for each in self._channels]
            frames = [{"op": "subscribe", **each} for each in wanted]
            self._answered = 0
            self.connects += 1
            await socket.send(msgspec.msgpack.encode(frames))
            while not self._stopping.is_set():
                message = await asyncio.wait_for(socket.recv(decode=False), SILENT_S)
                for frame in msgspec.msgpack.decode(message):
                    if not self._take(frame):
                        return

    def _take(self, frame: Frame) -> bool:
        """False where the socket is of no more use."""
        kind = frame["type"]
        if kind == "subscribed":
            self._answered += 1
        elif kind == "cursor":
            if self._answered == len(self._channels):
                self.cursor = frame["cursor"]
        elif kind == "error":
            self.closes.append(f"error {frame['code']}: {frame['message']}")
            return False
        elif kind == "gap":
            self._gap(frame)
        elif kind in CHANNEL_OF and frame["offset"] is not None:
            self._event(kind, frame)
        return True

    def _gap(self, frame: Frame) -> None:
        self.gaps += 1
        if frame["to"] is not None:
            self._last[frame["channel"], frame["instrument"]] = frame["to"]

    def _event(self, kind: str, frame: Frame) -> None:
        chain = (CHANNEL_OF[kind], frame["instrument"])
        last = self._last.get(chain)
        if last is not None and frame["offset"] <= last:
            self._repeated(kind, frame)
            return
        if last is not None and frame["prev"] != last and kind != "book_snapshot":
            self.faults.append(f"{chain}: {frame['offset']} follows {frame['prev']}, we have {last}")
        self._last[chain] = frame["offset"]
        self.frames += 1
        self._keep(kind, frame)

    def _repeated(self, kind: str, frame: Frame) -> None:
        """Only what resuming a little early explains; it must be what we had."""
        self.repeats += 1
        if kind == "trade" and self.trades.get((frame["instrument"], frame["offset"])) != frame["trade_id"]:
            self.faults.append(f"another trade at {frame['instrument']} {frame['offset']}")

    def _keep(self, kind: str, frame: Frame) -> None:
        instrument, offset = frame["instrument"], frame["offset"]
        if kind == "trade":
            self.trades[instrument, offset] = frame["trade_id"]
            self._hear(instrument, frame["ts_recv"])
        elif kind == "bar":
            self.bars[instrument, offset] = frame["ts_event"]
        elif CHANNEL_OF[kind] == "book":
            self.books.setdefault(instrument, Book()).take(kind, frame["bids"], frame["asks"], offset)

    def _hear(self, instrument: str, made_ns: int) -> None:
        now_s = time.monotonic()
        self.heard[instrument] = (made_ns, now_s)
        since_ns, at = self._waits.get(instrument, (0, 0.0))
        if at is None and made_ns > since_ns:
            self._waits[instrument] = (since_ns, now_s)
