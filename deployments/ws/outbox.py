"""What waits to be written to one socket, and what a slow client costs.

    fresh        every frame is queued; the writer joins what has gathered into one message
    congested    above `conflate_above_*`: quotes and tickers keep the latest only, book deltas merge
    full         at `outbox_*`: frames are dropped, per lane, and told as one `gap` frame each once there
                 is room again; the client can resume from the cursor in it
    too slow     full, or next to nothing taken, for `slow_close_s`: the session closes with 4408

Trades and bars are never merged and, inside the bound, never dropped. Everything runs in one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from deployments.wire.stalling import Slowness
from deployments.ws.book_merge import MergedBook
from deployments.ws.codec import Codec
from deployments.ws.event_frame import Carried
from deployments.ws.frames import SharedFrame, encode, encode_merged
from deployments.ws.lane import Lane
from deployments.ws.settings import StreamSettings
from domain.market.observations import BookDelta, BookSnapshot

BYTES_PER_MERGED_LEVEL = 32


def _nobody(_lane: Lane, *_place: int) -> None:
    """No session listens yet."""


def _not_known() -> int:
    """The server that writes does not say what the client has taken: only whole messages count."""
    return 0


class Entry:
    """A queued frame. `first` is the lowest offset it stands for; a control frame has no lane."""

    __slots__ = ("data", "first", "frame", "lane", "merged", "prev", "sent", "size", "stale")

    def __init__(
        self, data: bytes, lane: Lane | None = None, frame: SharedFrame | None = None, prev: int | None = None
    ) -> None:
        self.data = data
        self.size = len(data)
        self.lane = lane
        self.frame = frame
        self.prev = prev
        self.first = 0 if frame is None else frame.offset
        self.merged: MergedBook | None = None
        self.sent = False
        self.stale = False
        """A newer frame was merged in: encoded when it is taken, not at every merge."""


class Outbox:
    """Bounded queue of one socket. `wake` is set whenever there is something to write."""

    def __init__(self, codec: Codec, settings: StreamSettings) -> None:
        self.codec = codec
        self.settings = settings
        self.wake = asyncio.Event()
        self.dropping: set[Lane] = set()
        self.on_resync: Callable[[Lane], None] = _nobody
        """Called with a book lane that lost deltas and waits for a new snapshot."""
        self.on_orders: Callable[[Lane, int], None] = _nobody
        """Called with a book lane whose events are orders that nobody follows yet, to read on from there."""
        self.frames_sent = 0
        self.gaps_sent = 0
        self.newest: Carried | None = None
        """The event written last: how old it is tells the delivery latency."""
        self.taken: Callable[[], int] = _not_known
        """Bytes that the client has taken of what was written."""
        self._slowness: Slowness | None = None
        self._queue: deque[Entry] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._dropping_since: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def offer(self, lane: Lane, frame: SharedFrame) -> None:
        """A live frame: queued, merged into a queued one, or dropped and counted in the lane's gap."""
        if lane.gap is not None:
            self._offer_after_gap(lane, lane.gap, frame)
            return
        settings = self.settings
        if self._bytes > settings.conflate_above_bytes or len(self._queue) > settings.conflate_above_frames:
            if self._conflated(lane, frame):
                return
            if self.full and not lane.conflates:
                self._drop(lane, frame)
                return
        self.append(lane, frame)

    def _offer_after_gap(self, lane: Lane, gap: tuple[int | None, int, int], frame: SharedFrame) -> None:
        if self._reopened(lane):
            lane.push(frame)  # a book lane now waits for its snapshot and keeps the frame
        else:
            lane.gap = (gap[0], gap[1], frame.offset)

    def append(self, lane: Lane, frame: SharedFrame) -> None:
        """Queue whatever the bound says (a resume is paced by `room`)."""
        chain = lane.chain
        prev = chain.last
        # The chain's bytes are shared; only a socket whose own last offset differs encodes for itself.
        data = frame.encoded(self.codec) if frame.prev == prev else encode(frame.recorded, prev, self.codec)
        chain.last = frame.offset
        entry = Entry(data, lane, frame, prev)
        lane.pending = entry
        self._put(entry)

    def control(self, data: bytes) -> None:
        """A frame that is neither merged nor dropped: answers, snapshots, errors."""
        self._put(Entry(data))

    def provisional(self, lane: Lane, data: bytes) -> None:
        """A value that replaces the lane's queued provisional value; dropped when there is no room."""
        waiting = lane.provisional
        if waiting is not None and not waiting.sent:
            self._bytes += len(data) - waiting.size
            waiting.data, waiting.size = data, len(data)
        elif not self.full:
            lane.provisional = Entry(data)
            self._put(lane.provisional)

    def take(self) -> list[bytes]:
        """The next frames for one message, oldest first; empty when there is nothing to write."""
        taken: list[bytes] = []
        budget = self.settings.message_bytes
        queue = self._queue
        while queue and budget > 0:
            entry = queue.popleft()
            entry.sent = True
            self._bytes -= entry.size
            data = self._encoded(entry, entry.frame) if entry.stale and entry.frame else entry.data
            taken.append(data)
            budget -= len(data)
            if entry.frame is not None:
                self.newest = entry.frame.recorded
        if not queue:
            self.wake.clear()
            self._empty.set()
        self.frames_sent += len(taken)
        self._after_take()
        return taken

    def first_waiting(self) -> dict[str, int]:
        """Partition -> the lowest offset that is queued or was dropped without a gap frame yet."""
        lowest: dict[str, int] = {}
        for entry in self._queue:
            if entry.lane is not None and entry.lane.partition not in lowest:
                lowest[entry.lane.partition] = entry.first
        for lane in self.dropping:
            if lane.gap is not None:
                lowest[lane.partition] = min(lane.gap[1], lowest.get(lane.partition, lane.gap[1]))
        return lowest

    async def room(self) -> None:
        """Wait until the client has taken most of what is queued."""
        await self._room.wait()

    async def empty(self) -> None:
        """Wait until the writer has taken everything."""
        await self._empty.wait()

    def end_gaps(self) -> None:
        """Tell every gap whose events will not come again soon, once there is room."""
        for lane in list(self.dropping):
            self._reopened(lane)

    def begin_write(self) -> None:
        """Called by the writer, which now waits for the client."""
        if self._slowness is None:
            pace = self.settings.least_bytes_per_s
            self._slowness = Slowness(time.monotonic(), self.taken(), pace)

    def end_write(self) -> None:
        """A message has left. While more wait, a client is as slow as it was, whatever the messages' size."""
        if not self._queue or self.taken is _not_known:
            self._slowness = None

    @property
    def writing_since(self) -> float | None:
        """Since when the client takes too little; None where nothing waits for it."""
        return None if self._slowness is None else self._slowness.since_s

    def slow_for_s(self) -> float:
        """How long frames have been dropped, or the client has taken too little, without a pause."""
        now_s = time.monotonic()
        dropping_s = 0.0 if self._dropping_since is None else now_s - self._dropping_since
        writing_s = 0.0 if self._slowness is None else self._slowness.for_s(now_s, self.taken())
        return max(dropping_s, writing_s)

    def forget(self, lane: Lane) -> None:
        """The lane is gone: its queued frames may still be written, its gap is of no interest."""
        lane.gap = None
        self.dropping.discard(lane)

    def clear(self) -> None:
        self._queue.clear()
        self._bytes = 0
        self.wake.clear()
        self._room.set()
        self._empty.set()

    def _put(self, entry: Entry) -> None:
        self._queue.append(entry)
        self._bytes += entry.size
        self.wake.set()
        self._empty.clear()
        if self._room.is_set() and not self._roomy():
            self._room.clear()

    def _after_take(self) -> None:
        if not self._room.is_set() and self._roomy():
            self._room.set()
        if self.dropping and self._roomy():
            self.end_gaps()
        if not self.dropping:
            self._dropping_since = None

    def _roomy(self) -> bool:
        settings = self.settings
        return (
            len(self._queue) <= settings.conflate_above_frames
            and self._bytes <= settings.conflate_above_bytes
        )

    @property
    def full(self) -> bool:
        return self._bytes >= self.settings.outbox_bytes or len(self._queue) >= self.settings.outbox_frames

    def _drop(self, lane: Lane, frame: SharedFrame) -> None:
        lane.gap = (lane.chain.last, frame.offset, frame.offset)
        self.dropping.add(lane)
        if self._dropping_since is None:
            self._dropping_since = time.monotonic()

    def _reopened(self, lane: Lane) -> bool:
        """End the lane's gap if there is room. A book then needs a snapshot before anything else."""
        if not self._roomy():
            return False
        self.dropping.discard(lane)
        self.gaps_sent += 1
        position = lane.gap[2] if lane.gap is not None else 0
        self.control(lane.gap_frame())
        if lane.key.channel == "book":
            lane.await_snapshot(position)
            self.on_resync(lane)
        return True

    def _conflated(self, lane: Lane, frame: SharedFrame) -> bool:
        entry = lane.pending
        if entry is None or entry.sent or entry.frame is None:
            return False
        if lane.conflates:
            self._replace(entry, lane, frame)
            return True
        if lane.key.channel != "book" or lane.cut:
            return False
        return self._merged(entry, lane, frame)

    def _merged(self, entry: Entry, lane: Lane, frame: SharedFrame) -> bool:
        event, queued = frame.recorded.event, entry.frame
        if type(event) is BookSnapshot:
            self._replace(entry, lane, frame)
            return True
        if type(event) is not BookDelta or queued is None or type(queued.recorded.event) is not BookDelta:
            return False
        if entry.merged is None:
            entry.merged = MergedBook(entry.first, queued.recorded.event)
        entry.merged.add(event)
        entry.stale = True
        entry.frame = frame
        self._resize(entry, BYTES_PER_MERGED_LEVEL * len(entry.merged) + 200)
        lane.chain.last = frame.offset
        return True

    def _replace(self, entry: Entry, lane: Lane, frame: SharedFrame) -> None:
        """The queued frame gives way to a newer one, which says from where on it stands."""
        entry.frame = frame
        entry.merged = None
        entry.stale = True
        lane.chain.last = frame.offset

    def _encoded(self, entry: Entry, frame: SharedFrame) -> bytes:
        if entry.merged is not None:
            return encode_merged(frame.recorded, entry.prev, self.codec, entry.merged)
        return encode(frame.recorded, entry.prev, self.codec, entry.first)

    def _resize(self, entry: Entry, size: int) -> None:
        self._bytes += size - entry.size
        entry.size = size
