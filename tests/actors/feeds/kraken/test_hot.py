"""The short way gives what the long way gives, however the frames are cut into runs."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.kraken import adapter
from domain.clock import NS_PER_S
from tests.actors.feeds.runs import cut, one_by_one
from tests.bench.frames import START_NS, kraken

MADE = kraken(240)
TIME = f"{START_NS / NS_PER_S:.6f}"
ODD_ROWS = [
    [["9999.99000", "nan", TIME]],
    [["-1.00000", "1.0", TIME]],
    [["0.00000", "1.0", TIME]],
    [["1e3", "1.0", TIME]],
    [["9999.99000", "1.0", TIME, "r"]],
    [["9999.99000", "1.0", "soon"]],
    [["٣.1", "1.0", TIME]],
    [],
]
odd = [
    *(
        json.dumps([1, {"b": rows, "c": "7"}, "book-10", "XBT/USD"], separators=(",", ":"))
        for rows in ODD_ROWS
    ),
    '[1,{"as":[],"bs":[],"c":"7"},"book-10","XBT/USD"]',
    '[1,{"b":[["1.0","1.0","' + TIME + '"]],"c":"99999999999"},"book-10","XBT/USD"]',
    '[1,{"b":[["1.0","1.0","' + TIME + '"]]},{"c":"1"},"book-10","XBT/USD"]',
    '[1,[["1.0","-2","' + TIME + '","b","l",""]],"trade","XBT/USD"]',
    '[1,[["1.0","2","' + TIME + '","b","l","x"],["0","2","' + TIME + '","s","l",""]],"trade","XBT/USD"]',
    '[1,{"a":["0",1,"1"],"b":["1.0",1,"1"],"c":["1","1"]},"ticker","XBT/USD"]',
    '[1,{"a":["0",1,"1"],"b":["1.0",1,"1"]},"ticker","XBT/USD"]',
    '{"event":"heartbeat"}',
    '[1,"trade","XBT/USD"]',
]


def reopened(session: Session, now: int) -> list[Effects]:
    return [session.on_close(0, "reset", now), session.on_open(0, now)]


@given(
    drops=st.sets(st.integers(0, 239), max_size=3),
    extras=st.dictionaries(st.integers(0, 239), st.sampled_from([*odd, "close"]), max_size=12),
    again=st.integers(0, 239),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_short_and_long_way_have_the_same_effects_however_runs_are_cut(
    drops: set[int], extras: dict[int, str], again: int, lengths: list[int]
) -> None:
    short, long = (adapter().session(FeedSettings(("BTC-USD.KRAKEN",), book_depth=10)) for _ in "ab")
    frames = list(MADE.opening)
    for number, frame in enumerate(MADE.frames):
        frames += [] if number in drops else [frame]
        frames += [extras[number]] if number in extras else []
        frames += MADE.opening if number == again else []
    received = [(frame, START_NS + number * NS_PER_S) for number, frame in enumerate(frames)]
    for run in cut(received, lengths):
        now = run[-1][1]
        if run[0][0] == "close":
            assert reopened(short, now) == reopened(long, now)
        else:
            assert short.take_frames(0, run) == one_by_one(long, run)
