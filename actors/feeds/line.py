"""One instrument on the line: what has come of it, what is missing, and what must come back.

The rules that venues with dense trade ids and snapshot-then-changes books share. A gap is told once when
it opens and once when it closes; what had never come cannot be lost, so the first synchronisation is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.feeds.base import Effects
from actors.feeds.trade_ids import Range, TradeIds
from domain.market.observations import BookSnapshot, Gap, InstrumentInfo, Trade

ANYTHING = "anything"
"""A line that showed neither a book nor numbered trades is back with its first frame."""


@dataclass(slots=True, kw_only=True)
class Line:
    """`waits` names what must arrive (`book`, `trades`, or ANYTHING) until an open `feed` gap closes."""

    provider: str
    instrument: str
    connection: int
    ids: TradeIds = field(default_factory=TradeIds)
    heard: bool = False
    book_ready: bool = False
    book_gap: bool = False
    waits: set[str] = field(default_factory=set)

    def gap(
        self, channel: str, reason: str, now: int, ids: Range | None = None, *, opened: bool = True
    ) -> Gap:
        first, last = ids or (None, None)
        return Gap(self.provider, self.instrument, now, now, channel, reason, first, last, opened)

    def take_trade(self, trade: Trade, now: int, effects: Effects) -> Range | None:
        """Admit a live trade once; returns the range that it shows to be missing.

        A trade without an id cannot be told from another and is always admitted.
        """
        if trade.trade_id is None:
            effects.observations.append(trade)
            return None
        trade_id = int(trade.trade_id)
        missing = self.ids.gap_before(trade_id)
        if missing is not None:
            effects.observations.append(self.gap("trades", "missing trade ids", now, missing))
        if self.ids.take(trade_id):
            effects.observations.append(trade)
        self._close_trade_gaps(now, effects)
        return missing

    def fill(self, trades: list[Trade], now: int, effects: Effects) -> None:
        """Admit backfilled trades: only what is missing, oldest first."""
        numbered = [(int(each.trade_id), each) for each in trades if each.trade_id is not None]
        for trade_id, trade in sorted(numbered, key=lambda pair: pair[0]):
            if self.ids.is_missing(trade_id) and self.ids.take(trade_id):
                effects.observations.append(trade)
        self._close_trade_gaps(now, effects)

    def _close_trade_gaps(self, now: int, effects: Effects) -> None:
        for closed in self.ids.closed_gaps():
            effects.observations.append(self.gap("trades", "backfilled", now, closed, opened=False))

    def take_snapshot(self, snapshot: BookSnapshot, now: int, effects: Effects) -> None:
        """The book is usable from here on."""
        self.book_ready = True
        effects.observations.append(snapshot)
        if self.book_gap:
            self.book_gap = False
            effects.resynced.append((self.instrument, "book"))
            effects.observations.append(self.gap("book", "snapshot", now, opened=False))
        self.restored("book", now, effects)

    def lose_book(self, reason: str, now: int, effects: Effects) -> None:
        """The book is unusable until a snapshot. Inside a `feed` gap nothing new is told."""
        self.book_ready = False
        if not self.book_gap and not self.waits:
            self.book_gap = True
            effects.observations.append(self.gap("book", reason, now))

    def lose_feed(self, reason: str, now: int, effects: Effects) -> None:
        """The connection is gone. What ran over it, as far as frames have shown, must come back."""
        if not self.heard:
            return
        if not self.waits:
            effects.observations.append(self.gap("feed", reason, now))
            self.waits = self._ran() or {ANYTHING}
        self.book_ready = self.book_gap = False

    def _ran(self) -> set[str]:
        ran = {"book"} if self.book_ready or self.book_gap else set()
        return ran | ({"trades"} if self.ids.high is not None else set())

    def restored(self, what: str, now: int, effects: Effects) -> None:
        """`what` has come again; with the last of them the `feed` gap closes."""
        if not self.waits:
            return
        self.waits -= {what, ANYTHING}
        if not self.waits:
            effects.resynced.append((self.instrument, "feed"))
            effects.observations.append(self.gap("feed", "restored", now, opened=False))


class Instruments:
    """What a venue says of its instruments; told of those in sight, once and when it changes."""

    def __init__(self) -> None:
        self._told: dict[str, InstrumentInfo] = {}
        self._untold: dict[str, InstrumentInfo] = {}
        self._sighted: set[str] = set()

    def learn(self, info: InstrumentInfo, effects: Effects) -> None:
        """Other times or fewer aliases are no change."""
        if info.instrument not in self._sighted:
            self._untold[info.instrument] = info
            return
        known = self._told.get(info.instrument)
        news = known is None or _substance(known) != _substance(info)
        if news or (known is not None and not set(info.aliases) <= set(known.aliases)):
            self._told[info.instrument] = info
            effects.observations.append(info)

    def sight(self, instrument: str, effects: Effects) -> None:
        """Somebody wants this instrument, or its data have come."""
        if instrument in self._sighted:
            return
        self._sighted.add(instrument)
        info = self._untold.pop(instrument, None)
        if info is not None:
            self.learn(info, effects)


def _substance(info: InstrumentInfo) -> tuple[object, ...]:
    return (
        info.base,
        info.quote,
        info.price_precision,
        info.size_precision,
        info.tick_size,
        info.lot_size,
        info.status,
    )
