"""A feed in a process of its own: raw frames -> session -> Sender -> the instance's shards, over Ray.

    python -m tests.bench.feed_process DATA_DIR '{"rounds": 3, "frames": 100000, ...}'

The production FeedActor, its frames from memory instead of a socket. Prints one JSON line per round once
everything of it is durable: {"events", "seconds", "cpu_seconds"}.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from deployments import app, instance


def main() -> None:
    running = instance.require_running(Path(sys.argv[1]))
    app.join_ray(running.ray_address, running.ray_token)
    try:
        # Ray reads its environment when it is first imported, and `join_ray` sets it.
        from tests.bench.feed_play import Job, play

        asyncio.run(play(running, msgspec.json.decode(sys.argv[2], type=Job)))
    finally:
        app.leave_ray()


if __name__ == "__main__":
    main()
