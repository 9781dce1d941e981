"""The Ray Serve ingress: one ASGI app per replica over the actors' directory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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
    waiting_per_address: int


def gateway_deployment(settings: GatewaySettings, *, replicas: int) -> Any:
    """A Serve deployment whose replicas build their app from `settings`."""

    def build() -> Any:
        stay_off_other_interfaces()
        guard_the_servers()
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


def guard_the_servers() -> list[Any]:
    """Put our protocols and our front into the HTTP servers that Serve starts in this process from now on.

    Serve (2.60, `serve/_private/http_util.py`) makes uvicorn's configuration itself and lets nobody choose.
    Its variable RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names this function for its own proxies; a gateway
    calls it while it builds its application, before its replica listens. Returns more middlewares: none.
    """
    import uvicorn
    from ray.serve import context
    from ray.serve._private import constants, http_util

    from deployments.wire.front import Front
    from deployments.wire.http import BoundedHttp
    from deployments.wire.websocket import BoundedSocket

    module: Any = http_util
    serve_context: Any = context
    if isinstance(module.uvicorn, SimpleNamespace):
        return []  # done before
    config = partial(
        uvicorn.Config,
        http=BoundedHttp,
        ws=BoundedSocket,
        ws_per_message_deflate=False,
        proxy_headers=False,  # X-Forwarded-For of anybody would be believed, for all come from this machine
    )
    module.uvicorn = SimpleNamespace(Config=config, Server=uvicorn.Server)
    in_replica = serve_context._get_internal_replica_context() is not None
    # Serve's proxies hand messages on: there the application is in another process.
    direct = in_replica and not constants.RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD
    behind_haproxy = bool(constants.RAY_SERVE_ENABLE_HA_PROXY)
    serves_own = module._apply_middlewares

    def apply(app: Any, middlewares: list[Any]) -> Any:
        return Front(serves_own(app, middlewares), direct=direct, behind_haproxy=behind_haproxy)

    module._apply_middlewares = apply
    return []


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
            StreamSettings(
                indicators_per_user=settings.indicators_per_user,
                waiting_per_address=settings.waiting_per_address,
            ),
            metrics_open=settings.metrics_open,
        ),
        telemetry,
        metrics=ClusterMetrics(directory, telemetry),
    )
    # Routes are built at the first look at them: here, and not while the first client waits.
    get_log("gateway").debug("routes_built", routes=len(app.http.routes))
    settle_garbage(YOUNG_OBJECTS_OF_CLIENTS)
    return app
