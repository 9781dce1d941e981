"""`financehub record`: a provider's frames as they come, into a capture."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from msgspec.structs import replace

from actors.feeds.base import Adapter, FeedSettings
from actors.feeds.capture import CaptureWriter
from actors.feeds.live import LiveSource
from actors.feeds.redaction import redact
from actors.feeds.registry import load_adapter
from actors.feeds.source import Step
from actors.runtime import WallClock
from actors.steady_clock import ClockSet
from deployments.duration import parse_duration_s
from deployments.settings import read_settings
from domain.errors import Malformed, Unavailable

DONE = 0


def record(arguments: argparse.Namespace) -> int:
    """Record for a while; Ctrl-C ends it early and keeps what there is.

    Raises Unavailable where not a single frame came, Rejected for what cannot be asked for.
    """
    adapter = load_adapter(arguments.provider)
    seconds = parse_duration_s(arguments.duration)
    feed = read_settings(arguments.config).feeds.of(adapter.name)
    if arguments.instruments:
        feed = replace(
            feed, instruments=tuple(name.strip().upper() for name in arguments.instruments.split(","))
        )
    if not feed.instruments:
        raise Malformed(f"no instruments: give --instruments or set [feeds.{adapter.name}] instruments")
    load_adapter(arguments.provider).session(feed)  # what is wrong with it is said before a file is replaced
    watcher = Watcher()
    with CaptureWriter(Path(arguments.out)) as writer:
        try:
            asyncio.run(record_for(adapter, feed, seconds, writer, watcher))
        except KeyboardInterrupt:
            print("financehub: stopped early", file=sys.stderr)
    if not watcher.frames:
        raise Unavailable(f"nothing came from {adapter.name}: {watcher.last_loss or 'no connection'}")
    print(f"{watcher.frames} frames, {watcher.rejected} rejected -> {arguments.out}", file=sys.stderr)
    return DONE


class Watcher:
    """The receiving end while recording: counts, and keeps nothing."""

    def __init__(self) -> None:
        self.frames = 0
        self.rejected = 0
        self.last_loss = ""

    def take(self, step: Step) -> None:
        self.frames += step.frames
        self.rejected += len(step.rejects)
        for connection, endpoint in step.connected:
            print(f"connection {connection} open: {redact(endpoint)}", file=sys.stderr)
        for connection, reason in step.lost:
            self.last_loss = reason
            print(f"connection {connection} lost: {reason}", file=sys.stderr)

    async def room(self) -> None:
        return


async def record_for(
    adapter: Adapter, feed: FeedSettings, seconds: float, writer: CaptureWriter, watcher: Watcher
) -> None:
    """Run the live session and tape everything it is told; anew where the machine's clock was set."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await LiveSource(adapter, feed, WallClock(), tap=writer.write).run(watcher)
                except ClockSet as error:
                    print(f"connecting again: {error}", file=sys.stderr)
    except TimeoutError:
        return
