"""Events to bytes and back, exactly.

A payload is `[order, row groups, column groups]` in msgpack. Events of one kind form a group: rows
`[code, fields, rows]` (codec 1, small blocks) or columns `[code, fields, count, columns]` (codec 2).
`order` has one byte per event, the number of its group (row groups first), and is empty where there
is one group. Codec + 16 says that the payload is compressed with zstd; `plain` undoes that.

The same events always give the same bytes within a build; the log's hashes cover the plain payload.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from itertools import chain, repeat, starmap
from typing import Any

import msgspec
import zstandard

from domain.envelope import Batch, Event, Recorded
from domain.errors import Corrupt, Malformed
from storage.columns import Column, Unfit, column_of
from storage.forms import BY_TYPE, FORMS, Form, by_code
from storage.upcasters import RETIRED

ROWS = 1
COLUMNS = 2
ZSTD = 16

COLUMNAR_FROM = 64
"""Events from which a block's columns are smaller than its rows and cost no more time."""
COLUMN_GROUP_FROM = 24
"""Events of one kind from which columns pay inside a columnar block."""
COMPRESS_FROM_BYTES = 512
ZSTD_LEVEL = 1
MAX_PLAIN_BYTES = 1 << 30

_UNDECODABLE = (msgspec.MsgspecError, ValueError, TypeError, IndexError, OverflowError, StopIteration)

RowGroup = tuple[int, int, msgspec.Raw]
ColumnGroup = tuple[int, int, int, list[list[Any]]]


