"""Columns of one field over many events, narrow enough that a trade costs a dozen bytes.

    int      first value, then deltas (divided by their common divisor) at the smallest width
    float    whole multiples of a power of ten as an int column where that is exact to the bit,
             else raw float64 with its bytes transposed
    text     a dictionary; ids that count (`T1001`, `T1002`) as a prefix and an int column; else a list
    levels   counts, prices, sizes
    other    values as they are

What a value packs to is plain data for msgpack. `unpack` gives the values back exactly: None, -0.0, NaN
payloads and order included. `Unfit` says that the values are not what the field's type promises or do
not fit 64 bits: such events go as rows.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from itertools import accumulate, chain, pairwise, takewhile
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Packed = Sequence[Any]

MAX_DECIMALS = 12
"""Powers of ten tried for a float column; venues quote at most 12 decimals (SHIB-BTC has 11)."""
EXACT_INT = 2**53
"""Below it every integer is a float64, so k / 10**d rounds as parsing the decimal text does."""
SAMPLE = 16


class Unfit(Exception):
    """These values cannot be a column of their declared type."""


class Column:
    """Packs and unpacks the values of one field, None included where the type allows it."""

    def __init__(
        self, pack: Callable[[Sequence[Any]], Packed], unpack: Callable[[Packed, int], list[Any]]
    ) -> None:
        self._pack = pack
        self._unpack = unpack

    def pack(self, values: Sequence[Any]) -> Packed:
        if None not in values:
            return (None, self._pack(values))
        present = [value is not None for value in values]
        mask = np.packbits(np.array(present, dtype=bool)).tobytes()
        dense = [value for value in values if value is not None]
        return (mask, self._pack(dense) if dense else None)

    def unpack(self, packed: Packed, count: int) -> list[Any]:
        mask, body = packed
        if mask is None:
            return self._unpack(body, count)
        present = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), count=count).astype(bool)
        dense = iter(self._unpack(body, int(present.sum())) if body is not None else ())
        return [next(dense) if here else None for here in present.tolist()]


def pack_ints(values: Sequence[int]) -> Packed:
    array = np.array(values)
    if array.dtype != np.int64:
        raise Unfit("not 64-bit integers")
    return _pack_int_array(array)


def _pack_int_array(array: Ints) -> Packed:
    first = int(array[0])
    deltas = np.diff(array)  # wraps at 64 bits, and the running sum wraps back
    if not deltas.any():
        return (first, 0, 0, b"")
    divisor = int(np.gcd.reduce(deltas))
    if divisor > 1:
        deltas //= divisor
    else:
        divisor = 1
    narrow = np.min_scalar_type(int(deltas.min())), np.min_scalar_type(int(-deltas.max() - 1))
    width = max(kind.itemsize for kind in narrow)
    return (first, divisor, width, deltas.astype(f"<i{width}").tobytes())


def unpack_ints(packed: Packed, count: int) -> list[int]:
    values: list[int] = _unpack_int_array(packed, count).tolist()
    return values


def _unpack_int_array(packed: Packed, count: int) -> Ints:
    first, divisor, width, data = packed
    array = np.empty(count, dtype=np.int64)
    array[0] = first
    if width == 0:
        array[:] = first
        return array
    array[1:] = np.frombuffer(data, dtype=f"<i{width}")
    array[1:] *= divisor
    return np.cumsum(array, out=array)


def pack_floats(values: Sequence[float]) -> Packed:
    array = np.array(values)
    if array.dtype != np.float64:
        raise Unfit("not floats")
    return _pack_float_array(array)


def _pack_float_array(array: Floats) -> Packed:
    decimals = _decimals_of(array)
    if decimals is None:
        planes = array.astype("<f8").view(np.uint8).reshape(-1, 8).T
        return (-1, planes.tobytes())
    digits, scaled = decimals
    return (digits, _pack_int_array(scaled))


def unpack_floats(packed: Packed, count: int) -> list[float]:
    digits, body = packed
    if digits >= 0:
        numbers: list[float] = (_unpack_int_array(body, count) / 10.0**digits).tolist()
        return numbers
    planes = np.frombuffer(body, dtype=np.uint8).reshape(8, count)
    raw: list[float] = np.ascontiguousarray(planes.T).view("<f8").ravel().tolist()
    return raw


def _decimals_of(array: Floats) -> tuple[int, Ints] | None:
    """(d, k) with k / 10**d equal to the array bit by bit, for the smallest d; None where none is."""
    if not np.isfinite(array).all():
        return None
    sample = array[:: max(1, len(array) // SAMPLE)]
    for digits in range(MAX_DECIMALS + 1):
        if _scaled(sample, digits) is not None and (scaled := _scaled(array, digits)) is not None:
            return digits, scaled
    return None


def _scaled(array: Floats, digits: int) -> Ints | None:
    power = 10.0**digits
    with np.errstate(over="ignore"):
        scaled = np.rint(array * power)
    if np.abs(scaled).max() >= EXACT_INT:
        return None
    whole = scaled.astype(np.int64)
    same = (whole / power).view(np.int64) == array.view(np.int64)
    return whole if bool(same.all()) else None


def pack_texts(values: Sequence[str]) -> Packed:
    distinct = list(dict.fromkeys(values))
    if 2 * len(distinct) <= len(values) or len(distinct) == 1:
        return (0, distinct, _pack_places(values, distinct))
    return _pack_counting(values) or (2, list(values))


def _pack_places(values: Sequence[Any], distinct: Sequence[Any]) -> bytes:
    if len(distinct) == 1:
        return b""
    place = {value: index for index, value in enumerate(distinct)}
    places = map(place.__getitem__, values)
    return bytes(places) if len(distinct) <= 256 else np.fromiter(places, dtype="<u4").tobytes()


def _pack_counting(values: Sequence[str]) -> Packed | None:
    """Ids that are one prefix and a plain decimal number; None where they are not."""
    prefix = _shared_prefix(min(values), max(values)).rstrip("0123456789")
    tails = [value[len(prefix) :] for value in values] if prefix else list(values)
    try:
        numbers = list(map(int, tails))
        packed = pack_ints(numbers)
    except (ValueError, Unfit):
        return None
    return (1, prefix, packed) if list(map(str, numbers)) == tails else None


def _shared_prefix(one: str, other: str) -> str:
    """Of a sorted list's ends: the prefix that all of it shares."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(char for char, _ in same)


