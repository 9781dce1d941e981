"""RSS and Atom: items field by field, encodings, and what is no feed."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from actors.feeds.base import Origin
from actors.feeds.rss import adapter
from domain.clock import NS_PER_S, parse_time
from domain.sentiment.scoring import VADER_METHOD
from tests.parsed import RECV, classes, only, parse, said

ITEM = "<item><title>T</title><link>https://a.example/1</link></item>"


def rss(*items: str, channel: str = "") -> str:
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}{"".join(items)}</channel></rss>'


def recorded(shared_data: Path, path: str, **told: str) -> list[object]:
    file = shared_data / "rss" / path
    parsed = adapter().parse(file.read_bytes(), Origin("file", RECV, file.name, **told))
    assert not parsed.rejects
    return list(parsed.facts)


@pytest.mark.parametrize(
    ("name", "count", "stream"),
    [
        ("guardian.rss", 55, "RSS_THEGUARDIAN.NEWS"),
        ("encoding.rss", 40, "RSS_JN.NEWS"),
        ("craigslist.rss", 25, "RSS_CRAIGSLIST.NEWS"),
        ("reddit.rss", 24, "RSS_REDDIT.NEWS"),
        ("content-encoded.rss", 7, "RSS_INVIRONMENT.NEWS"),
        ("heraldsun.rss", 2, "RSS_OREILLY.NEWS"),
        ("feedburner.atom", 25, None),
    ],
)
def test_every_item_of_a_recorded_feed_is_news(
    shared_data: Path, name: str, count: int, stream: str | None
) -> None:
    found = recorded(shared_data, f"feeds/{name}")
    assert len(found) == count and len({item.id for item in found}) == count
    assert stream is None or {item.instrument for item in found} == {stream}
    assert all(item.title and item.url and item.ts_recv == RECV for item in found)


def test_items_of_the_guardian_field_by_field(shared_data: Path) -> None:
    found = recorded(shared_data, "feeds/guardian.rss")
    rows = ElementTree.parse(shared_data / "rss/feeds/guardian.rss").getroot().findall("channel/item")
    for item, row in zip(found, rows, strict=True):
        assert (item.id, item.url) == (row.findtext("guid"), row.findtext("link"))
        assert item.title == " ".join((row.findtext("title") or "").split())
        stamp = time.strptime(row.findtext("pubDate") or "", "%a, %d %b %Y %H:%M:%S GMT")
        assert item.published_at == item.ts_event == parse_time(time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp))
        assert "<" not in (item.summary or "") and item.sentiment_method == VADER_METHOD


def test_items_of_an_atom_feed_field_by_field(shared_data: Path) -> None:
    found = recorded(shared_data, "feeds/feedburner.atom")
    atom = "{http://www.w3.org/2005/Atom}"
    rows = ElementTree.parse(shared_data / "rss/feeds/feedburner.atom").getroot().findall(f"{atom}entry")
    for item, row in zip(found, rows, strict=True):
        assert item.id == row.findtext(f"{atom}id")
        assert item.published_at == parse_time(row.findtext(f"{atom}published") or "")
    assert found[1].published_at % NS_PER_S == 1_000_000


def test_a_declared_encoding_is_kept(shared_data: Path) -> None:
    assert (
        recorded(shared_data, "feeds/encoding.rss")[0].title
        == "Mãe de utente é a nova presidente da Raríssimas"
    )


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("chardet_gb2312.xml", "不归移民漫画系列：专业工作"),
        ("chardet_shiftjis.xml", "DrecomRSSに記事投稿が反映されない…"),
    ],
)
def test_an_undeclared_encoding_is_told_by_the_text(shared_data: Path, name: str, title: str) -> None:
    assert recorded(shared_data, f"feedparser_illformed/{name}")[0].title == title


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "windows-1252"]
)
def test_encodings_that_are_declared(encoding: str) -> None:
    name = "utf-16" if encoding.startswith("utf-16") else encoding.removesuffix("-sig")
    body = rss("<item><title>Über 5 £</title></item>").replace("?>", f' encoding="{name}"?>', 1)
    assert only(adapter().parse(body.encode(encoding), Origin("file", RECV))).title == "Über 5 £"


def test_text_of_a_capture_is_not_decoded_again() -> None:
    body = rss("<item><title>Über</title></item>").replace("?>", ' encoding="ISO-8859-1"?>', 1)
    assert only(parse("rss", body)).title == "Über"


def test_a_declaration_that_is_wrong_does_not_count() -> None:
    body = rss("<item><title>Prix élevé à la clôture</title></item>").replace("?>", ' encoding="utf-8"?>', 1)
    assert "élevé" in only(adapter().parse(body.encode("iso-8859-1"), Origin("file", RECV))).title


FOLDERS = ["feedparser_conformance", "feedparser_illformed", "gofeed_conformance"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_conformance_files_give_their_items_or_say_why_not(shared_data: Path, folder: str) -> None:
    for file in sorted((shared_data / "rss" / folder).glob("*.xml")):
        body = file.read_bytes()
        parsed = adapter().parse(body, Origin("file", RECV, file.name))
        plain = re.sub(rb"<!--.*?-->", b"", body, flags=re.DOTALL)
        items = len(re.findall(rb"<(?:item|entry)[\s/>]", plain))
        is_feed = re.search(rb"<(?:rdf:)?(?:rss|feed|RDF)", plain) is not None
        assert len(parsed.facts) + len(parsed.rejects) == (items if is_feed else 1), file.name
        assert set(classes(parsed)) <= {"malformed"}


def test_expected_values_of_the_conformance_files(shared_data: Path) -> None:
    def one(name: str) -> object:
        return recorded(shared_data, name)[0]

    assert (
        one("feedparser_conformance/wellformed_atom10_entry_title_type_default.xml").title == "Example Atom"
    )
    assert one("feedparser_conformance/wellformed_rdf_rss090_item_title.xml").title == "Item title"
    assert one("feedparser_conformance/wellformed_rdf_rdf_item_rdf_about.xml").id == "http://example.org/1"
    permalink = one("feedparser_conformance/wellformed_rss_item_guid_isPermaLink_guidislink.xml")
    assert permalink.id == permalink.url == "http://guid.example.com/"
    guid = one("feedparser_conformance/wellformed_rss_item_guid_not_permalink_not_url.xml")
    assert (guid.id, guid.url) == ("abc", None)
    assert one("feedparser_illformed/rss_item_link_corrupted_ampersands.xml").url == "http://link/get?a=1&b=2"
    assert one("gofeed_conformance/rss_channel_item_links.xml").url == "http://example3.org"


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("<item><title>T</title></item>", True),
        ("<item><link>https://a.example/2</link></item>", True),
        ('<item><guid isPermaLink="false">7</guid></item>', True),
        ("<item><description>only this</description></item>", False),
        ("<item><title> </title></item>", False),
        ("<item/>", False),
    ],
)
def test_an_item_needs_a_title_a_link_or_an_id(item: str, found: bool) -> None:
    parsed = parse("rss", rss(item, ITEM))
    assert len(parsed.facts) == 1 + found and classes(parsed) == ([] if found else ["malformed"])


def test_an_item_comes_once_per_guid_or_link() -> None:
    other = '<item><title>U</title><link>https://a.example/1</link><guid isPermaLink="false">7</guid></item>'
    assert [item.id for item in parse("rss", rss(ITEM, ITEM, other, other)).facts] == [
        "https://a.example/1",
        "7",
    ]


def test_markup_becomes_text_and_links_are_addresses_of_the_web() -> None:
    item = (
        "<item><title>A &lt;b&gt;bold&lt;/b&gt; move &amp;amp; more</title><link>javascript:alert(1)</link>"
        "<description><![CDATA[<p>Up <script>x()</script>5%</p>]]></description></item>"
    )
    found = only(parse("rss", rss(item)))
    assert (found.title, found.summary, found.url) == ("A bold move & more", "Up 5%", None)


def test_a_relative_link_is_one_of_its_address() -> None:
    item = "<item><title>T</title><link>/news/1</link></item>"
    assert (
        only(parse("rss", rss(item), "https://www.acme.example/feed.xml")).url
        == "https://www.acme.example/news/1"
    )


def test_symbols_are_those_that_the_publisher_and_the_text_name() -> None:
    item = (
        "<item><title>Acme (NYSE: ACM) rises</title><nasdaq:tickers>MSFT,AAPL</nasdaq:tickers>"
        '<category domain="https://www.globenewswire.com/rss/stock">Nasdaq:GOOG</category></item>'
    )
    body = rss(item).replace("<rss ", '<rss xmlns:nasdaq="http://nasdaq.com/reference/feeds/1.0" ')
    assert only(parse("rss", body)).symbols == ("MSFT.US", "AAPL.US", "GOOG.US", "ACM.US")


def test_a_news_item_is_scored_with_its_method() -> None:
    found = only(parse("rss", rss("<item><title>Acme downgraded to sell</title></item>")))
    assert found.sentiment < -0.5 and found.sentiment_method == VADER_METHOD


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", "malformed"),
        ("<opml><body/></opml>", "malformed"),
        ("<!-- <rss> -->", "malformed"),
        ("{}", "malformed"),
        ("plain words", "malformed"),
        ("<!DOCTYPE html><html><body>503 <a href='/rss'>rss</a></body></html>", "upstream"),
        ("<html><body>Too many requests<feed></feed></body></html>", "throttled"),
    ],
)
def test_what_is_no_feed_is_refused(body: str, found: str) -> None:
    assert classes(parse("rss", body)) == [found]


@pytest.mark.parametrize("body", ["<rss></rss>", rss(), '<feed xmlns="http://www.w3.org/2005/Atom"/>'])
def test_a_feed_without_items_says_nothing(body: str) -> None:
    parsed = parse("rss", body)
    assert not said(parsed) and not parsed.rejects


def test_a_feed_is_never_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a parser opened a connection")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (tmp_path / "f.rss").write_text(rss(ITEM))
    for body in ("http://127.0.0.1:9/feed", str(tmp_path / "f.rss"), f"file://{tmp_path}/f.rss"):
        for payload in (body, body.encode()):
            assert not said(parse("rss", payload))
    outside = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{tmp_path}/f.rss">]><rss><channel><item><title>&x;a</title></item></channel></rss>'
    assert "https" not in str(said(parse("rss", outside))[0].title)


@pytest.mark.parametrize(
    "body",
    [
        "<rss>" + "<channel>" * 100_000,
        "<rss><channel>" + "<item>" * 20_000,
        "<rss><channel>" + "<!--" * 250_000,
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9))
        + "]><rss><channel><item><title>&j;</title></item></channel></rss>",
        "<rss><channel><item><title>" + "<" * 50_000,
        "<rss><channel><item><title>" + "&" * 50_000 + "</title></item></channel></rss>",
        "<rss><channel><item><pubDate>" + "1" * 50_000 + "</pubDate><title>T</title></item></channel></rss>",
    ],
    ids=[
        "deep",
        "items in items",
        "open comments",
        "entities that grow",
        "open brackets",
        "ampersands",
        "long date",
    ],
)
def test_hostile_feeds_take_no_time(body: str) -> None:
    begun = time.process_time()
    parse("rss", body)
    assert time.process_time() - begun < 5.0
