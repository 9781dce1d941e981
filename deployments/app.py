"""Ray and Ray Serve for one instance: start them on loopback, deploy the gateway, take them down.

Ray reads most of what matters here from the environment, at import: `prepare` comes first.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.runtime import NAMESPACE, Runtime
from deployments.haproxy import prepare_haproxy
from deployments.private_folder import ray_folder
from deployments.settings import HttpSettings, Settings, platform_has_ha_proxy
from domain.errors import FinanceHubError, Rejected, Unavailable
from observability.log import get_log

OBJECT_STORE_BYTES = 200 * 1024 * 1024
"""Batches travel inside calls; the object store is hardly used."""
APPLICATION = "financehub"
RAY_ATTEMPTS = 2
OWN_PORTS = range(15_000, 30_000)
PORT_ATTEMPTS = 100
PROXY_PREFIX = "SERVE_PROXY_ACTOR-"
"""Serve's names of its proxies."""
DRAIN_S = 3.0
"""For the gateways' sockets to close: milliseconds, unless a client takes nothing any more."""


class RayInstance(Struct, frozen=True):
    """`token` opens Ray's dashboard and API; a secret."""

    address: str
    dashboard: str
    token: str


def free_port(wanted: int = 0) -> int:
    """`wanted` where it is free on loopback, else one that nobody is given by chance meanwhile.

    Ports that the system hands out by itself lie above 32767: one of those, free now, may be taken by
    any of Ray's servers before its own user gets to it. Serve's replicas take theirs from 30000 on.
    """
    candidates = [wanted] if wanted else []
    candidates += random.sample(OWN_PORTS, PORT_ATTEMPTS)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable(f"no free port on loopback among {PORT_ATTEMPTS}")


def check_port(host: str, port: int) -> None:
    """Raises Rejected where somebody else listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Rejected(f"cannot listen on {host}:{port}: {error.strerror}; choose --port") from None


def prepare(settings: Settings, run_folder: Path) -> str:
    """Set Ray's environment; returns the token of this instance's Ray. Call before Ray is imported.

    A cluster that is joined was set up by whoever started its nodes, its token included: `RAY_AUTH_TOKEN`
    or Ray's token file here must be the cluster's.
    """
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
    if settings.ray.address:
        return os.environ.get("RAY_AUTH_TOKEN", "")
    token = _ray_token(run_folder)
    os.environ.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=token,
        RAY_SERVE_LOG_TO_STDERR="0",
        # In a thread of its own a replica's app writes into a queue without a bound: a client that takes
        # nothing would fill memory, and no writer would ever learn that it waits.
        RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD="0",
        # A proxy that is slow to start on a busy machine is not a dead one.
        RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S="60",
        RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S="30",
        RAY_SERVE_HAPROXY_METRICS_ENABLED="0",
        RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH="deployments.gateway.guard_the_servers",
        # Ray's exporters would tell every user of the machine what `/metrics` tells only with a token. The
        # dashboard's and the autoscaler's cannot be turned off: with no port to be had they go on without.
        RAY_enable_metrics_collection="0",
        DASHBOARD_METRIC_PORT="-1",
        AUTOSCALER_METRIC_PORT="-1",
        RAY_SERVE_FALLBACK_PROXY_HTTP_PORT=str(free_port()),
        RAY_SERVE_FALLBACK_PROXY_GRPC_PORT=str(free_port()),
    )
    # With "clusters" off Ray binds to 127.0.0.1 instead of the machine's outside address. The
    # variable is named for two other systems and works on Linux too.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    if settings.http.ha_proxy and platform_has_ha_proxy():
        prepare_haproxy(run_folder, settings.http)
    return token


def _ray_token(run_folder: Path) -> str:
    """Kept over restarts, so that a browser stays signed in."""
    file = run_folder / "ray-token"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))
    return file.read_text()


def start_ray(settings: Settings, token: str, run_folder: Path) -> RayInstance:
    """A local Ray, or the cluster that the settings name. Raises FinanceHubError, Unavailable."""
    if settings.ray.address:
        context = join_ray(settings.ray.address, token)
    else:
        context = _start_local_ray(settings.ray.dashboard_port, ray_folder(run_folder))
    info = context.address_info
    dashboard = f"http://{info['webui_url']}" if info["webui_url"] else ""
    return RayInstance(info["address"], dashboard, token)


def _start_local_ray(dashboard_port: int, folder: Path) -> Any:
    """Ray gives a raylet 30 s to appear, which a very busy machine may miss: try once more."""
    import ray

    for attempt in range(RAY_ATTEMPTS):
        try:
            return ray.init(
                address="local",
                namespace=NAMESPACE,
                num_cpus=max(4, os.cpu_count() or 1),
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                dashboard_port=free_port(dashboard_port),
                _temp_dir=str(folder),
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except Exception as error:
            ray.shutdown()
            if attempt == RAY_ATTEMPTS - 1:
                raise FinanceHubError(f"Ray does not start: {error}") from error
    raise AssertionError("unreachable")


def join_ray(address: str, token: str) -> Any:
    """Become a driver of a running Ray; returns its context. Raises Unavailable."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if token:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
    if address.startswith("127."):
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    try:
        return ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError) as error:
        raise Unavailable(f"Ray at {address} cannot be joined: {error}") from None


