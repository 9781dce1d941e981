"""Lines of a start whose steps run side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployments.progress import Progress

STEPS = 8


def test_steps_in_threads_are_noted_one_after_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside: list[str] = []
    most: list[int] = []
    both = threading.Barrier(STEPS)

    def note(text: str) -> None:
        inside.append(text)
        most.append(len(inside))
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(tmp_path / "noted")
        inside.remove(text)

    progress = Progress(note)

    def step(number: int) -> None:
        both.wait(10)
        for _ in range(50):
            progress.say(f"step {number}")

    with ThreadPoolExecutor(STEPS) as threads:
        for done in [threads.submit(step, number) for number in range(STEPS)]:
            done.result()
    assert set(most) == {1}
    assert capsys.readouterr().err.count("\n") == STEPS * 50
