"""HTML, or text with entities, to one line of plain text."""

from __future__ import annotations

import html
import re

MAX_CHARS = 20_000
"""Of a title, a summary or a post; what is longer is cut."""
_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def plain_text(value: object) -> str | None:
    """None for what is no text, and for one without a letter or a digit of its own."""
    if not isinstance(value, str):
        return None
    text = value[:MAX_CHARS]
    if "<" in text:
        text = _TAG.sub(" ", _HIDDEN.sub(" ", _COMMENT.sub(" ", text)))
    return " ".join(html.unescape(text).split()) or None


def unescaped(value: object) -> str:
    """A message with its entities resolved, its lines kept."""
    return html.unescape(value[:MAX_CHARS]) if isinstance(value, str) else ""
