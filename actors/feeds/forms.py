"""What a file holds, told by its first lines: a capture, payloads one per line, a table, or a document.

A first line that is a capture's makes a capture, a first line that is whole JSON with others below makes JSON
lines, cells between commas make a table, anything else (a pretty-printed document, XML) is one payload.
"""

from __future__ import annotations

from typing import BinaryIO, Literal, NamedTuple

import msgspec

from actors.feeds.capture_line import looks_like_capture
from actors.feeds.cryptofeed import is_foreign_capture
from actors.feeds.streams import MAX_LINE_BYTES, Broken, read_all, read_line, rejoined

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
PROBED_LINES = 8
"""So many lines decide what a file is, where its first line is damaged."""
TABLE_COLUMNS = 4
"""At least so many cells make a row: prose has commas as well."""

Form = Literal["capture", "lines", "table", "document", "empty"]

_UTF8_BOM = b"\xef\xbb\xbf"
_NOT_IN_CELLS = (b"{", b"[", b"<")


class Probed(NamedTuple):
    """A form, and the stream from its first byte on."""

    form: Form
    stream: BinaryIO


def probe(stream: BinaryIO) -> Probed:
    """Reads a few lines ahead. A stream that breaks off within them does so again for whoever reads it."""
    raw, broken = _first_lines(stream)
    head = b"".join(raw)
    lines = [line.removeprefix(_UTF8_BOM).strip() for line in raw]
    form = _form([line for line in lines if line], broken)
    whole = rejoined(head, stream, broken)
    if form != "perhaps a document":
        return Probed(form, whole)
    body = read_all(whole, MAX_DOCUMENT_BYTES)
    return Probed("document" if is_whole_json(body.strip()) else "lines", rejoined(body, whole))


def _first_lines(stream: BinaryIO) -> tuple[list[bytes], Broken | None]:
    """Up to PROBED_LINES lines that are not blank, with their ends and the blank ones between."""
    raw: list[bytes] = []
    filled = 0
    while filled < PROBED_LINES:
        try:
            line = read_line(stream, MAX_LINE_BYTES + 1)
        except Broken as error:
            return raw, error
        if not line:
            break
        raw.append(line)
        filled += bool(line.strip())
    return raw, None


def _form(lines: list[bytes], broken: Broken | None) -> Form | Literal["perhaps a document"]:
    if not lines:
        return "document" if broken else "empty"
    if any(looks_like_capture(line) or is_foreign_capture(line) for line in lines):
        return "capture"
    if is_row(lines[0]):
        return "table"
    whole = [line for line in lines if is_whole_json(line)]
    if not whole:
        return "document"
    return "lines" if lines[0] in whole else "perhaps a document"


def is_row(line: bytes) -> bool:
    """Whether a line is one of a table whose cells are separated by commas."""
    return line.count(b",") >= TABLE_COLUMNS - 1 and not any(mark in line for mark in _NOT_IN_CELLS)


def is_whole_json(line: bytes) -> bool:
    """An object or array, complete on its line."""
    if not line.startswith((b"{", b"[")):
        return False
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
