"""Signing anchors.

    signature = Ed25519( msgpack ["financehub anchor 1", partition, offset, hash, recorded_ns, dropped_ns] )

`verify` takes up the chain of hashes at the anchor. Blocks below it cannot be checked any more, so that it
is signed with a key that is not in the database: whoever can change blocks cannot make an anchor.
"""

from __future__ import annotations

import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from storage.anchors import Anchor

_PURPOSE = "financehub anchor 1"


class AnchorKey:
    """Signs and checks anchors. `seed`: the 32 bytes of an Ed25519 private key."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key()
        self.key_id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def signed(self, anchor: Anchor) -> Anchor:
        return replace(anchor, key_id=self.key_id, signature=self._private.sign(_message(anchor)))

    def has_signed(self, anchor: Anchor) -> bool:
        try:
            self._public.verify(anchor.signature, _message(anchor))
        except InvalidSignature:
            return False
        return True


def _message(anchor: Anchor) -> bytes:
    place = (anchor.partition, anchor.offset, anchor.hash, anchor.recorded_ns, anchor.dropped_ns)
    return msgspec.msgpack.encode((_PURPOSE, *place))
