"""Blocks of the log: sealing, reading, and the chain of hashes.

    hash = SHA-256( prev_hash ‖ length of H ‖ H ‖ payload before compression )

`prev_hash` is 32 bytes (GENESIS_HASH before the first block), the length is 4 bytes big-endian, and H is
the msgpack array [partition, first_offset, last_offset, recorded_ns, epoch, header]. `header` is the
array [batches, instruments, kinds, min_ts_event, max_ts_event, behind_ns] with trailing fields that have
their default left out, each batch the array [sender, incarnation, sequence, clock, count]: so a field added
later with a default does not change old hashes. Compressing a payload anew does not either.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import msgspec

from domain.clock import NS_PER_S, format_time
from domain.envelope import Admitted, Event, Recorded
from domain.errors import Corrupt, Gone, Malformed
from storage import codec
from storage.anchors import Anchor
from storage.event_log import Block, BlockHeader, ClockStep, Head

STEP_NS = 5 * NS_PER_S
"""A clock that goes back by less is waited for, as by the feeds (`actors.steady_clock`)."""

_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(BlockHeader).decode
_kind = operator.attrgetter("kind")
_ts_event = operator.attrgetter("ts_event")
_instrument = operator.attrgetter("instrument")


def seal(head: Head, admitted: Sequence[Admitted], events: Sequence[Event], recorded_ns: int) -> Block:
    """The block that follows `head`. Raises Malformed where there is no event or one cannot be encoded.

    `recorded_ns` is raised to the head's where a clock went back: it never decreases in a partition. Where it
    went back by more than `STEP_NS`, the header says by how much.
    """
    if not events:
        raise Malformed(f"a block of {head.partition!r} needs at least one event")
    number, payload = codec.encode_plain(events)
    behind_ns = head.recorded_ns - recorded_ns
    place = Block(
        partition=head.partition,
        first_offset=head.offset + 1,
        last_offset=head.offset + len(events),
        recorded_ns=max(recorded_ns, head.recorded_ns),
        epoch=head.epoch,
        codec=number,
        header=_header_of(admitted, events, behind_ns if behind_ns > STEP_NS else 0),
        payload=payload,
        prev_hash=head.hash,
        hash=b"",
    )
    stored_codec, stored = codec.compressed(number, payload)
    return msgspec.structs.replace(place, codec=stored_codec, payload=stored, hash=block_hash(place, payload))


def head_after(block: Block, owner: str) -> Head:
    """Where the partition stands once the block is in."""
    return Head(block.partition, block.epoch, owner, block.last_offset, block.hash, block.recorded_ns)


def events_of(block: Block) -> list[Recorded]:
    """The block's events at their places. Raises Corrupt."""
    events = codec.decode_events(block.codec, block.payload, block.event_count)
    offsets = range(block.first_offset, block.last_offset + 1)
    return list(map(Recorded, repeat(block.partition), offsets, repeat(block.recorded_ns), events))


def verify(block: Block, prev_hash: bytes) -> None:
    """The block follows the one with `prev_hash` and is as it was sealed, else raises Corrupt."""
    name = f"block {block.first_offset} of {block.partition!r}"
    if block.prev_hash != prev_hash:
        raise Corrupt(f"{name} does not follow the block before it")
    if block_hash(block, codec.plain(block.codec, block.payload)) != block.hash:
        raise Corrupt(f"{name} is not what was sealed")


def verify_chain(blocks: Iterable[Block], offset: int, prev_hash: bytes) -> tuple[int, bytes]:
    """Blocks follow `offset` densely and each other by hash. Returns the last (offset, hash).

    Raises Corrupt.
    """
    for block in blocks:
        if block.first_offset != offset + 1 or block.last_offset < block.first_offset:
            raise Corrupt(f"block {block.first_offset} of {block.partition!r} follows offset {offset}")
        verify(block, prev_hash)
        offset, prev_hash = block.last_offset, block.hash
    return offset, prev_hash