def unpack_texts(packed: Packed, count: int) -> list[str]:
    how, first, *rest = packed
    if how == 0:
        return _unpack_places(first, rest[0], count)
    if how == 1:
        numbers = map(str, unpack_ints(rest[0], count))
        return [first + number for number in numbers] if first else list(numbers)
    return list(first)


def _unpack_places(distinct: Sequence[Any], places: bytes, count: int) -> list[Any]:
    if len(distinct) == 1:
        return [distinct[0]] * count
    numbers: Sequence[int] = places
    if len(distinct) > 256:
        numbers = np.frombuffer(places, dtype="<u4").tolist()
    return list(map(distinct.__getitem__, numbers))


def pack_flags(values: Sequence[bool]) -> Packed:
    array = np.array(values)
    if array.dtype != np.bool_:
        raise Unfit("not flags")
    return (np.packbits(array).tobytes(),)


def unpack_flags(packed: Packed, count: int) -> list[bool]:
    bits = np.unpackbits(np.frombuffer(packed[0], dtype=np.uint8), count=count)
    flags: list[bool] = bits.astype(bool).tolist()
    return flags


def pack_levels(values: Sequence[Sequence[tuple[float, float]]]) -> Packed:
    """Price levels, any number a side and event."""
    counts = pack_ints(list(map(len, values)))
    pairs = list(chain.from_iterable(values))
    if not pairs:
        return (counts, None, None)
    array = np.array(pairs)
    if array.dtype != np.float64 or array.shape != (len(pairs), 2):
        raise Unfit("not price levels")
    prices, sizes = np.ascontiguousarray(array.T)
    return (counts, _pack_float_array(prices), _pack_float_array(sizes))


def unpack_levels(packed: Packed, count: int) -> list[tuple[tuple[float, float], ...]]:
    counts, prices, sizes = packed
    if prices is None:
        return [()] * count
    ends = [0, *accumulate(unpack_ints(counts, count))]
    pairs = tuple(zip(unpack_floats(prices, ends[-1]), unpack_floats(sizes, ends[-1]), strict=True))
    return [pairs[start:end] for start, end in pairwise(ends)]


def pack_pairs(values: Sequence[tuple[int, int]]) -> Packed:
    firsts, seconds = zip(*values, strict=True)
    return (pack_ints(firsts), pack_ints(seconds))


def unpack_pairs(packed: Packed, count: int) -> list[tuple[int, int]]:
    return list(zip(unpack_ints(packed[0], count), unpack_ints(packed[1], count), strict=True))


def _other(kind: Any) -> Column:
    """Values as they are; the declared type gives tuples back as tuples."""
    listed = list.__class_getitem__(kind)

    def unpack(packed: Packed, _: int) -> list[Any]:
        return msgspec.convert(packed, listed)  # type: ignore[no-any-return]  # a list, by `listed`

    return Column(list, unpack)


def _repeated(kind: Any) -> Column:
    """Few distinct values, made of text alone (equal means identical there)."""
    listed = list.__class_getitem__(kind)

    def pack(values: Sequence[Any]) -> Packed:
        distinct = list(dict.fromkeys(values))
        return (distinct, _pack_places(values, distinct))

    def unpack(packed: Packed, count: int) -> list[Any]:
        return _unpack_places(msgspec.convert(packed[0], listed), packed[1], count)

    return Column(pack, unpack)


_BY_TYPE = {
    int: Column(pack_ints, unpack_ints),
    float: Column(pack_floats, unpack_floats),
    bool: Column(pack_flags, unpack_flags),
    str: Column(pack_texts, unpack_texts),
    tuple[int, int]: Column(pack_pairs, unpack_pairs),
    tuple[tuple[float, float], ...]: Column(pack_levels, unpack_levels),
    tuple[str, ...]: _repeated(tuple[str, ...]),
}


def column_of(kind: Any) -> Column:
    """The column for a field's declared type (`float | None` as `float`)."""
    if get_origin(kind) in (Union, types.UnionType):
        present = [part for part in get_args(kind) if part is not type(None)]
        kind = present[0] if len(present) == 1 else kind
    if get_origin(kind) is Literal and all(isinstance(value, str) for value in get_args(kind)):
        kind = str
    return _BY_TYPE.get(kind) or _other(kind)
