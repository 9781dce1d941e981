"""What crosses processes comes out as it went in, and costs bytes instead of objects."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings

from actors.answers import BarRow
from actors.packed import COMPRESSED_FROM_BYTES, PackedBars, PackedEvents
from domain.envelope import Recorded
from tests.builders import a_trade, at
from tests.storage.any_event import any_events


def _recorded(found: list) -> list[Recorded]:
    return [Recorded("market/03", 7 + n, 10**18 + n // 2, event) for n, event in enumerate(found)]


@settings(max_examples=60, deadline=None)
@given(any_events(0, 40))
def test_events_of_every_kind_come_out_as_they_went_in(found):
    packed = PackedEvents(_recorded(found))
    back = pickle.loads(pickle.dumps(packed, 5))
    assert type(back) is PackedEvents
    assert repr(back) == repr(packed)


@pytest.mark.parametrize("vwap", [None, 1.5])
def test_bars_come_out_as_they_went_in(vwap):
    rows = [
        BarRow("p", "A.X", n, n + 1, "1m", 1.0, 2.0, 0.5, 1.5, 9.0, 3, vwap, n < 4, False, n, n == 2)
        for n in range(5)
    ]
    back = pickle.loads(pickle.dumps(PackedBars(rows), 5))
    assert type(back) is PackedBars and back == rows


def test_thousands_of_events_come_out_too_and_shrink():
    trades = [a_trade(100.0 + n, ts=at(n / 100), trade_id=str(n)) for n in range(3_000)]
    packed = PackedEvents(_recorded(trades))
    data = pickle.dumps(packed, 5)
    assert pickle.loads(data) == packed
    assert len(data) < COMPRESSED_FROM_BYTES