class _Zstd(threading.local):
    """Contexts are costly to make and belong to one thread at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()
_encode = msgspec.msgpack.Encoder().encode
_event = operator.attrgetter("event")
_offset = operator.attrgetter("offset")
_recorded_at = operator.attrgetter("recorded_at")
_payload_decoder = msgspec.msgpack.Decoder(tuple[bytes, list[RowGroup], list[ColumnGroup]])
_batch_decoder = msgspec.msgpack.Decoder(tuple[str, int, int, int, bytes, list[RowGroup], bool])
_recorded_decoder = msgspec.msgpack.Decoder(tuple[str, list[int], list[int], bytes, list[RowGroup]])
_forms = by_code((*FORMS, *RETIRED))
_columns: dict[Any, Column] = {}


def encode_events(events: Sequence[Event]) -> tuple[int, bytes]:
    """(codec, payload as stored). Raises Malformed where an event holds what its kind cannot."""
    return compressed(*encode_plain(events))


def decode_events(codec: int, payload: bytes, count: int) -> list[Event]:
    """The events of a stored payload. Raises Corrupt."""
    events = decode_plain(plain(codec, payload))
    if len(events) != count:
        raise Corrupt(f"payload holds {len(events)} events, not {count}")
    return events


def encode_plain(events: Sequence[Event]) -> tuple[int, bytes]:
    """(codec, payload before compression). Raises Malformed."""
    order, groups = _grouped(events)
    if len(events) < COLUMNAR_FROM:
        return ROWS, _encode_rows(order, groups)
    rows, columns = _split(groups)
    if not columns:
        return ROWS, _encode_rows(order, groups)
    if rows and order:
        order = _reordered(order, groups, [form for form, _ in rows] + [form for form, _ in columns])
    try:
        packed = [_column_group(form, members) for form, members in columns]
        return COLUMNS, _encode((order, [_row_group(*group) for group in rows], packed))
    except (Unfit, *_UNDECODABLE):
        order, groups = _grouped(events)
        return ROWS, _encode_rows(order, groups)


def decode_plain(payload: bytes) -> list[Event]:
    """The events of an uncompressed payload. Raises Corrupt."""
    try:
        order, rows, columns = _payload_decoder.decode(payload)
        groups = [_from_rows(group) for group in rows] + [_from_columns(group) for group in columns]
        return _interleaved(order, groups)
    except _UNDECODABLE as error:
        raise Corrupt(f"payload of {len(payload)} bytes cannot be read: {error}") from None


def compressed(codec: int, payload: bytes) -> tuple[int, bytes]:
    """The payload as it is stored: compressed where that pays."""
    if len(payload) < COMPRESS_FROM_BYTES:
        return codec, payload
    smaller = _zstd.compressor.compress(payload)
    return (codec | ZSTD, smaller) if len(smaller) < len(payload) else (codec, payload)


def plain(codec: int, payload: bytes) -> bytes:
    """The payload before compression, which hashes cover. Raises Corrupt."""
    if codec & ~ZSTD not in (ROWS, COLUMNS):
        raise Corrupt(f"codec {codec} is not known to this build")
    return decompress(payload) if codec & ZSTD else payload


def compress(data: bytes) -> bytes:
    return _zstd.compressor.compress(data)


def decompress(data: bytes) -> bytes:
    """Raises Corrupt, also beyond 1 GiB."""
    try:
        if zstandard.get_frame_parameters(data).content_size > MAX_PLAIN_BYTES:
            raise Corrupt("compressed data claim to be beyond 1 GiB")
        return _zstd.decompressor.decompress(data)
    except zstandard.ZstdError as error:
        raise Corrupt(f"compressed data cannot be read: {error}") from None


def encode_batch(batch: Batch) -> bytes:
    """A batch as feeds hand it over to shards: rows, not compressed. Raises Malformed."""
    order, groups = _grouped(batch.events)
    rows = [_row_group(*group) for group in groups]
    place = (batch.sender, batch.incarnation, batch.sequence, batch.clock)
    return _packed((*place, order, rows, batch.wall))


def decode_batch(data: bytes) -> Batch:
    """Raises Malformed."""
    try:
        sender, incarnation, sequence, clock, order, rows, wall = _batch_decoder.decode(data)
        events: list[Any] = _interleaved(order, [_from_rows(group) for group in rows])
    except (*_UNDECODABLE, Corrupt) as error:
        raise Malformed(f"batch of {len(data)} bytes cannot be read: {error}") from None
    return Batch(sender, incarnation, sequence, clock, tuple(events), wall)


def encode_recorded(recorded: Sequence[Recorded]) -> bytes:
    """Events of one partition at their places, as they go from one process to another. Raises Malformed."""
    partition = recorded[0].partition if recorded else ""
    order, groups = _grouped(list(map(_event, recorded)))
    rows = [_row_group(*group) for group in groups]
    return _packed((partition, list(map(_offset, recorded)), list(map(_recorded_at, recorded)), order, rows))


def decode_recorded(data: bytes) -> list[Recorded]:
    """Raises Malformed."""
    try:
        partition, offsets, times, order, rows = _recorded_decoder.decode(data)
        events = _interleaved(order, [_from_rows(group) for group in rows])
    except (*_UNDECODABLE, Corrupt) as error:
        raise Malformed(f"{len(data)} bytes of recorded events cannot be read: {error}") from None
    return list(map(Recorded, repeat(partition), offsets, times, events))


Group = tuple[Form, Sequence[Event]]


def _grouped(events: Sequence[Event]) -> tuple[bytes, list[Group]]:
    """(number of each event's group, groups in order of first appearance)."""
    kinds: list[type] = list(map(type, events))
    distinct = list(dict.fromkeys(kinds))
    if len(distinct) <= 1:
        return b"", [(_form_of(kind), events) for kind in distinct]
    members: dict[type, list[Event]] = {kind: [] for kind in distinct}
    for kind, event in zip(kinds, events, strict=True):
        members[kind].append(event)
    numbers = {kind: number for number, kind in enumerate(distinct)}
    order = bytes(map(numbers.__getitem__, kinds))
    return order, [(_form_of(kind), group) for kind, group in members.items()]


def _form_of(kind: type) -> Form:
    form = BY_TYPE.get(kind)
    if form is None:
        raise Malformed(f"{kind.__name__} is no event of the log")
    return form


def _split(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    rows = [group for group in groups if len(group[1]) < COLUMN_GROUP_FROM]
    return rows, [group for group in groups if len(group[1]) >= COLUMN_GROUP_FROM]


def _reordered(order: bytes, before: list[Group], after: list[Form]) -> bytes:
    table = bytearray(range(256))
    for number, (form, _) in enumerate(before):
        table[number] = after.index(form)
    return order.translate(table)


def _interleaved(order: bytes, groups: list[list[Event]]) -> list[Event]:
    if len(groups) <= 1:
        return list(chain.from_iterable(groups))
    sources = list(map(iter, groups))
    events = list(map(next, map(sources.__getitem__, order)))
    if len(events) != sum(map(len, groups)):
        raise Corrupt("the order of events does not fit their groups")
    return events


def _encode_rows(order: bytes, groups: list[Group]) -> bytes:
    payload = _packed((order, [_row_group(*group) for group in groups], []))
    _require_readable(payload)
    return payload


def _packed(value: Any) -> bytes:
    try:
        return _encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise Malformed(f"events cannot be encoded: {error}") from None


def _require_readable(payload: bytes) -> None:
    """Structs check no types when built: a mistyped field must fail before it is in the log for ever."""
    try:
        decode_plain(payload)
    except Corrupt as error:
        raise Malformed(f"events do not fit their kinds: {error}") from None


def _row_group(form: Form, events: Sequence[Event]) -> tuple[int, int, list[tuple[Any, ...]]]:
    return form.code, form.width, list(map(form.values_of, events))


def _from_rows(group: RowGroup) -> list[Event]:
    code, width, rows = group
    form = _form_for(code)
    return list(starmap(form.make, form.row_decoder(width).decode(rows)))


def _column_group(form: Form, events: Sequence[Event]) -> tuple[int, int, int, list[Any]]:
    fields = zip(*map(form.values_of, events), strict=True)
    columns = zip(form.types, fields, strict=True)
    return form.code, form.width, len(events), [_column(kind).pack(values) for kind, values in columns]


def _from_columns(group: ColumnGroup) -> list[Event]:
    code, width, count, columns = group
    form = _form_for(code)
    pairs = zip(form.types_of(width), columns, strict=True)
    fields = [_column(kind).unpack(packed, count) for kind, packed in pairs]
    if any(len(field) != count for field in fields):
        raise Corrupt(f"columns of event form {code} differ in length")
    return list(map(form.make, *fields))


def _form_for(code: int) -> Form:
    form = _forms.get(code)
    if form is None:
        raise Corrupt(f"event form {code} is not known to this build")
    return form


def _column(kind: Any) -> Column:
    column = _columns.get(kind)
    if column is None:
        column = _columns[kind] = column_of(kind)
    return column
