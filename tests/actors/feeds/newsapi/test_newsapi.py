"""NewsAPI: articles, sources, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import parse_time
from domain.sentiment.scoring import VADER_METHOD, score
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

KEY = "0123456789abcdef0123456789abcdef"


def article(**changed: Any) -> dict[str, Any]:
    return {
        "source": {"id": "acme-wire", "name": "Acme Wire"},
        "author": "A. Writer",
        "title": "Acme (NASDAQ: ACME) downgraded to sell",
        "description": "Analysts cut their price target.",
        "url": "https://acme.example/1",
        "urlToImage": None,
        "publishedAt": "2026-11-02T10:20:30Z",
        "content": "Analysts cut... [+1200 chars]",
    } | changed


def page(*articles: Any) -> dict[str, Any]:
    return {"status": "ok", "totalResults": len(articles), "articles": list(articles)}


@pytest.mark.parametrize("name", ["everything_2020-05-03.json", "GetNews_top_headlines.json"])
def test_every_recorded_article_is_an_item_field_by_field(shared_data: Path, name: str) -> None:
    parsed = parse_recorded(shared_data, "newsapi", f"newsapi/{name}")
    rows = raw(shared_data, f"newsapi/{name}")["articles"]
    assert not parsed.rejects and len(parsed.facts) == len(rows)
    for row, item in zip(rows, parsed.facts, strict=True):
        published = parse_time(row["publishedAt"])
        assert (item.kind, item.provider, item.id, item.url) == ("news", "newsapi", row["url"], row["url"])
        assert (item.ts_event, item.published_at, item.ts_recv) == (published, published, RECV)
        assert item.title == " ".join(row["title"].split()) and item.source == row["source"]["name"]
        letters = (row["source"]["id"] or row["source"]["name"]).upper()
        assert item.instrument == f"NEWSAPI_{letters.replace(' ', '_')}.NEWS"


def test_recorded_sources_are_streams(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "newsapi", "newsapi/sources_en.json")
    rows = raw(shared_data, "newsapi/sources_en.json")["sources"]
    assert not parsed.rejects and len(rows) == 81
    assert [each.venue_symbol for each in parsed.observations] == [row["id"] for row in rows]
    assert {each.asset_class for each in parsed.observations} == {"news"}
    first = parsed.facts[0]
    assert (first.instrument, first.name, first.website) == (
        "NEWSAPI_ABC-NEWS.NEWS",
        "ABC News",
        "https://abcnews.go.com",
    )
    assert (first.country, first.sector) == ("US", "general")


def test_an_item_is_scored_and_names_its_symbols() -> None:
    item = only(parse("newsapi", page(article())))
    text = "Acme (NASDAQ: ACME) downgraded to sell\nAnalysts cut their price target."
    assert (item.sentiment, item.sentiment_method) == (score(text).value, VADER_METHOD)
    assert item.sentiment < -0.5 and item.symbols == ("ACME.US",)
    assert item.summary == "Analysts cut their price target."


def test_a_source_without_an_id_goes_by_its_name_then_its_host() -> None:
    named = only(parse("newsapi", page(article(source={"id": None, "name": "Acme Wire"}))))
    bare = only(parse("newsapi", page(article(source=None))))
    assert named.instrument == "NEWSAPI_ACME_WIRE.NEWS" and bare.instrument == "NEWSAPI_ACME.EXAMPLE.NEWS"
    assert bare.source is None


def test_missing_is_none_and_the_time_received_stands_in() -> None:
    item = only(parse("newsapi", page(article(description=None, publishedAt=None, title=None))))
    assert (item.title, item.summary, item.published_at, item.ts_event) == (None, None, None, RECV)
    assert item.sentiment is None and item.sentiment_method is None


def test_bad_rows_cost_themselves() -> None:
    rows = [
        article(),
        5,
        article(url=None, title=None),
        article(url=7),
        article(publishedAt="soon"),
        article(url="https://b"),
    ]
    parsed = parse("newsapi", page(*rows))
    assert [item.id for item in parsed.facts] == ["https://acme.example/1", "https://b"]
    assert classes(parsed) == ["malformed"] * 4


def test_an_article_comes_once_and_a_removed_one_never() -> None:
    removed = article(title="[Removed]", url="https://removed.com", source={"id": None, "name": "[Removed]"})
    parsed = parse("newsapi", page(article(), removed, article()))
    assert len(said(parsed)) == 1 and not parsed.rejects


def test_an_empty_page_says_nothing() -> None:
    parsed = parse("newsapi", page())
    assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("apiKeyInvalid", "auth"),
        ("apiKeyMissing", "auth"),
        ("apiKeyDisabled", "auth"),
        ("apiKeyExhausted", "throttled"),
        ("rateLimited", "throttled"),
        ("maximumResultsReached", "entitlement"),
        ("upgradeRequired", "entitlement"),
        ("sourceDoesNotExist", "not_found"),
        ("sourcesTooMany", "bad_request"),
        ("parameterInvalid", "bad_request"),
        ("parametersMissing", "bad_request"),
        ("unexpectedError", "upstream"),
        ("somethingNew", "bad_request"),
    ],
)
@pytest.mark.parametrize("status", [200, 401])
def test_errors_have_their_class_by_their_code(code: str, found: str, status: int) -> None:
    body = {"status": "error", "code": code, "message": f"Your API key {KEY} ... {code}"}
    status = 400 if code == "somethingNew" else status
    parsed = parse("newsapi", body, f"/v2/everything?q=a&apiKey={KEY}", status=status)
    assert classes(parsed) == [found]
    assert KEY not in parsed.rejects[0].reason


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("{", "malformed"),
        ("[]", "malformed"),
        ('{"status":"ok"}', "malformed"),
        ('{"status":"ok","articles":5}', "malformed"),
        ("<html><title>502 Bad Gateway</title></html>", "upstream"),
        ("<html>Too Many Requests</html>", "throttled"),
    ],
)
def test_what_is_no_answer_is_refused(body: str, found: str) -> None:
    assert classes(parse("newsapi", body)) == [found]
