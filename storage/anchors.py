"""Where a retained log begins: a signed statement of what was dropped before it."""

from __future__ import annotations

from msgspec import Struct


class Anchor(Struct, frozen=True):
    """All up to `offset` was dropped at `dropped_ns`; the last block there had `hash`, recorded then.

    `key_id` and `signature`: see `anchor_key.py`.
    """

    partition: str
    offset: int
    hash: bytes
    recorded_ns: int
    dropped_ns: int
    key_id: str = ""
    signature: bytes = b""
