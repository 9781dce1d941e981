"""One line per step of the start, with the seconds it took, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Steps may run side by side in threads; each line is written whole."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def say(self, text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - self._began_s:5.1f} s] {text}\n")
        sys.stderr.flush()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began_s = time.monotonic()
        self.say(f"{what} ...")
        yield
        self.say(f"{what}: done in {time.monotonic() - began_s:.1f} s")
