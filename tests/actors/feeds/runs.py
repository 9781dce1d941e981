"""Frames cut into runs, and what a run leads to the long way, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.feeds.base import Effects, Received, Session, extend


def cut(
    frames: Sequence[Received], lengths: Sequence[int], breaks: str = "close"
) -> Iterator[list[Received]]:
    """Runs of these lengths in turn; `breaks` stands alone, as nothing is received with it."""
    run: list[Received] = []
    number = 0
    for received in frames:
        if run and (
            received[0] == breaks or run[0][0] == breaks or len(run) >= lengths[number % len(lengths)]
        ):
            yield run
            run, number = [], number + 1
        run.append(received)
    if run:
        yield run


def one_by_one(session: Session, run: Sequence[Received], endpoint: str = "") -> Effects:
    """Bytes always take the long way."""
    effects = Effects()
    for frame, now in run:
        extend(
            effects, session.on_frame(0, frame.encode() if isinstance(frame, str) else frame, now, endpoint)
        )
    return effects
