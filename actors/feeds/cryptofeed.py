"""Lines of cryptofeed's raw recordings: `URL -> time: body`, `URL <-> time`, `time: body`."""

from __future__ import annotations

import re

from actors.feeds.capture_line import CaptureLine, CaptureSource
from actors.feeds.streams import MAX_KEPT_BYTES, Damaged
from domain.clock import NS_PER_S

_HTTP_LINE = re.compile(rb"(\w+://\S+) -> (\d+(?:\.\d+)?): (.*)", re.DOTALL)
_CONNECT_LINE = re.compile(rb"(\w+://\S+) <-> \d+(?:\.\d+)?")
_SENT_LINE = re.compile(rb"\S+ <- \d+(?:\.\d+)?: .*", re.DOTALL)
_FRAME_LINE = re.compile(rb"(\d+(?:\.\d+)?): (.*)", re.DOTALL)


class CryptofeedReader:
    """Frames belong to the address connected to last."""

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
