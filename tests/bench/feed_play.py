"""What the feed process does once it has joined Ray: see `feed_process`."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from actors.feed import FeedActor
from actors.feeds.base import FeedSettings
from actors.feeds.provider_log import claim_provider
from actors.feeds.registry import load_adapter
from actors.feeds.source import Sink, Step
from actors.routes import Routes
from actors.runtime import Runtime, WallClock
from actors.sender import Sender
from actors.tail import OpenLog
from deployments import instance
from domain.clock import NS_PER_S
from domain.errors import OverLimit
from storage.writer import LogWriter
from tests.bench.frames import STEP_NS, binance_trades

ENDPOINT = "wss://stream.binance.us:9443/stream"
PAUSE_EVERY = 256


class Job(Struct, frozen=True, forbid_unknown_fields=True):
    """`frames` in each of `rounds`, spread over so many instruments; the clock starts `start_s` (Unix)."""

    frames: int
    rounds: int = 1
    instruments: int = 64
    start_s: int = 1_700_000_000
    step_ns: int = STEP_NS
    name: str = "binance"
    prefix: str = "C"


class FrameSource:
    """Plays frames from memory as fast as the sink takes them, a round at a time."""

    def __init__(self, frames: list[str], job: Job) -> None:
        self._frames = frames
        self._job = job
        self._session = load_adapter("binance").session(FeedSettings())
        self._now = job.start_s * NS_PER_S
        self.sender: Sender | None = None
        """The one its feed hands over to: a round ends when it is drained."""

    def connections(self) -> tuple[int, int]:
        return 1, 1

    def now_ns(self) -> int:
        return self._now

    def resync(self, instruments: Sequence[str]) -> None:
        """Trades have no snapshot to ask for."""

    async def run(self, sink: Sink) -> None:
        for start in range(0, len(self._frames), self._job.frames):
            await self._round(sink, start)

    async def _round(self, sink: Sink, start: int) -> None:
        session, step_ns = self._session, self._job.step_ns
        began, cpu, events = time.perf_counter(), time.process_time(), 0
        for number in range(start, min(start + self._job.frames, len(self._frames))):
            self._now += step_ns
            effects = session.on_frame(0, self._frames[number], self._now, ENDPOINT)
            step = Step(self._now, frames=1, observations=effects.observations, rejects=effects.rejects)
            events += len(step.observations)
            while True:
                try:
                    sink.take(step)
                    break
                except OverLimit:
                    await sink.room()
            if number % PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        assert self.sender is not None
        await self.sender.drained()
        report = {
            "events": events,
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
        }
        print(json.dumps(report), flush=True)


async def play(running: instance.Running, job: Job) -> None:
    frames = binance_trades(
        job.frames * job.rounds,
        job.instruments,
        start_ns=job.start_s * NS_PER_S,
        step_ns=job.step_ns,
        prefix=job.prefix,
    )
    gc.collect()
    gc.freeze()
    runtime = Runtime(running.dsn, running.partition_count, shards=0, readers=0, feeds={})
    routes = Routes(runtime)
    await routes.refresh()
    async with OpenLog(running.dsn) as opened:
        writer = LogWriter(opened.log, f"bench-{time.time_ns()}", WallClock())
        source = FrameSource(frames, job)

        def make_sender(incarnation: int) -> Sender:
            source.sender = Sender(
                job.name, incarnation, runtime.partition_count, routes.owners, refresh=routes.refresh
            )
            return source.sender

        claim = partial(claim_provider, writer, job.name)
        await FeedActor(job.name, source, (), claim=claim, make_sender=make_sender).run()
