"""What a file of recorded payloads holds, one after the other: see `forms` for how it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from actors.feeds.base import NOTHING, Assumed, Origin, Parsed, Parser, ReadsTables, TableReader
from actors.feeds.capture import EMPTY, capture_entries
from actors.feeds.capture_line import CaptureLine
from actors.feeds.forms import MAX_DOCUMENT_BYTES, probe
from actors.feeds.streams import Broken, Damaged, content_path, lines_of, open_plain, read_all


class Payload(NamedTuple):
    """One payload, and the line (from 1) it begins at."""

    line: int
    body: str | bytes
    origin: Origin


class Row(NamedTuple):
    """A row of a table, and what it says."""

    line: int
    parsed: Parsed


class Unreadable(NamedTuple):
    line: int
    damage: Damaged


Entry = Payload | Row | Unreadable


def read_payloads(path: Path, adapter: Parser | None = None, assumed: Assumed = NOTHING) -> Iterator[Entry]:
    """Every payload of a file (`-`: of standard input) in order. Raises OSError where it cannot be opened.

    Outside captures the file's own time of modification stands for the time received. Tables are read by the
    adapter's own reader.
    """
    try:
        form, stream = probe(open_plain(path))
    except Broken as error:
        yield Unreadable(1, Damaged(str(error), b""))
        return
    with stream:
        match form:
            case "capture":
                yield from _from_capture(stream, assumed)
            case "lines":
                yield from _from_lines(stream, _file_origin(path, assumed))
            case "table" if isinstance(adapter, ReadsTables):
                yield from _from_table(stream, adapter.table(_file_origin(path, assumed)))
            case "empty":
                yield Unreadable(1, Damaged(EMPTY, b""))
            case _:
                yield from _from_document(stream, _file_origin(path, assumed))


def _file_origin(path: Path, assumed: Assumed) -> Origin:
    inside = content_path(path)
    received = path.stat().st_mtime_ns if path.is_file() else time.time_ns()
    return Origin(
        "file", received, inside.name, assumed.venue, symbol=assumed.symbol, folder=str(inside.parent)
    )


def _from_capture(stream: BinaryIO, assumed: Assumed) -> Iterator[Entry]:
    for number, entry in capture_entries(stream):
        if isinstance(entry, Damaged):
            yield Unreadable(number, entry)
        elif entry.source in ("ws", "http"):
            yield Payload(number, entry.frame, _recorded_origin(entry, assumed))


def _recorded_origin(entry: CaptureLine, assumed: Assumed) -> Origin:
    source: Literal["ws", "http"] = "ws" if entry.source == "ws" else "http"
    return Origin(source, entry.ts_recv, entry.endpoint, assumed.venue, entry.status, assumed.symbol)


def _from_lines(stream: BinaryIO, origin: Origin) -> Iterator[Entry]:
    for number, line in lines_of(stream):
        yield Unreadable(number, line) if isinstance(line, Damaged) else Payload(number, line, origin)


def _from_table(stream: BinaryIO, reader: TableReader) -> Iterator[Entry]:
    """Up to the row, most often the first, by which the reader sees that the table is of no use."""
    number = 1
    for number, line in lines_of(stream):
        if isinstance(line, Damaged):
            yield Unreadable(number, line)
            continue
        yield Row(number, reader.take(line))
        if reader.refused:
            return
    yield Row(number, reader.end())


def _from_document(stream: BinaryIO, origin: Origin) -> Iterator[Entry]:
    try:
        body = read_all(stream, MAX_DOCUMENT_BYTES + 1)
    except Broken as error:
        yield Unreadable(1, Damaged(str(error), b""))
        return
    if len(body) > MAX_DOCUMENT_BYTES:
        yield Unreadable(1, Damaged(f"payload is longer than {MAX_DOCUMENT_BYTES} bytes", body[:4096]))
    else:
        yield Payload(1, body, origin)
