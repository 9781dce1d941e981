"""What stands before Serve in a gateway process, and reads a request before Serve does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from deployments.wire.headers import PEER, completed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVES_OWN = frozenset(
    {
        b"x-request-id",
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"serve-multiplexed-model-id",
        b"traceparent",
        b"tracestate",
    }
)
"""Headers by which Serve would let a caller name its request in the logs, lift its time limit, or go on
working after the caller has left. Nobody outside may."""
DIRECT = (b"x-request-disconnect-disabled", b"?1")
"""Without it Serve reads a socket ahead of the application, into a queue without bound."""


TAKEN = "financehub.taken"
"""Extension of a scope: a function that says how many bytes the client has taken so far."""


class Front:
    """An ASGI application around Serve's.

    `direct`: Serve runs the application in the same event loop. `behind_haproxy`: whom a connection speaks
    for comes from HAProxy; otherwise it would be the client's own word, and is dropped.
    """

    def __init__(self, app: App, *, direct: bool, behind_haproxy: bool = False) -> None:
        self._app = app
        self._direct = direct
        self._dropped = SERVES_OWN if behind_haproxy else SERVES_OWN | {PEER}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [header for header in scope["headers"] if _plain(header[0]) not in self._dropped]
        if scope["type"] == "websocket" and self._direct:
            headers.append(DIRECT)
        scope = {**scope, "headers": headers}
        if not self._direct and "extensions" in scope:  # no function goes to another process
            scope["extensions"] = {name: each for name, each in scope["extensions"].items() if name != TAKEN}
        await self._app(scope, receive, with_headers(send))


def _plain(name: bytes) -> bytes:
    """As Serve compares some names: without case, `_` like `-`."""
    return name.lower().replace(b"_", b"-")


def with_headers(send: Send) -> Send:
    """Every answer with the headers that all have."""

    async def complete(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": completed(list(message.get("headers", ())))}
        await send(message)

    return complete
