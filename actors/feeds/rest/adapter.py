"""A provider of which payloads are understood and to which nothing connects yet."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.base import Origin, Parsed


class RestParser:
    """`read` is pure and raises nothing, whatever the payload is."""

    def __init__(
        self, name: str, venues: tuple[str, ...], read: Callable[[str | bytes, Origin], Parsed]
    ) -> None:
        self.name = name
        self.venues = venues
        self._read = read

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return self._read(payload, origin)
