"""One line per step of the start, with the seconds it took, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REPEAT_S = 2.0


class Progress:
    """Steps may run side by side in threads; each line is written whole. `note` is told every line, one
    after another."""

    def __init__(self, note: Callable[[str], None] = lambda _text: None) -> None:
        self._began_s = time.monotonic()
        self._note = note
        self._turn = threading.Lock()
        self._told: tuple[float, str] = (float("-inf"), "")

    def say(self, text: str) -> None:
        with self._turn:
            self._note(text)
            sys.stderr.write(f"[{time.monotonic() - self._began_s:5.1f} s] {text}\n")
            sys.stderr.flush()

    def keep_saying(self, text: str) -> None:
        """Of something that goes on: now and then, and only what is new."""
        now_s = time.monotonic()
        if text != self._told[1] and now_s - self._told[0] >= REPEAT_S:
            self._told = (now_s, text)
            self.say(text)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began_s = time.monotonic()
        self.say(f"{what} ...")
        yield
        self.say(f"{what}: done in {time.monotonic() - began_s:.1f} s")
