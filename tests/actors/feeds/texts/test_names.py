"""Streams of sources, and the symbols that a text names."""

from __future__ import annotations

import pytest

from actors.feeds.texts.names import MAX_SYMBOLS, cashtags, stream_of, symbols_of_news, ticker_id
from domain.ids import MAX_ID_LENGTH, instrument_id


@pytest.mark.parametrize(
    ("provider", "source", "stream"),
    [
        ("rss", "cnbc", "RSS_CNBC.NEWS"),
        ("reddit", "AskReddit", "REDDIT_ASKREDDIT.NEWS"),
        ("newsapi", "Lifehacker.com", "NEWSAPI_LIFEHACKER.COM.NEWS"),
        ("newsapi", "abc-news-au", "NEWSAPI_ABC-NEWS-AU.NEWS"),
        ("rss", "Financial Times: Home", "RSS_FINANCIAL_TIMES_HOME.NEWS"),
        ("stocktwits", None, "STOCKTWITS.NEWS"),
        ("rss", "  ", "RSS.NEWS"),
    ],
)
def test_a_source_has_a_stream(provider: str, source: str | None, stream: str) -> None:
    assert stream_of(provider, source) == stream


def test_sources_that_an_id_cannot_spell_stay_apart() -> None:
    names = ["新浪财经", "新华网", "Börse", "Borse", "x" * 80, "x" * 81, "...", "/", "é", "\ud800"]
    streams = [stream_of("newsapi", name) for name in names]
    assert len(set(streams)) == len(names)
    assert all(len(instrument_id(stream)) <= MAX_ID_LENGTH for stream in streams)


@pytest.mark.parametrize(
    ("symbol", "found"),
    [
        ("F", "F.US"),
        ("$aapl", "AAPL.US"),
        ("BRK.B", "BRK.B.US"),
        ("BRK-B", "BRK.B.US"),
        ("BTC.X", "BTC-USD.CRYPTO"),
        ("ES_F", None),
        ("WEED.CA", None),
        ("EURUSD", None),
        ("", None),
        ("X" * 90 + ".X", None),
    ],
)
def test_tickers_as_people_write_them(symbol: str, found: str | None) -> None:
    assert ticker_id(symbol) == found


def test_cashtags_are_found_once_each_in_their_order() -> None:
    text = "$GME and $AMC, ($GME)! costs $5, $5k, $USD, US$, $gme, a$F, $TOOLONGX, $BRK.B. $BTC"
    assert cashtags(text) == ("GME.US", "AMC.US", "BRK.B.US", "BTC-USD.CRYPTO")


def test_a_text_names_only_so_many() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert len(cashtags(" ".join(f"$Q{letter}" for letter in letters))) == MAX_SYMBOLS


def test_news_names_listings() -> None:
    text = "Apple Inc. (NASDAQ: AAPL) and Berkshire (NYSE:BRK.B) rose; $AAPL too. Nasdaq: closed. (LSE: VOD)"
    assert symbols_of_news(text) == ("AAPL.US", "BRK.B.US")
