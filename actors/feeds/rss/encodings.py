"""The encoding of a feed: as declared where its bytes agree, UTF-8 where they fit, else the likeliest."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding=["']([A-Za-z0-9._:-]{1,40})["']""")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
_WIDE = (b"\x00<", b"<\x00")
"""The first characters of UTF-16 and UTF-32 without a mark."""
JUDGED_BYTES = 64 * 1024
"""Enough text to tell an encoding by; the guess takes time in proportion."""


def encoding_of(body: bytes) -> str | None:
    """None where feedparser sees it by itself: a mark, or a declaration that holds."""
    if body.startswith(_MARKS) or body.startswith(_WIDE) or body.startswith(b"\x00\x00\x00<"):
        return None
    declared = _DECLARED.match(body)
    if declared is not None and _decodes(body, declared[1].decode()):
        return None
    if _decodes(body, "utf-8"):
        return "utf-8"
    found = from_bytes(body[:JUDGED_BYTES]).best()
    return None if found is None else found.encoding


def _decodes(body: bytes, encoding: str) -> bool:
    try:
        body.decode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
