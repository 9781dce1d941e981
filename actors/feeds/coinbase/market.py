"""What a Coinbase session knows about one product beyond the common rules of a line."""

from __future__ import annotations

from dataclasses import dataclass

from actors.feeds.base import Effects
from actors.feeds.carriers import TRADES
from actors.feeds.line import Line
from actors.feeds.trade_ids import Range
from domain.clock import NS_PER_S
from domain.market.observations import Trade
from domain.market.renumbering import is_later

REVEAL_GRACE_NS = 2 * NS_PER_S
"""A heartbeat may overtake the match that it counts; after so long the match is taken as lost."""


@dataclass(slots=True, kw_only=True)
class Market(Line):
    """One product. `book_due`: when to ask again for a snapshot.

    `announced`: the newest id before our first trade; `suspect`: (an id that only a heartbeat told of,
    since when); `fallen_since`: since when heartbeats report a smaller id than our mark.
    """

    book_due: int | None = None
    book_tries: int = 0
    announced: int | None = None
    suspect: tuple[int, int] | None = None
    fallen_since: int | None = None

    def take_match(self, trade: Trade, now: int, effects: Effects) -> Range | None:
        """Admit a live trade once; returns the range that it shows to be missing."""
        if self.ids.high is None and self.announced is not None and int(trade.trade_id or 0) > self.announced:
            self.ids.reveal(self.announced)
        return self.take_trade(trade, now, effects)

    def hear_heartbeat(self, last_trade_id: int, at: int | None, now: int, effects: Effects) -> Range | None:
        """The venue's newest trade id, 0 before the first trade. Whether it was missed shows after a grace.

        Returns what is missing where it shows that the numbering has restarted. `at`: the heartbeat's time.
        """
        high = self.ids.high
        if not last_trade_id:
            return None
        if high is None:
            self.announced = last_trade_id
        elif last_trade_id >= high:
            self.fallen_since = None
            if last_trade_id > high and self.suspect is None:
                self.suspect = last_trade_id, now
        elif at is not None and is_later(at, self.last_trade_at):
            return self._hear_fall(last_trade_id, now, effects)
        return None

    def _hear_fall(self, last_trade_id: int, now: int, effects: Effects) -> Range | None:
        """A smaller number than ours: late by a moment, or the venue's numbering has restarted."""
        held = self.held
        if held is not None and held[1] == self.ids.high and int(held[0].trade_id or 0) <= last_trade_id:
            return self.begin_numbering(now, effects)
        if self.fallen_since is None:
            self.fallen_since = now
        elif now - self.fallen_since >= REVEAL_GRACE_NS:
            return self._restart(last_trade_id, last_trade_id, now, effects)
        return None

    def _restart(self, mark: int, unseen: int, now: int, effects: Effects) -> Range | None:
        self.suspect = self.fallen_since = None
        return Line._restart(self, mark, unseen, now, effects)

    def overdue(self, now: int, effects: Effects) -> Range | None:
        """The ids that a heartbeat told of and that did not come within the grace."""
        if self.suspect is None or now - self.suspect[1] < REVEAL_GRACE_NS:
            return None
        missing = self.ids.reveal(self.suspect[0])
        self.suspect = None
        if missing is not None:
            effects.observations.append(self.gap(TRADES, "heartbeat is ahead", now, missing))
        return missing
