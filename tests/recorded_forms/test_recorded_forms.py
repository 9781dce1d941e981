"""What builds of the past have written is read by this one, and folds to what it said then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.restore import replay
from domain.errors import Conflict
from domain.partition import FOLD_VERSION, MarketPartition
from storage import codec
from storage.block import block_hash, events_of, verify_chain
from storage.event_log import GENESIS_HASH
from storage.forms import FORMS
from tests.recorded_forms.__main__ import FOLDER
from tests.recorded_forms.recording import (
    MAX_FILE_BYTES,
    Recorded,
    counts,
    examples,
    facts,
    fields_of,
    read,
    write,
)

FILES = sorted(FOLDER.glob("v*/*.json"))
MARKET = [path for path in FILES if path.stem not in ("provider", "access")]


def named(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=[f"{path.parent.name}-{path.stem}" for path in paths])


def decoded(recorded: Recorded) -> list[Any]:
    return [each.event for block in recorded.blocks for each in events_of(block)]


def folded(recorded: Recorded, *, after: int = 0, into: MarketPartition | None = None) -> MarketPartition:
    market = into or MarketPartition(recorded.partition, recorded.settings)
    for block in recorded.blocks:
        if block.first_offset > after:
            replay(market, block, codec.decode_events(block.codec, block.payload, block.event_count))  # type: ignore[arg-type]
    return market


@named(FILES)
def test_blocks_of_the_past_are_the_chain_that_was_sealed(path: Path) -> None:
    recorded = read(path)
    assert path.stat().st_size <= MAX_FILE_BYTES
    last, newest = verify_chain(recorded.blocks, 0, GENESIS_HASH)
    assert (last, newest) == (sum(recorded.counts.values()), recorded.blocks[-1].hash)
    for block in recorded.blocks:
        assert block_hash(block, codec.plain(block.codec, block.payload)) == block.hash


@named(FILES)
def test_events_of_the_past_are_read_as_what_they_were(path: Path) -> None:
    recorded = read(path)
    events = decoded(recorded)
    assert counts(events) == recorded.counts
    for kind, fields in recorded.examples.items():
        first = next(event for event in events if event.kind == kind)
        assert fields_of(first, fields) == fields


@named(MARKET)
def test_a_replay_of_the_past_shows_what_was_shown_then(path: Path) -> None:
    recorded = read(path)
    told = facts(folded(recorded))
    assert told.keys() == recorded.facts.keys()
    for instrument, known in recorded.facts.items():
        assert {name: told[instrument][name] for name in known} == known, instrument


@named(MARKET)
def test_a_snapshot_of_this_fold_version_fits_and_one_of_another_is_refused(path: Path) -> None:
    recorded = read(path)
    assert recorded.snapshots
    for snapshot in recorded.snapshots:
        if recorded.fold_version != FOLD_VERSION:
            with pytest.raises(Conflict, match=f"fold version {recorded.fold_version}"):
                MarketPartition.restore(snapshot.state, recorded.settings)
            continue
        resumed = MarketPartition.restore(snapshot.state, recorded.settings)
        assert resumed.snapshot() == snapshot.state
        assert folded(recorded, after=snapshot.offset, into=resumed).snapshot() == folded(recorded).snapshot()


@named(MARKET)
def test_the_last_snapshot_of_this_fold_version_is_what_its_blocks_fold_to(path: Path) -> None:
    recorded = read(path)
    last = recorded.snapshots[-1]
    assert last.offset == recorded.blocks[-1].last_offset
    assert (folded(recorded).snapshot() == last.state) == (recorded.fold_version == FOLD_VERSION)


YOUNGER_THAN_V6 = {"audit_cut", "feed_silent", "gateways_listed"}


def test_every_kind_of_event_was_recorded_in_rows_and_the_common_ones_in_columns() -> None:
    recorded = [read(path) for path in FILES if path.parent.name == "v6"]
    assert len(recorded) == 10
    kinds = {form.shape.kind for form in FORMS}
    assert {kind for each in recorded for kind in each.counts} == kinds - YOUNGER_THAN_V6
    forms = {block.codec for each in recorded for block in each.blocks}
    assert forms == {codec.ROWS, codec.COLUMNS, codec.ROWS | codec.ZSTD, codec.COLUMNS | codec.ZSTD}


def test_what_was_written_once_is_never_written_again() -> None:
    path = FILES[0]
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write(path, read(path))
    assert path.read_bytes() == before


def test_examples_are_the_first_of_their_kind() -> None:
    recorded = read(FOLDER / "v6" / "provider.json")
    assert examples(decoded(recorded))["feed_lost"]["connection"] == 0
