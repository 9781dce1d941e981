"""Stored bars as PostgreSQL sends them: told apart and cut before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.read_models.bars import Starts, Told

RUN = """
SELECT string_agg(
    int8send(ts_event) || int8send(ts_recv) || float8send(open) || float8send(high) || float8send(low)
    || float8send(close) || float8send(volume) || int8send(trades) || float8send(vwap) || int8send(marks)
    || int4send(octet_length(provider)) || textsend(provider), '')
FROM (
    SELECT ts_event, ts_recv, open, high, low, close, volume, coalesce(trades, 0) AS trades,
        coalesce(vwap, 'NaN') AS vwap, provider,
        revision * 8 + closed::int * 4 + adjusted::int * 2 + tainted::int AS marks
    FROM bars
    WHERE instrument = $1 AND "interval" = $2 AND ts_event >= $3 AND ts_event < $4
    ORDER BY ts_event LIMIT $5
) run
"""
"""All bars as one value, null where there is none: nothing is decoded of what is not used."""
_FORM = np.dtype(
    [
        *(("ts_event", ">i8"), ("ts_recv", ">i8")),
        *(("open", ">f8"), ("high", ">f8"), ("low", ">f8"), ("close", ">f8"), ("volume", ">f8")),
        *(("trades", ">i8"), ("vwap", ">f8"), ("marks", ">i8"), ("named", ">i4")),
    ]
)
"""Of a bar up to its provider's name, which has `named` bytes."""
_NAME_AT = _FORM.itemsize
_NAMED_AT = _NAME_AT - 4


class SentRun:
    """What `RUN` has answered."""

    def __init__(self, instrument: str, interval: str, sent: bytes) -> None:
        self._instrument = instrument
        self._interval = interval
        self._sent = sent
        self._begins = _begins(sent)
        self.starts: Starts = self._fixed(0, len(self._begins) - 1)["ts_event"].astype(np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    def key(self, first: int, last: int) -> bytes:
        return self._sent[self._begins[first] : self._begins[last]]

    def told(self, first: int, last: int) -> list[Told]:
        bounds = pairwise(self._begins[first : last + 1])
        names = (self._sent[begin + _NAME_AT : end].decode() for begin, end in bounds)
        fixed: list[tuple[Any, ...]] = self._fixed(first, last).tolist()
        about = self._instrument, self._interval
        return [_told(name, *about, row) for name, row in zip(names, fixed, strict=True)]

    def _fixed(self, first: int, last: int) -> NDArray[Any]:
        """(last - first,) of `_FORM`."""
        begins = self._begins
        if isinstance(begins, range):
            return np.ndarray((last - first,), _FORM, self._sent, begins[first], (begins.step,))
        parts = (self._sent[begin : begin + _NAME_AT] for begin in begins[first:last])
        return np.frombuffer(b"".join(parts), _FORM)


def _told(name: str, instrument: str, interval: str, row: tuple[Any, ...]) -> Told:
    start, received, opened, high, low, close, volume, trades, vwap, marks, _ = row
    average = vwap if vwap == vwap else None
    last = (marks & 4 > 0, marks & 2 > 0, marks >> 3, marks & 1 > 0)
    return (
        name,
        instrument,
        start,
        received,
        interval,
        opened,
        high,
        low,
        close,
        volume,
        trades,
        average,
        *last,
    )


def _begins(sent: bytes) -> Sequence[int]:
    """Where each bar begins, and where the last one ends: nearly always all providers' names are as long."""
    named = int.from_bytes(sent[_NAMED_AT:_NAME_AT])
    step = _NAME_AT + named
    if len(sent) % step == 0:
        lengths: NDArray[Any] = np.ndarray((len(sent) // step,), ">i4", sent, _NAMED_AT, (step,))
        if (lengths == named).all():
            return range(0, len(sent) + 1, step)
    begins = [0]
    while begins[-1] < len(sent):
        name_at = begins[-1] + _NAME_AT
        begins.append(name_at + int.from_bytes(sent[name_at - 4 : name_at]))
    return begins
