"""Folds a recording as a shard would and counts, instrument by instrument: `financehub fold`."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from actors.feeds.source import Step
from domain.envelope import Batch, MarketEvent
from domain.ids import symbol_of
from domain.market.book import OrderBook
from domain.market.decisions import BarClosed, BookBroken, BookRestored
from domain.market.observations import Gap, InstrumentInfo, Trade
from domain.partition import MarketPartition

BOOK_LEVELS = 10
COUNTED_INTERVALS = ("1s", "1m")
GapEvent = Gap | BookBroken | BookRestored
_SEPARATORS = bytes.maketrans(b"", b""), b"-/_"


@dataclass(slots=True)
class _Counts:
    """Volume is summed in decimal, so that it prints as the venue's numbers add up."""

    trades: int = 0
    volume: Decimal = Decimal(0)
    gaps: int = 0
    resyncs: int = 0
    rejected: int = 0
    bars: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED_INTERVALS, 0))


class Tally:
    """`take` steps in order, then `rows`. One partition holds all instruments."""

    def __init__(self, sender: str) -> None:
        self.frames = 0
        self.rejected = 0
        self._sender = sender
        self._partition = MarketPartition("market/00")
        self._sequence = 0
        self._clock = 0
        self._counts: dict[str, _Counts] = {}
        self._names: dict[bytes, str] = {}
        self._unattributed = 0

    def take(self, step: Step) -> list[GapEvent]:
        """What it opened and closed of gaps, in order."""
        self.frames += step.frames
        self.rejected += bool(step.rejects) and not step.observations
        self._clock = max(self._clock, step.clock)
        gaps: list[GapEvent] = []
        if step.observations:
            self._sequence += 1
            gaps = self._observe(tuple(step.observations))
        for _, frame in step.rejects:
            self._attribute(frame)
        return gaps

    def _observe(self, observations: tuple[Any, ...]) -> list[GapEvent]:
        batch = Batch(self._sender, 1, self._sequence, self._clock, observations)
        _, events = self._partition.observe(batch)
        for event in events:
            self._count(event)
        return [event for event in events if isinstance(event, GapEvent)]

    def _count(self, event: MarketEvent) -> None:
        if isinstance(event, InstrumentInfo):
            self._name(event)
            return
        counts = self._counts_of(event.instrument)
        match event:
            case Trade():
                counts.trades += 1
                counts.volume += Decimal(repr(event.size))
            case BarClosed() if event.interval in counts.bars:
                counts.bars[event.interval] += 1
            case Gap(opened=True) | BookBroken():
                counts.gaps += 1
            case BookRestored():
                counts.resyncs += 1
            case _:
                pass

    def _counts_of(self, instrument: str) -> _Counts:
        counts = self._counts.get(instrument)
        if counts is None:
            counts = self._counts[instrument] = _Counts()
            self._names.setdefault(_letters(symbol_of(instrument)), instrument)
        return counts

    def _name(self, info: InstrumentInfo) -> None:
        for name in (info.venue_symbol, *map(symbol_of, info.aliases)):
            self._names[_letters(name)] = info.instrument

    def _attribute(self, frame: bytes) -> None:
        """A rejected frame counts for the instrument that its text names."""
        text = frame.upper().translate(*_SEPARATORS)
        named = max((name for name in self._names if name in text), key=len, default=None)
        if named is None:
            self._unattributed += 1
        else:
            self._counts_of(self._names[named]).rejected += 1

    def rows(self) -> list[dict[str, Any]]:
        """One per instrument about which more than a description came, by id.

        `rejected`: frames that name the instrument, and those that name none at all.
        """
        self._observe(())
        return [self._row(instrument) for instrument in sorted(self._counts)]

    def _row(self, instrument: str) -> dict[str, Any]:
        counts = self._counts[instrument]
        keeper = self._partition.keeper(instrument)
        book = OrderBook() if keeper is None else keeper.book
        last = None if keeper is None else keeper.last_trade
        bids, asks = book.top(BOOK_LEVELS)
        return {
            "instrument": instrument,
            "trades": counts.trades,
            "volume": float(counts.volume),
            "last_price": None if last is None else last.price,
            "bids": bids,
            "asks": asks,
            "book_sequence": book.sequence,
            "gaps": counts.gaps,
            "resyncs": counts.resyncs,
            "rejected": counts.rejected + self._unattributed,
            "bars": counts.bars,
        }


def is_named(instrument: str, name: str) -> bool:
    """Whether a name means an instrument: its id, or its symbol with or without separators, in any case."""
    return instrument == name.upper() or _letters(symbol_of(instrument)) == _letters(name)


def _letters(name: str) -> bytes:
    return name.upper().encode().translate(*_SEPARATORS)
