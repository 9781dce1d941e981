"""XML as a flat list of its elements: no tree, so that no depth and no size of it can hurt.

A document with a type of its own (DOCTYPE) is refused: entities in it could grow without bound.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.parsers import expat

from domain.errors import Malformed

MAX_DEPTH = 64
MAX_TEXT_CHARS = 100_000


class Element(NamedTuple):
    """`name` without its prefix; `text` is what stands directly in it; `depth` from 0."""

    name: str
    attributes: dict[str, str]
    text: str
    depth: int


class _Open(NamedTuple):
    place: int
    texts: list[str]


class _Collector:
    """Elements in the order in which they begin."""

    def __init__(self) -> None:
        self.found: list[Element | None] = []
        self._open: list[_Open] = []
        self._begun: list[tuple[str, dict[str, str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise Malformed(f"XML is nested more than {MAX_DEPTH} deep")
        self._open.append(_Open(len(self.found), []))
        self._begun.append((name, attributes))
        self.found.append(None)

    def end(self, _name: str) -> None:
        place, texts = self._open.pop()
        name, attributes = self._begun.pop()
        plain = {_plain(each): value for each, value in attributes.items()}
        text = "".join(texts)[:MAX_TEXT_CHARS].strip()
        self.found[place] = Element(_plain(name), plain, text, len(self._open))

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].texts.append(data)


def elements(payload: str | bytes) -> list[Element]:
    """Raises Malformed for what is no XML, or XML that ends too early."""
    parser = expat.ParserCreate()
    collector = _Collector()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(_encoded(payload), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(f"no XML: {error}") from None
    return [each for each in collector.found if each is not None]


def looks_like_xml(payload: str | bytes) -> bool:
    head = payload[:200] if isinstance(payload, str) else payload[:200].decode(errors="replace")
    return head.lstrip("\ufeff \t\r\n").startswith("<")


def _encoded(payload: str | bytes) -> bytes:
    """Text lies in UTF-8 by now, whatever its first line declares."""
    if isinstance(payload, bytes):
        return payload.lstrip(b" \t\r\n")
    text = payload.lstrip("\ufeff \t\r\n")
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]
    return text.encode(errors="replace")


def _refuse(*_: object) -> None:
    raise Malformed("XML with a document type of its own is not read")


def _plain(name: str) -> str:
    return name.rpartition(":")[2]
