"""Whose feed it is."""

from __future__ import annotations

import pytest

from actors.feeds.base import Origin
from actors.feeds.rss.sources import publisher, source_of
from tests.parsed import RECV


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://www.cnbc.com/id/100003114/device/rss/rss.html", "cnbc"),
        ("https://feeds.bbci.co.uk/news/business/rss.xml", "bbci"),
        ("https://www.smh.com.au/rss/business.xml", "smh"),
        ("http://feeds.feedburner.com/TechCrunch/", "TechCrunch"),
        ("https://adwordsapi.blogspot.com/feeds/posts/default", "adwordsapi"),
        ("https://medium.com/feed/@acme", "@acme"),
        ("https://medium.com/feed", None),
        ("http://127.0.0.1:8000/feed", None),
        ("http://[::1]/feed", None),
        ("http://[", None),
        ("http://localhost/feed", None),
        ("guardian.rss", None),
        ("", None),
    ],
)
def test_the_publisher_of_an_address(address: str, name: str | None) -> None:
    assert publisher(address) == name


def test_what_is_assumed_comes_before_the_address_before_the_feeds_own() -> None:
    links, address = ["https://www.acme.example/"], "https://www.cnbc.com/rss"
    assert source_of(Origin("http", RECV, address, symbol="MINE"), links, "T") == "RSS_MINE.NEWS"
    assert source_of(Origin("http", RECV, address, symbol="RSS_MINE"), links, "T") == "RSS_MINE.NEWS"
    assert source_of(Origin("http", RECV, address), links, "T") == "RSS_CNBC.NEWS"
    assert source_of(Origin("file", RECV, "feed.xml"), links, "T") == "RSS_ACME.NEWS"
    assert source_of(Origin("file", RECV, "feed.xml"), [], "The Wire") == "RSS_THE_WIRE.NEWS"
    assert source_of(Origin("file", RECV, "feed.xml"), [], None) == "RSS.NEWS"
