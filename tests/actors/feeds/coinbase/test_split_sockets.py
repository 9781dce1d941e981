"""A product whose channels run over several sockets: each loses what it carried, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import Effects, FeedSettings, Session
from actors.feeds.coinbase import adapter
from domain.market.observations import BookDelta, Gap, Quote
from tests.actors.feeds.coinbase.frames import HEARTBEAT, L2UPDATE, MATCH, RECV, SNAPSHOT, TICKER, text
from tests.actors.feeds.coinbase.talk import gaps, match

BOOK, TRADES, QUOTES = 0, 1, 2
TICKS = {**TICKER, "product_id": MATCH["product_id"]}


def hear(feed: Session, connection: int, *frames: dict[str, Any]) -> Effects:
    return feed.take_frames(connection, [(text(frame), RECV) for frame in frames])


@pytest.fixture
def feed() -> Session:
    """As in a recording of three sockets."""
    made: Session = adapter().session(FeedSettings())
    for connection in (BOOK, TRADES, QUOTES):
        made.on_open(connection, RECV)
    hear(made, BOOK, SNAPSHOT, L2UPDATE)
    hear(made, TRADES, match(10), match(11))
    hear(made, QUOTES, TICKS, TICKS)
    return made


def test_a_lost_book_socket_makes_the_book_unusable_while_trades_go_on(feed: Session) -> None:
    lost = feed.on_close(BOOK, "gone", RECV)
    assert gaps(lost.observations) == [("book", True, None, None)]
    assert hear(feed, BOOK, L2UPDATE).observations == []
    assert len(hear(feed, TRADES, match(12)).observations) == 1
    feed.on_open(BOOK, RECV)
    back = hear(feed, BOOK, SNAPSHOT, L2UPDATE)
    assert gaps(back.observations) == [("book", False, None, None)]
    assert isinstance(back.observations[-1], BookDelta)


def test_a_lost_trades_socket_breaks_no_whole_book(feed: Session) -> None:
    lost = feed.on_close(TRADES, "gone", RECV)
    assert gaps(lost.observations) == [("trades", True, None, None)]
    assert [type(each) for each in hear(feed, BOOK, L2UPDATE).observations] == [BookDelta]
    back = hear(feed, TRADES, match(13))
    assert gaps(back.observations) == [("trades", False, None, None), ("trades", True, 12, 12)]


def test_a_lost_ticker_socket_interrupts_quotes_alone(feed: Session) -> None:
    lost = feed.on_close(QUOTES, "gone", RECV)
    assert gaps(lost.observations) == [("quotes", True, None, None)]
    assert [type(each) for each in hear(feed, BOOK, L2UPDATE).observations] == [BookDelta]
    assert len(hear(feed, TRADES, match(12)).observations) == 1
    back = hear(feed, QUOTES, TICKS)
    assert isinstance(back.observations[0], Quote)
    assert gaps(back.observations) == [("quotes", False, None, None)]


def test_a_channel_that_moved_to_another_socket_is_lost_with_that_one(feed: Session) -> None:
    hear(feed, TRADES, SNAPSHOT)
    assert feed.on_close(BOOK, "gone", RECV).observations == []
    lost = feed.on_close(TRADES, "gone", RECV)
    assert {each.channel for each in lost.observations if isinstance(each, Gap)} == {"book", "trades"}


def test_heartbeats_over_the_books_socket_do_not_bring_lost_trades_back(feed: Session) -> None:
    feed.on_close(TRADES, "gone", RECV)
    beat = hear(feed, BOOK, {**HEARTBEAT, "last_trade_id": 11})
    assert gaps(beat.observations) == []


def test_a_new_snapshot_is_asked_for_where_the_book_comes_from(feed: Session) -> None:
    broken = hear(feed, BOOK, {**L2UPDATE, "changes": [["buy", "nan", "1"]]})
    assert {connection for connection, _ in broken.sends} == {BOOK}
