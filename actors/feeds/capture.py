"""Captures: what a provider sent, as it was received, one JSON object per line.

    {"ts_recv": ns, "source": "ws"|"http"|"open"|"close", "endpoint": url, "frame": text,
     "conn": number (optional), "status": HTTP status (optional)}

Plain, gzip or Zstandard, told apart by their first bytes. Reading streams: no more than one line is in
memory, and a line that cannot be used is an entry of its own (`Damaged`), never an end. The raw
recordings of cryptofeed (`URL -> time: body`, `URL <-> time`, `time: body`) are read too.
"""

from __future__ import annotations

import gzip
import heapq
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, cast

import msgspec
from msgspec import Struct

from actors.feeds.redaction import redact
from domain.clock import MAX_NS, NS_PER_S

MAX_LINE_BYTES = 32 * 1024 * 1024
"""Binance's whole exchangeInfo, the largest payload known to us, has about 12 MiB."""
MAX_KEPT_BYTES = 4096
"""As much of a damaged line as is kept for the person who looks at it."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_UTF8_BOM = b"\xef\xbb\xbf"


CaptureSource = Literal["ws", "http", "open", "close"]


class CaptureLine(Struct, frozen=True, omit_defaults=True):
    """One line. `conn` numbers the connection where the recorder knew it; `status` is HTTP's."""

    ts_recv: int
    source: CaptureSource
    endpoint: str = ""
    frame: str = ""
    conn: int | None = None
    status: int | None = None


class Damaged(Struct, frozen=True):
    """A line that cannot be used; `raw` is its beginning."""

    reason: str
    raw: bytes


class Placed(NamedTuple):
    """An entry and where it stands; lines count from 1."""

    file: str
    line: int
    entry: CaptureLine | Damaged


_decoder = msgspec.json.Decoder(CaptureLine)


def open_plain(path: Path) -> BinaryIO:
    """A file's decompressed bytes. Raises OSError where it cannot be opened."""
    with path.open("rb") as raw:
        magic = raw.read(4)
    if magic.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if magic == _ZSTD_MAGIC:
        import zstandard  # only here: most inputs are plain

        reader = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader), 1 << 16))
    return path.open("rb")


def numbered_lines(path: Path, max_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes | Damaged]]:
    """Lines from 1 without their end, blank ones left out. A stream that breaks off ends in Damaged."""
    number = 0
    with open_plain(path) as stream:
        while True:
            number += 1
            try:
                line = _next_line(stream, max_bytes)
            except _broken_stream() as error:
                yield number, Damaged(f"the compressed stream breaks off: {error}", b"")
                return
            if line is None:
                return
            if isinstance(line, bytes):
                line = line.removeprefix(_UTF8_BOM).strip() if number == 1 else line.strip()
            if line:
                yield number, line


def _broken_stream() -> tuple[type[Exception], ...]:
    """What a damaged stream raises; Zstandard's own error only where something has imported it."""
    module = sys.modules.get("zstandard")
    zstd_errors = () if module is None else (module.ZstdError,)
    return (EOFError, zlib.error, OSError, *zstd_errors)


def _next_line(stream: BinaryIO, max_bytes: int) -> bytes | Damaged | None:
    """The next line with its end, Damaged for one past the bound, None at the end."""
    line = stream.readline(max_bytes + 1)
    if not line:
        return None
    if len(line) <= max_bytes or line.endswith(b"\n"):
        return line
    kept = line[:MAX_KEPT_BYTES]
    while line and not line.endswith(b"\n"):
        line = stream.readline(1 << 16)
    return Damaged(f"line is longer than {max_bytes} bytes", kept)


def read_capture(path: Path) -> Iterator[tuple[int, CaptureLine | Damaged]]:
    """The entries of one capture with their line numbers."""
    foreign = _CryptofeedReader()
    for number, line in numbered_lines(path):
        if isinstance(line, Damaged):
            yield number, line
        elif line.startswith(b"{"):
            yield number, decode_line(line)
        else:
            entry = foreign.read(line)
            if entry is not None:
                yield number, entry


def decode_line(line: bytes) -> CaptureLine | Damaged:
    try:
        entry = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Damaged(f"not a line of a capture: {error}", line[:MAX_KEPT_BYTES])
    if not 0 <= entry.ts_recv < MAX_NS:
        return Damaged(f"ts_recv {entry.ts_recv} is not in nanoseconds", line[:MAX_KEPT_BYTES])
    return entry


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


_HTTP_LINE = re.compile(rb"(\w+://\S+) -> (\d+(?:\.\d+)?): (.*)", re.DOTALL)
_CONNECT_LINE = re.compile(rb"(\w+://\S+) <-> \d+(?:\.\d+)?")
_SENT_LINE = re.compile(rb"\S+ <- \d+(?:\.\d+)?: .*", re.DOTALL)
_FRAME_LINE = re.compile(rb"(\d+(?:\.\d+)?): (.*)", re.DOTALL)


class _CryptofeedReader:
    """Lines of cryptofeed's raw recordings; frames belong to the address connected to last."""

    def __init__(self) -> None:
        self._endpoint = ""

    def read(self, line: bytes) -> CaptureLine | Damaged | None:
        """None for lines without a payload: connects, frames that were sent, the configuration."""
        if frame := _FRAME_LINE.fullmatch(line):
            return _foreign_line("ws", frame[1], self._endpoint, frame[2])
        if http := _HTTP_LINE.fullmatch(line):
            return _foreign_line("http", http[2], http[1].decode(errors="replace"), http[3])
        if connect := _CONNECT_LINE.fullmatch(line):
            self._endpoint = connect[1].decode(errors="replace")
            return None
        if _SENT_LINE.fullmatch(line) or line.startswith(b"configuration: "):
            return None
        return Damaged("not a line of a capture", line[:MAX_KEPT_BYTES])


def is_foreign_capture(line: bytes) -> bool:
    """Whether a line can only come from a cryptofeed recording."""
    return bool(_HTTP_LINE.fullmatch(line) or _CONNECT_LINE.fullmatch(line) or _FRAME_LINE.fullmatch(line))


def _foreign_line(source: CaptureSource, time: bytes, endpoint: str, body: bytes) -> CaptureLine | Damaged:
    try:
        return CaptureLine(_seconds_to_ns(time.decode()), source, endpoint, body.decode())
    except UnicodeDecodeError as error:
        return Damaged(f"not UTF-8: {error}", body[:MAX_KEPT_BYTES])


def _seconds_to_ns(text: str) -> int:
    """Decimal seconds -> ns, exact: a float would lose the last digits."""
    whole, _, fraction = text.partition(".")
    return int(whole) * NS_PER_S + int(fraction[:9].ljust(9, "0"))


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
