"""A capture through the running system: a feed of its own whose clock is the recording's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from msgspec import Struct

from actors.feed import FeedActor
from actors.feeds.capture import numbered_lines
from actors.feeds.provider_log import claim_provider
from actors.feeds.registry import load_adapter
from actors.feeds.replay import ReplaySource, parse_speed
from actors.routes import Routes
from actors.runtime import Runtime, WallClock
from actors.sender import Sender
from actors.tail import OpenLog
from domain.envelope import Cursor, Event
from domain.market.gaps import OF_THE_FEED
from domain.market.observations import Gap, Observation
from domain.market.reference_ids import is_reference, is_sample
from storage.block import events_of
from storage.event_log import EventLog
from storage.writer import LogWriter

DIGEST_LENGTH = 12


class ReplayResult(Struct, frozen=True):
    """`appended`: observations that are in the log because of this run; the rest were repeats."""

    frames: int
    observations: int
    appended: int
    rejected: int
    cursor: str


def replay_name(provider: str, file: Path) -> str:
    """The feed's name: the same recording, compressed or not, is the same feed, so its second run repeats
    and adds nothing to what has ids; another recording has its own clock."""
    digest = hashlib.sha256()
    for _, line in numbered_lines(file):
        digest.update((line if isinstance(line, bytes) else line.raw) + b"\n")
    return f"replay-{provider}-{digest.hexdigest()[:DIGEST_LENGTH]}"


async def replay(runtime: Runtime, file: Path, provider: str, speed: str) -> ReplayResult:
    """Returns once the last event is durable. Raises NotFound, Malformed, Unavailable, OSError."""
    source = ReplaySource(load_adapter(provider), [file], speed=parse_speed(speed))
    name = replay_name(provider, file)
    routes = Routes(runtime)
    await routes.refresh()
    clock = WallClock()
    owner = f"{name}#{os.getpid()}-{clock.now_ns():x}"
    async with OpenLog(runtime.dsn) as opened:
        before = await _heads(opened.log)
        feed = FeedActor(
            name,
            source,
            (),
            claim=lambda: claim_provider(LogWriter(opened.log, owner, clock), name),
            make_sender=lambda incarnation: Sender(
                name, incarnation, runtime.partition_count, routes.owners, refresh=routes.refresh
            ),
        )
        await feed.run()
        after = await _heads(opened.log)
        appended = await appended_by(opened.log, name, before, after)
    return ReplayResult(source.frames, source.observations, appended, source.rejected, after.encode())


async def _heads(log: EventLog) -> Cursor:
    return Cursor({head.partition: head.offset for head in await log.heads("market")})


async def appended_by(log: EventLog, sender: str, before: Cursor, after: Cursor) -> int:
    """Observations of one sender's batches between two cursors."""
    count = 0
    for partition, head in after.offsets.items():
        offset = before.at(partition)
        while offset < head:
            blocks = await log.read(partition, offset, until=head)
            for block in blocks:
                if all(batch.sender != sender for batch in block.header.batches):
                    continue
                events = iter(events_of(block))
                for batch in block.header.batches:
                    mine = [next(events).event for _ in range(batch.count)]
                    if batch.sender == sender:
                        count += sum(map(_is_from_the_feed, mine))
            if not blocks:
                break
            offset = blocks[-1].last_offset
    return count


def _is_from_the_feed(event: Event) -> bool:
    """Not a decision, nor the gap that the shard itself opens for a feed that comes again, nor what the
    feed itself told a reference instrument."""
    if isinstance(event, Gap):
        return event.reason not in OF_THE_FEED and not is_reference(event.instrument)
    return isinstance(event, Observation) and not is_sample(event)
