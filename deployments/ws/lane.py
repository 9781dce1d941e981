"""A lane: one socket's place in one chain of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.answers import BookAnswer
from deployments.ws.channels import CONFLATED, Key
from deployments.ws.frames import SharedFrame, book_answer_frame
from deployments.ws.protocol import Gap
from domain.envelope import Cursor, Recorded
from domain.market.decisions import BookBroken
from domain.market.observations import BookSnapshot
from domain.market.observations import Gap as UpstreamGap

if TYPE_CHECKING:
    from deployments.ws.outbox import Entry, Outbox


class Chain:
    """Last offset sent on a (channel, instrument) of one socket; all intervals of its bars share it."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: int | None = None


class Lane:
    """Frames at or below `floor` are known to the client already (snapshot, resume) and skipped.

    `gap` is (last offset before, first dropped, last dropped) while the outbox is full. A book lane waits
    for its snapshot with `waiting` True and keeps what comes in between.
    """

    __slots__ = (
        "attached",
        "buffer",
        "chain",
        "conflates",
        "cut",
        "floor",
        "gap",
        "key",
        "min_snapshot",
        "outbox",
        "partition",
        "pending",
        "provisional",
        "waiting",
    )

    def __init__(self, key: Key, partition: str, outbox: Outbox, chain: Chain) -> None:
        self.key = key
        self.partition = partition
        self.outbox = outbox
        self.chain = chain
        self.conflates = key.channel in CONFLATED
        self.cut = False
        """The venue keeps a fixed depth: deltas must reach the client one by one."""
        self.floor = 0
        self.attached = False
        """The hub pushes to it; False while it reads the log."""
        self.gap: tuple[int | None, int, int] | None = None
        self.pending: Entry | None = None
        """The newest queued frame, while it can still be merged into."""
        self.provisional: Entry | None = None
        self.waiting = False
        self.buffer: list[SharedFrame] = []
        self.min_snapshot = 0

    def push(self, frame: SharedFrame) -> None:
        """A live event of the chain."""
        if frame.offset <= self.floor:
            return
        if self.waiting:
            self._keep(frame)
            return
        self._note_depth(frame)
        self.outbox.offer(self, frame)

    def replay(self, frame: SharedFrame) -> None:
        """An event read from the log: paced by the reader, so never dropped or merged."""
        if frame.offset <= self.floor:
            return
        self._note_depth(frame)
        self.outbox.append(self, frame)

    def notice(self, recorded: Recorded) -> None:
        """A gap of the provider's stream: told at once, outside the chain."""
        if recorded.offset <= self.floor:
            return
        if self.waiting:
            # A book taken before that is no book any more: the answer must know.
            self.buffer.clear()
            self.min_snapshot = recorded.offset
            return
        self.pending = None  # what comes after the notice must not be merged into what came before it
        event = recorded.event
        assert isinstance(event, UpstreamGap | BookBroken)  # noqa: S101 - the only notices there are
        codec = self.outbox.codec
        frame = Gap(
            channel=self.key.channel,
            instrument=self.key.instrument,
            from_=None,
            to=None,
            reason=f"upstream: {event.reason}",
            ts_event=codec.time(event.ts_event),
        )
        self.outbox.control(codec.encode(frame))

    def await_snapshot(self, position: int) -> None:
        """From now on keep live frames; the snapshot must include the log up to `position`."""
        self.waiting = True
        self.buffer.clear()
        self.min_snapshot = position

    def start_from(self, answer: BookAnswer) -> bool:
        """Send the snapshot and what came after it. False: it is too old, ask again."""
        offset = answer.place[1]
        if offset < self.min_snapshot:
            return False
        self.waiting = False
        self.floor = offset
        self.pending = None  # changes after the snapshot must not get in front of it
        self.cut = answer.venue_depth is not None
        codec = self.outbox.codec
        if answer.usable:
            self.outbox.control(book_answer_frame(answer, self.chain.last, codec, answer.venue_depth))
            self.chain.last = offset
        else:
            self.outbox.control(codec.encode(self._unusable(answer)))
        kept, self.buffer = self.buffer, []
        for frame in kept:
            self.push(frame)
        return True

    def gap_frame(self) -> bytes:
        """What was dropped, as a frame; the chain goes on from there."""
        assert self.gap is not None  # noqa: S101 - callers look first
        before, first, to = self.gap
        self.gap = self.pending = None
        self.chain.last = to
        codec = self.outbox.codec
        return codec.encode(
            Gap(
                channel=self.key.channel,
                instrument=self.key.instrument,
                from_=before,
                to=to,
                reason="slow client: the outbox of this socket was full",
                cursor=Cursor({self.partition: first - 1}).encode(),
            )
        )

    def _keep(self, frame: SharedFrame) -> None:
        if len(self.buffer) >= self.outbox.settings.book_buffer:
            # The snapshot asked for is of no use any more: it must include all that is forgotten here.
            self.buffer.clear()
            self.min_snapshot = frame.offset
            return
        self.buffer.append(frame)

    def _note_depth(self, frame: SharedFrame) -> None:
        event = frame.recorded.event
        if type(event) is BookSnapshot:
            self.cut = event.depth is not None

    def _unusable(self, answer: BookAnswer) -> Gap:
        return Gap(
            channel=self.key.channel,
            instrument=self.key.instrument,
            from_=None,
            to=None,
            reason="upstream: the book is not usable until the next book_snapshot",
            ts_event=self.outbox.codec.time(answer.ts_event),
        )
