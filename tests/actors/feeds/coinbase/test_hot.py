"""The short way gives what the long way gives, however the frames are cut into runs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.coinbase import adapter
from domain.clock import NS_PER_S
from tests.actors.feeds.runs import cut, one_by_one
from tests.bench.frames import START_NS, coinbase

MADE = coinbase(240)
odd = [
    MADE.frames[0].replace("2023", "20x3"),
    MADE.frames[0].replace(".", ","),
    MADE.frames[8].replace('"best_bid":"', '"best_bid":"0","other":"'),
    MADE.frames[8].replace('"time":', '"other":'),
    MADE.frames[8].replace('"price":"', '"price":"-'),
    MADE.frames[16].replace('"changes":[', '"changes":[["hold","1","1"],'),
    MADE.frames[16].replace("BTC-USD", "NEW-USD"),
    MADE.frames[16].replace('Z"', '"'),
    '{"type":"heartbeat","product_id":"BTC-USD","last_trade_id":1050,"time":"2023-11-14T22:13:20Z"}',
    '{"type":"error","message":"rate limit"}',
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
    short, long = (adapter().session(FeedSettings(("BTC-USD.COINBASE",))) for _ in "ab")
    frames = list(MADE.opening)
    for number, frame in enumerate(MADE.frames):
        frames += [] if number in drops else [frame]
        frames += [extras[number]] if number in extras else []
        frames += [*MADE.opening, *MADE.frames[:number:7]] if number == again else []
    received = [(frame, START_NS + number * NS_PER_S) for number, frame in enumerate(frames)]
    for run in cut(received, lengths):
        now = run[-1][1]
        if run[0][0] == "close":
            assert reopened(short, now) == reopened(long, now)
        else:
            assert short.take_frames(0, run) == one_by_one(long, run)
        assert short.on_timer(now) == long.on_timer(now)
