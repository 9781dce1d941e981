"""One line of a capture, and the unit its time is written in.

    {"ts_recv": ns, "source": "ws"|"http"|"open"|"close", "endpoint": url, "frame": text,
     "conn": number (optional), "status": HTTP status (optional)}

`ts_recv` is in nanoseconds. Recorders of other people write what their language's clock gives: seconds with a
fraction, milliseconds, microseconds, or RFC 3339. Those are read for what they are: from 2009 to 2100 the
numbers of two units never overlap.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.feeds.streams import MAX_KEPT_BYTES, Damaged
from domain.clock import MAX_NS, NS_PER_MS, NS_PER_S, NS_PER_US, parse_time
from domain.errors import Malformed

CaptureSource = Literal["ws", "http", "open", "close"]

_EARLIEST_NS = parse_time("2009-01-01")
"""No other unit than ns is tried for what would lie before it: no market of ours is older."""
_NS_FROM = 10**17
"""As ns in 1973, as any other unit beyond 2100."""
_UNITS = (NS_PER_S, NS_PER_MS, NS_PER_US)
OWN_CLOCK_BELOW = 10**12
"""A capture whose first time is smaller and in no unit of our days counts ns from a beginning of its own, as
made ones do."""


class CaptureLine(Struct, frozen=True, omit_defaults=True):
    """One line. `conn` numbers the connection where the recorder knew it; `status` is HTTP's."""

    ts_recv: int
    source: CaptureSource
    endpoint: str = ""
    frame: str = ""
    conn: int | None = None
    status: int | None = None


class _AnyTime(Struct):
    """A line whose `ts_recv` is no integer."""

    ts_recv: Decimal | None = None


class _TextTime(Struct):
    ts_recv: str


class _Keys(Struct):
    ts_recv: msgspec.Raw
    source: msgspec.Raw


_decoder = msgspec.json.Decoder(CaptureLine)
_any_time = msgspec.json.Decoder(_AnyTime)
_text_time = msgspec.json.Decoder(_TextTime)
_keys = msgspec.json.Decoder(_Keys)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class LineDecoder:
    """Decodes the lines of one capture in order."""

    def __init__(self) -> None:
        self._own_clock: bool | None = None

    def decode(self, line: bytes) -> CaptureLine | Damaged:
        try:
            entry = _decoder.decode(line)
        except _UNREADABLE as error:
            return _with_other_time(line, error)
        timed = _timed(entry, Decimal(entry.ts_recv), line) if entry.ts_recv < _NS_FROM else entry
        if self._own_clock is None:
            self._own_clock = isinstance(timed, Damaged) and 0 <= entry.ts_recv < OWN_CLOCK_BELOW
        if self._own_clock and 0 <= entry.ts_recv < _NS_FROM:
            return entry
        return timed if entry.ts_recv < MAX_NS else _no_time(entry.ts_recv, line)


def looks_like_capture(line: bytes) -> bool:
    """Whether a line is meant as one of a capture, even where it cannot be used."""
    try:
        _keys.decode(line)
    except _UNREADABLE:
        return False
    return True


def _with_other_time(line: bytes, error: Exception) -> CaptureLine | Damaged:
    """A line whose time is a number with a fraction or a text; else what is wrong with it."""
    damaged = Damaged(f"not a line of a capture: {error}", line[:MAX_KEPT_BYTES])
    if "ts_recv" not in str(error):
        return damaged
    try:
        value = _time_of(line)
        entry: CaptureLine = msgspec.convert(msgspec.json.decode(line) | {"ts_recv": 0}, CaptureLine)
    except (*_UNREADABLE, TypeError):
        return damaged
    except Malformed as unfit:
        return Damaged(f"ts_recv: {unfit}", line[:MAX_KEPT_BYTES])
    return damaged if value is None else _timed(entry, value, line)


def _time_of(line: bytes) -> Decimal | None:
    """A number is taken exactly, digit by digit. Raises MsgspecError, Malformed."""
    try:
        return _any_time.decode(line).ts_recv
    except msgspec.ValidationError:
        return Decimal(parse_time(_text_time.decode(line).ts_recv))


def _timed(entry: CaptureLine, value: Decimal, line: bytes) -> CaptureLine | Damaged:
    """The entry at a time in whichever unit it makes sense."""
    if not value.is_finite():
        return _no_time(value, line)
    if _NS_FROM <= value < MAX_NS:
        return replace(entry, ts_recv=int(value))
    for unit in _UNITS:
        if _EARLIEST_NS <= value * unit < MAX_NS:
            return replace(entry, ts_recv=int(value * unit))
    return _no_time(value, line)


def _no_time(value: object, line: bytes) -> Damaged:
    reason = f"ts_recv {str(value)[:40]} is no time of our days, neither in ns nor in us, ms or s"
    return Damaged(reason, line[:MAX_KEPT_BYTES])
