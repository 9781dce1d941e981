"""A partition's blocks and snapshots as JSON, and what a reader must find in them.

    Recording ── send, arm, cut ──> Recorded ── to_json, from_json ──> one file

Bytes are base64: headers, payloads and hashes as the log stores them, states compressed as the snapshot
table stores them. `facts` says in plain words what the state shows; a later build that replays the
blocks must show the same.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from domain.envelope import Admitted, Batch, Event, MarketEvent
from domain.indicators.armed import Arming
from domain.keeper import SymbolKeeper
from domain.keeper_state import PartitionSettings
from domain.market.observations import Observation
from domain.partition import FOLD_VERSION, MarketPartition
from storage import block as blocks
from storage import codec
from storage.event_log import GENESIS_HASH, Block, Head

MAX_FILE_BYTES = 64 * 1024
TOP = 5
"""Book levels a side, and closed bars an interval, that `facts` tells."""


class State(Struct, frozen=True):
    """The fold at `offset`, the end of a block."""

    offset: int
    state: bytes


class Recorded(Struct, frozen=True):
    """One file. `examples`: the first event of each kind, by field; `facts` only of market partitions."""

    partition: str
    fold_version: int
    settings: PartitionSettings | None
    blocks: tuple[Block, ...]
    snapshots: tuple[State, ...]
    examples: dict[str, Any]
    counts: dict[str, int]
    facts: dict[str, Any]


class Blocks:
    """Seals the blocks of a partition; for those without a fold it is all that there is."""

    def __init__(self, partition: str) -> None:
        self.head = Head(partition, 1, "recorded", 0, GENESIS_HASH)
        self.sealed: list[Block] = []
        self.events: list[Event] = []

    def seal(self, admitted: Sequence[Admitted], events: Sequence[Event], recorded_ns: int) -> None:
        block = blocks.seal(self.head, admitted, events, recorded_ns)
        self.sealed.append(block)
        self.events += events
        self.head = blocks.head_after(block, self.head.owner)

    def recorded(self) -> Recorded:
        return Recorded(
            self.head.partition,
            FOLD_VERSION,
            None,
            tuple(self.sealed),
            (),
            examples(self.events),
            counts(self.events),
            {},
        )


class Recording(Blocks):
    """A market partition that is fed; `cut` ends a block. Batches are numbered here."""

    def __init__(self, settings: PartitionSettings | None = None, partition: str = "market/00") -> None:
        super().__init__(partition)
        self.market = MarketPartition(partition, settings)
        self._states: list[State] = []
        self._admitted: list[Admitted] = []
        self._folded: list[MarketEvent] = []
        self._clock = 0

    def send(
        self, sender: str, clock: int, *events: Observation, incarnation: int | None = None, wall: bool = True
    ) -> None:
        """The next batch of a sender; without events a heartbeat."""
        last, sequence = self.market.last_sequence(sender)
        new = incarnation is not None and incarnation != last
        number = (0 if new else sequence) + bool(events)
        self._take(*self.market.observe(Batch(sender, incarnation or last or 1, number, clock, events, wall)))
        self._clock = max(self._clock, clock)

    def arm(self, *orders: Arming, clock: int) -> None:
        self._take(*self.market.arm(orders, self.head.epoch, clock))

    def cut(self, *, snapshot: bool = False) -> None:
        """The block that holds what was folded since the last one."""
        self.seal(self._admitted, self._folded, self._clock)
        self._admitted, self._folded = [], []
        if snapshot:
            self._states.append(State(self.head.offset, self.market.snapshot()))

    def recorded(self) -> Recorded:
        return msgspec.structs.replace(
            super().recorded(),
            settings=self.market.settings,
            snapshots=tuple(self._states),
            facts=facts(self.market),
        )

    def _take(self, admitted: Admitted | None, events: Sequence[MarketEvent]) -> None:
        if admitted is not None:
            self._admitted.append(admitted)
            self._folded += events


def counts(events: Iterable[Event]) -> dict[str, int]:
    """kind -> how many."""
    found: dict[str, int] = {}
    for event in events:
        found[event.kind] = found.get(event.kind, 0) + 1
    return dict(sorted(found.items()))


def examples(events: Iterable[Event]) -> dict[str, Any]:
    """kind -> the first event of it: its fields as JSON knows them."""
    found: dict[str, Any] = {}
    for event in events:
        if event.kind not in found:
            found[event.kind] = fields_of(event, event.__struct_fields__)
    return dict(sorted(found.items()))


def fields_of(event: Event, names: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(getattr(event, name)) for name in names}


def facts(market: MarketPartition) -> dict[str, Any]:
    """What every build must read from the same blocks, by instrument."""
    named = [info.instrument for info in market.instruments()]
    told = {}
    for name in named:
        keeper = market.keeper(name)
        if keeper is not None:
            told[name] = _plain({**_of_keeper(keeper), "armed": market.indicators.newest(name)})
    return told


def _of_keeper(keeper: SymbolKeeper) -> dict[str, Any]:
    trade, quote, ticker = keeper.last_trade, keeper.last_quote, keeper.last_ticker
    return {
        "last_trade": trade and (trade.provider, trade.ts_event, trade.price, trade.size, trade.trade_id),
        "last_quote": quote and (quote.provider, quote.ts_event, quote.bid, quote.ask),
        "last_ticker": ticker and (ticker.provider, ticker.ts_event, ticker.last),
        "late_trades": keeper.late_trades,
        "book": (keeper.record.source, keeper.book.usable, keeper.book.top(TOP)),
        "bars": {interval: _of_bars(builder) for interval, builder in keeper.builders.items()},
        "provider_bars": {
            interval: (bar.ts_event, bar.close) for interval, bar in keeper.latest.bars.items()
        },
        "splits": [(split.effective, split.ratio) for split in keeper.splits.known()],
        "reference": keeper.signals.consensus(),
    }


def _of_bars(builder: Any) -> dict[str, Any]:
    shown = ("ts_event", "open", "high", "low", "close", "volume", "trades", "vwap", "revision", "tainted")
    newest = [[getattr(bar, name) for name in shown] for bar in builder.closed[-TOP:]]
    forming = [[getattr(bar, name) for name in shown[:-1]] for bar in builder.forming()]
    return {"closed_total": builder.closed_total, "closed": newest, "forming": forming}


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def write(path: Path, recorded: Recorded) -> None:
    """Raises FileExistsError: what a build wrote once is never written again."""
    text = to_json(recorded)
    if len(text.encode()) > MAX_FILE_BYTES:
        raise ValueError(f"{path.name} would have {len(text)} bytes, more than {MAX_FILE_BYTES}")
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def to_json(recorded: Recorded) -> str:
    value = {
        "partition": recorded.partition,
        "fold_version": recorded.fold_version,
        "settings": None if recorded.settings is None else _plain(recorded.settings),
        "counts": recorded.counts,
        "examples": recorded.examples,
        "facts": recorded.facts,
        "blocks": [_of_block(each) for each in recorded.blocks],
        "snapshots": [
            {"offset": each.offset, "state": _text(codec.compress(each.state))} for each in recorded.snapshots
        ],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Recorded:
    value = json.loads(path.read_text(encoding="utf-8"))
    settings = value["settings"]
    return Recorded(
        partition=value["partition"],
        fold_version=value["fold_version"],
        settings=None if settings is None else msgspec.convert(settings, PartitionSettings),
        blocks=tuple(_to_block(value["partition"], each) for each in value["blocks"]),
        snapshots=tuple(
            State(each["offset"], codec.decompress(b64decode(each["state"]))) for each in value["snapshots"]
        ),
        examples=value["examples"],
        counts=value["counts"],
        facts=value["facts"],
    )


_NUMBERS = ("first_offset", "last_offset", "recorded_ns", "epoch", "codec")
_BYTES = ("payload", "prev_hash", "hash")


def _of_block(block: Block) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(block, name) for name in _NUMBERS}
    told |= {name: _text(getattr(block, name)) for name in _BYTES}
    return told | {"header": _text(blocks.encode_header(block.header))}


def _to_block(partition: str, told: dict[str, Any]) -> Block:
    return Block(
        partition=partition,
        header=blocks.decode_header(b64decode(told["header"])),
        **{name: told[name] for name in _NUMBERS},
        **{name: b64decode(told[name]) for name in _BYTES},
    )


def _text(data: bytes) -> str:
    return b64encode(data).decode()
