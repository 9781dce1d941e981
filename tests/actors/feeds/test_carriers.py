from __future__ import annotations

from actors.feeds.carriers import BOOK, QUOTES, TRADES, Carriers


def test_a_connection_carries_the_channels_whose_newest_frame_it_brought() -> None:
    carriers = Carriers({BOOK: 0, TRADES: 1, QUOTES: 0})
    assert carriers.on(0) == {BOOK, QUOTES}
    assert carriers.on(1) == {TRADES}
    assert carriers.on(2) == set()


def test_a_channel_that_moves_is_no_longer_carried_by_its_old_connection() -> None:
    carriers = Carriers({BOOK: 0, TRADES: 0})
    carriers[TRADES] = 4
    assert carriers.on(0) == {BOOK}
    assert carriers.on(4) == {TRADES}


def test_a_connection_carries_all_of_an_instrument_only_where_no_other_carries_a_part() -> None:
    assert Carriers({BOOK: 0, TRADES: 0}).only(0)
    assert not Carriers({BOOK: 0, TRADES: 1}).only(0)
    assert not Carriers().only(0)
