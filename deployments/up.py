"""Bring an instance up in the foreground, watch it, and take it down in order.

Database and Ray start side by side, then the supervisor and its actors, beside them Serve's proxy, then
the gateway. Going down: gateways (sockets), feeds, shards (snapshots), Ray, database. Whatever dies in
between comes back: Ray restarts actors, the loop here restarts the embedded database.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from actors.database import Database, open_database
from actors.runtime import Runtime
from deployments import app, instance, leftovers
from deployments.auth.keys import ANCHOR_KEY_FILE, load_or_make_key
from deployments.progress import Progress
from deployments.settings import Settings
from domain.errors import FinanceHubError
from observability.log import configure, get_log

WATCH_S = 0.5
MAX_SHARDS = 8
START_STILL_S = 150.0
"""So long may a start stand still: a long log takes as long as it takes."""
STOP_TIMEOUT_S = 45.0

log = get_log("up")


def run_until_stopped(settings: Settings, serving: Callable[[instance.Running], None]) -> int:
    """`serving` is called once requests are answered. Returns the exit code. Raises FinanceHubError."""
    configure(settings.instance.log_level)
    stopping = _Stopping()
    with ExitStack() as undo:
        undo.callback(Progress().say, "stopped")
        undo.callback(instance.forget_start, settings.data_dir)
        lock = undo.enter_context(instance.acquire(settings.data_dir))
        _clear_leftovers(settings.data_dir)
        undo.callback(leftovers.dismiss, leftovers.post_warden(settings.data_dir, lock))
        try:
            running, database = _start(settings, undo, stopping)
        except _StopAsked:
            return 0
        instance.publish(settings.data_dir, running)
        undo.callback(instance.withdraw, settings.data_dir)
        serving(running)
        stopping.wait(database)
        Progress().say("stopping: gateways, feeds, shards, Ray, database")
    return 0


def _clear_leftovers(data_dir: Path) -> None:
    """Of a life that was killed together with its warden; from here on all we start is marked as ours."""
    if killed := leftovers.sweep(data_dir):
        log.warning("killed what an earlier life of this instance has left", processes=len(killed))
    leftovers.mark(data_dir)
    leftovers.clear_node_folders(instance.run_folder(data_dir))


class _StopAsked(Exception):
    """Somebody ends the instance before it serves."""


class _Stopping:
    """Set by Ctrl-C or `financehub down`; keeps the embedded database alive until then."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.listen()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def listen(self) -> None:
        """Again after Ray has started: it takes SIGTERM for itself."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._asked.set())

    def wait(self, database: Database) -> None:
        """Raises FinanceHubError where Ray's head has died: a new start continues from the log."""
        while not self._asked.wait(WATCH_S):
            if dead := app.dead_ray_processes():
                raise FinanceHubError(f"Ray has lost its {' and '.join(dead)}: start again")
            try:
                if database.ensure_running():
                    log.warning("the embedded database had died and was started again")
            except Exception as error:  # noqa: BLE001 - whatever keeps it from starting now may be over soon
                log.error("the embedded database does not start", error=str(error) or repr(error))


def _start(settings: Settings, undo: ExitStack, stopping: _Stopping) -> tuple[instance.Running, Database]:
    """Raises _StopAsked."""
    progress = Progress(lambda text: instance.note_start(settings.data_dir, text))
    if not settings.ray.address:  # in a cluster an earlier life's proxy may listen, to be taken over
        app.check_port(settings.http.host, settings.http.port)
    load_or_make_key(settings.data_dir)
    token = app.prepare(settings, instance.run_folder(settings.data_dir))
    database, ray_instance = _start_bases(settings, token, progress, undo)
    stopping.listen()
    runtime = _runtime(settings, database)
    if settings.ray.address:
        _clear_the_place(runtime)
        undo.callback(app.stop_serve)
    undo.callback(_stop_actors)
    with ThreadPoolExecutor(2) as pool:
        actors = pool.submit(_start_actors, runtime, progress, stopping)
        proxy = pool.submit(_start_proxy, settings, progress)
        actors.result()
        proxy.result()
    host = f"{settings.http.host}:{settings.http.port}"
    with progress.step("gateway"):
        app.deploy_gateway(settings, runtime, _status_facts(database, ray_instance))
    undo.callback(_drain_gateways)
    running = instance.Running(
        http=f"http://{host}",
        ws=f"ws://{host}",
        data_dir=str(settings.data_dir),
        pid=os.getpid(),
        dsn=database.dsn,
        ray_address=ray_instance.address,
        ray_dashboard=ray_instance.dashboard,
        ray_token=token,
        partition_count=database.partition_count,
    )
    return running, database


