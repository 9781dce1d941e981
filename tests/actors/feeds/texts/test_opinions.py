"""What a message thinks, without its text and author."""

from __future__ import annotations

import msgspec

from actors.feeds.texts.articles import Article, news_item
from actors.feeds.texts.opinions import Message, opinions
from domain.sentiment.hashing import text_hash
from domain.sentiment.scoring import TAG_METHOD, VADER_METHOD

NOW = 1_700_000_000_000_000_000


def test_one_opinion_per_stream_and_symbol() -> None:
    message = Message("7", "to the moon $GME", NOW, symbols=("GME.US", "AMC.US", "GME.US"))
    found = opinions("reddit", "REDDIT_WSB.NEWS", message, NOW + 1, b"key")
    assert [each.instrument for each in found] == ["REDDIT_WSB.NEWS", "GME.US", "AMC.US"]
    assert {(each.id, each.score, each.method, each.text_hash) for each in found} == {
        ("7", found[0].score, VADER_METHOD, text_hash("to the moon $GME", b"key"))
    }
    assert b"moon" not in msgspec.json.encode(found)


def test_a_tag_decides_and_an_empty_text_has_no_hash() -> None:
    (found,) = opinions("stocktwits", "STOCKTWITS.NEWS", Message("7", "", NOW, tag="bearish"), NOW, b"key")
    assert (found.label, found.score, found.method, found.text_hash) == ("bearish", -1.0, TAG_METHOD, None)


def test_an_article_is_known_by_its_id_else_its_link_else_its_title() -> None:
    assert Article("S.NEWS", "t", url="u", id="i").key == "i"
    assert Article("S.NEWS", "t", url="u").key == "u"
    titles = {Article("S.NEWS", title).key for title in ("a", "b")}
    assert len(titles) == 2 and all(key and key.startswith("title:") for key in titles)
    assert news_item("rss", Article("S.NEWS", None, summary="s"), NOW) is None


def test_an_article_without_text_has_no_score_and_no_method() -> None:
    item = news_item("rss", Article("S.NEWS", None, id="7"), NOW)
    assert item is not None and (item.sentiment, item.sentiment_method) == (None, None)
    assert item.ts_event == NOW and item.published_at is None
