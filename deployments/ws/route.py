"""All lanes of one chain, as the hub hands events to them."""

from __future__ import annotations

from deployments.ws.event_frame import Carried
from deployments.ws.frames import SharedFrame
from deployments.ws.lane import Lane
from deployments.ws.level_view import LevelView
from domain.envelope import Recorded
from domain.market.observations import BookOrder, BookSnapshot


class Route:
    """`last` is the newest offset seen, None before the first."""

    __slots__ = ("lanes", "last", "newest_bar", "view")

    def __init__(self) -> None:
        self.last: int | None = None
        self.lanes: dict[Lane, None] = {}
        self.view: LevelView | None = None
        """Of a book told by order: as levels, where the hub stands or further on."""
        self.newest_bar = -1
        """Start of the newest closed bar: a provisional value of it or an earlier one is stale."""

    def push(self, carried: Carried) -> None:
        """Give the next event of the chain to every lane."""
        if not self.lanes:
            return
        frame = SharedFrame(carried, self.last)
        self.last = carried.offset
        for lane in tuple(self.lanes):
            lane.push(frame)

    def by_level(self, recorded: Recorded) -> Carried:
        """An order as a change of levels. Without a view the lanes that do not wait for one read the log."""
        event = recorded.event
        if type(event) is BookSnapshot and (event.bids or event.asks):
            self.view = None  # from now on the venue tells levels
        elif type(event) is BookSnapshot and self.view is None and self.lanes:
            self.view = LevelView.unknown(recorded.offset - 1)
        if self.view is not None:
            return self.view.take(recorded)
        if type(event) is BookOrder:
            for lane in [lane for lane in self.lanes if not lane.waiting and recorded.offset > lane.floor]:
                lane.outbox.on_orders(lane, recorded.offset - 1)
        return recorded
