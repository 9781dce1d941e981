"""`python -m tests.soak.simulation [--seeds 1000] [--first 1000]`: many schedules of the simulation.

Each is a seed of its own, run in as many processes as there are cores. Prints what happened, and the story of
each schedule in which an invariant does not hold; ends with 1 where there is one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.simulation.test_simulation import survive

FIRST, SEEDS = 1_000, 1_000
SAYS_EVERY = 100
STORIES = 5
"""Failures told in full; further ones are counted."""


def outcome(seed: int) -> tuple[int, dict[str, int], str]:
    """(seed, what happened, why it failed)"""
    try:
        return seed, survive(seed), ""
    except AssertionError as error:
        return seed, {}, str(error)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=SEEDS)
    asked.add_argument("--first", type=int, default=FIRST)
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = asked.parse_args()
    began = time.monotonic()
    happened: Counter[str] = Counter()
    failed: list[int] = []
    seeds = range(options.first, options.first + options.seeds)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for done, (seed, counts, why) in enumerate(pool.imap_unordered(outcome, seeds, chunksize=5), 1):
            happened.update(counts)
            if done % SAYS_EVERY == 0:
                print(f"{done} of {len(seeds)} schedules, {len(failed)} failed", flush=True)
            if why:
                failed.append(seed)
                print(why if len(failed) <= STORIES else f"seed {seed} failed", flush=True)
    print(" ".join(f"{name}={count}" for name, count in sorted(happened.items())))
    print(f"simulation: {len(seeds) - len(failed)} of {len(seeds)} schedules hold, ", end="")
    print(f"{time.monotonic() - began:.0f} s" + (f"; failed: {sorted(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
