"""A request's body read before anybody works on it: bounded in size and in the time that it takes."""

from __future__ import annotations

import asyncio
import contextlib

from deployments.wire.front import Message, Receive, Scope
from deployments.wire.limits import BODY_S, MAX_BODY_BYTES


class BodyRefused(Exception):
    """The body is too large, too slow, or the client has gone: (status, detail)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


async def with_body(scope: Scope, receive: Receive) -> Receive:
    """`receive` with the complete body as its first message. Raises BodyRefused."""
    announced = announced_bytes(scope["headers"])
    if announced > MAX_BODY_BYTES:
        raise BodyRefused(413, f"a request body has at most {MAX_BODY_BYTES} bytes")
    if not announced:
        return receive
    try:
        async with asyncio.timeout(BODY_S):
            first: Message | None = {"type": "http.request", "body": await _read(receive), "more_body": False}
    except TimeoutError:
        raise BodyRefused(408, f"the body was not complete within {BODY_S:g} s") from None

    async def again() -> Message:
        nonlocal first
        given, first = first, None
        return await receive() if given is None else given

    return again


async def _read(receive: Receive) -> bytes:
    read = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(400, "the body is not complete")
        read += message.get("body", b"")
        if len(read) > MAX_BODY_BYTES:
            raise BodyRefused(413, f"a request body has at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(read)


def announced_bytes(headers: list[tuple[bytes, bytes]]) -> int:
    """The announced length of a body; 1 where it comes in chunks, 0 where there is none."""
    for name, value in headers:
        if name == b"content-length":
            with contextlib.suppress(ValueError):
                return int(value)
        if name == b"transfer-encoding":
            return 1
    return 0
