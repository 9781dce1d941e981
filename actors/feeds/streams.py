"""The bytes of a file or of standard input, decompressed, and their lines.

Plain, gzip, Zstandard or a zip archive of one file, told apart by their first bytes, never by a name. Reading
streams: no more than one line is in memory, and what cannot be read is an entry of its own (`Damaged`).
"""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from msgspec import Struct

STDIN = Path("-")
MAX_LINE_BYTES = 32 * 1024 * 1024
"""Binance's whole exchangeInfo, the largest payload known to us, has about 12 MiB."""
MAX_KEPT_BYTES = 4096
"""As much of a damaged line as is kept for the person who looks at it."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZIP_MAGIC = b"PK\x03\x04"
_EMPTY_ZIP_MAGIC = b"PK\x05\x06"
_UTF8_BOM = b"\xef\xbb\xbf"
_SHOWN_MEMBERS = 3


class Damaged(Struct, frozen=True):
    """A line that cannot be used; `raw` is its beginning."""

    reason: str
    raw: bytes


class Broken(Exception):
    """A compressed stream or an archive that cannot be read on."""


def open_plain(path: Path) -> BinaryIO:
    """The decompressed bytes; `-` is standard input. Raises OSError where it cannot be opened, Broken."""
    if path == STDIN:
        return decompressed(sys.stdin.buffer)
    return decompressed(path.open("rb"))


def decompressed(raw: BinaryIO) -> BinaryIO:
    """Raises Broken for an archive that is damaged or holds several files."""
    magic = raw.read(len(_ZIP_MAGIC))
    whole = rejoined(magic, raw)
    if magic.startswith(_GZIP_MAGIC):
        return _chained(b"", gzip.GzipFile(fileobj=whole), owned=(whole,))
    if magic == _ZSTD_MAGIC:
        import zstandard  # only here: most inputs are plain

        reader = zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True)
        return _chained(b"", reader, owned=(whole,))
    if magic in (_ZIP_MAGIC, _EMPTY_ZIP_MAGIC):
        return decompressed(_only_member(whole))
    return whole


def rejoined(head: bytes, rest: BinaryIO, broken: Broken | None = None) -> BinaryIO:
    """A stream whose beginning was read already; `broken` is raised at the end of `head`."""
    if broken is None and rest.seekable():
        rest.seek(rest.tell() - len(head))
        return rest
    return _chained(head, rest, broken)


def _chained(
    head: bytes, rest: object, broken: Broken | None = None, owned: tuple[BinaryIO, ...] = ()
) -> BinaryIO:
    return io.BufferedReader(_Chained(head, cast(io.BufferedReader, rest), broken, owned), 1 << 16)


class _Chained(io.RawIOBase):
    """`head`, then `rest` piece by piece; closing it closes what it `owns`."""

    def __init__(
        self, head: bytes, rest: io.BufferedReader, broken: Broken | None, owned: tuple[BinaryIO, ...]
    ) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self._broken = broken
        self._owned = owned

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if not self._head:
            return self._read_on(view)
        count = min(len(view), len(self._head))
        view[:count] = self._head[:count]
        self._head = self._head[count:]
        return count

    def _read_on(self, view: memoryview) -> int:
        if self._broken is not None:
            raise self._broken
        piece = self._rest.read1(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        for stream in (self._rest, *self._owned):
            stream.close()
        super().close()


def _only_member(raw: BinaryIO) -> BinaryIO:
    """The content of an archive of one file. Raises Broken."""
    try:
        kept = _seekable(raw)
        archive = zipfile.ZipFile(kept)
        return _chained(b"", archive.open(_member_of(archive)), owned=(raw, kept))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise Broken(f"the zip archive cannot be read: {error}") from None


def _seekable(raw: BinaryIO) -> BinaryIO:
    """An archive's list of contents is at its end, so one that comes through a pipe is kept on disk."""
    if raw.seekable():
        return raw
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the archive
    shutil.copyfileobj(raw, kept)
    kept.seek(0)
    return cast(BinaryIO, kept)


def _member_of(archive: zipfile.ZipFile) -> str:
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise Broken("the zip archive is empty")
    shown = ", ".join(names[:_SHOWN_MEMBERS]) + (", ..." if len(names) > _SHOWN_MEMBERS else "")
    raise Broken(f"the zip archive holds {len(names)} files ({shown}): unpack it and name those you mean")


def content_path(path: Path) -> PurePosixPath:
    """What a file is called, with its folders; inside a zip archive its only member, below the archive's.

    The parts of an address on a download server are kept so, as `futures/um/daily/klines/...`.
    """
    if path == STDIN:
        return PurePosixPath("-")
    if not path.is_file():  # a pipe can be read once only
        return PurePosixPath(path.as_posix())
    outside = PurePosixPath(path.absolute().as_posix())
    try:
        with zipfile.ZipFile(path) as archive:
            return outside.parent / _member_of(archive).lstrip("/")
    except (zipfile.BadZipFile, Broken, OSError):
        return outside


def numbered_lines(path: Path, max_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes | Damaged]]:
    """Lines from 1 without their end, blank ones left out. A stream that breaks off ends in Damaged."""
    try:
        stream = open_plain(path)
    except Broken as error:
        yield 1, Damaged(str(error), b"")
        return
    with stream:
        yield from lines_of(stream, max_bytes)


def lines_of(stream: BinaryIO, max_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes | Damaged]]:
    """As `numbered_lines`, of a stream that is open."""
    number = 0
    while True:
        number += 1
        try:
            line = next_line(stream, max_bytes)
        except Broken as error:
            yield number, Damaged(str(error), b"")
            return
        if line is None:
            return
        if isinstance(line, bytes):
            line = line.removeprefix(_UTF8_BOM).strip() if number == 1 else line.strip()
        if line:
            yield number, line


def next_line(stream: BinaryIO, max_bytes: int) -> bytes | Damaged | None:
    """The next line with its end, Damaged for one past the bound, None at the end. Raises Broken."""
    line = read_line(stream, max_bytes + 1)
    if not line:
        return None
    if len(line) <= max_bytes or line.endswith(b"\n"):
        return line
    kept = line[:MAX_KEPT_BYTES]
    while line and not line.endswith(b"\n"):
        line = read_line(stream, 1 << 16)
    return Damaged(f"line is longer than {max_bytes} bytes", kept)


def read_line(stream: BinaryIO, max_bytes: int) -> bytes:
    """A line with its end, or as much of it. Raises Broken."""
    try:
        return stream.readline(max_bytes)
    except _broken_stream() as error:
        raise Broken(f"the compressed stream breaks off: {error}") from None


def read_all(stream: BinaryIO, max_bytes: int) -> bytes:
    """At most so many bytes. Raises Broken."""
    try:
        return stream.read(max_bytes)
    except _broken_stream() as error:
        raise Broken(f"the compressed stream breaks off: {error}") from None


def _broken_stream() -> tuple[type[Exception], ...]:
    """What a damaged stream raises; Zstandard's own error only where something has imported it."""
    module = sys.modules.get("zstandard")
    zstd_errors = () if module is None else (module.ZstdError,)
    return (EOFError, zlib.error, zipfile.BadZipFile, OSError, *zstd_errors)
