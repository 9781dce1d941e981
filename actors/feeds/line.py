"""One instrument on the line: what has come of it, what is missing, and what must come back.

The rules that venues with dense trade ids and snapshot-then-changes books share. A gap is told once when
it opens and once when it closes; what had never come cannot be lost, so the first synchronisation is none.

    a socket is lost that carried everything   -> a gap of `feed`, until all of it is back
    a socket is lost that carried a part       -> a gap of each channel it carried; the others go on
    ids below the mark, newer times            -> the venue's numbering has restarted (`trade_ids.py`)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from actors.feeds.base import Effects, Reject
from actors.feeds.carriers import BARS, BOOK, QUOTES, TRADES, Carriers
from actors.feeds.trade_ids import Range, TradeIds
from domain.clock import NS_PER_S
from domain.market.gaps import RENUMBERED
from domain.market.observations import (
    Bar,
    BookDelta,
    BookSnapshot,
    Gap,
    InstrumentInfo,
    Observation,
    Trade,
)
from domain.market.renumbering import is_after_all

ANYTHING = "anything"
"""A line that showed neither a book nor numbered trades is back with its first frame."""
HOLD_NS = 10 * NS_PER_S
"""A single trade that looks like the first of a new numbering waits so long for the next one."""
BACKFILLED_RESTART = 1000
"""A new numbering of which not more is missing is taken to have begun at 1, and is filled from there."""


def channel_of(observation: Observation) -> str:
    """What a frame of this observation is a sign of life of."""
    if isinstance(observation, Trade):
        return TRADES
    if isinstance(observation, BookSnapshot | BookDelta):
        return BOOK
    return BARS if isinstance(observation, Bar) else QUOTES


@dataclass(slots=True, kw_only=True)
class Line:
    """`connection`: where it is subscribed; `carriers`: what each channel came over last.

    `waits` names what must come again (a channel, or ANYTHING) after a lost socket; `feed_gap` says that
    all of it was lost at once. `gaps` are the channels whose own gap is open. `held` is a trade that may
    be the first of a new numbering: it, the mark at its coming, and when it counts without another one;
    `old_until` is the time of the last trade of the numbering before.

    `book_on`, `trades_on`, `quotes_on`: the connection whose frames of this kind may take the short way.
    """

    provider: str
    instrument: str
    connection: int
    carriers: Carriers = field(default_factory=Carriers)
    ids: TradeIds = field(default_factory=TradeIds)
    heard: bool = False
    book_ready: bool = False
    feed_gap: bool = False
    gaps: set[str] = field(default_factory=set)
    waits: set[str] = field(default_factory=set)
    last_trade_at: int = 0
    old_until: int = 0
    held: tuple[Trade, int | None, int] | None = None
    book_on: int | None = None
    trades_on: int | None = None
    quotes_on: int | None = None

    def gap(
        self, channel: str, reason: str, now: int, ids: Range | None = None, *, opened: bool = True
    ) -> Gap:
        first, last = ids or (None, None)
        return Gap(self.provider, self.instrument, now, now, channel, reason, first, last, opened)

    def came(self, channel: str, connection: int, now: int, effects: Effects) -> None:
        """A frame of the channel has been taken: ends what its absence had opened, a snapshot's apart."""
        if channel != BOOK:
            self.restored(channel, now, effects)
        short = None if self.waits else connection
        match channel:
            case "book":
                self.book_on = short
            case "trades":
                self.trades_on = short
            case "quotes":
                self.quotes_on = short

    @property
    def book_connection(self) -> int:
        """Where the book comes from, or is subscribed as long as none has come."""
        return self.carriers.get(BOOK, self.connection)

    def take_trade(self, trade: Trade, now: int, effects: Effects) -> Range | None:
        """Admit a live trade once; returns the range that it shows to be missing.

        A trade without an id cannot be recognised and is always admitted. One of the numbering
        before the venue's reset is a repeat.
        """
        self._close(TRADES, "restored", now, effects)
        if trade.trade_id is None:
            self._admit(trade, effects)
            return None
        if trade.ts_event <= self.old_until:
            return None
        if self._looks_restarted(trade):
            return self._weigh(trade, now, effects)
        return self._take_numbered(trade, int(trade.trade_id), now, effects)

    def _take_numbered(self, trade: Trade, trade_id: int, now: int, effects: Effects) -> Range | None:
        missing = self.ids.gap_before(trade_id)
        if missing is not None:
            effects.observations.append(self.gap(TRADES, "missing trade ids", now, missing))
        if self.ids.take(trade_id):
            self._admit(trade, effects)
        self._close_trade_gaps(now, effects)
        return missing

    def _admit(self, trade: Trade, effects: Effects) -> None:
        effects.observations.append(trade)
        self.last_trade_at = max(self.last_trade_at, trade.ts_event)

    def _looks_restarted(self, trade: Trade) -> bool:
        """A number below the newest, of a trade later than all of them: neither a repeat nor a late one."""
        newest, number = self.ids.newest, int(trade.trade_id or 0)
        if newest is None or number > newest:
            return False
        return is_after_all(trade.ts_event, self.last_trade_at, fills=self.ids.is_missing(number))

    def _weigh(self, trade: Trade, now: int, effects: Effects) -> Range | None:
        """Two that continue each other are a new numbering; a single one waits."""
        held = self.held
        if held is not None and held[1] == self.ids.high:
            first, before = held[0], int(held[0].trade_id or 0)
            if trade.trade_id == first.trade_id:
                return None
            if int(trade.trade_id or 0) > before and trade.ts_event >= first.ts_event:
                missing = self.begin_numbering(now, effects)
                return self._take_numbered(trade, int(trade.trade_id or 0), now, effects) or missing
        self._drop_held(now, effects)
        self.held = trade, self.ids.high, now + HOLD_NS
        return None

    def _drop_held(self, now: int, effects: Effects) -> None:
        """What was held begins nothing: it fills a hole after all, or is rejected."""
        if self.held is None:
            return
        trade, self.held = self.held[0], None
        if self.ids.take(int(trade.trade_id or 0)):
            self._admit(trade, effects)
            self._close_trade_gaps(now, effects)
            return
        reason = f"trade id {trade.trade_id} was given to an earlier trade already"
        effects.rejects.append((Reject("malformed", reason), msgspec.json.encode(trade)))

    def begin_numbering(self, now: int, effects: Effects) -> Range | None:
        """The held trade is the first of a new numbering; returns what is missing before it."""
        if self.held is None:
            return None
        first = self.held[0]
        number = int(first.trade_id or 0)
        missing = self._restart(number, number - 1, now, effects)
        self._admit(first, effects)
        return missing

    def _restart(self, mark: int, unseen: int, now: int, effects: Effects) -> Range | None:
        """New marks; `unseen` is the last number of the new run that was given before we heard of it."""
        self.held, self.old_until = None, self.last_trade_at
        missing = (1, unseen) if 1 <= unseen <= BACKFILLED_RESTART else None
        self.ids.begin(mark, missing)
        effects.observations.append(self.gap(TRADES, RENUMBERED, now, missing))
        if missing is None:
            effects.observations.append(self.gap(TRADES, RENUMBERED, now, opened=False))
        return missing

    def settle(self, now: int, effects: Effects) -> Range | None:
        """By the clock: a held trade that nothing contradicted within HOLD_NS counts, or fills its hole."""
        if self.held is None or now < self.held[2]:
            return None
        if self.held[1] == self.ids.high and not self.ids.is_missing(int(self.held[0].trade_id or 0)):
            return self.begin_numbering(now, effects)
        self._drop_held(now, effects)
        return None

    def fill(self, trades: list[Trade], now: int, effects: Effects) -> None:
        """Admit backfilled trades: only what is missing, oldest first."""
        numbered = [(int(each.trade_id), each) for each in trades if each.trade_id is not None]
        for trade_id, trade in sorted(numbered, key=lambda pair: pair[0]):
            if trade.ts_event > self.old_until and self.ids.is_missing(trade_id) and self.ids.take(trade_id):
                self._admit(trade, effects)
        self._close_trade_gaps(now, effects)

    def _close_trade_gaps(self, now: int, effects: Effects) -> None:
        for closed in self.ids.closed_gaps():
            effects.observations.append(self.gap(TRADES, "backfilled", now, closed, opened=False))

    def take_snapshot(self, snapshot: BookSnapshot, now: int, effects: Effects) -> None:
        """The book is usable from here on."""
        self.book_ready = True
        effects.observations.append(snapshot)
        if BOOK in self.gaps:
            effects.resynced.append((self.instrument, BOOK))
        self._close(BOOK, "snapshot", now, effects)
        self.restored(BOOK, now, effects)

    def lose_book(self, reason: str, now: int, effects: Effects) -> None:
        """The book is unusable until a snapshot. Inside a `feed` gap nothing new is told."""
        self.book_ready = False
        if not self.feed_gap:
            self._open(BOOK, reason, now, effects)

    def lose(self, connection: int, reason: str, now: int, effects: Effects) -> set[str]:
        """The connection is gone: interrupts what ran over it, as far as frames have shown; returns that."""
        lost = self.carriers.on(connection)
        if not lost:
            return lost
        self.book_on = self.trades_on = self.quotes_on = None
        if self.carriers.only(connection) and not self.feed_gap:
            self.feed_gap = True
            effects.observations.append(self.gap("feed", reason, now))
            self.waits = self._ran() or {ANYTHING}
        elif self.feed_gap:
            self.waits |= lost & self._ran()
        else:
            for channel in sorted(lost):
                self._open(channel, reason, now, effects)
            self.waits |= lost - {BOOK}
        if BOOK in lost:
            self.book_ready = False
        return lost

    def _ran(self) -> set[str]:
        """What must be seen again before all is well. Quotes and bars show nothing but that they live."""
        ran = {BOOK} if self.book_ready or BOOK in self.gaps else set()
        return ran | ({TRADES} if self.ids.high is not None else set())

    def restored(self, what: str, now: int, effects: Effects) -> None:
        """`what` has come again; with the last of them the `feed` gap closes."""
        self._close(what, "restored", now, effects)
        if not self.waits:
            return
        self.waits -= {what, ANYTHING}
        if self.feed_gap and not self.waits:
            self.feed_gap = False
            effects.resynced.append((self.instrument, "feed"))
            effects.observations.append(self.gap("feed", "restored", now, opened=False))

    def _open(self, channel: str, reason: str, now: int, effects: Effects) -> None:
        if channel not in self.gaps:
            self.gaps.add(channel)
            effects.observations.append(self.gap(channel, reason, now))

    def _close(self, channel: str, reason: str, now: int, effects: Effects) -> None:
        if channel in self.gaps:
            self.gaps.discard(channel)
            effects.observations.append(self.gap(channel, reason, now, opened=False))


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
