"""The same figures in Ray's own metrics, so that Ray's dashboard and its Prometheus endpoint show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ray.util.metrics import Counter, Gauge

from observability.metrics import INSTRUMENTS, Sample


class RayBridge:
    """Copies samples into Ray metrics; call it every few seconds, never per event."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._metrics: dict[str, Any] = {}
        self._seen: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def publish(self, samples: Iterable[Sample]) -> None:
        """Counters advance by what is new, gauges are set, histograms give count and mean as gauges."""
        for sample in samples:
            tags = {**sample.attributes, "process": self._process}
            if sample.kind == "counter":
                self._advance(sample, tags)
            elif sample.kind == "gauge":
                self._gauge(sample.name, tags).set(sample.value, tags=tags)
            elif sample.count:
                mean = sample.value / sample.count
                self._gauge(sample.name + ".mean", tags).set(mean, tags=tags)

    def _advance(self, sample: Sample, tags: dict[str, str]) -> None:
        key = (sample.name, tuple(sorted(tags.items())))
        new = sample.value - self._seen.get(key, 0.0)
        if new <= 0:
            return
        self._seen[key] = sample.value
        metric = self._metrics.get(sample.name)
        if metric is None:
            metric = Counter(
                _ray_name(sample.name), INSTRUMENTS[sample.name].description, tuple(sorted(tags))
            )
            self._metrics[sample.name] = metric
        metric.inc(new, tags=tags)

    def _gauge(self, name: str, tags: dict[str, str]) -> Any:
        metric = self._metrics.get(name)
        if metric is None:
            declared = INSTRUMENTS[name.removesuffix(".mean")]
            metric = Gauge(_ray_name(name), declared.description, tuple(sorted(tags)))
            self._metrics[name] = metric
        return metric


def _ray_name(name: str) -> str:
    return name.replace(".", "_")
