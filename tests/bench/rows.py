"""A measured figure, and the few numbers that every group needs."""

from __future__ import annotations

import gc
import math
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]


class Row(Struct, frozen=True):
    """`value` in `unit`; `n` is how many samples it rests on. `ratio` = value / peer_value."""

    name: str
    value: float
    unit: str
    n: int
    peer: str | None = None
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.peer_value if self.peer_value else None


class Scale(Struct, frozen=True):
    """How much work a run does: `rounds` of each figure, everything else times `size` (in (0, 1])."""

    rounds: int = 5
    size: float = 1.0

    def of(self, full: int, *, least: int = 1) -> int:
        return max(least, int(full * self.size))


FULL = Scale()
QUICK = Scale(rounds=3, size=0.2)
TINY = Scale(rounds=1, size=0.005)
"""For the tests of the bench itself: its figures mean nothing."""

Group = Callable[[Scale], list[Row]]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def quantile(values: Sequence[float], q: float) -> float:
    """Nearest rank, `q` in [0, 1]. Raises ValueError of nothing."""
    if not values:
        raise ValueError("no samples")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q * len(ordered)) - 1))]


@contextmanager
def quiet() -> Iterator[None]:
    """No full garbage collections of what was prepared, as in a long-running process."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process: other tenants of the machine do not count as ours."""
    began = time.process_time()
    work()
    return time.process_time() - began


def commit() -> str:
    """The checked-out commit, with `+` where files differ from it; empty outside a checkout."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}+" if head and _git("status", "--porcelain") else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
