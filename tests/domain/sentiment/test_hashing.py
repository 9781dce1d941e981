"""A text's hash: the same under one key, another under another, none without."""

from __future__ import annotations

import pytest

from domain.sentiment.hashing import text_hash


def test_the_same_text_and_key_give_the_same_hash() -> None:
    assert text_hash("to the moon", b"key") == text_hash("to the moon", b"key")
    assert len(text_hash("to the moon", b"key")) == 32


def test_another_key_or_text_gives_another_hash() -> None:
    hashes = {text_hash(text, key) for text in ("a", "b", "") for key in (b"1", b"2", b"k" * 64)}
    assert len(hashes) == 9


@pytest.mark.parametrize("key", [b"", b"k" * 65])
def test_a_key_has_its_length(key: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        text_hash("a", key)


def test_half_a_surrogate_is_hashed_too() -> None:
    assert text_hash("\ud83d", b"k")
