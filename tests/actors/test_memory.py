"""Blocks of half a megabyte that come and go: the system is not asked for their pages again and again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from actors.memory import keep_freed_memory

SCRIPT = """
import resource
from actors.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for size in range(400_000, 600_000, 4_000):
        blocks = [b"x" * size for _ in range(8)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
{first}
faults()  # takes the pages that are then used again
print(faults())
"""


def _faults(first: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(first=first)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_pages_of_freed_blocks_are_used_again() -> None:
    if not keep_freed_memory():
        pytest.skip("another C library than glibc")
    assert _faults("keep_freed_memory()") < _faults("") / 5
