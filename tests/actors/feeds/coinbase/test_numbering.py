"""A product whose trades are numbered anew: a gap, new marks, and no trade lost."""

from __future__ import annotations

from typing import Any

from actors.feeds.coinbase.market import REVEAL_GRACE_NS
from actors.feeds.line import HOLD_NS
from domain.clock import NS_PER_S, format_time
from domain.market.gaps import RENUMBERED
from domain.market.observations import Gap, Observation
from tests.actors.feeds.coinbase.frames import HEARTBEAT, RECV, text
from tests.actors.feeds.coinbase.talk import answer, gaps, ids, match, rows, say, sent, session

DAY = 86_400


def numbered(trade_id: int, second: int) -> dict[str, Any]:
    return {**match(trade_id), "time": format_time(RECV + second * NS_PER_S)}


def beat(last: int, second: int) -> dict[str, Any]:
    return {**HEARTBEAT, "last_trade_id": last, "time": format_time(RECV + second * NS_PER_S)}


def reasons(observations: list[Observation]) -> list[str]:
    return [each.reason for each in observations if isinstance(each, Gap) and each.opened]


def test_trades_numbered_anew_count_and_the_reset_is_a_gap() -> None:
    feed = session()
    say(feed, numbered(50_000, 1), numbered(50_001, 2))
    told = say(feed, numbered(1, DAY), numbered(2, DAY + 1), numbered(3, DAY + 2), now=RECV + DAY * NS_PER_S)
    assert ids(told) == ["1", "2", "3"]
    assert reasons(told) == [RENUMBERED]
    assert ids(say(feed, numbered(50_001, 2), numbered(3, DAY + 2), numbered(4, DAY + 3))) == ["4"]


def test_what_the_reset_gave_away_before_we_listened_is_fetched() -> None:
    feed = session()
    say(feed, numbered(50_000, 1))
    frames = [(text(numbered(each, DAY + each)), RECV + DAY * NS_PER_S) for each in (4, 5)]
    effects = feed.take_frames(0, frames)
    assert gaps(effects.observations) == [("trades", True, 1, 3)]
    [request] = effects.requests
    assert request.url.endswith("after=4")
    newer = rows(3, 2, 1).replace("2014-11-07T08:19:27.028459Z", format_time(RECV + DAY * NS_PER_S))
    filled = answer(feed, request, newer)
    assert ids(filled.observations) == ["1", "2", "3"]
    assert gaps(filled.observations) == [("trades", False, 1, 3)]


def test_a_heartbeat_of_the_new_numbering_confirms_its_first_trade() -> None:
    feed = session()
    say(feed, numbered(50_000, 1))
    assert ids(say(feed, numbered(1, DAY))) == []
    assert ids(say(feed, beat(1, DAY + 1))) == ["1"]
    assert ids(say(feed, numbered(2, DAY + 2))) == ["2"]


def test_a_first_trade_that_nothing_follows_counts_after_a_while() -> None:
    feed = session()
    say(feed, numbered(50_000, 1))
    now = RECV + DAY * NS_PER_S
    assert ids(say(feed, numbered(1, DAY), now=now)) == []
    assert ids(feed.on_timer(now + HOLD_NS).observations) == ["1"]


def test_heartbeats_that_stay_below_the_mark_are_a_reset_and_one_is_only_late() -> None:
    feed = session()
    say(feed, numbered(50_000, 1))
    now = RECV + DAY * NS_PER_S
    assert say(feed, beat(49_999, DAY), now=now) == []
    assert say(feed, beat(50_000, DAY + 1), now=now + REVEAL_GRACE_NS) == []
    assert say(feed, beat(2, DAY + 2), now=now + 2 * REVEAL_GRACE_NS) == []
    told = say(feed, beat(2, DAY + 4), now=now + 3 * REVEAL_GRACE_NS)
    assert gaps(told) == [("trades", True, 1, 2)]
    assert ids(say(feed, numbered(3, DAY + 5))) == ["3"]


def test_a_newest_id_of_zero_says_that_nothing_was_traded() -> None:
    for nothing in (0, "", None):
        feed = session()
        told = say(feed, {**HEARTBEAT, "last_trade_id": nothing, "time": "0001-01-01T00:00:00Z"}, match(500))
        assert gaps(told) == []
        assert ids(told) == ["500"]
        assert gaps(say(feed, {**HEARTBEAT, "last_trade_id": nothing}, match(501))) == []


def test_a_heartbeat_without_a_time_keeps_the_connection() -> None:
    feed = session()
    feed.on_open(0, RECV)
    for second in range(30):
        now = RECV + second * NS_PER_S
        say(feed, {**HEARTBEAT, "last_trade_id": 0, "time": ""}, now=now)
        assert feed.on_timer(now).reconnects == []
    assert sent(feed.on_timer(RECV + 30 * NS_PER_S)) != [], "the snapshot is asked for again"