def _start_bases(
    settings: Settings, token: str, progress: Progress, undo: ExitStack
) -> tuple[Database, app.RayInstance]:
    """Side by side; going down Ray ends before the database.

    Ray starts in the main thread: Linux ends its processes with the thread that made them.
    """
    with ThreadPoolExecutor(1) as pool:
        database_start = pool.submit(_start_database, settings, progress)
        try:
            ray_instance = _start_ray(settings, token, progress)
        finally:
            if database_start.exception() is None:
                undo.callback(database_start.result().stop)
    undo.callback(app.leave_ray)
    return database_start.result(), ray_instance


def _start_database(settings: Settings, progress: Progress) -> Database:
    with progress.step("database"):
        database = open_database(
            settings.data_dir,
            settings.database.dsn,
            partitions=settings.database.partitions,
            allow_unsafe_durability=settings.database.allow_unsafe_durability,
        )
    progress.say(f"database is {database.summary}")
    return database


def _start_ray(settings: Settings, token: str, progress: Progress) -> app.RayInstance:
    with progress.step("Ray"):
        return app.start_ray(settings, token, instance.run_folder(settings.data_dir))


def _clear_the_place(runtime: Runtime) -> None:
    """What runs in a shared Ray is touched only if it is ours. Raises Conflict."""
    from actors.launch import clear_the_place

    asyncio.run(clear_the_place(runtime, STOP_TIMEOUT_S))


def _start_actors(runtime: Runtime, progress: Progress, stopping: _Stopping) -> None:
    """Takes as long as the log needs. Raises _StopAsked, Unavailable where nothing moves any more."""
    from actors.launch import start_supervisor

    with progress.step("actors"):
        started = start_supervisor(
            runtime, START_STILL_S, tell=progress.keep_saying, given_up=lambda: stopping.asked
        )
        if not asyncio.run(started):
            raise _StopAsked


def _drain_gateways() -> None:
    if not app.dead_ray_processes():
        app.drain_gateways()


def _stop_actors() -> None:
    if app.dead_ray_processes():
        return  # nobody to ask; what was acknowledged is in the log
    from actors.launch import stop_supervisor

    asyncio.run(stop_supervisor(STOP_TIMEOUT_S))


def _start_proxy(settings: Settings, progress: Progress) -> None:
    with progress.step("proxy"):
        app.start_serve(settings)


def _runtime(settings: Settings, database: Database) -> Runtime:
    shards = settings.ray.shards or min(MAX_SHARDS, max(1, (os.cpu_count() or 1) // 2))
    return Runtime(
        dsn=database.dsn,
        partition_count=database.partition_count,
        service_role=database.service_role,
        shards=min(shards, database.partition_count),
        readers=settings.ray.readers,
        feeds={provider: settings.feeds.of(provider) for provider in settings.feeds.enabled},
        sockets_per_user=settings.http.sockets_per_user,
        log_level=settings.instance.log_level,
        otlp_endpoint=settings.telemetry.otlp_endpoint,
        build=_build_id(),
        log_max_bytes=settings.storage.max_bytes,
        log_access_max_bytes=settings.storage.access_max_bytes,
        log_max_age_days=settings.storage.max_age_days,
        keep_indicators=settings.indicators.keep,
        anchor_seed=load_or_make_key(settings.data_dir, ANCHOR_KEY_FILE).private.private_bytes_raw(),
    )


def _build_id() -> str:
    """Newest change of any module of ours: actors of another build are not taken over."""
    root = Path(__file__).resolve().parent.parent
    folders = ("domain", "storage", "actors", "deployments", "observability")
    newest = max(path.stat().st_mtime_ns for folder in folders for path in (root / folder).rglob("*.py"))
    return str(newest)


def _status_facts(database: Database, ray_instance: app.RayInstance) -> dict[str, object]:
    return {
        "postgres": {
            "dsn": database.redacted_dsn,
            "pid": database.pid,
            "version": database.postgres_version,
            "timescaledb": database.timescaledb_version,
            "license": database.timescaledb_license,
        },
        "redis": {"url": None, "pid": None},
        "ray_address": ray_instance.address,
        "ray_dashboard": ray_instance.dashboard,
        "ray_dashboard_login": "paste the token in <data_dir>/run/ray-token",
    }
