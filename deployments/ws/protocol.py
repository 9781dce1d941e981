"""Client frames, and the server frames that are not market events."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from domain.errors import (
    Ambiguous,
    FinanceHubError,
    Forbidden,
    Gone,
    Malformed,
    NotFound,
    OverLimit,
    Retryable,
    Unauthenticated,
)

CLOSE_PROTOCOL = 4400
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_OVER_LIMIT = 4429
CLOSE_DRAINING = 4503

Id = int | str | None
Time = int | str
"""ns UTC in msgpack, RFC 3339 in JSON."""


class _Op(Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    pass


class Auth(_Op, frozen=True, tag="auth"):
    token: str
    id: Id = None


class Subscribe(_Op, frozen=True, tag="subscribe"):
    """`instruments`: ids, aliases or patterns such as `*.BINANCE`. `cursor` resumes from there."""

    channel: str
    instruments: tuple[str, ...] = ()
    id: Id = None
    interval: str | None = None
    spec: str | None = None
    depth: int | None = None
    cursor: str | None = None


class Unsubscribe(_Op, frozen=True, tag="unsubscribe"):
    """Without instruments: everything of the channel."""

    channel: str
    instruments: tuple[str, ...] = ()
    id: Id = None
    interval: str | None = None
    spec: str | None = None


class Ping(_Op, frozen=True, tag="ping"):
    id: Id = None


class Refresh(_Op, frozen=True, tag="refresh"):
    token: str
    id: Id = None


ClientFrame = Auth | Subscribe | Unsubscribe | Ping | Refresh


class Welcome(Struct, frozen=True, tag_field="type", tag="welcome"):
    """Also the answer to `refresh`."""

    session: str
    expires: Time
    limits: dict[str, int]
    id: Id = None


class Refused(Struct, frozen=True):
    """One instrument of a subscription that was not taken."""

    instrument: str
    code: str
    message: str
    candidates: tuple[str, ...] = ()


class Subscribed(Struct, frozen=True, tag_field="type", tag="subscribed"):
    """Frames of events after `cursor` follow. A pattern is listed as it was given."""

    id: Id
    channel: str
    instruments: tuple[str, ...]
    rejected: tuple[Refused, ...]
    cursor: str
    interval: str | UnsetType = UNSET
    spec: str | UnsetType = UNSET
    """In canonical form: frames carry it."""


class Unsubscribed(Struct, frozen=True, tag_field="type", tag="unsubscribed"):
    id: Id
    channel: str
    instruments: tuple[str, ...]


class Gap(Struct, frozen=True, tag_field="type", tag="gap"):
    """Something is missing. Offsets in (`from`, `to`] were dropped here and can be had from `cursor`.

    Both None: the provider's stream had the gap, and nothing that was recorded is missing.
    """

    channel: str
    instrument: str
    from_: int | None = field(name="from")
    to: int | None
    reason: str
    cursor: str | None = None
    ts_event: Time | None = None


class CursorAt(Struct, frozen=True, tag_field="type", tag="cursor"):
    """Everything subscribed up to here has been sent, merged or reported as a gap."""

    cursor: str


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    id: Id = None


class Expiring(Struct, frozen=True, tag_field="type", tag="expiring"):
    """The session ends then unless a `refresh` comes."""

    expires: Time


class Failure(Struct, frozen=True, tag_field="type", tag="error"):
    id: Id
    code: str
    message: str


class BadFrame(Malformed):
    """A client frame that cannot be understood; `frame_id` is its id where that much could be read."""

    def __init__(self, message: str, frame_id: Id = None) -> None:
        super().__init__(message, frame_id)
        self.frame_id = frame_id

    def __str__(self) -> str:
        return str(self.args[0])


class _OnlyId(Struct, frozen=True):
    id: Id = None


_json = msgspec.json.Decoder(ClientFrame)
_msgpack = msgspec.msgpack.Decoder(ClientFrame)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError)


def parts(data: str | bytes) -> list[msgspec.Raw]:
    """A message, one frame or an array of frames, as single frames; text is JSON, bytes are msgpack.

    Raises BadFrame.
    """
    try:
        if isinstance(data, str):
            if not data.lstrip().startswith("["):
                return [msgspec.Raw(data.encode())]
            return msgspec.json.decode(data, type=list[msgspec.Raw])
        if not data or (data[0] & 0xF0 != 0x90 and data[0] not in (0xDC, 0xDD)):
            return [msgspec.Raw(data)]
        return msgspec.msgpack.decode(data, type=list[msgspec.Raw])
    except _UNREADABLE as error:
        raise BadFrame(f"the message cannot be read: {str(error)[:200]}") from None


def read_frame(raw: msgspec.Raw, *, text: bool) -> ClientFrame:
    """Raises BadFrame."""
    decoder: Any = _json if text else _msgpack
    try:
        frame: ClientFrame = decoder.decode(raw)
    except _UNREADABLE as error:
        raise BadFrame(str(error)[:200], id_of(raw, text=text)) from None
    return frame


def id_of(raw: msgspec.Raw, *, text: bool) -> Id:
    """The id of a frame that is not taken; None where that much cannot be read."""
    decode: Any = msgspec.json.decode if text else msgspec.msgpack.decode
    try:
        found: Id = decode(raw, type=_OnlyId).id
    except _UNREADABLE:
        return None
    return found


_CODES: tuple[tuple[type[FinanceHubError], str], ...] = (
    (BadFrame, "bad_frame"),
    (Ambiguous, "ambiguous"),
    (NotFound, "not_found"),
    (Gone, "gone"),
    (Unauthenticated, "unauthenticated"),
    (Forbidden, "forbidden"),
    (OverLimit, "over_limit"),
    (Retryable, "unavailable"),
    (Malformed, "malformed"),
)


def code_of(error: FinanceHubError) -> str:
    """The `code` of an error frame."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), "rejected")
