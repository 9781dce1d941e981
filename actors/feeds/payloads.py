"""What a file of recorded payloads holds: a capture, payloads one per line, or a single payload.

Told apart by the content, plain or compressed: a first line that is a capture's makes a capture, a
first line that is whole JSON with others below makes JSON lines, anything else (a pretty-printed
document, CSV, XML) is one payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from actors.feeds.base import Origin
from actors.feeds.capture import (
    MAX_LINE_BYTES,
    CaptureLine,
    Damaged,
    decode_line,
    is_foreign_capture,
    numbered_lines,
    open_plain,
    read_capture,
)

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
PROBED_LINES = 8
"""So many lines decide what a file is, where its first line is damaged."""


class Payload(NamedTuple):
    """One payload, and the line (from 1) it begins at."""

    line: int
    body: str | bytes
    origin: Origin


class Unreadable(NamedTuple):
    line: int
    damage: Damaged


def read_payloads(path: Path, venue: str | None = None) -> Iterator[Payload | Unreadable]:
    """Every payload of a file in order. Raises OSError where it cannot be opened.

    Outside captures the file's own time of modification stands for the time received.
    """
    form = _form(path)
    if form == "capture":
        return _from_capture(path, venue)
    origin = Origin("file", path.stat().st_mtime_ns, path.name, venue)
    return _from_lines(path, origin) if form == "lines" else _from_document(path, origin)


def _from_capture(path: Path, venue: str | None) -> Iterator[Payload | Unreadable]:
    for number, entry in read_capture(path):
        if isinstance(entry, Damaged):
            yield Unreadable(number, entry)
        elif entry.source in ("ws", "http"):
            yield Payload(number, entry.frame, _recorded_origin(entry, venue))


def _recorded_origin(entry: CaptureLine, venue: str | None) -> Origin:
    source: Literal["ws", "http"] = "ws" if entry.source == "ws" else "http"
    return Origin(source, entry.ts_recv, entry.endpoint, venue, entry.status)


def _from_lines(path: Path, origin: Origin) -> Iterator[Payload | Unreadable]:
    for number, line in numbered_lines(path):
        if isinstance(line, Damaged):
            yield Unreadable(number, line)
        else:
            yield Payload(number, line, origin)


def _from_document(path: Path, origin: Origin) -> Iterator[Payload | Unreadable]:
    with open_plain(path) as stream:
        body = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(body) > MAX_DOCUMENT_BYTES:
        yield Unreadable(1, Damaged(f"payload is longer than {MAX_DOCUMENT_BYTES} bytes", body[:4096]))
    else:
        yield Payload(1, body, origin)


def _form(path: Path) -> str:
    """`capture`, `lines` or `document`."""
    probe = _probe(path)
    if any(isinstance(decode_line(line), CaptureLine) or is_foreign_capture(line) for line in probe):
        return "capture"
    whole = [line for line in probe if _is_whole_json(line)]
    if len(probe) < 2 or not whole:
        return "document"
    if probe[0] in whole:
        return "lines"
    return "document" if _is_json_document(path) else "lines"


def _probe(path: Path) -> list[bytes]:
    lines: list[bytes] = []
    for _, line in numbered_lines(path, MAX_LINE_BYTES):
        if isinstance(line, bytes):
            lines.append(line)
        if len(lines) == PROBED_LINES:
            break
    return lines


def _is_whole_json(line: bytes) -> bool:
    """An object or array, complete on its line."""
    if not line.startswith((b"{", b"[")):
        return False
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_json_document(path: Path) -> bool:
    """Pretty-printed JSON may hold lines that are whole JSON themselves, such as `[]`."""
    with open_plain(path) as stream:
        return _is_whole_json(stream.read(MAX_DOCUMENT_BYTES).strip())
