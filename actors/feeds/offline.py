"""Plays captures through an adapter's session: what runs live, over recorded bytes.

    ws line ────> on_open (connection seen for the first time), on_frame
    open, close > on_open, on_close
    http line ──> on_response to the outstanding request that it answers, else as unsolicited
    time ───────> on_timer, as `ts_recv` moves on

The clock is the largest `ts_recv` so far. What the session wants sent or connected anew is dropped: the
recording already holds what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from actors.feeds.base import NOTHING, Adapter, Assumed, Effects, FeedSettings, HttpRequest, Reject, Session
from actors.feeds.capture import NoCapture, Placed, read_captures
from actors.feeds.capture_line import CaptureLine
from actors.feeds.source import Step
from actors.feeds.streams import Damaged
from domain.clock import NS_PER_MS

TIMER_NS = 100 * NS_PER_MS
"""How often a session's timer runs, as the contract in `base.py` says."""
MAX_OUTSTANDING = 1024
"""Requests remembered for an answer; a session that asks for more loses the oldest."""
UNSOLICITED = "unsolicited"
"""Purpose of the request that is made up for a recorded answer nobody had asked for."""


class OfflineDriver:
    """One session over recorded lines; `feed` each of them in order."""

    def __init__(self, adapter: Adapter, settings: FeedSettings, assumed: Assumed = NOTHING) -> None:
        self._adapter = adapter
        self._session: Session = (
            adapter.session(settings) if assumed == NOTHING else adapter.session(settings, assumed)
        )
        self._clock = 0
        self._timer_at = 0
        self._started = False
        self._connections: dict[tuple[int | None, str], int] = {}
        self._open: set[int] = set()
        self._outstanding: dict[tuple[str, str], HttpRequest] = {}

    def feed(self, placed: Placed) -> Step:
        entry = placed.entry
        if isinstance(entry, Damaged):
            other = isinstance(entry, NoCapture) and entry.form != "empty"
            reject = Reject("unsupported" if other else "malformed", entry.reason)
            return Step(self._clock, placed.file, placed.line, 1, rejects=[(reject, entry.raw)])
        self._clock = max(self._clock, entry.ts_recv)
        step = Step(self._clock, placed.file, placed.line)
        self._run_clock(step)
        self._dispatch(entry, step)
        return step

    def _run_clock(self, step: Step) -> None:
        if not self._started:
            self._started = True
            self._timer_at = self._clock
            self._take(step, self._session.on_start(self._clock))
        elif self._clock - self._timer_at >= TIMER_NS:
            self._timer_at = self._clock
            self._take(step, self._session.on_timer(self._clock))

    def _dispatch(self, entry: CaptureLine, step: Step) -> None:
        if entry.source == "http":
            step.frames = 1
            self._respond(entry, step)
            return
        connection = self._connection(entry)
        if entry.source == "close":
            if connection in self._open:
                self._open.discard(connection)
                step.lost.append((connection, entry.frame or "closed"))
                self._take(step, self._session.on_close(connection, entry.frame or "closed", self._clock))
            return
        if entry.source == "open" or connection not in self._open:
            self._open.add(connection)
            step.connected.append((connection, entry.endpoint))
            self._take(step, self._session.on_open(connection, self._clock))
        if entry.source == "ws":
            step.frames = 1
            effects = self._session.on_frame(connection, entry.frame, self._clock, entry.endpoint)
            self._take(step, effects)

    def _connection(self, entry: CaptureLine) -> int:
        """The recorder's number where it gave one and it is free, else the next free number."""
        key = (entry.conn, "" if entry.conn is not None else entry.endpoint)
        known = self._connections.get(key)
        if known is not None:
            return known
        taken = set(self._connections.values())
        number = entry.conn if entry.conn is not None else 0
        while number in taken:
            number += 1
        self._connections[key] = number
        return number

    def _respond(self, entry: CaptureLine, step: Step) -> None:
        request = self._answered_by(entry.endpoint)
        if request is None:
            request = HttpRequest(url=entry.endpoint, purpose=UNSOLICITED)
        status = 200 if entry.status is None else entry.status
        self._take(step, self._session.on_response(request, status, {}, entry.frame, self._clock))

    def _answered_by(self, endpoint: str) -> HttpRequest | None:
        """Takes out the oldest outstanding request that this address answers."""
        for key, request in self._outstanding.items():
            if self._adapter.match(request, endpoint):
                del self._outstanding[key]
                return request
        return None

    def _take(self, step: Step, effects: Effects) -> None:
        step.observations += effects.observations
        step.rejects += effects.rejects
        step.resynced += effects.resynced
        step.silences += effects.silences
        for request in effects.requests:
            # A session that asks again for the same thing has given up the first request.
            self._outstanding.pop((request.url, request.purpose), None)
            self._outstanding[request.url, request.purpose] = request
        while len(self._outstanding) > MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]


def play(
    adapter: Adapter,
    entries: Iterable[Placed],
    settings: FeedSettings | None = None,
    assumed: Assumed = NOTHING,
) -> Iterator[Step]:
    """One step per entry."""
    driver = OfflineDriver(adapter, settings or FeedSettings(), assumed)
    for placed in entries:
        yield driver.feed(placed)


def play_files(
    adapter: Adapter,
    paths: Sequence[Path],
    settings: FeedSettings | None = None,
    assumed: Assumed = NOTHING,
) -> Iterator[Step]:
    """Captures in the order received (see `read_captures`). Raises OSError for a missing file."""
    return play(adapter, read_captures(paths), settings, assumed)
