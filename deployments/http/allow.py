"""`Allow` as the document has it: every method of a path, HEAD among them."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders


class Allowed:
    """The framework tells OPTIONS only what the path's first handler serves."""

    def __init__(self) -> None:
        self._methods: dict[str, set[str]] = {}

    def learn(self, app: Litestar) -> None:
        for route in app.routes:
            methods: set[str] = getattr(route, "methods", set())
            self._methods.setdefault(route.path_format, set()).update(methods)

    async def complete(self, message: Any, scope: Any) -> None:
        """Called before each message of an answer is sent."""
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        told = headers.get("allow")
        if told is None:
            return
        allowed = set(told.replace(" ", "").split(",")) | self._methods.get(
            scope.get("path_template", ""), set()
        )
        headers["allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
