"""Ray's HAProxy configuration with what it lacks: time limits, a bound per address, no doors for others.

Run by the wrapper that starts HAProxy, on each configuration that Ray writes: `python haproxy_config.py FILE
LIMITS`. Needs nothing but the standard library. Where Ray's template is no longer what this file knows, it
fails, and so does the start: an unprotected proxy is none.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

MARK = "# guarded by FinanceHub\n"
PEER_HEADER = "X-FinanceHub-Peer"
"""Set by HAProxy, whatever a client says: whom it speaks for."""
HEALTH_PATHS = ("/healthz", "/readyz", "/-/healthz")
HEALTH_ROOM = 16
"""Connections that one address gets beyond its bound, for the health paths alone."""
ENDING_STATUS = "400 408 413 414 429 431"
"""After these a client's connection ends, as it does where a gateway gives them."""
HTTP_REQUEST_S = 10
"""From the first byte of a request, or the connection, to the end of its headers."""
KEEP_ALIVE_S = 60
TUNNEL_S = 120
"""Of a WebSocket on which neither side says anything: the gateway pings every 20 s."""
HALF_CLOSED_S = 10


class Limits(NamedTuple):
    """`per_address`: connections; 0 is no bound."""

    per_address: int


def guarded(text: str, limits: Limits) -> str:
    """Once: a guarded one stays as it is. Raises ValueError where Ray's template is not the known one."""
    if text.startswith(MARK):
        return text
    text = _without_section(text, "frontend prometheus")
    text = _without_section(text, "listen stats")
    text = _replaced(r"^(    stats socket .*) mode 666 ", r"\1 mode 600 ", text)
    text = re.sub(r"^    timeout http-keep-alive .*\n", "", text, flags=re.MULTILINE)
    text = _replaced(r"^(defaults\n    mode http\n)", r"\1" + _lines(_time_limits()), text)
    front = r"^(frontend http_frontend\n    bind \S+)\n"
    return MARK + _replaced(front, r"\1 proto h1\n" + _lines(_per_address(limits.per_address)), text)


def _time_limits() -> list[str]:
    return [
        f"timeout http-request {HTTP_REQUEST_S}s",
        f"timeout http-keep-alive {KEEP_ALIVE_S}s",
        f"timeout tunnel {TUNNEL_S}s",
        f"timeout client-fin {HALF_CLOSED_S}s",
        f"timeout server-fin {HALF_CLOSED_S}s",
    ]


def _per_address(bound: int) -> list[str]:
    """IPv6 addresses count by their network of 64 bits, which one customer has."""
    lines = [
        f"http-request set-header {PEER_HEADER} %[src]",
        "http-after-response set-header X-Content-Type-Options nosniff",
        f"http-after-response set-header Connection close if {{ status {ENDING_STATUS} }}",
    ]
    if not bound:
        return lines
    refusal = (
        "http-request return status 429 content-type application/problem+json hdr Retry-After 1 "
        f'hdr Cache-Control no-store string "{_too_many(bound)}"'
    )
    return [
        "stick-table type ipv6 size 100k expire 10m store conn_cur",
        "tcp-request connection track-sc0 src,ipmask(32,64)",
        f"tcp-request connection reject if {{ sc0_conn_cur gt {bound + HEALTH_ROOM} }}",
        f"acl for_health path {' '.join(HEALTH_PATHS)}",
        f"{refusal} if {{ sc0_conn_cur gt {bound} }} !for_health",
        *lines,
    ]


def _too_many(bound: int) -> str:
    """A problem as a literal of HAProxy's configuration."""
    problem = {
        "type": "/docs#problem-over-limit",
        "title": "A limit of this system is reached",
        "status": 429,
        "detail": f"one address may have {bound} connections",
        "errors": [],
    }
    return json.dumps(problem).replace('"', '\\"')


def _lines(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines).replace("\\", "\\\\")


def _without_section(text: str, head: str) -> str:
    return _replaced(rf"^{head}\n(?:[ \t].*\n|\n)*", "", text)


def _replaced(pattern: str, by: str, text: str) -> str:
    changed, count = re.subn(pattern, by, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"Ray's HAProxy configuration has {count} times what it should once: {pattern}")
    return changed


def main(file: str, limits: str) -> None:
    path = Path(file)
    path.write_text(guarded(path.read_text(), Limits(**json.loads(limits))))


if __name__ == "__main__":
    main(*sys.argv[1:])
