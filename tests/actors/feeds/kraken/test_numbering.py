"""A pair whose trades are numbered anew, and trades that carry no number."""

from __future__ import annotations

import json

from actors.feeds.base import Effects
from domain.clock import NS_PER_S, format_time
from domain.market.gaps import RENUMBERED
from tests.actors.feeds.kraken.frames import RECV, text, trade
from tests.actors.feeds.kraken.talk import gaps, ids, say, session

DAY = 86_400


def numbered(*rows: tuple[int, int], kind: str = "update") -> str:
    """(trade id, second) of each."""
    frame = json.loads(trade(*(trade_id for trade_id, _ in rows), kind=kind))
    for row, (_, second) in zip(frame["data"], rows, strict=True):
        row["timestamp"] = format_time(RECV + second * NS_PER_S)
    return text(frame)


def reset(first: int, *, kind: str) -> Effects:
    feed = session()
    say(feed, numbered((50_000, 1), (50_001, 2)))
    rows = [(first + each, DAY + each) for each in range(3)]
    return say(feed, numbered(*rows, kind=kind))


def test_trades_numbered_anew_count_and_the_reset_is_a_gap() -> None:
    for kind in ("update", "snapshot"):
        effects = reset(1, kind=kind)
        assert ids(effects.observations) == ["1", "2", "3"]
        assert gaps(effects) == [
            ("trades", RENUMBERED, True, None, None),
            ("trades", RENUMBERED, False, None, None),
        ]


def test_what_the_reset_gave_away_before_we_listened_is_fetched() -> None:
    effects = reset(4, kind="update")
    assert ids(effects.observations) == ["4", "5", "6"]
    assert gaps(effects) == [("trades", RENUMBERED, True, 1, 3)]
    [request] = effects.requests
    assert f"since={RECV + 2 * NS_PER_S - 1000}" in request.url


def test_trades_before_the_subscription_may_come_from_both_numberings() -> None:
    feed = session()
    say(feed, numbered((50_000, 1), (50_001, 2)))
    both = numbered((1, DAY), (2, DAY + 1), (50_000, 1), (50_001, 2), kind="snapshot")
    effects = say(feed, both)
    assert ids(effects.observations) == ["1", "2"]
    assert effects.requests == []
    assert ids(say(feed, numbered((3, DAY + 2), (50_001, 2))).observations) == ["3"]


def test_repeats_after_a_reconnect_are_no_new_numbering() -> None:
    feed = session()
    say(feed, numbered((10, 1), (11, 2), (12, 3)))
    feed.on_close(0, "reset", RECV)
    effects = say(feed, numbered((10, 1), (11, 2), (12, 3), (13, 4), kind="snapshot"))
    assert ids(effects.observations) == ["13"]
    assert [each for each in gaps(effects) if each[1] == RENUMBERED] == []


def test_trades_with_the_number_zero_have_none_and_are_all_admitted() -> None:
    for nothing in (0, "", None):
        feed = session()
        frame = json.loads(trade(1, 2))
        for row in frame["data"]:
            row["trade_id"] = nothing
        assert ids(say(feed, text(frame), text(frame)).observations) == [None] * 4
