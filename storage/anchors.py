"""Where a retained log begins: a signed statement of what was dropped before it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from domain.errors import Conflict

KEY_FILE = "secrets/anchor-ed25519.pem"
"""Where an instance has the key, below its data directory."""


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


def require_key(key_id: str, signed_with: Iterable[str]) -> None:
    """One log, one key: that of its first anchor. Raises Conflict for any other, and says what to do."""
    others = sorted(set(signed_with) - {key_id})
    if others:
        raise Conflict(
            f"the anchors of this log are signed with the key {', '.join(others)}, this instance has"
            f" {key_id or 'none'}: copy {KEY_FILE} from the data directory of the instance that signed them"
        )
