"""The two encodings of a stream: JSON text and msgpack bytes. A message is an array of frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from domain.clock import NS_PER_S, format_time


class Codec:
    """`slot` indexes what is shared per encoding; `time` turns ns UTC into what this encoding carries."""

    def __init__(
        self,
        slot: int,
        subprotocol: str,
        *,
        text: bool,
        encode: Callable[[object], bytes],
        time: Callable[[int], int | str],
        join: Callable[[Sequence[bytes]], bytes],
    ) -> None:
        self.slot = slot
        self.subprotocol = subprotocol
        self.text = text
        self.encode = encode
        self.time = time
        self.join = join


def json_time(ns: int) -> str:
    """As `domain.clock.format_time`, with the whole second remembered: most events share it."""
    seconds, fraction = divmod(ns, NS_PER_S)
    if fraction == 0:
        return _second(seconds) + "Z"
    digits = f"{fraction:09d}"
    if digits.endswith("000"):
        digits = digits[:3] if digits.endswith("000000") else digits[:6]
    return f"{_second(seconds)}.{digits}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return format_time(seconds * NS_PER_S)[:-1]


def _json_array(parts: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


def _msgpack_array(parts: Sequence[bytes]) -> bytes:
    count = len(parts)
    if count < 16:
        head = bytes((0x90 | count,))
    elif count < 65536:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(parts)


JSON = Codec(0, "json", text=True, encode=msgspec.json.Encoder().encode, time=json_time, join=_json_array)
MSGPACK = Codec(
    1,
    "msgpack",
    text=False,
    encode=msgspec.msgpack.Encoder().encode,
    time=lambda ns: ns,
    join=_msgpack_array,
)
CODECS = (JSON, MSGPACK)


def chosen(offered: Sequence[str]) -> tuple[Codec, str | None]:
    """The client's first subprotocol that we speak; JSON and no subprotocol otherwise."""
    for name in offered:
        for codec in CODECS:
            if codec.subprotocol == name:
                return codec, name
    return JSON, None
