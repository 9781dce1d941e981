"""Durations as people write them: `90s`, `15m`, `1h`, `30d`."""

from __future__ import annotations

import re

from domain.errors import Malformed

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def parse_duration_s(text: str) -> float:
    """Seconds; no unit means seconds. Raises Malformed."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"duration {text!r} is not like 90s, 15m, 1h or 30d")
    return float(match[1]) * _SECONDS[match[2] or "s"]
