"""The recording of 2021: WebSocket v1, ten books of 1,000 levels, each update with its checksum."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.kraken import adapter
from actors.feeds.kraken.session import KrakenSession
from domain.market.observations import BookDelta, BookSnapshot, Gap, Level, Observation

CHECKED_UPDATES = 4269
Frames = list[tuple[str, int]]


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> Frames:
    lines = (shared_data / "captures" / "kraken_v1.jsonl").read_text().splitlines()
    return [(line["frame"], line["ts_recv"]) for line in map(json.loads, lines)]


def play(feed: Session, frames: Frames) -> Effects:
    total = Effects()
    feed.on_start(frames[0][1])
    feed.on_open(0, frames[0][1])
    for frame, now in frames:
        for effects in (feed.on_timer(now), feed.on_frame(0, frame, now)):
            total.observations += effects.observations
            total.rejects += effects.rejects
            total.resynced += effects.resynced
            total.sends += effects.sends
    return total


def kinds(observations: list[Observation]) -> dict[str, int]:
    return dict(Counter(each.kind for each in observations))


def change(
    side: dict[float, float], levels: tuple[Level, ...], worst: Callable[[Iterable[float]], float]
) -> None:
    for price, size in levels:
        side[price] = size
        if size == 0:
            del side[price]
    while len(side) > 1000:
        del side[worst(side)]


def fold(observations: list[Observation]) -> dict[str, tuple[dict[float, float], dict[float, float]]]:
    """Instrument -> (bids, asks), kept the plain way: apply, delete zeros, cut to the depth."""
    books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
    for each in observations:
        if isinstance(each, BookSnapshot):
            assert each.depth == 1000
            books[each.instrument] = dict(each.bids), dict(each.asks)
        elif isinstance(each, BookDelta):
            bids, asks = books[each.instrument]
            change(bids, each.bids, worst=min)
            change(asks, each.asks, worst=max)
    return books


@pytest.fixture(scope="module")
def played(frames: Frames) -> tuple[KrakenSession, Effects]:
    feed = KrakenSession(FeedSettings())
    return feed, play(feed, frames)


def test_every_checksum_of_the_recording_matches(played: tuple[KrakenSession, Effects]) -> None:
    _, total = played
    assert kinds(total.observations) == {
        "quote": 18,
        "ticker": 18,
        "book_snapshot": 10,
        "book_delta": CHECKED_UPDATES,
        "trade": 10,
    }
    deltas = [each for each in total.observations if isinstance(each, BookDelta)]
    assert all(each.checksum is not None and each.sequence is None for each in deltas)
    assert (total.rejects, total.resynced, total.sends) == ([], [], [])


def test_the_final_books_are_whole_and_not_crossed(played: tuple[KrakenSession, Effects]) -> None:
    books = fold(played[1].observations)
    assert len(books) == 10
    assert "BTC-CHF.KRAKEN" in books
    for instrument, (bids, asks) in books.items():
        best_bid, best_ask = max(bids), min(asks)
        assert best_bid < best_ask < best_bid * 1.05, instrument
        assert min(*bids.values(), *asks.values()) > 0
        assert 10 < len(bids) <= 1000 and 10 < len(asks) <= 1000


def test_the_sessions_own_books_hold_the_same_levels(played: tuple[KrakenSession, Effects]) -> None:
    feed, total = played
    for instrument, sides in fold(total.observations).items():
        kept = feed._pairs[instrument].book
        assert kept is not None
        for texts, side in zip(kept.levels(), sides, strict=True):
            assert {float(price): float(size) for price, size in texts} == side


def spoil(frames: Frames, pair: str, skip: int) -> tuple[Frames, int]:
    """The recording with one wrong checksum: that of the pair's update number `skip`."""
    updates = [index for index, (frame, _) in enumerate(frames) if f'"{pair}"]' in frame and '"c":"' in frame]
    index = updates[skip]
    frame, now = frames[index]
    head, _, tail = frame.rpartition('"c":"')
    spoilt = (head + '"c":"' + ("1" if tail[0] != "1" else "2") + tail[1:], now)
    return [*frames[:index], spoilt, *frames[index + 1 :]], len(updates) - skip


def test_a_wrong_checksum_makes_that_book_unusable_and_asks_for_a_new_snapshot(frames: Frames) -> None:
    spoilt, lost = spoil([each for each in frames if '"ticker"' not in each[0]], "XBT/CHF", 50)
    total = play(adapter().session(FeedSettings()), spoilt)
    [gap] = [each for each in total.observations if isinstance(each, Gap)]
    assert (gap.instrument, gap.channel, gap.reason, gap.opened) == (
        "BTC-CHF.KRAKEN",
        "book",
        "checksum",
        True,
    )
    assert kinds(total.observations)["book_delta"] == CHECKED_UPDATES - lost
    assert total.resynced == []
    unsubscribe, subscribe = [json.loads(frame) for _, frame in total.sends[:2]]
    assert unsubscribe == {
        "event": "unsubscribe",
        "pair": ["XBT/CHF"],
        "subscription": {"name": "book", "depth": 1000},
    }
    assert subscribe == {**unsubscribe, "event": "subscribe"}


def test_the_snapshot_that_follows_closes_the_gap(frames: Frames) -> None:
    spoilt, _ = spoil(frames, "XBT/CHF", 50)
    snapshot = next(each for each in frames if '"as"' in each[0] and '"XBT/CHF"]' in each[0])
    feed = adapter().session(FeedSettings())
    play(feed, spoilt)
    effects = feed.on_frame(0, snapshot[0], frames[-1][1])
    assert effects.resynced == [("BTC-CHF.KRAKEN", "book")]
    assert kinds(effects.observations) == {"book_snapshot": 1, "gap": 1}


def test_lost_updates_are_noticed_once_they_matter_for_the_best_ten_levels(frames: Frames) -> None:
    updates = [index for index, (frame, _) in enumerate(frames) if '"XBT/CHF"]' in frame and '"c":"' in frame]
    lost = set(updates[10:40])
    total = play(
        adapter().session(FeedSettings()), [each for index, each in enumerate(frames) if index not in lost]
    )
    gaps = [(each.instrument, each.reason) for each in total.observations if isinstance(each, Gap)]
    assert gaps == [("BTC-CHF.KRAKEN", "checksum")]


def test_a_recording_that_begins_in_the_middle_waits_for_snapshots(frames: Frames) -> None:
    updates = [each for each in frames if '"c":"' in each[0]]
    total = play(adapter().session(FeedSettings()), updates[:500])
    assert total.observations == []
    assert total.rejects == []


@pytest.mark.slow
def test_cutting_the_recording_anywhere_never_raises(frames: Frames) -> None:
    for cut in range(1, 60):
        feed = adapter().session(FeedSettings())
        for frame, now in frames[:200]:
            feed.on_frame(0, frame[: len(frame) * cut // 60], now)
