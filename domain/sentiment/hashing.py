"""Recognising a text again without keeping it."""

from __future__ import annotations

import hashlib

HASH_BYTES = 16
MAX_KEY_BYTES = 64
"""Of BLAKE2b (RFC 7693)."""


def text_hash(text: str, key: bytes) -> str:
    """BLAKE2b of the text under a secret key of 1 to 64 bytes, as 32 hex digits.

    Without the key nobody can find a text by hashing guesses; with another key the hash is another one.
    """
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {len(key)}")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=key).hexdigest()
