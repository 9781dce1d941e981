"""Captures: what a provider sent, as it was received, one JSON object per line (see `capture_line`).

Plain or compressed (see `streams`). No more than one line is in memory, and a line that cannot be used is an
entry of its own (`Damaged`), never an end. The raw recordings of cryptofeed are read too.
"""

from __future__ import annotations

import gzip
import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, cast

import msgspec

from actors.feeds.capture_line import CaptureLine, LineDecoder
from actors.feeds.cryptofeed import CryptofeedReader
from actors.feeds.forms import MAX_DOCUMENT_BYTES, Form, is_whole_json, probe
from actors.feeds.redaction import redact
from actors.feeds.streams import Broken, Damaged, lines_of, numbered_lines, open_plain, read_all, rejoined

__all__ = [
    "CaptureLine",
    "CaptureWriter",
    "Damaged",
    "NoCapture",
    "numbered_lines",
    "read_capture",
    "read_captures",
]

EMPTY = "the file is empty"
_NO_CAPTURE: dict[Form, str] = {
    "empty": EMPTY,
    "lines": "plain payloads without the time and the address of a capture; `financehub parse` reads them",
    "document": "a single payload, not a capture; `financehub parse` reads it",
    "table": "a table, not a capture; `financehub parse` reads those it knows",
}


class Placed(NamedTuple):
    """An entry and where it stands; lines count from 1."""

    file: str
    line: int
    entry: CaptureLine | Damaged


class NoCapture(Damaged, frozen=True):
    """Instead of all entries: the file is something else. `form` says what."""

    form: Form = "document"


def read_capture(path: Path) -> Iterator[tuple[int, CaptureLine | Damaged]]:
    """The entries of one capture with their line numbers; one NoCapture where the file is none."""
    try:
        form, stream = probe(open_plain(path))
        if form == "document":
            form, stream = _document_or_damage(stream)
    except Broken as error:
        yield 1, Damaged(str(error), b"")
        return
    with stream:
        if form == "capture":
            yield from capture_entries(stream)
        else:
            yield 1, NoCapture(_NO_CAPTURE[form], b"", form)


def _document_or_damage(stream: BinaryIO) -> tuple[Form, BinaryIO]:
    """Where no line is a capture's and all together are no JSON, they are lines of a damaged capture."""
    body = read_all(stream, MAX_DOCUMENT_BYTES)
    return ("document" if is_whole_json(body.strip()) else "capture"), rejoined(body, stream)


def capture_entries(stream: BinaryIO) -> Iterator[tuple[int, CaptureLine | Damaged]]:
    """The same of a stream that is known to hold a capture."""
    foreign, decoder = CryptofeedReader(), LineDecoder()
    for number, line in lines_of(stream):
        if isinstance(line, Damaged):
            yield number, line
        elif line.startswith(b"{"):
            yield number, decoder.decode(line)
        else:
            entry = foreign.read(line)
            if entry is not None:
                yield number, entry


def read_captures(paths: Sequence[Path]) -> Iterator[Placed]:
    """Several captures as one, merged by time received; equal times in the order of the files.

    So the parts of one long recording and recordings of several connections side by side both read
    as what arrived. A single capture keeps the order of its lines.
    """
    if len(paths) == 1:
        yield from (placed for _, placed in _timed(0, paths[0]))
        return
    merged = heapq.merge(*(_timed(index, path) for index, path in enumerate(paths)), key=lambda it: it[0])
    yield from (placed for _, placed in merged)


def _timed(index: int, path: Path) -> Iterator[tuple[tuple[int, int], Placed]]:
    """Entries with a sort key that never decreases: a damaged line stays beside its predecessor."""
    clock = 0
    for number, entry in read_capture(path):
        if isinstance(entry, CaptureLine):
            clock = max(clock, entry.ts_recv)
        yield (clock, index), Placed(str(path), number, entry)


class CaptureWriter:
    """Writes a capture, compressed as the name's end says (`.gz`, `.zst`). Credentials are redacted."""

    def __init__(self, path: Path) -> None:
        self._stream = _open_for_writing(path)
        self._encoder = msgspec.json.Encoder()
        self.lines = 0

    def write(self, line: CaptureLine) -> None:
        line = msgspec.structs.replace(line, endpoint=redact(line.endpoint))
        self._stream.write(self._encoder.encode(line) + b"\n")
        self.lines += 1

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_for_writing(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "wb", compresslevel=6))
    if path.suffix == ".zst":
        import zstandard

        return cast(BinaryIO, zstandard.ZstdCompressor(level=6).stream_writer(path.open("wb"), closefd=True))
    return path.open("wb")
