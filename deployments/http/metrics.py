"""`/metrics`: Prometheus text of this process and, where a source is given, of all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from observability.metrics import Sample, Telemetry


class MetricsSource(Protocol):
    """Samples as (process, sample)."""

    async def samples(self) -> Iterable[tuple[str, Sample]]: ...


class OwnMetrics:
    """The figures of this process alone."""

    def __init__(self, telemetry: Telemetry, process: str) -> None:
        self._telemetry = telemetry
        self._process = process

    async def samples(self) -> Iterable[tuple[str, Sample]]:
        return [(self._process, sample) for sample in self._telemetry.collect()]
