"""The figures that a partition keeps up: a column per figure, a row in it per instrument that armed it.

    arm(event), disarm(event)          which instrument has which figures; both change nothing when repeated
    observe(events)                    closed and corrected bars in log order; live and in replay alike
    newest(instrument)                 the values at its newest bars
    packed(instrument) / unpack        one instrument's rows, to the bit

Values follow from the bars, so they are state and never recorded. Bars that close together advance all
their rows in one call; how events are grouped into calls makes no difference. A corrected bar within the
last `depth` is fed again with what came after it; an older one changes nothing here and is right again
on read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from domain.errors import Corrupt, Malformed
from domain.indicators.armed import IndicatorArmed, IndicatorDisarmed, WarmBar
from domain.indicators.bank import RowState
from domain.indicators.bars import Bars, Floats, Integers
from domain.indicators.chain import Chain, Outputs
from domain.indicators.corrections import CorrectableBank
from domain.indicators.reach import reach
from domain.indicators.rolling import WIDTH, Roll, RollState
from domain.indicators.sessions import UTC_DAYS
from domain.indicators.spec import Spec, parse_spec
from domain.market.decisions import BarClosed, BarCorrected

BarEvent = BarClosed | BarCorrected
DEPTH = 16
FIRST_ROWS = 16


class FigureState(Struct, frozen=True, array_like=True):
    """One instrument's row of one column: bars fed, state now, newer and older checkpoint, and what the
    newest bar gave."""

    fed: int
    now: RowState
    newer: RowState
    older: RowState
    outputs: Outputs


class ChainState(Struct, frozen=True, array_like=True):
    """`starts` int64 and `cells` float64 of the bars kept for corrections, oldest first; specs and figures
    in the order of their texts."""

    interval: str
    specs: tuple[str, ...]
    starts: bytes
    cells: bytes
    figures: tuple[FigureState, ...]
    roll: RollState | None


_decode = msgspec.msgpack.Decoder(tuple[ChainState, ...]).decode


class Column:
    """One figure for all that have it armed: rows are given out and taken back."""

    def __init__(self, figure: Spec, depth: int) -> None:
        self.bank = CorrectableBank(figure, depth=depth)
        self.nothing: Outputs = (None,) * len(self.bank.bank.outputs)
        self._room = 0
        self._free: list[int] = []

    @property
    def empty(self) -> bool:
        return len(self._free) == self._room

    def take(self) -> int:
        if not self._free:
            room = max(FIRST_ROWS, 2 * self._room)
            self._free = list(range(room - 1, self._room - 1, -1))
            self._room = room
            self.bank.resize(room)
        return self._free.pop()

    def give_back(self, row: int) -> None:
        self.bank.clear(row)
        self._free.append(row)

    def feed(self, row: int, bars: Sequence[WarmBar]) -> Outputs:
        """The bars one after the other; what the last one gives."""
        rows: Integers = np.array([row], np.int64)
        outputs: tuple[Floats, ...] = ()
        for bar in bars:
            outputs = self.bank.update(rows, _columns([bar]))
        return _numbers([each[0] for each in outputs]) if bars else self.nothing


class Shelf:
    """All figures of one partition. Bounded per instrument and spec."""

    def __init__(self, *, depth: int = DEPTH) -> None:
        self._depth = depth
        self._columns: dict[str, Column] = {}
        self._chains: dict[str, dict[str, Chain]] = {}

    def instruments(self) -> list[str]:
        """Those that have something armed, by id."""
        return sorted(self._chains)

    def armed(self, instrument: str) -> Mapping[str, Iterable[str]]:
        """interval -> specs"""
        return {name: chain.specs.keys() for name, chain in self._chains.get(instrument, {}).items()}

    def newest(self, instrument: str) -> dict[str, tuple[int | None, float | None]]:
        """`spec@interval` -> (start of its newest bar, value); None before the first one."""
        chains = sorted(self._chains.get(instrument, {}).items())
        return {
            f"{spec}@{name}": (chain.newest, chain.outputs[figure][place])
            for name, chain in chains
            for spec, (figure, place) in sorted(chain.specs.items())
        }

    def arm(self, event: IndicatorArmed) -> None:
        """Raises Malformed for a spec that this build does not know."""
        chains = self._chains.setdefault(event.instrument, {})
        chain = chains.get(event.interval)
        if chain is None:
            chain = chains[event.interval] = self._new_chain(event.interval)
            chain.roll, history = _told(chain, event)
        else:  # it knows better which bars came last
            kept = chain.bars(len(chain.starts))
            _, told = _told(chain, event)
            history = [bar for bar in told if not kept or bar[0] < kept[0][0]] + kept
        chain.hold(history)
        for text in event.specs:
            self._begin(chain, parse_spec(text), history)

    def disarm(self, event: IndicatorDisarmed) -> None:
        chains = self._chains.get(event.instrument, {})
        chain = chains.get(event.interval)
        if chain is None:
            return
        for text in event.specs:
            chain.specs.pop(text, None)
        used = {figure for figure, _ in chain.specs.values()}
        for figure in chain.rows.keys() - used:
            self._end(chain, figure)
        if not chain.specs:
            del chains[event.interval]
        if not chains:
            del self._chains[event.instrument]

    def forget(self, instrument: str) -> None:
        """All that an instrument has armed."""
        for chain in self._chains.pop(instrument, {}).values():
            for figure in list(chain.rows):
                self._end(chain, figure)

    def observe(self, events: Iterable[object]) -> None:
        """Fold bars; events of other kinds, intervals and instruments pass by."""
        waiting: dict[Chain, WarmBar] = {}
        for event in events:
            if not isinstance(event, BarEvent) or event.instrument not in self._chains:
                continue
            bar = (event.ts_event, event.open, event.high, event.low, event.close, event.volume)
            for chain in self._chains[event.instrument].values():
                if chain.base == event.interval:
                    self._take(chain, bar, waiting, closed=isinstance(event, BarClosed))
        self._advance(waiting)

    def packed(self, instrument: str) -> bytes:
        """Its rows as msgpack, the same for the same state; empty where nothing is armed."""
        chains = self._chains.get(instrument)
        if not chains:
            return b""
        return msgspec.msgpack.encode([self._state(chain) for _, chain in sorted(chains.items())])

    def unpack(self, instrument: str, packed: bytes) -> None:
        """Restore what `packed` gave, where nothing is armed yet. Raises Corrupt."""
        if not packed:
            return
        try:
            states = _decode(packed)
            chains = {state.interval: self._restored(instrument, state) for state in states}
        except (msgspec.MsgspecError, Malformed) as error:
            raise Corrupt(f"indicator state of {instrument!r} cannot be read: {error}") from None
        self._chains[instrument] = chains

    def _new_chain(self, interval: str) -> Chain:
        return Chain(interval, 2 * self._depth + 2)

    def _begin(self, chain: Chain, spec: Spec, history: Sequence[WarmBar]) -> None:
        text, figure = str(spec), str(spec.figure)
        if text in chain.specs:
            return
        chain.specs[text] = (figure, spec.place)
        if figure in chain.rows:
            return
        column = self._columns.get(figure)
        if column is None:
            column = self._columns[figure] = Column(spec.figure, self._depth)
        row = chain.rows[figure] = column.take()
        chain.outputs[figure] = column.feed(row, history[-self._needed(spec.figure, len(history)) :])

    def _needed(self, figure: Spec, most: int) -> int:
        """Bars to begin with: those that the figure's outputs depend on, and those that can be corrected."""
        outputs = [
            reach(Spec(figure.name, figure.parameters, figure.source, each))
            for each in self._columns[str(figure)].bank.bank.outputs
        ]
        if any(each.session or each.forever for each in outputs):
            return max(1, most)
        return max(each.bars for each in outputs) + 2 * self._depth + 1

    def _end(self, chain: Chain, figure: str) -> None:
        column = self._columns[figure]
        column.give_back(chain.rows.pop(figure))
        del chain.outputs[figure]
        if column.empty:
            del self._columns[figure]

    def _take(self, chain: Chain, bar: WarmBar, waiting: dict[Chain, WarmBar], *, closed: bool) -> None:
        """Closed bars wait for others that close with them; a chain's own order stays what it is."""
        found = chain.closed_by(bar) if closed else ()
        corrected = None if closed else chain.corrected_by(bar)
        for each in found:
            if chain in waiting:
                self._advance(waiting)
            waiting[chain] = each
        if corrected is not None:
            if chain in waiting:
                self._advance(waiting)
            self._correct(chain, corrected)

    def _advance(self, waiting: dict[Chain, WarmBar]) -> None:
        """One closed bar each of distinct chains; afterwards nothing waits."""
        if not waiting:
            return
        columns = _columns(list(waiting.values()))
        concerned: dict[str, list[tuple[int, Chain]]] = {}
        for number, (chain, bar) in enumerate(waiting.items()):
            chain.append(bar)
            for figure in chain.rows:
                concerned.setdefault(figure, []).append((number, chain))
        for figure, members in concerned.items():
            rows: Integers = np.array([chain.rows[figure] for _, chain in members], np.int64)
            bars = columns if len(members) == len(waiting) else _some(columns, [n for n, _ in members])
            outputs = self._columns[figure].bank.update(rows, bars)
            values = zip(*(each.tolist() for each in outputs), strict=True)
            for (_, chain), numbers in zip(members, values, strict=True):
                chain.outputs[figure] = _numbers(numbers)
        waiting.clear()

    def _correct(self, chain: Chain, bar: WarmBar) -> None:
        place, known = chain.place_of(bar[0])
        behind = len(chain.starts) - place
        if not behind:
            self._advance({chain: bar})
            return
        if not known and place == 0:
            return
        again = {
            figure: self._columns[figure].bank.revert(row, behind - 1) + (not known)
            for figure, row in chain.rows.items()
            if self._columns[figure].bank.reaches(row, behind - 1)
        }
        chain.put(place, bar, known=known)
        for figure, count in again.items():
            chain.outputs[figure] = self._columns[figure].feed(chain.rows[figure], chain.bars(count))

    def _state(self, chain: Chain) -> ChainState:
        figures = tuple(
            FigureState(*self._columns[figure].bank.snapshot(row), chain.outputs[figure])
            for figure, row in sorted(chain.rows.items())
        )
        roll = None if chain.roll is None else chain.roll.snapshot()
        return ChainState(chain.interval, tuple(sorted(chain.specs)), *chain.packed(), figures, roll)

    def _restored(self, instrument: str, state: ChainState) -> Chain:
        chain = self._new_chain(state.interval)
        if WIDTH * len(state.starts) != len(state.cells):
            raise Corrupt(f"indicator state of {instrument!r} {state.interval} has starts without bars")
        chain.unpack(state.starts, state.cells)
        if state.roll is not None:
            chain.roll = Roll.restored(state.interval, state.roll)
        for text in state.specs:
            self._begin(chain, parse_spec(text), ())
        if len(state.figures) != len(chain.rows):
            raise Corrupt(f"indicator state of {instrument!r} {state.interval} is of other figures")
        for (figure, row), each in zip(sorted(chain.rows.items()), state.figures, strict=True):
            self._columns[figure].bank.restore(row, (each.fed, each.now, each.newer, each.older))
            chain.outputs[figure] = each.outputs
        return chain


def _told(chain: Chain, event: IndicatorArmed) -> tuple[Roll | None, list[WarmBar]]:
    """The bars that the event tells of: with those that its parts make where the chain's are made of such."""
    if chain.base == chain.interval:
        return None, list(event.bars)
    roll = Roll(chain.interval, event.begun)
    return roll, [*event.bars, *(bar for part in event.parts for bar in roll.add(part))]


def _columns(bars: Sequence[WarmBar]) -> Bars:
    cells = np.array([bar[1:] for bar in bars])
    opened, high, low, close, volume = np.ascontiguousarray(cells.T)
    return Bars(opened, high, low, close, volume, UTC_DAYS.days(np.array([bar[0] for bar in bars], np.int64)))


def _some(columns: Bars, places: Sequence[int]) -> Bars:
    chosen = np.array(places, np.int64)
    return columns.map(lambda column: column[chosen])


def _numbers(values: Iterable[float]) -> Outputs:
    return tuple(None if value != value else float(value) for value in values)
