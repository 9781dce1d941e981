"""`financehub replay`: join the running instance's Ray and play a capture through its shards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from deployments import app, instance
from domain.errors import NotFound


def replay_capture(running: instance.Running, file: str, provider: str, speed: str) -> dict[str, object]:
    """What INTERFACES.md section 4 says of `replay`. Raises NotFound, Malformed, Unavailable."""
    path = Path(file)
    if not path.is_file():
        raise NotFound(f"no capture {file!r}")
    app.join_ray(running.ray_address, running.ray_token)
    try:
        from actors.replay_run import replay
        from actors.runtime import Runtime

        runtime = Runtime(
            dsn=running.dsn, partition_count=running.partition_count, shards=0, readers=0, feeds={}
        )
        result = asyncio.run(replay(runtime, path, provider, speed))
    finally:
        app.leave_ray()
    return {str(key): value for key, value in msgspec.to_builtins(result).items()}
