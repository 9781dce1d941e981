"""`--input`: a table from standard input or out of a compressed file, put where the verbs can read it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from actors.feeds.streams import STDIN, Broken, content_path, open_plain
from domain.errors import Malformed

_ZSTD, _ZIP = b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_UNPACKED = (_ZSTD, _ZIP)
"""What the tables' own reader does not know; it knows gzip and Parquet."""


@contextlib.contextmanager
def plain_input(name: str) -> Iterator[str]:
    """The name of a file with a table's plain content: itself, or a copy for as long as this lasts.

    A file that cannot be opened is left to who reads it. Raises Malformed for an archive of several files.
    """
    path = Path(name)
    if path != STDIN and not _is_packed(path):
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="financehub-input-") as folder:
        copy = Path(folder) / ("stdin" if path == STDIN else content_path(path).name)
        try:
            with open_plain(path) as content, copy.open("wb") as written:
                shutil.copyfileobj(content, written)
        except (Broken, OSError) as error:
            raise Malformed(f"{name}: {error}") from None
        yield str(copy)


def _is_packed(path: Path) -> bool:
    try:
        with path.open("rb") as opened:
            return opened.read(4) in _UNPACKED
    except OSError:
        return False
