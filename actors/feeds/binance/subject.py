"""What the session remembers about one instrument: its book's and its trades' position, its gaps."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from actors.feeds.base import KEEPER, Effects, Reject
from actors.feeds.binance.context import PROVIDER
from actors.feeds.binance.trades import HOLD_NS, Held, TradeTrack, number_of
from actors.feeds.binance.venues import Venue
from actors.feeds.carriers import BOOK, QUOTES, TRADES, Carriers
from domain.ids import InstrumentId
from domain.market.gaps import RENUMBERED
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation, Trade
from domain.market.sync import LINKED, SPOT, BookSync, Step

_AGGREGATED = "aggTrade"
_FEED = "feed"
_ANY = "any"
"""Lost where neither book nor trades have a position: any observation ends the interruption."""
_CHANNELS = {
    "trade": TRADES,
    "quote": QUOTES,
    "bar": "bars",
    "ticker": "ticker",
    "book_delta": BOOK,
    "book_snapshot": BOOK,
}


def channel_of(observation: Observation) -> str:
    """The channel whose stream brings such an observation."""
    return _CHANNELS.get(observation.kind, _ANY)


class Subject:
    """One instrument. `wants_*` say what the session shall ask for over REST."""

    def __init__(self, instrument: InstrumentId, venue: Venue, symbol: str) -> None:
        self.instrument = instrument
        self.venue = venue
        self.symbol = symbol
        self.carriers = Carriers()
        self.wants_book = False
        self.trades_from: int | None = None
        """Ask for trades from this id on; None: nothing to ask."""
        self.sync: BookSync | None = None
        """None before the first change or snapshot of the book, as `track` before the first trade."""
        self.track: TradeTrack | None = None
        self._trade_event = ""
        self._partial = False
        self._interruptions: dict[str, Gap] = {}
        """channel -> its open gap, of sockets that were lost; that of the book is kept by `sync`."""
        self.lost: set[str] = set()
        """What must come again before an interruption is over."""

    def on_delta(self, delta: BookDelta, effects: Effects, *, overlapping: bool) -> None:
        if self.sync is None:
            self.sync = BookSync(SPOT if delta.prev_sequence is None else LINKED)
        self._book_step(self.sync.on_delta(delta, overlapping=overlapping), effects)

    def on_snapshot(self, snapshot: BookSnapshot, effects: Effects) -> None:
        """REST depth, asked for or not."""
        if self.sync is None:
            self.sync = BookSync(SPOT if self.venue.spot else LINKED)
        self._book_step(self.sync.on_snapshot(snapshot), effects)

    def on_partial(self, snapshot: BookSnapshot, effects: Effects) -> None:
        """A partial-depth stream's full snapshot; it gives way to a book built from diffs."""
        if self.sync is None:
            self._partial = True
            effects.observations.append(snapshot)
            self._recovered(BOOK, snapshot.ts_recv, effects)

    def distrust_book(self, now: int, effects: Effects) -> None:
        """A keeper found the book broken. A partial-depth stream brings its next snapshot by itself."""
        if self.sync is None or not self.sync.usable:
            return
        self._book_step(self.sync.distrust(self._gap(BOOK, KEEPER, now)), effects)

    def on_trade(self, trade: Trade, event: str, effects: Effects) -> None:
        """One stream of trades counts: with `@trade` and `@aggTrade` side by side the first one seen."""
        if self.track is None:
            self.track = TradeTrack(dense=event == _AGGREGATED)
            self._trade_event = event
        if event != self._trade_event or trade.ts_event <= self.track.old_until:
            return
        if self.track.looks_anew(trade):
            self._weigh(trade, self.track, effects)
        else:
            self._admit(trade, self.track, effects)

    def _admit(self, trade: Trade, track: TradeTrack, effects: Effects) -> None:
        trade_id = number_of(trade)
        follows = track.high is not None and trade_id == track.high + 1
        new, missing = track.admit(trade_id)
        if new or track.high == trade_id:
            track.newest = max(track.newest, trade.ts_event)
        if missing is not None:
            effects.observations.append(self._trade_gap(trade, missing, opened=True))
            self.trades_from = track.next_missing
        if new:
            effects.observations.append(trade)
        if missing is None and not follows and new:
            self._close_trade_gaps(trade, effects)
        elif self.lost and (follows or not track.dense):
            self._recovered(TRADES, trade.ts_recv, effects)

    def _weigh(self, trade: Trade, track: TradeTrack, effects: Effects) -> None:
        """Two that continue each other are a new numbering; a single one waits for the other."""
        held = track.held
        if held is not None and held.high == track.high:
            if held.suspect == (number_of(trade), trade.ts_event):
                return
            if held.suspect.is_continued_by(number_of(trade), trade.ts_event):
                self._renumber(held.trade, track, effects)
                self._admit(trade, track, effects)
                return
        self._drop_held(track, effects)
        track.held = Held(trade, track.high, trade.ts_recv + HOLD_NS)

    def _renumber(self, first: Trade, track: TradeTrack, effects: Effects) -> None:
        """The gap of unknown size between the two numberings; it stays open while the new one's beginning is
        fetched."""
        missing = track.begin_anew(first)
        gap = replace(self._gap(TRADES, RENUMBERED, first.ts_recv), ts_event=first.ts_event)
        if missing is not None:
            gap = replace(gap, first=missing[0], last=missing[1])
        effects.observations.append(gap)
        if missing is None:
            effects.observations.append(replace(gap, opened=False))
            effects.resynced.append((self.instrument, TRADES))
        self.trades_from = track.next_missing
        effects.observations.append(first)

    def settle(self, now: int, effects: Effects) -> bool:
        """Whether a trade still waits: one that nothing has contradicted in time begins a new numbering."""
        track = self.track
        if track is None or track.held is None:
            return False
        if now < track.held.due:
            return True
        if track.held.high == track.high and not track.is_missing(track.held.suspect.number):
            self._renumber(track.held.trade, track, effects)
        else:
            self._drop_held(track, effects)
        return False

    def _drop_held(self, track: TradeTrack, effects: Effects) -> None:
        """It begins nothing: it fills a hole after all, or is rejected."""
        if track.held is None:
            return
        trade, track.held = track.held.trade, None
        if track.is_missing(number_of(trade)):
            self._admit(trade, track, effects)
            return
        reason = f"trade id {trade.trade_id} was given to an earlier trade already"
        effects.rejects.append((Reject("malformed", reason), msgspec.json.encode(trade)))

    def on_trade_page(
        self, trades: Sequence[Trade], asked_from: int, now: int, effects: Effects, *, full: bool, whole: bool
    ) -> bool:
        """A page of the venue's list of aggregated trades. False: it brought nothing of what is missing.

        `full`: there may be more after it; `whole`: every row was readable, so that an id which it leaves
        out does not exist.
        """
        track = self.track
        if track is None:
            return True
        missing = track.next_missing
        trades = [trade for trade in trades if trade.ts_event > track.old_until]
        if whole:
            self._admit_page(trades, asked_from, track, effects)
        else:
            for trade in trades:
                self._admit(trade, track, effects)
        self.trades_from = track.next_missing
        if self.trades_from is None and full and track.high is not None:
            self.trades_from = track.high + 1
        if self.trades_from is None:
            self._recovered(TRADES, now, effects)
        return asked_from != missing or track.next_missing != missing

    def _admit_page(
        self, trades: Sequence[Trade], asked_from: int, track: TradeTrack, effects: Effects
    ) -> None:
        new = track.admit_page([number_of(trade) for trade in trades], asked_from)
        effects.observations += [trade for trade, is_new in zip(trades, new, strict=True) if is_new]
        if trades:
            track.newest = max(track.newest, *(trade.ts_event for trade in trades))
            self._close_trade_gaps(trades[-1], effects)

    def abandon_trades(self, now: int, effects: Effects) -> None:
        """The first hole cannot be filled: its gap stays open, the interruption is over."""
        if self.track is not None and self.track.next_missing is not None:
            self.track.abandon()
            self.trades_from = self.track.next_missing
        self._recovered(TRADES, now, effects)

    def on_other(self, observation: Observation, effects: Effects) -> None:
        effects.observations.append(observation)
        if self.lost:
            self._recovered(channel_of(observation), observation.ts_recv, effects)

    def interrupt(self, connection: int, reason: str, now: int, effects: Effects) -> None:
        """A socket is gone, and with it what it carried: a book is unusable, the rest may be missing.

        A socket that carried all of the instrument interrupts the `feed`, another its channels alone.
        """
        carried = self.carriers.on(connection)
        if self.carriers.only(connection):
            self._lose_all(reason, now, effects)
            return
        for channel in sorted(carried):
            self.lost.add(channel)
            if channel == BOOK and self.sync is not None:
                gap = None if _FEED in self._interruptions else self._gap(BOOK, reason, now)
                effects.observations += self.sync.interrupt(gap).observations
            else:
                self._open_interruption(channel, reason, now, effects)

    def _lose_all(self, reason: str, now: int, effects: Effects) -> None:
        if self.sync is not None:
            self.sync.interrupt()
        if self.sync is not None or self._partial:
            self.lost.add(BOOK)
        if self.track is not None and self.track.dense:
            self.lost.add(TRADES)
        if not self.lost:
            self.lost.add(_ANY)
        self._open_interruption(_FEED, reason, now, effects)

    def _open_interruption(self, channel: str, reason: str, now: int, effects: Effects) -> None:
        if channel not in self._interruptions and _FEED not in self._interruptions:
            gap = self._interruptions[channel] = self._gap(channel, reason, now)
            effects.observations.append(gap)

    def _gap(self, channel: str, reason: str, now: int) -> Gap:
        return Gap(
            provider=PROVIDER,
            instrument=self.instrument,
            ts_event=now,
            ts_recv=now,
            channel=channel,
            reason=reason,
        )

    def resume_trades(self) -> None:
        """After a reconnect: ask for what came after the last trade seen."""
        if self.track is not None and self.track.dense and self.track.high is not None:
            self.trades_from = self.track.high + 1

    def _book_step(self, step: Step, effects: Effects) -> None:
        effects.observations += step.observations
        self.wants_book = step.wants_snapshot
        if step.resynced:
            effects.resynced.append((self.instrument, "book"))
        if self.lost and step.observations and self.sync is not None and self.sync.usable:
            self._recovered(BOOK, step.observations[-1].ts_recv, effects)

    def _recovered(self, channel: str, now: int, effects: Effects) -> None:
        """Ends the interruption of a channel, and that of the feed once nothing is lost any more."""
        self.lost -= {channel, _ANY}
        ended = [channel] if self.lost else [channel, _FEED]
        for each in ended:
            gap = self._interruptions.pop(each, None)
            if gap is None:
                continue
            effects.observations.append(replace(gap, ts_event=now, ts_recv=now, opened=False))
            if each != _FEED:
                effects.resynced.append((self.instrument, each))

    def _close_trade_gaps(self, trade: Trade, effects: Effects) -> None:
        if self.track is None:
            return
        for span in self.track.closed():
            effects.observations.append(self._trade_gap(trade, span, opened=False))
            effects.resynced.append((self.instrument, "trades"))

    def _trade_gap(self, trade: Trade, missing: tuple[int, int], *, opened: bool) -> Gap:
        reason = "trades {} to {} are missing".format(*missing) if opened else "the missing trades have come"
        gap = self._gap(TRADES, reason, trade.ts_recv)
        return replace(gap, first=missing[0], last=missing[1], opened=opened)
