"""Things of Reddit's listings: `{"kind": "Listing", "data": {"children": [{"kind", "data"}]}}`.

A page of comments is two listings, and the replies of a comment are a listing inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.errors import Malformed

POST, COMMENT, COMMUNITY = "t3", "t1", "t5"


class Thing(NamedTuple):
    kind: str
    data: object


def is_listing(value: object) -> bool:
    return isinstance(value, dict) and value.get("kind") == "Listing"


def things(value: object) -> Iterator[Thing]:
    """In the order of the page, replies after their comment; `more` is no comment. Raises Malformed."""
    waiting = _children(value)[::-1]
    while waiting:
        child = waiting.pop()
        if not isinstance(child, dict):
            yield Thing("", child)
            continue
        kind, data = child.get("kind"), child.get("data")
        if kind == "more":
            continue
        yield Thing(kind if isinstance(kind, str) else "", data)
        replies = data.get("replies") if isinstance(data, dict) else None
        if is_listing(replies):
            waiting += _children(replies)[::-1]


def _children(listing: object) -> list[object]:
    data = listing.get("data") if isinstance(listing, dict) else None
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(children, list):
        raise Malformed("a listing without children")
    return list(children)
