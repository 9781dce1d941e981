"""`up`, `down`, `status`, `token`."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from typing import Any

import msgspec
from msgspec import convert

from actors.replay_progress import Restoring
from deployments import instance
from deployments.auth.keys import load_or_make_key
from deployments.auth.tokens import Authority
from deployments.duration import parse_duration_s
from deployments.settings import Settings, read_settings
from domain.clock import format_time, parse_time
from domain.errors import Unavailable

STOP_TIMEOUT_S = 90.0
STATUS_TIMEOUT_S = 15.0


def settings_of(arguments: argparse.Namespace, **overrides: Any) -> Settings:
    return read_settings(arguments.config, instance__data_dir=arguments.data_dir, **overrides)


def up(arguments: argparse.Namespace) -> int:
    feeds = [name.strip().lower() for name in arguments.feeds.split(",")] if arguments.feeds else None
    settings = settings_of(
        arguments, feeds__enabled=feeds, http__port=arguments.port, database__dsn=arguments.dsn
    )
    _migrate_outside_database(settings)
    if arguments.detach:
        from deployments.detach import detach

        running = detach(settings, sys.argv[1:])
        _print_addresses(running, as_json=arguments.json)
        return 0
    from deployments.up import run_until_stopped

    def serving(running: instance.Running) -> None:
        instance.remember_dsn(settings.data_dir, settings.database.dsn)
        _print_addresses(running, as_json=arguments.json)

    return run_until_stopped(settings, serving)


def _migrate_outside_database(settings: Settings) -> None:
    """What is wrong with it is said at once, before anything is started. Raises FinanceHubError."""
    from actors.database import open_database

    database = settings.database
    if database.dsn:
        open_database(
            settings.data_dir,
            database.dsn,
            partitions=database.partitions,
            allow_unsafe_durability=database.allow_unsafe_durability,
        )


def down(arguments: argparse.Namespace) -> int:
    data_dir = settings_of(arguments).data_dir
    if not instance.stop(data_dir, STOP_TIMEOUT_S):
        print(f"nothing runs on {data_dir}", file=sys.stderr)
    return 0


def token(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    authority = Authority(load_or_make_key(settings.data_dir))
    print(authority.issue(arguments.user, arguments.role, parse_duration_s(arguments.ttl)))
    return 0


def status(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    report = _system(instance.require_running(settings.data_dir), settings)
    if arguments.json:
        print(json.dumps(report))
    else:
        _print_report(report)
    return 0


def _system(running: instance.Running, settings: Settings) -> dict[str, Any]:
    """Ask the gateway as an admin. Raises Unavailable."""
    bearer = Authority(load_or_make_key(settings.data_dir)).issue("status", "admin", 60.0)
    request = urllib.request.Request(  # noqa: S310 - the address is our own instance's
        running.http + "/v1/system", headers={"authorization": f"Bearer {bearer}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=STATUS_TIMEOUT_S) as answer:  # noqa: S310 - as above
            system: dict[str, Any] = msgspec.json.decode(answer.read())
        _times_to_ns(system)
    except (urllib.error.URLError, TimeoutError, msgspec.MsgspecError) as error:
        raise Unavailable(f"{running.http} does not answer: {error}") from None
    return {"http": running.http, "ws": running.ws, "data_dir": running.data_dir, "pid": running.pid} | system


def _times_to_ns(system: dict[str, Any]) -> None:
    """HTTP tells times as RFC 3339, the command line as ns. Raises Malformed."""
    for feed in system.get("feeds", ()):
        if feed["last_frame"] is not None:
            feed["last_frame"] = parse_time(feed["last_frame"])


def _print_addresses(running: instance.Running, *, as_json: bool) -> None:
    shown = {"http": running.http, "ws": running.ws, "data_dir": running.data_dir, "pid": running.pid}
    if as_json:
        print(json.dumps(shown), flush=True)
        return
    print(
        f"\nFinanceHub serves on {running.http}\n"
        f"  documentation   {running.http}/docs\n"
        f"  live stream     {running.ws}/v1/stream\n"
        f"  Ray dashboard   {running.ray_dashboard}  (token: financehub status)\n"
        f"  data            {running.data_dir}\n\n"
        f"  a token:        .venv/bin/financehub token\n"
        f'  first look:     curl -H "Authorization: Bearer $(.venv/bin/financehub token)" '
        f"{running.http}/v1/instruments\n",
        flush=True,
    )


def _print_report(report: dict[str, Any]) -> None:
    database = report.get("postgres", {})
    print(f"http      {report['http']}\nws        {report['ws']}\ndata      {report['data_dir']}")
    print(f"database  {database.get('version', '?')}  timescaledb: {database.get('timescaledb') or 'no'}")
    print(f"ray       {report.get('ray_address')}  dashboard {report.get('ray_dashboard')}")
    login = report.get("ray_dashboard_login", "").replace("<data_dir>", report["data_dir"])
    print(f"          {login}")
    for actor in report.get("actors", ()):
        held = " ".join(f"{p['partition']}@{p['head_offset']}" for p in actor["partitions"])
        print(f"actor     {actor['name']:<18} {actor['state']:<9} pid {actor['pid']}  {held}")
        for each in actor.get("restoring", ()):
            print(f"          {'':<18} restoring {convert(each, Restoring)}")
    _print_troubles(report)
    for feed in report.get("feeds", ()):
        last = feed["last_frame"]
        seen = f"last {'-' if last is None else format_time(last)}  gaps {feed['gaps']}"
        seen += "".join(f"  silent: {each}" for each in feed.get("silent", ()))
        print(f"feed      {feed['provider']:<18} {feed['state']:<9} {seen}")
    for projection in report.get("projections", ()):
        print(f"project   {projection['name']:<18} {projection['lag_events']} events behind")


def _print_troubles(report: dict[str, Any]) -> None:
    """Tasks that have failed since their process started, and what does not mend itself."""
    supervisor, gateway = report.get("supervisor", {}), report.get("gateway", {})
    if supervisor:
        ago = f"last round {supervisor['round_age_s']:.1f} s ago"
        print(f"watching  {'supervisor':<18} pid {supervisor['pid']}  {ago}")
    named = [{"name": "supervisor", **supervisor}, {"name": "gateway", **gateway}, *report.get("actors", ())]
    for process in named:
        for task in process.get("tasks", ()):
            if task["failures"]:
                state = "ended" if not task["alive"] else "failing" if task["failing"] else "recovered"
                what = f"{task['task']}: {task['failures']} failures, the last: {task['error']}"
                print(f"task      {process['name']:<18} {state:<9} {what}")
        for trouble in process.get("troubles", ()):
            print(f"trouble   {process['name']:<18} {trouble}")
