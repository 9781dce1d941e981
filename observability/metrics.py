"""Every instrument of the system, declared once with unit and description, on OpenTelemetry.

One `Telemetry` per process. Hot paths record once per batch, never per event. `collect()` gives plain
samples that other processes can render (Prometheus), bridge (Ray) or read in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricReader,
    NumberDataPoint,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

Kind = Literal["counter", "gauge", "histogram"]


class Instrument(NamedTuple):
    """`unit` in UCUM, as OpenTelemetry wants it."""

    kind: Kind
    unit: str
    description: str


INSTRUMENTS: Mapping[str, Instrument] = {
    "financehub.feed.frames": Instrument("counter", "1", "frames received from a provider"),
    "financehub.feed.observations": Instrument("counter", "1", "observations parsed from frames"),
    "financehub.feed.rejected": Instrument("counter", "1", "frames that could not be used, by class"),
    "financehub.feed.gaps": Instrument("counter", "1", "gaps opened, by channel"),
    "financehub.feed.resyncs": Instrument("counter", "1", "snapshots asked for, books found broken"),
    "financehub.feed.silences": Instrument("counter", "1", "streams that fell silent, by channel"),
    "financehub.feed.reconnects": Instrument("counter", "1", "connections opened again"),
    "financehub.feed.buffered": Instrument("gauge", "1", "observations waiting for a shard"),
    "financehub.feed.parse": Instrument("histogram", "s", "time to parse a frame, mean of 0.25 s"),
    "financehub.shard.events": Instrument("counter", "1", "events appended to the log"),
    "financehub.shard.blocks": Instrument("counter", "1", "blocks appended to the log"),
    "financehub.shard.queue": Instrument("gauge", "1", "events folded and not yet durable"),
    "financehub.shard.fold": Instrument("histogram", "s", "time to fold one batch"),
    "financehub.shard.append": Instrument("histogram", "s", "append of a group of blocks until durable"),
    "financehub.stage.received_to_durable": Instrument("histogram", "s", "ts_recv until durable, per block"),
    "financehub.gateway.sockets": Instrument("gauge", "1", "open WebSockets"),
    "financehub.gateway.subscriptions": Instrument("gauge", "1", "open subscriptions"),
    "financehub.gateway.frames": Instrument("counter", "1", "frames delivered"),
    "financehub.gateway.delivered": Instrument("histogram", "s", "ts_recv until written to the socket"),
    "financehub.http.requests": Instrument("counter", "1", "HTTP requests, by route and status"),
    "financehub.http.latency": Instrument("histogram", "s", "HTTP request until response"),
    "financehub.projection.rows": Instrument("counter", "1", "events projected"),
    "financehub.projection.lag": Instrument("gauge", "1", "events behind the head, by projection"),
    "financehub.task.failures": Instrument("counter", "1", "turns of a lasting task that failed, by task"),
    "financehub.task.failing": Instrument("gauge", "1", "1 while a lasting task fails or has ended, by task"),
    "financehub.log.size": Instrument("gauge", "By", "what the blocks of the log take, about"),
}  # fmt: skip

LATENCY_BUCKETS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 1.0, 5.0,
)  # fmt: skip

Attributes = Mapping[str, str]


class Sample(Struct, frozen=True):
    """One series at one moment. Histograms carry cumulative-free `buckets` counts and `sum`, `count`."""

    name: str
    kind: Kind
    attributes: dict[str, str]
    value: float = 0.0
    count: int = 0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()


class Telemetry:
    """Records into the declared instruments of one process; unknown names are a KeyError at once."""

    def __init__(
        self, service: str, *, otlp_endpoint: str = "", readers: Sequence[MetricReader] = ()
    ) -> None:
        self._memory = InMemoryMetricReader()
        latency = View(
            instrument_type=Histogram, aggregation=ExplicitBucketHistogramAggregation(LATENCY_BUCKETS_S)
        )
        self._provider = MeterProvider(
            metric_readers=[self._memory, *readers, *_otlp_readers(otlp_endpoint)],
            resource=Resource.create({"service.name": "financehub", "service.instance.id": service}),
            views=[latency],
            shutdown_on_exit=False,
        )
        self._meter = self._provider.get_meter("financehub")
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for name, declared in INSTRUMENTS.items():
            self._declare(name, declared)

    def _declare(self, name: str, declared: Instrument) -> None:
        if declared.kind == "counter":
            self._counters[name] = self._meter.create_counter(name, declared.unit, declared.description)
        elif declared.kind == "histogram":
            self._histograms[name] = self._meter.create_histogram(name, declared.unit, declared.description)
        else:
            self._gauges[name] = {}
            self._meter.create_observable_gauge(
                name, [self._reader_of(name)], declared.unit, declared.description
            )

    def _reader_of(self, name: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _options: [
            Observation(value, dict(attributes)) for attributes, value in self._gauges[name].items()
        ]

    def count(self, name: str, by: int = 1, **attributes: str) -> None:
        self._counters[name].add(by, attributes)

    def observe(self, name: str, seconds: float, **attributes: str) -> None:
        self._histograms[name].record(seconds, attributes)

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        self._gauges[name][tuple(sorted(attributes.items()))] = value

    def collect(self) -> list[Sample]:
        """All series of this process now."""
        data = self._memory.get_metrics_data()
        if data is None:
            return []
        return [
            _sample(metric.name, point)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def close(self) -> None:
        self._provider.shutdown()


def _otlp_readers(endpoint: str) -> list[MetricReader]:
    if not endpoint:
        return []
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return [PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint), 10_000)]


def _sample(name: str, point: object) -> Sample:
    kind = INSTRUMENTS[name].kind
    if isinstance(point, HistogramDataPoint):
        return Sample(
            name=name,
            kind=kind,
            attributes=_text(point.attributes),
            value=float(point.sum),
            count=point.count,
            bounds=tuple(point.explicit_bounds),
            buckets=tuple(point.bucket_counts),
        )
    if not isinstance(point, NumberDataPoint):
        raise TypeError(f"metric {name!r} has unexpected points {type(point).__name__}")
    return Sample(name=name, kind=kind, attributes=_text(point.attributes), value=float(point.value))


def _text(attributes: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict(attributes or {}).items()}  # type: ignore[call-overload]  # OpenTelemetry: a mapping
