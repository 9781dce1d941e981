"""The short way of v2 gives what the long way gives, however the frames are cut into runs."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.kraken import adapter
from actors.feeds.kraken import session as kraken_session
from actors.feeds.kraken.facts import Reading
from actors.feeds.kraken.parse import read
from domain.clock import NS_PER_S
from tests.actors.feeds.kraken.frames import RECV, TICKER, TIME, book, instrument, levels, trade
from tests.actors.feeds.kraken.frames import text as written
from tests.actors.feeds.runs import cut, one_by_one
from tests.bench.frames import Ladder

MID = 452_840
Pairs = list[tuple[str, str]]


def price(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}"


def proof(ladder: Ladder) -> int:
    """See `actors.feeds.kraken.checksum` for the rule and its source."""
    both = ladder.best("a")[:10] + ladder.best("b")[:10]
    digits = [text.replace(".", "").lstrip("0") for ticks, size in both for text in (price(ticks), size)]
    return crc32("".join(digits).encode())


def whole(ladder: Ladder) -> str:
    bids, asks = ([(price(ticks), size) for ticks, size in ladder.best(side)] for side in "ba")
    return book("snapshot", bids, asks, proof(ladder))


def talk(count: int) -> list[str]:
    """Trades, tickers and book changes of one pair, in turn."""
    ladder = Ladder(MID, 10, Random(7), "%.8f")
    frames = [instrument(), whole(ladder), trade(100, kind="snapshot"), written(TICKER)]
    for number in range(count):
        changes = ladder.change()
        bids, asks = ([(price(at), size) for side, at, size in changes if side == wanted] for wanted in "ba")
        ticker = {**TICKER, "type": "update"}
        frames += [trade(101 + 2 * number, 102 + 2 * number), written(ticker)]
        frames += [book("update", bids, asks, proof(ladder))]
    return frames


TALK = talk(60)
OTHERS = levels("45283.0 0.5"), levels("45285.0 0.5")


def changed(frame: str, **change: Any) -> str:
    decoded = json.loads(frame)
    decoded["data"][0].update(change)
    return json.dumps(decoded)


ODD = [
    '{"channel":"heartbeat"}',
    '{"channel":"trade","type":"update","data":[]}',
    '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","checksum":1}]}',
    '{"channel":"trade","type":"up',
    "[1,2]",
    "",
    trade(100),
    trade(400, 402),
    trade(401, symbol="ETH/USD"),
    book("update", *OTHERS, 7),
    book("update", *OTHERS, None),
    book("update", *OTHERS, 1 << 40),
    book("update", [("4.5283e4", "0.5")], [], None),
    book("update", [("-1.0", "0.5")], [], None),
    book("update", [('"45283.0"', '"0.0"')], [], None),
    book("update", *OTHERS, 7, symbol="XBT/USD"),
    book("update", *OTHERS, 7, symbol="ETH/USD"),
    changed(TALK[5], bid=0.0, ask=None),
    changed(TALK[5], bid=0.0),
    changed(TALK[5], last=-1),
    changed(TALK[5], timestamp=None),
    changed(TALK[5], timestamp="soon"),
    changed(TALK[4], timestamp="soon"),
    changed(TALK[4], symbol="ETH/USD"),
    changed(TALK[6], timestamp=TIME[:-2] + "Z"),
    '[1,[["1.0","2","1618678133.365913","b","l",""]],"trade","XBT/USD"]',
    "close",
]


def opened() -> Session:
    session: Session = adapter().session(FeedSettings(("BTC-USD.KRAKEN",), book_depth=10, backfill_bars=0))
    session.on_start(RECV)
    session.on_open(0, RECV)
    return session


def reopened(session: Session, now: int) -> list[Effects]:
    return [session.on_close(0, "reset", now), session.on_open(0, now)]


@given(
    drops=st.sets(st.integers(4, len(TALK) - 1), max_size=3),
    extras=st.dictionaries(st.integers(0, len(TALK) - 1), st.sampled_from(ODD), max_size=12),
    again=st.integers(0, len(TALK) - 1),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_short_and_long_way_have_the_same_effects_however_runs_are_cut(
    drops: set[int], extras: dict[int, str], again: int, lengths: list[int]
) -> None:
    short, long = opened(), opened()
    frames: list[str] = []
    for number, frame in enumerate(TALK):
        frames += [] if number in drops else [frame]
        frames += [extras[number]] if number in extras else []
        frames += TALK[1:4] if number == again else []
    for run in cut([(frame, RECV + at * NS_PER_S) for at, frame in enumerate(frames)], lengths):
        now = run[-1][1]
        if run[0][0] == "close":
            assert reopened(short, now) == reopened(long, now)
        else:
            assert short.take_frames(0, run) == one_by_one(long, run)
        assert short.on_timer(now) == long.on_timer(now)


def test_what_simply_continues_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    long_way: list[str | bytes] = []

    def noting(payload: str | bytes, *origin: Any) -> Reading:
        long_way.append(payload)
        return read(payload, *origin)

    monkeypatch.setattr(kraken_session, "read", noting)
    effects = opened().take_frames(0, [(frame, RECV) for frame in TALK])
    assert long_way == TALK[:4]
    assert len(effects.observations) == 5 + 60 * 5


def test_a_short_change_that_the_checksum_disproves_breaks_the_book_at_once() -> None:
    session = opened()
    session.take_frames(0, [(frame, RECV) for frame in TALK[:7]])
    effects = session.take_frames(0, [(book("update", *OTHERS, 7), RECV), (TALK[7], RECV)])
    assert [each.kind for each in effects.observations] == ["gap", "trade", "trade"]
    assert [json.loads(frame)["method"] for _, frame in effects.sends] == ["unsubscribe", "subscribe"]
