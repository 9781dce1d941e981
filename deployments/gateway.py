"""The Ray Serve ingress: one ASGI app per replica over the actors' directory."""

from __future__ import annotations

from collections.abc import Callable
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
    indicators_per_user: int


def gateway_deployment(settings: GatewaySettings, *, replicas: int) -> Any:
    """A Serve deployment whose replicas build their app from `settings`."""

    def build() -> Any:
        stay_off_other_interfaces()
        return build_app(settings)

    class Gateway:
        """Everything is in the app, which Serve's ingress keeps here as `app`."""

        app: Any

        async def drain(self) -> None:
            """Close every socket with 4503 while the actors still answer; told to all replicas."""
            await self.app.drain()

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


def stay_off_other_interfaces() -> None:
    """Make this replica's internal gRPC server listen where its node does, not on every interface.

    Ray Serve (2.60, `serve/_private/replica.py`) names `[::]:0` in the code and asks for it right after
    the app was built. On a single machine the node's address is 127.0.0.1.
    """
    import ray
    from ray.serve._private import replica

    module: Any = replica
    util: Any = ray.util
    listen: Callable[[Any, str], int] = module.add_port_to_grpc_server

    def here(server: Any, address: str) -> int:
        node: str = util.get_node_ip_address()
        return listen(server, address.replace("[::]", node) if ":" not in node else address)

    module.add_port_to_grpc_server = here


def build_app(settings: GatewaySettings) -> Any:
    """The ASGI app of a replica, over the actors that Ray finds by name."""
    from actors.garbage import YOUNG_OBJECTS_OF_CLIENTS, settle_garbage
    from actors.memory import keep_freed_memory
    from actors.ray_directory import RayDirectory
    from deployments.asgi import ServingSettings, create_app
    from deployments.auth.keys import load_or_make_key
    from deployments.auth.tokens import Authority
    from deployments.cluster_metrics import ClusterMetrics
    from deployments.ws.settings import StreamSettings
    from observability.log import configure, get_log
    from observability.metrics import Telemetry

    configure(settings.runtime.log_level)
    keep_freed_memory()
    directory = RayDirectory(settings.runtime, settings.status)
    telemetry = Telemetry("gateway", otlp_endpoint=settings.runtime.otlp_endpoint)
    app = create_app(
        directory,
        Authority(load_or_make_key(Path(settings.data_dir))),
        ServingSettings(
            StreamSettings(indicators_per_user=settings.indicators_per_user),
            metrics_open=settings.metrics_open,
        ),
        telemetry,
        metrics=ClusterMetrics(directory, telemetry),
    )
    # Routes are built at the first look at them: here, and not while the first client waits.
    get_log("gateway").debug("routes_built", routes=len(app.http.routes))
    settle_garbage(YOUNG_OBJECTS_OF_CLIENTS)
    return app
