"""Reddit: posts and comments become opinions, without text, title and author."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.feeds.base import Origin
from actors.feeds.reddit import adapter
from domain.clock import NS_PER_S
from domain.sentiment.hashing import text_hash
from domain.sentiment.scoring import VADER_METHOD
from tests.parsed import RECV, classes, parse, parse_recorded, raw, said


def post(**changed: Any) -> dict[str, Any]:
    data = {
        "id": "abc",
        "subreddit": "Stocks",
        "title": "$GME was downgraded to sell",
        "selftext": "Still holding $AMC &amp; cash.",
        "author": "somebody",
        "permalink": "/r/Stocks/comments/abc/gme_was_downgraded_to_sell/",
        "created_utc": 1_700_000_000.0,
    }
    return {"kind": "t3", "data": data | changed}


def comment(**changed: Any) -> dict[str, Any]:
    data = {
        "id": "c1",
        "subreddit": "Stocks",
        "body": "Great news",
        "link_id": "t3_abc",
        "created_utc": 1_700_000_001,
        "replies": "",
    }
    return {"kind": "t1", "data": data | changed}


def listing(*children: Any) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"children": list(children), "after": None, "before": None}}


@pytest.mark.parametrize(
    ("name", "count", "stream"),
    [
        ("r_askreddit_hot", 102, "REDDIT_ASKREDDIT.NEWS"),
        ("r_askreddit_rising", 100, "REDDIT_ASKREDDIT.NEWS"),
        ("r_all_search", 6, None),
    ],
)
def test_every_recorded_post_is_an_opinion(
    shared_data: Path, name: str, count: int, stream: str | None
) -> None:
    parsed = parse_recorded(shared_data, "reddit", f"reddit/{name}.json")
    rows = [child["data"] for child in raw(shared_data, f"reddit/{name}.json")["data"]["children"]]
    assert not parsed.rejects and len(rows) == count
    found = [each for each in parsed.facts if each.instrument.endswith(".NEWS")]
    assert [(each.id, each.ts_event) for each in found] == [
        (row["name"], int(row["created_utc"]) * NS_PER_S) for row in rows
    ]
    assert [each.instrument for each in found] == [
        stream or f"REDDIT_{row['subreddit'].upper()}.NEWS" for row in rows
    ]
    assert all(
        each.method == VADER_METHOD and -1.0 <= each.score <= 1.0 and each.label is None for each in found
    )


@pytest.mark.parametrize("name", ["r_askreddit_hot", "r_all_search", "comments_2gmzqe"])
def test_nothing_of_text_title_and_author_is_kept(shared_data: Path, name: str) -> None:
    parsed = parse_recorded(shared_data, "reddit", f"reddit/{name}.json")
    printed = msgspec.json.encode(said(parsed)).decode().lower()
    body = raw(shared_data, f"reddit/{name}.json")
    for each in body if isinstance(body, list) else [body]:
        for child in each["data"]["children"]:
            data = child["data"]
            for text in (data.get("title"), data.get("selftext"), data.get("body"), data.get("author")):
                assert not text or len(text) < 6 or json.dumps(text.lower())[1:-1] not in printed
            slug = (data.get("permalink") or "").rstrip("/").rpartition("/")[2].lower()
            assert len(slug) < 6 or slug not in printed


def test_the_recorded_page_of_comments_gives_the_post_and_its_replies(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "reddit", "reddit/comments_2gmzqe.json")
    assert [(each.id, each.url) for each in parsed.facts] == [
        ("t3_2gmzqe", "https://www.reddit.com/comments/2gmzqe/"),
        ("t1_cklfmye", "https://www.reddit.com/comments/2gmzqe/_/cklfmye/"),
        ("t1_cklhv0f", "https://www.reddit.com/comments/2gmzqe/_/cklhv0f/"),
    ]
    assert [each.ts_event // NS_PER_S for each in parsed.facts] == [1410935671, 1411005112, 1411010034]


def test_recorded_communities_are_streams(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "reddit", "reddit/subreddits_search_praw.json")
    rows = raw(shared_data, "reddit/subreddits_search_praw.json")["data"]["children"]
    assert not parsed.rejects and not parsed.facts
    assert [each.venue_symbol for each in parsed.observations] == [
        row["data"]["display_name"] for row in rows
    ]


def test_an_empty_listing_says_nothing(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "reddit", "reddit/empty_listing.json")
    assert not said(parsed) and not parsed.rejects


def test_a_quarantined_community_is_refused(shared_data: Path) -> None:
    assert classes(parse_recorded(shared_data, "reddit", "reddit/quarantined_403.json")) == ["entitlement"]


def test_a_post_counts_for_its_stream_and_each_symbol_it_names() -> None:
    found = parse("reddit", listing(post())).facts
    assert [each.instrument for each in found] == ["REDDIT_STOCKS.NEWS", "GME.US", "AMC.US"]
    assert len({(each.id, each.score, each.text_hash) for each in found}) == 1 and found[0].score < -0.3


def test_the_hash_is_that_of_the_text_under_the_key() -> None:
    found = adapter(b"key").parse(json.dumps(listing(post())), Origin("file", RECV)).facts[0]
    assert found.text_hash == text_hash("$GME was downgraded to sell\nStill holding $AMC & cash.", b"key")


@pytest.mark.parametrize("text", ["[deleted]", "[removed]", "[ Removed by Reddit ]", "[deleted by user]"])
def test_what_was_deleted_is_left_out(text: str) -> None:
    things = listing(post(selftext=text), comment(body=text), comment(id="c2"))
    parsed = parse("reddit", things)
    assert [each.id for each in parsed.facts] == ["t1_c2"] and not parsed.rejects
    assert not parse("reddit", listing(post(removed_by_category="moderator"))).facts


def test_the_page_of_a_user_is_not_named() -> None:
    found = parse("reddit", listing(post(subreddit="u_somebody"))).facts
    assert found[0].instrument == "REDDIT.NEWS"
    assert not said(parse("reddit", listing({"kind": "t5", "data": {"display_name": "u_somebody"}})))


def test_a_number_of_comments_is_no_comment_and_replies_count() -> None:
    more = {"kind": "more", "data": {"count": 7, "children": ["x"]}}
    inner = listing(comment(id="c2"), more)
    parsed = parse("reddit", [listing(post()), listing(comment(replies=inner), comment(id="c3"), more)])
    ids = list(dict.fromkeys(each.id for each in parsed.facts))
    assert ids == ["t3_abc", "t1_c1", "t1_c2", "t1_c3"] and not parsed.rejects


def test_replies_may_nest_deep() -> None:
    thing = comment(id="c0")
    for number in range(1, 100):
        thing = comment(id=f"c{number}", replies=listing(thing))
    assert len(parse("reddit", listing(thing)).facts) == 100


def test_bad_things_cost_themselves_and_copies_come_once() -> None:
    rows = [
        post(),
        5,
        post(id=None),
        post(id="d", created_utc=None),
        {"kind": "t9", "data": {}},
        post(),
        comment(),
    ]
    parsed = parse("reddit", listing(*rows))
    assert list(dict.fromkeys(each.id for each in parsed.facts)) == ["t3_abc", "t1_c1"]
    assert classes(parsed) == ["malformed"] * 4


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"message": "Unauthorized", "error": 401}, "auth"),
        ({"message": "Forbidden", "error": 403}, "entitlement"),
        ({"reason": "private", "message": "Forbidden", "error": 403}, "entitlement"),
        ({"reason": "banned", "message": "Not Found", "error": 404}, "not_found"),
        ({"message": "Not Found", "error": 404}, "not_found"),
        ({"message": "Too Many Requests", "error": 429}, "throttled"),
        ({"message": "Internal Server Error", "error": 500}, "upstream"),
        ({"message": "Bad Request", "error": 400}, "bad_request"),
        ({"error": "invalid_grant"}, "auth"),
        ({"error": "unsupported_grant_type"}, "bad_request"),
        ({"message": "odd"}, "bad_request"),
    ],
)
def test_errors_have_their_class_from_the_body(body: Any, found: str) -> None:
    assert classes(parse("reddit", body, status=200)) == [found]


def test_a_token_is_understood_and_never_told() -> None:
    parsed = parse("reddit", {"access_token": "SECRET", "token_type": "bearer", "expires_in": 3600})
    assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize("body", [[], {}, {"kind": "Listing", "data": {}}, [{"kind": "Listing"}], "{", "5"])
def test_what_is_no_listing_is_malformed(body: Any) -> None:
    assert classes(parse("reddit", body)) == ["malformed"]
