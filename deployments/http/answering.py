"""JSON answers with a validator: the same state gives the same ETag, and `If-None-Match` a 304."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from litestar import MediaType, Request, Response
from msgspec import Struct

T = TypeVar("T", bound=Struct)

_encode = msgspec.json.Encoder().encode


def written(request: Request[Any, Any, Any], answer: Struct, told: bytes) -> Response[Any]:
    """The same where the answer is long and `told` differs wherever its bodies do, but for the cursor."""
    return _answer(request, _tag_of(hashlib.sha256(told)), lambda: _encode(answer))


def snapshot(request: Request[Any, Any, Any], answer: T) -> Response[T]:
    """200 with a weak ETag, or 304 without a body.

    The tag leaves `cursor` out: another instrument's event in the same partition moves the cursor but
    changes nothing that is told here, which is what a weak tag says.
    """
    body = _encode(answer)
    return _answer(request, _tag(body, getattr(answer, "cursor", None)), lambda: body)


def _answer(request: Request[Any, Any, Any], tag: str, body: Callable[[], bytes]) -> Response[Any]:
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match"), tag):
        return Response(None, status_code=304, headers=headers)
    # Encoded here, as the tag needs the bytes anyway; the declared type describes them in OpenAPI.
    return Response(body(), media_type=MediaType.JSON, headers=headers)


def _tag(body: bytes, cursor: str | None) -> str:
    """Of the body without its cursor, wherever that is told: an answer is true at one place."""
    digest = hashlib.sha256()
    left_out = b"" if cursor is None else _encode(cursor)
    view, begun = memoryview(body), 0
    while left_out and (at := body.find(left_out, begun)) >= 0:
        digest.update(view[begun:at])
        begun = at + len(left_out)
    digest.update(view[begun:])
    return _tag_of(digest)


def _tag_of(digest: hashlib._Hash) -> str:
    return f'W/"{digest.hexdigest()[:24]}"'


def _matches(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in given or tag.removeprefix("W/") in given
