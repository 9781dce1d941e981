"""A pair whose channels run over several sockets: each loses what it carried, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.kraken import adapter
from domain.market.observations import BookDelta, Quote
from tests.actors.feeds.kraken.frames import RECV, TICKER, Venue, instrument, text, trade
from tests.actors.feeds.kraken.talk import change, gaps, ids, kinds, spoilt, venue

BOOK, TRADES, QUOTES = 0, 1, 2
TICKS = text({**TICKER, "type": "update"})


def hear(feed: Session, connection: int, *frames: str) -> Effects:
    return feed.take_frames(connection, [(frame, RECV) for frame in frames])


@pytest.fixture
def made() -> Venue:
    return venue()


@pytest.fixture
def feed(made: Venue) -> Session:
    """As in a recording of three sockets."""
    session: Session = adapter().session(FeedSettings())
    for connection in (BOOK, TRADES, QUOTES):
        session.on_open(connection, RECV)
    hear(session, BOOK, instrument(), made.snapshot())
    hear(session, TRADES, trade(10, 11))
    hear(session, QUOTES, TICKS, TICKS)
    return session


def test_a_lost_book_socket_makes_the_book_unusable_while_trades_go_on(feed: Session, made: Venue) -> None:
    lost = feed.on_close(BOOK, "gone", RECV)
    assert gaps(lost) == [("book", "gone", True, None, None)]
    assert hear(feed, BOOK, change(made, "bids", "99.5", "3")).observations == []
    assert ids(hear(feed, TRADES, trade(12)).observations) == ["12"]
    back = hear(feed, BOOK, made.snapshot(), change(made, "bids", "99.6", "3"))
    assert gaps(back) == [("book", "snapshot", False, None, None)]
    assert isinstance(back.observations[-1], BookDelta)


def test_a_lost_trades_socket_breaks_no_proven_book(feed: Session, made: Venue) -> None:
    assert gaps(feed.on_close(TRADES, "gone", RECV)) == [("trades", "gone", True, None, None)]
    assert kinds(hear(feed, BOOK, change(made, "bids", "99.5", "3"))) == [BookDelta]
    back = hear(feed, TRADES, trade(13))
    assert gaps(back) == [
        ("trades", "restored", False, None, None),
        ("trades", "missing trade ids", True, 12, 12),
    ]


def test_a_lost_ticker_socket_interrupts_quotes_alone(feed: Session, made: Venue) -> None:
    assert gaps(feed.on_close(QUOTES, "gone", RECV)) == [("quotes", "gone", True, None, None)]
    assert kinds(hear(feed, BOOK, change(made, "bids", "99.5", "3"))) == [BookDelta]
    back = hear(feed, QUOTES, TICKS)
    assert isinstance(back.observations[0], Quote)
    assert gaps(back) == [("quotes", "restored", False, None, None)]


def test_a_new_snapshot_is_asked_for_where_the_book_comes_from(feed: Session, made: Venue) -> None:
    hear(feed, TRADES, trade(12))
    broken = hear(feed, BOOK, spoilt(change(made, "bids", "99.5", "3")))
    assert {connection for connection, _ in broken.sends} == {BOOK}


def _v1(channel: str, *bodies: Any) -> str:
    return json.dumps([1, *bodies, channel, "XBT/USD"], separators=(",", ":"))


def test_the_same_holds_for_the_older_protocol() -> None:
    at = "1618678133.365913"
    feed = adapter().session(FeedSettings())
    whole = {"as": [["101.0", "1.0", at]], "bs": [["99.0", "1.0", at]]}
    ticks = {"a": ["101", 1, "1"], "b": ["99", 1, "1"], "c": ["100", "1"]}
    hear(feed, BOOK, _v1("book-10", whole))
    hear(feed, TRADES, _v1("trade", [["100.0", "1.0", at, "b", "l", ""]]), _v1("ticker", ticks))
    assert gaps(feed.on_close(BOOK, "gone", RECV)) == [("book", "gone", True, None, None)]
    assert len(hear(feed, TRADES, _v1("trade", [["100.0", "2.0", at, "b", "l", ""]])).observations) == 1
    assert gaps(hear(feed, BOOK, _v1("book-10", whole))) == [("book", "snapshot", False, None, None)]
    lost = gaps(feed.on_close(TRADES, "gone", RECV))
    assert [each[0] for each in lost] == ["quotes", "trades"]
    back = hear(feed, TRADES, _v1("trade", [["100.0", "3.0", at, "b", "l", ""]]))
    assert gaps(back) == [("trades", "restored", False, None, None)]