def in_partition_order(blocks: Sequence[Block]) -> list[Block]:
    """Raises Malformed where there is none, or two of one partition."""
    ordered = sorted(blocks, key=lambda block: block.partition)
    if not ordered or len({block.partition for block in ordered}) < len(ordered):
        raise Malformed("an append needs exactly one block of each of its partitions")
    return ordered


def require_retained(partition: str, after: int, blocks: Sequence[Block]) -> None:
    """Raises Gone where the block that should hold `after + 1` has been dropped."""
    if blocks and blocks[0].first_offset > after + 1:
        first = blocks[0].first_offset
        since = format_time(blocks[0].recorded_ns)
        raise Gone(
            f"{partition!r} is kept from offset {first}, recorded {since}, not from {after + 1}", first
        )


def offset_before_the_log(anchor: Anchor | None, partition: str, recorded_ns: int) -> int:
    """The last offset recorded by a time at which nothing that is kept was recorded yet.

    0 where nothing was ever dropped. Raises Gone where the time lies in what was dropped.
    """
    if anchor is None:
        return 0
    if recorded_ns < anchor.recorded_ns:
        raise Gone(
            f"{partition!r} is kept from offset {anchor.offset + 1}, recorded after"
            f" {format_time(anchor.recorded_ns)}, not from {format_time(recorded_ns)}",
            anchor.offset + 1,
        )
    return anchor.offset


def block_hash(block: Block, payload: bytes) -> bytes:
    """The hash over a block whose payload before compression is given."""
    header = _trimmed_header(block.header)
    place = (block.partition, block.first_offset, block.last_offset, block.recorded_ns, block.epoch)
    covered = _encode((*place, header))
    digest = hashlib.sha256(block.prev_hash)
    digest.update(len(covered).to_bytes(4, "big"))
    digest.update(covered)
    digest.update(payload)
    return digest.digest()


def encode_header(header: BlockHeader) -> bytes:
    return _encode(_trimmed_header(header))


def decode_header(data: bytes) -> BlockHeader:
    """Raises Corrupt."""
    try:
        return _decode_header(data)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"block header of {len(data)} bytes cannot be read: {error}") from None


def _trimmed_header(header: BlockHeader) -> list[Any]:
    return _trimmed(header, (tuple(map(_trimmed, header.batches)), *_fields(header)[1:]))


def _trimmed(struct: msgspec.Struct, values: Sequence[Any] | None = None) -> list[Any]:
    """Field values without trailing ones that equal their default."""
    kept = list(_fields(struct) if values is None else values)
    defaults = struct.__struct_defaults__
    for default in reversed(defaults):
        if kept[-1] != default:
            break
        kept.pop()
    return kept


def _fields(struct: msgspec.Struct) -> tuple[Any, ...]:
    return msgspec.structs.astuple(struct)


def clock_steps_of(blocks: Iterable[Block]) -> list[ClockStep]:
    """What blocks say of a clock that had been ahead."""
    return [
        ClockStep(block.partition, block.recorded_ns, block.recorded_ns - block.header.behind_ns)
        for block in blocks
        if block.header.behind_ns
    ]


def _header_of(admitted: Sequence[Admitted], events: Sequence[Event], behind_ns: int) -> BlockHeader:
    times = list(map(_ts_event, events))
    return BlockHeader(
        batches=tuple(admitted),
        instruments=tuple(sorted(_instruments(events))),
        kinds=tuple(sorted(map(_kind, set(map(type, events))))),
        min_ts_event=min(times),
        max_ts_event=max(times),
        behind_ns=behind_ns,
    )


def _instruments(events: Sequence[Event]) -> set[str]:
    try:
        return set(map(_instrument, events))
    except AttributeError:  # feeds and sessions have events about no single instrument
        return {name for event in events if (name := getattr(event, "instrument", None)) is not None}
