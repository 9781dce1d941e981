"""Run as a process: joins an instance's Ray and asks one shard directly, as a stale gateway would.

    ask_shard.py DATA_DIR SHARD INSTRUMENT...

Prints `ready`; at a line on stdin sends its questions and prints `asked`; then one JSON line per answer:
partition and the offset of the state it tells of, or null and the error.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deployments import instance
from deployments.app import join_ray
from domain.errors import FinanceHubError
from domain.ids import market_partition

QUESTIONS = 20
ANSWER_TIMEOUT_S = 60.0


async def ask(shard: Any, name: str, partition_count: int) -> dict[str, Any]:
    partition = market_partition(name, partition_count)
    try:
        answer = await shard.call("last", name, timeout_s=ANSWER_TIMEOUT_S)
    except FinanceHubError as error:
        return {"partition": partition, "offset": None, "error": f"{type(error).__name__}: {error}"}
    return {"partition": partition, "offset": answer.place[1], "error": None}


async def main(data_dir: str, name: str, *instruments: str) -> None:
    running = instance.require_running(Path(data_dir))
    join_ray(running.ray_address, running.ray_token)
    from actors import spawn  # Ray reads its environment when it is imported: after join_ray

    shard = spawn.find(name)
    print("ready", flush=True)
    sys.stdin.readline()
    asked = [
        asyncio.create_task(ask(shard, instrument, running.partition_count))
        for instrument in instruments
        for _ in range(QUESTIONS)
    ]
    await asyncio.sleep(0)  # each task runs up to its first wait: the questions are on their way
    print("asked", flush=True)
    for answer in await asyncio.gather(*asked):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