def start_serve(settings: Settings) -> None:
    """The proxy only; it answers 404 until the gateway is deployed."""
    from ray import serve

    with _serve_errors("the proxy"):
        _with_a_proxy(
            lambda: serve.start(http_options={"host": settings.http.host, "port": settings.http.port})
        )


def deploy_gateway(settings: Settings, runtime: Runtime, status: dict[str, object]) -> None:
    """Returns once the replicas answer. `status` is what the gateway tells admins beside the actors."""
    from ray import serve

    from deployments.gateway import GatewaySettings, gateway_deployment

    deployment = gateway_deployment(
        GatewaySettings(
            runtime=runtime,
            data_dir=str(settings.data_dir),
            metrics_open=metrics_may_be_open(settings.http),
            status=status,
            indicators_per_user=settings.http.indicators_per_user,
            waiting_per_address=settings.http.waiting_per_address,
        ),
        replicas=settings.http.gateways,
    )
    with _serve_errors("the gateway"):
        _with_a_proxy(lambda: serve.run(deployment.bind(), name=APPLICATION, route_prefix="/"))


def metrics_may_be_open(http: HttpSettings) -> bool:
    """Ray's HAProxy does not say whom it speaks for: behind it every client looks as if it were on this
    machine, which is true only where nobody else can connect."""
    behind = http.ha_proxy and platform_has_ha_proxy()
    if http.metrics_open and behind and not _is_loopback(http.host):
        get_log("serve").warning("metrics need a token: behind HAProxy others look local", host=http.host)
        return False
    return http.metrics_open


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _with_a_proxy(do: Callable[[], object]) -> None:
    """`do` waits a minute for Serve's proxies. Rarely one hangs for ever while it starts HAProxy (seen with
    Ray 2.60): then they are ended, Serve makes others, and it is done once more."""
    try:
        do()
    except TimeoutError as error:
        get_log("serve").warning("the proxy does not come up, another is made", error=str(error))
        _end_proxies()
        do()


def _end_proxies() -> None:
    import ray

    named: Any = ray.util
    for actor in named.list_named_actors(all_namespaces=True):
        if actor["name"].startswith(PROXY_PREFIX):
            with suppress(ValueError):  # ended meanwhile
                ray.kill(ray.get_actor(actor["name"], namespace=actor["namespace"]))


def drain_gateways() -> None:
    """Close all sockets of all gateways with 4503, before anything that they need ends. Never raises:
    a gateway that does not drain in time ends with Ray."""
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    try:
        serve.get_app_handle(APPLICATION).broadcast("drain").results(timeout_s=DRAIN_S)
    except (RayError, RayServeException, RuntimeError, TimeoutError) as error:
        get_log("serve").warning("gateways not drained", error=repr(error))


@contextmanager
def _serve_errors(what: str) -> Iterator[None]:
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, RuntimeError, ValueError, TimeoutError) as error:
        raise FinanceHubError(f"{what} does not start: {error}") from error


def dead_ray_processes() -> list[str]:
    """Kinds of Ray's own processes here that have died: without them nothing starts again."""
    from ray._private import worker

    node: Any = getattr(worker, "_global_node", None)
    dead = [kind for kind, _ in node.dead_processes()] if node is not None else []
    return sorted(kind for kind in dead if kind in ("gcs_server", "raylet"))


def stop_serve() -> None:
    """Take the gateway and its proxies out of a joined cluster."""
    from ray import serve

    shutdown: Any = serve.shutdown
    shutdown()


def leave_ray() -> None:
    """Be no driver any more; a Ray that this process has started ends."""
    import ray

    ray.shutdown()
