"""The last answer on a connection: written by the protocols themselves, before any application is asked."""

from __future__ import annotations

from http import HTTPStatus

from deployments.problem import FRAMEWORK, MALFORMED, MEDIA_TYPE, body, problem
from deployments.wire.headers import SECURITY_HEADERS


def refusal(status: int, detail: str) -> bytes:
    """A complete HTTP/1.1 response with a problem as its body."""
    text = body(problem(MALFORMED if status == 400 else FRAMEWORK[status], detail))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(text)),
        *SECURITY_HEADERS,
        (b"connection", b"close"),
    ]
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return b"".join([first, *lines, b"\r\n", text])
