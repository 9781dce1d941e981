"""Python's cycle collector, set for processes that hold much and make no cycles of it."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000
"""Containers made before the young are looked through: some 10 MB. Python's own 700 come with every
page of bars, and each full round goes through everything that Ray and the database driver have loaded."""
YOUNG_OBJECTS_OF_CLIENTS = 5_000
"""Where clients come and go: a socket leaves about 200 objects in cycles of Ray's and the web server's, and
to take away 50,000 of them stops the process for 30 ms."""
YOUNG_ROUNDS, MIDDLE_ROUNDS = 20, 20


def settle_garbage(young_objects: int = YOUNG_OBJECTS) -> None:
    """Call once a process has loaded what it needs: that is never looked through again."""
    gc.unfreeze()  # what an earlier life of this process has left behind may be in cycles
    gc.collect()
    gc.freeze()
    gc.set_threshold(young_objects, YOUNG_ROUNDS, MIDDLE_ROUNDS)
