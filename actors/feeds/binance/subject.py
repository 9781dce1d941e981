"""What the session remembers about one instrument: its book's and its trades' position, its gaps."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from actors.feeds.base import KEEPER, Effects
from actors.feeds.binance.context import PROVIDER
from actors.feeds.binance.trades import TradeTrack
from actors.feeds.binance.venues import Venue
from actors.feeds.carriers import BOOK, QUOTES, TRADES, Carriers
from domain.ids import InstrumentId
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
        if event != self._trade_event:
            return
        track, trade_id = self.track, int(trade.trade_id or 0)
        follows = track.high is not None and trade_id == track.high + 1
        new, missing = track.admit(trade_id)
        if missing is not None:
            effects.observations.append(self._trade_gap(trade, missing, opened=True))
            self.trades_from = track.next_missing
        if new:
            effects.observations.append(trade)
        if missing is None and not follows and new:
            self._close_trade_gaps(trade, effects)
        elif self.lost and (follows or not track.dense):
            self._recovered(TRADES, trade.ts_recv, effects)

    def on_trade_page(
        self, trades: Sequence[Trade], asked_from: int, full: bool, now: int, effects: Effects
    ) -> bool:
        """A page of the venue's list of aggregated trades. False: it brought nothing of what is missing."""
        track = self.track
        if track is None:
            return True
        missing = track.next_missing
        new = track.admit_page([int(trade.trade_id or 0) for trade in trades], asked_from)
        effects.observations += [trade for trade, is_new in zip(trades, new, strict=True) if is_new]
        if trades:
            self._close_trade_gaps(trades[-1], effects)
        self.trades_from = track.next_missing
        if self.trades_from is None and full and track.high is not None:
            self.trades_from = track.high + 1
        if self.trades_from is None:
            self._recovered(TRADES, now, effects)
        return missing is None or track.next_missing != missing

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
        first, last = missing
        return Gap(
            provider=PROVIDER,
            instrument=self.instrument,
            ts_event=trade.ts_recv,
            ts_recv=trade.ts_recv,
            channel="trades",
            reason=f"trades {first} to {last} are missing" if opened else "the missing trades have come",
            first=first,
            last=last,
            opened=opened,
        )
