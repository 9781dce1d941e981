"""What actors need of `observability.metrics.Telemetry`; without one nothing is measured."""

from __future__ import annotations

from typing import Protocol


class Recorder(Protocol):
    """Names are those of `observability.metrics.INSTRUMENTS`."""

    def count(self, name: str, by: int = 1, **attributes: str) -> None: ...

    def observe(self, name: str, seconds: float, **attributes: str) -> None: ...

    def gauge(self, name: str, value: float, **attributes: str) -> None: ...


class Silent:
    """Measures nothing: tests, simulation, offline verbs."""

    def count(self, name: str, by: int = 1, **attributes: str) -> None:
        """Nothing."""

    def observe(self, name: str, seconds: float, **attributes: str) -> None:
        """Nothing."""

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        """Nothing."""


SILENT = Silent()
