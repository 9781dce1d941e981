"""The only place that makes a Ray actor of a shell, and that turns Ray's errors into ours.

Actors are named, detached, restarted by Ray without limit, and async: one event loop, many calls.
A call is never retried by Ray: every intake is idempotent and the caller decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.direct import Door
from actors.runtime import NAMESPACE, Runtime
from domain.errors import Conflict, FinanceHubError, NotFound, Unavailable

CPU_SHARE = 0.01
"""Ray's CPU figures only place actors; a laptop must hold them all."""
MAX_CONCURRENCY = 2_000
CALL_TIMEOUT_S = 10.0


class Remote:
    """A named actor in another process. Equal names give interchangeable objects."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name = name
        self._handle = handle

    async def call(self, method: str, *args: Any, timeout_s: float = CALL_TIMEOUT_S, **kwargs: Any) -> Any:
        """Raises the domain error that the actor raised; Unavailable where it cannot be reached."""
        return await self._await(self._handle.call.remote(method, *args, **kwargs), method, timeout_s)

    async def report(self, timeout_s: float = CALL_TIMEOUT_S) -> dict[str, Any]:
        """Who it is and how it does; also makes a restarted actor build its inside again."""
        answer: dict[str, Any] = await self._await(self._handle.report.remote(), "report", timeout_s)
        return answer

    async def runtime(self, timeout_s: float = CALL_TIMEOUT_S) -> Runtime:
        """What it was started with; does not build its inside. Raises Conflict where it cannot say."""
        try:
            told = self._handle.told.remote()
        except AttributeError:
            raise Conflict(f"{self.name!r} is of another build; stop it first") from None
        answer: Runtime = await self._await(told, "told", timeout_s)
        return answer

    async def door(self, timeout_s: float = CALL_TIMEOUT_S) -> Door | None:
        """Where a shard can be called without Ray; None of one that has no door, as in another build."""
        try:
            told = self._handle.door.remote()
        except AttributeError:
            return None
        answer: Door | None = await self._await(told, "door", timeout_s)
        return answer

    async def samples(self, timeout_s: float = CALL_TIMEOUT_S) -> list[Any]:
        answer: list[Any] = await self._await(self._handle.samples.remote(), "samples", timeout_s)
        return answer

    async def stop(self, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Drain and give back; the process stays until `kill`."""
        await self._await(self._handle.stop.remote(), "stop", timeout_s)

    def kill(self) -> None:
        ray.kill(self._handle, no_restart=True)

    async def _await(self, reference: Any, method: str, timeout_s: float) -> Any:
        try:
            async with asyncio.timeout(timeout_s):  # `wait_for` may swallow a cancellation
                return await reference
        except RayTaskError as error:
            if isinstance(error.cause, FinanceHubError):
                raise error.cause from None
            raise Unavailable(f"{self.name}.{method} failed: {error.cause!r}") from error
        except (TimeoutError, GetTimeoutError):
            raise Unavailable(f"{self.name}.{method} gave no answer in {timeout_s} s") from None
        except RayActorError as error:
            raise Unavailable(f"{self.name} is down: {type(error).__name__}") from None
        except RayError as error:
            raise Unavailable(f"{self.name}.{method}: {type(error).__name__}") from None


def spawn(
    shell: type, name: str, runtime: Runtime, *, resource: str | None = None, place: int | None = None
) -> Remote:
    """Create the named actor, or find it where it already exists. Raises Unavailable.

    `place` deals equal ones out over the nodes that offer `resource`, so that the loss of a node never
    takes all of them; without it Ray spreads as it sees fit. An actor whose node dies moves to another.
    """
    remote_class: Any = ray.remote(shell)
    with _errors_of_ray(f"making {name}"):
        handle = remote_class.options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=MAX_CONCURRENCY,
            num_cpus=CPU_SHARE,
            resources={resource: 0.001} if resource in _offered() else None,
            scheduling_strategy="SPREAD" if place is None else _on_node(place, resource),
        ).remote(name, runtime)
    return Remote(name, handle)


def find(name: str) -> Remote:
    """Raises NotFound where no such actor runs, Unavailable where Ray cannot say."""
    try:
        with _errors_of_ray(f"looking for {name}"):
            return Remote(name, ray.get_actor(name, namespace=NAMESPACE))
    except ValueError:
        raise NotFound(f"no actor {name!r}") from None


@contextlib.contextmanager
def _errors_of_ray(what: str) -> Iterator[None]:
    """Ray's control store may be away for a moment. ValueError passes: so Ray says "no such actor"."""
    try:
        yield
    except ValueError:
        raise
    except (RayError, RuntimeError, OSError, TimeoutError) as error:
        raise Unavailable(f"{what} failed: {error!r}") from error


def _on_node(place: int, resource: str | None) -> Any:
    """Softly on the n-th of the live nodes, by id, that offer the resource (or of all)."""
    cluster: Any = ray
    nodes = [node for node in cluster.nodes() if node["Alive"]]
    fitting = [node for node in nodes if resource in node["Resources"]] or nodes
    ids = sorted(node["NodeID"] for node in fitting)
    return NodeAffinitySchedulingStrategy(ids[place % len(ids)], soft=True) if ids else "SPREAD"


def _offered() -> dict[str, float]:
    cluster: Any = ray
    offered: dict[str, float] = cluster.cluster_resources()
    return offered


def exists(name: str) -> bool:
    """Whether an actor of that name is alive or being restarted. Raises Unavailable."""
    try:
        find(name)
    except NotFound:
        return False
    return True


def running_names() -> list[str]:
    """Names of our live actors, also those of another build. Raises Unavailable."""
    with _errors_of_ray("listing actors"):
        listed = ray.util.list_named_actors(all_namespaces=True)
    return sorted(entry["name"] for entry in listed if entry["namespace"] == NAMESPACE)


def was_restarted() -> bool:
    """Whether this very process replaces an earlier one of the same actor."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def node_address() -> str:
    """The address that this node has within the cluster: 127.0.0.1 of a single machine."""
    cluster: Any = ray
    return str(cluster.util.get_node_ip_address())


def cluster_life() -> str:
    """Differs between two lives of the cluster: none of its processes is in both."""
    return str(ray.get_runtime_context().get_session_name())


def node_id() -> str:
    return str(ray.get_runtime_context().get_node_id())
