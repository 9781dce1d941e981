"""The Ray Serve ingress: one ASGI app per replica over the actors' directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct
from ray import serve

from actors.runtime import Runtime

MAX_ONGOING = 10_000
"""Sockets count as ongoing requests."""


class GatewaySettings(Struct, frozen=True):
    """What a replica is told. `status` is shown to admins beside what the actors say."""

    runtime: Runtime
    data_dir: str
    metrics_open: bool
    status: dict[str, object]


def gateway_deployment(settings: GatewaySettings, *, replicas: int) -> Any:
    """A Serve deployment whose replicas build their app from `settings`."""

    def build() -> Any:
        return build_app(settings)

    class Gateway:
        """Everything is in the app."""

    ingress = serve.ingress(build)(Gateway)
    return serve.deployment(
        name="gateway",
        num_replicas=replicas,
        max_ongoing_requests=MAX_ONGOING,
        ray_actor_options={"num_cpus": 0.01},
        health_check_period_s=2.0,
        health_check_timeout_s=10.0,
        graceful_shutdown_timeout_s=2.0,
        graceful_shutdown_wait_loop_s=0.5,
    )(ingress)


def build_app(settings: GatewaySettings) -> Any:
    """The ASGI app of a replica, over the actors that Ray finds by name."""
    from actors.ray_directory import RayDirectory
    from deployments.asgi import ServingSettings, create_app
    from deployments.auth.keys import load_or_make_key
    from deployments.auth.tokens import Authority
    from deployments.cluster_metrics import ClusterMetrics
    from observability.log import configure
    from observability.metrics import Telemetry

    configure(settings.runtime.log_level)
    directory = RayDirectory(settings.runtime, settings.status)
    telemetry = Telemetry("gateway", otlp_endpoint=settings.runtime.otlp_endpoint)
    return create_app(
        directory,
        Authority(load_or_make_key(Path(settings.data_dir))),
        ServingSettings(metrics_open=settings.metrics_open),
        telemetry,
        metrics=ClusterMetrics(directory, telemetry),
    )
