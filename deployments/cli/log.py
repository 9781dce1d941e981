"""`tail`, `verify`, `replay`: the log of an instance, running or stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from actors.feeds.capture import NoCapture, read_capture
from actors.feeds.registry import load_adapter
from actors.feeds.streams import open_plain
from actors.tail import OpenLog, Wanted, beginning, cursor_at
from actors.tail import tail as tail_events
from deployments import instance
from deployments.auth.keys import find_anchor_seed
from deployments.cli.lifecycle import settings_of
from deployments.cli.recordings import existing_files, say
from deployments.progress import Progress
from domain.clock import parse_query_time
from domain.envelope import CURSOR_PREFIX, Cursor, Event, Recorded, parse_cursor
from domain.errors import Malformed, Unavailable
from domain.ids import instrument_id


class _Opened:
    """`anchor_seed`: of the key that signs what retention drops; None where there is none here."""

    def __init__(self, dsn: str, partition_count: int, data_dir: Path) -> None:
        self.dsn = dsn
        self.partition_count = partition_count
        self.anchor_seed = find_anchor_seed(data_dir)


@contextlib.contextmanager
def opened_database(arguments: argparse.Namespace) -> Iterator[_Opened]:
    """`--dsn`; the running instance's database; the one it had; the embedded one started for this alone."""
    from actors.database import open_to_read

    settings = settings_of(arguments, database__dsn=arguments.dsn)
    running = None if arguments.dsn else instance.find_running(settings.data_dir)
    if running is not None:
        yield _Opened(running.dsn, running.partition_count, settings.data_dir)
        return
    dsn = settings.database.dsn or instance.remembered_dsn(settings.data_dir)
    if not dsn and not (settings.data_dir / "pg").exists():
        raise Unavailable(f"there is no database in {settings.data_dir}")
    with contextlib.nullcontext() if dsn else instance.acquire(settings.data_dir):
        database = open_to_read(settings.data_dir, dsn)
        try:
            yield _Opened(database.dsn, database.partition_count, settings.data_dir)
        finally:
            database.stop()


def tail(arguments: argparse.Namespace) -> int:
    """Ctrl-C is how `--follow` ends: then it is done."""
    instrument = instrument_id(arguments.instrument.upper()) if arguments.instrument else None
    start, kind = _start(arguments.start), _known_kind(arguments.kind)
    with opened_database(arguments) as database:
        wanted = Wanted(instrument, kind, database.partition_count)
        try:
            asyncio.run(_print_tail(database.dsn, start, wanted, follow=arguments.follow))
        except KeyboardInterrupt:
            if not arguments.follow:
                raise
    return 0


def known_kinds() -> list[str]:
    """Of everything in the log."""
    return sorted(each.kind for each in get_args(Event))


def _known_kind(kind: str | None) -> str | None:
    """Raises Malformed: nothing would ever be printed."""
    if kind is not None and kind.lower() not in known_kinds():
        raise Malformed(f"kind {kind!r} is not one of {', '.join(known_kinds())}")
    return None if kind is None else kind.lower()


def _start(text: str | None) -> Cursor | int | None:
    """A cursor as it is; a time as ns; None means the beginning. Raises Malformed."""
    if text is None:
        return None
    return parse_cursor(text) if text.startswith(CURSOR_PREFIX) else parse_query_time(text, time.time_ns())


async def _print_tail(dsn: str, start: Cursor | int | None, wanted: Wanted, *, follow: bool) -> None:
    async with OpenLog(dsn) as opened:
        if start is None:
            cursor = await beginning(opened.log)
        else:
            cursor = start if isinstance(start, Cursor) else await cursor_at(opened.log, start)
        async for recorded in tail_events(opened.log, cursor, wanted, follow=follow):
            sys.stdout.write(_line(recorded))
            if follow:
                sys.stdout.flush()


def _line(recorded: Recorded) -> str:
    place = {
        "partition": recorded.partition,
        "offset": recorded.offset,
        "recorded_at": recorded.recorded_at,
        "kind": recorded.event.kind,
    }
    body: dict[str, Any] = msgspec.to_builtins(recorded.event)
    return json.dumps(place | body | place) + "\n"


def verify(arguments: argparse.Namespace) -> int:
    with opened_database(arguments) as database:
        report = asyncio.run(_verified(database.dsn, database.anchor_seed, full=arguments.full))
    if arguments.json:
        print(json.dumps(report))
    else:
        for line in report["partitions"]:
            print(line["partition"], "ok" if _is_sound(line) else f"FAULT {line}", f"{line['events']} events")
    return 0 if report["ok"] else 1


async def _verified(dsn: str, anchor_seed: bytes | None, *, full: bool) -> dict[str, Any]:
    from actors.verify import verify_with

    async with OpenLog(dsn) as opened:
        verdicts = await verify_with(anchor_seed, opened.log, opened.snapshots, full=full)
    lines = [msgspec.to_builtins(verdict) for verdict in verdicts]
    return {"ok": all(_is_sound(line) for line in lines), "partitions": lines}


def _is_sound(line: dict[str, Any]) -> bool:
    return bool(line["dense"] and line["hash_ok"] and line["state_equal"] is not False)


def replay(arguments: argparse.Namespace) -> int:
    """Through the running system: its shards fold and append, its clients see it.

    1 where frames were rejected and none gave an observation, and for a file that is no capture. Raises
    NotFound for an unknown provider or a missing file, Unavailable where nothing runs.
    """
    from deployments.replay import replay_capture

    load_adapter(arguments.provider)
    (file,) = existing_files([arguments.file])
    with _kept(file) as capture:
        refusal = _no_capture(capture)
        if refusal is not None:
            say(f"{file}: {refusal}")
            return 1
        running = instance.require_running(settings_of(arguments).data_dir)
        result = replay_capture(running, str(capture), arguments.provider.lower(), arguments.speed)
    if arguments.json:
        print(json.dumps(result))
    else:
        Progress().say(", ".join(f"{key} {value}" for key, value in result.items()))
    return 0 if result["observations"] or not result["rejected"] else 1


@contextlib.contextmanager
def _kept(file: Path) -> Iterator[Path]:
    """A replay reads its capture twice; what comes through a pipe is kept on disk meanwhile."""
    if file.is_file():
        yield file
        return
    with open_plain(file) as piped, tempfile.NamedTemporaryFile(prefix="financehub-replay-") as kept:
        shutil.copyfileobj(piped, kept)
        kept.flush()
        yield Path(kept.name)


def _no_capture(file: Path) -> str | None:
    """What a file is that is no capture; None for a capture, whose beginning alone is read."""
    _, first = next(read_capture(file), (0, None))
    return first.reason if isinstance(first, NoCapture) else None
