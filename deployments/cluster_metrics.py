"""`/metrics` of the whole instance: this gateway's samples and those of every actor."""

from __future__ import annotations

import time
from collections.abc import Iterable

from actors.ray_directory import RayDirectory
from domain.errors import FinanceHubError
from observability.metrics import Sample, Telemetry

MAX_AGE_S = 1.0


class ClusterMetrics:
    """Asks the actors at most once a second; without them the gateway's own figures remain."""

    def __init__(self, directory: RayDirectory, own: Telemetry) -> None:
        self._directory = directory
        self._own = own
        self._asked_s = -MAX_AGE_S
        self._others: list[tuple[str, Sample]] = []

    async def samples(self) -> Iterable[tuple[str, Sample]]:
        if time.monotonic() - self._asked_s > MAX_AGE_S:
            self._asked_s = time.monotonic()
            try:
                self._others = await self._directory.samples()
            except FinanceHubError:
                self._others = []
        return [*(("gateway", sample) for sample in self._own.collect()), *self._others]
