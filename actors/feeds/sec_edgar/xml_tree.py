"""XML of the SEC as a tree of plain names.

Document types are refused: the SEC sends none, and their entities can grow a small text to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from xml.etree import ElementTree

from actors.feeds.rest.reading import Reading
from domain.errors import Malformed

Element = ElementTree.Element
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DOCTYPE_BYTES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
MAX_VALUE_CHARS = 2_000
T = TypeVar("T")


def tree(payload: str | bytes) -> Element:
    """Raises Malformed."""
    body = payload.strip()
    if _DOCTYPE.search(body) if isinstance(body, str) else _DOCTYPE_BYTES.search(body.replace(b"\x00", b"")):
        raise Malformed("XML with a document type")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  without document types there is nothing to expand
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Malformed(f"no XML: {error}") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def value_at(element: Element, *paths: str) -> str | None:
    """The text at the first of these paths that has one; in forms 3 to 5 it lies in a `value` below."""
    for path in paths:
        for each in (f"{path}/value", path):
            found = (element.findtext(each) or "").strip()
            if found:
                return found[:MAX_VALUE_CHARS]
    return None


def is_true(element: Element, path: str) -> bool:
    """Flags are 1, 0, true or false."""
    return (value_at(element, path) or "").lower() in ("1", "true", "y", "yes")


def read_rows(reading: Reading, root: Element, path: str, read: Callable[[Element], T]) -> tuple[T, ...]:
    """`read` of each element at a path; one that cannot be read costs itself."""
    found: list[T] = []
    for index, row in enumerate(root.findall(path)):
        reading.one(f"{path.rpartition('/')[2]} {index}", _keep, found, read, row)
    return tuple(found)


def _keep(found: list[T], read: Callable[[Element], T], row: Element) -> None:
    found.append(read(row))
