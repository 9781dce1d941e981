"""Counts every HTTP answer, also those that no handler gave: unknown paths, refused tokens, bugs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from observability.metrics import Telemetry

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NO_ROUTE = "none"
"""Route of a path that there is not. The path itself is the client's: as a label it would have no bound."""


def measured(app: App, telemetry: Telemetry | None) -> App:
    """The app, with `financehub.http.requests` by route and status and `.latency` by route."""
    if telemetry is None:
        return app

    async def measure(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = "aborted"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route_handler"), "handler_name", NO_ROUTE)
            telemetry.observe("financehub.http.latency", time.perf_counter() - began, route=route)
            telemetry.count("financehub.http.requests", route=route, status=status)

    return measure
