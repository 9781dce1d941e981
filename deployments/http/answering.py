"""JSON answers with a validator: the same state gives the same ETag, and `If-None-Match` a 304."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from msgspec import Struct

T = TypeVar("T", bound=Struct)


def snapshot(request: Request[Any, Any, Any], answer: T) -> Response[T]:
    """200 with a weak ETag, or 304 without a body.

    The tag leaves `cursor` out: another instrument's event in the same partition moves the cursor but
    changes nothing that is told here, which is what a weak tag says.
    """
    tag = _tag(answer)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match"), tag):
        return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]
    return Response(answer, headers=headers)


def _tag(answer: Struct) -> str:
    content = msgspec.to_builtins(answer)
    _without_cursors(content)
    digest = hashlib.blake2b(msgspec.json.encode(content), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def _without_cursors(content: Any) -> None:
    if isinstance(content, dict):
        content.pop("cursor", None)
        for value in content.values():
            if isinstance(value, dict):
                _without_cursors(value)


def _matches(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in given or tag.removeprefix("W/") in given
