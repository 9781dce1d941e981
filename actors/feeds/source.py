"""Where observations come from: sockets (`live.py`), recordings (`replay.py`), a simulator.

    Source ──Step──> Sink          a step is what one frame, one line or one moment gave
    Source <──resync── Sink        books that turned out broken further on

A source decides what to do when the sink is full: a recording waits for room, a live feed disconnects
and records the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from actors.feeds.base import Reject, Silence
from domain.market.observations import Observation


@dataclass(slots=True)
class Step:
    """What came at once, in the order received. `clock` is the source's, ns UTC, never decreasing.

    `file` and `line` (from 1) say where in a recording; `rejects` pair a reason with the bytes it is
    about; `connected` holds (connection, endpoint), `lost` (connection, reason), `resynced`
    (instrument, channel). `parse_s`: seconds the session spent on the frame, 0 where nobody measured.
    """

    clock: int
    file: str = ""
    line: int = 0
    frames: int = 0
    observations: list[Observation] = field(default_factory=list)
    rejects: list[tuple[Reject, bytes]] = field(default_factory=list)
    resynced: list[tuple[str, str]] = field(default_factory=list)
    connected: list[tuple[int, str]] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    parse_s: float = 0.0


class Sink(Protocol):
    """Takes steps in order."""

    def take(self, step: Step) -> None:
        """Raises OverLimit, taking nothing, where there is no room."""

    async def room(self) -> None:
        """Wait until there is room again."""


class Source(Protocol):
    """One provider's observations, live or as if they were."""

    async def run(self, sink: Sink) -> None:
        """Hand over steps until there are no more, or until cancelled. Called once."""

    def connections(self) -> tuple[int, int]:
        """(open, wanted). A source without sockets counts as one, open while it runs."""

    def resync(self, instruments: Sequence[str]) -> None:
        """These books are broken further on though nothing told so here: tell a gap, send a snapshot.

        Called while it runs. Without effect on instruments it does not know, and where it cannot.
        """

    def now_ns(self) -> int:
        """The source's clock: wall time when live, the recording's time in a replay."""
