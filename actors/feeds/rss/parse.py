"""One feed to news items: an item per guid or link, in the feed's order.

Titles and summaries become plain text, so that no markup of a publisher reaches a browser through us.
"""

from __future__ import annotations

import io
import re
from typing import Any

import feedparser

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.failures import refuse
from actors.feeds.rest.listings import US_NAMES
from actors.feeds.rest.reading import Reading, not_json
from actors.feeds.rss.dates import feed_time
from actors.feeds.rss.encodings import encoding_of
from actors.feeds.rss.sources import PROVIDER, source_of
from actors.feeds.texts.articles import Article, news_item
from actors.feeds.texts.names import symbols_of_news, ticker_id
from actors.feeds.texts.plain import plain_text
from domain.errors import Malformed

MAX_BYTES = 32 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_ROOT = re.compile(rb"<(?:[A-Za-z][\w.-]*:)?(rss|feed|RDF|channel)[\s/>]", re.IGNORECASE)
_IS_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    body = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
    if len(body) > MAX_BYTES:
        reading.reject("malformed", f"a feed of more than {MAX_BYTES} bytes")
        return reading.end()
    if not _is_feed(body):
        reading.reject_as(_no_feed(payload, origin))
        return reading.end()
    try:
        _feed(reading, _parsed(body, is_text=isinstance(payload, str), origin=origin))
    except Malformed as error:
        reading.reject("malformed", str(error))
    return reading.end()


def _is_feed(body: bytes) -> bool:
    """By its root, whatever else is wrong with it. UTF-16 is seen through its zero bytes."""
    head = _COMMENT.sub(b"", body[:_HEAD_BYTES].replace(b"\x00", b""))
    root = _ROOT.search(head)
    return root is not None and b"<html" not in head[: root.start()].lower()


def _no_feed(payload: str | bytes, origin: Origin) -> Any:
    text = payload if isinstance(payload, str) else payload[:4096].decode(errors="replace")
    if "<" in text and "<html" not in text.lower() and "<!doctype html" not in text.lower():
        return refuse("malformed", "neither RSS nor Atom", origin)
    return not_json(payload, origin, "neither RSS nor Atom")


def _parsed(body: bytes, *, is_text: bool, origin: Origin) -> Any:
    """feedparser's answer. Raises Malformed."""
    charset = "utf-8" if is_text else encoding_of(body)
    headers = {"content-type": "application/xml" + (f"; charset={charset}" if charset else "")}
    if _IS_ADDRESS.match(origin.endpoint):
        headers["content-location"] = origin.endpoint
    try:
        # Only a stream is never taken for an address or a path.
        return feedparser.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False)
    except Exception as error:  # noqa: BLE001  # it meets bytes nobody foresaw with errors of any kind
        raise Malformed(f"feedparser gave up: {type(error).__name__}: {error}") from None


def _feed(reading: Reading, found: Any) -> None:
    feed = found.get("feed") or {}
    title = plain_text(feed.get("title"))
    stream = source_of(reading.origin, _links(feed), title)
    seen: set[str] = set()
    for number, entry in enumerate(found.get("entries") or ()):
        reading.one(f"item {number}", _entry, reading, entry, stream, title, seen)


def _links(feed: Any) -> list[str]:
    """The feed's site first, then its other addresses."""
    others = [link.get("href") for link in feed.get("links") or () if hasattr(link, "get")]
    return [each for each in (feed.get("link"), *others) if isinstance(each, str)]


def _entry(reading: Reading, entry: Any, stream: str, feed_title: str | None, seen: set[str]) -> None:
    title = plain_text(entry.get("title"))
    summary = plain_text(entry.get("summary")) or _content(entry)
    link = _text(entry.get("link"))
    source = entry.get("source")
    named = plain_text(source.get("title")) if hasattr(source, "get") else None
    item = news_item(
        PROVIDER,
        Article(
            stream=stream,
            title=title,
            summary=summary,
            url=link if link is not None and _IS_ADDRESS.match(link) else None,
            id=_text(entry.get("id")) or link,
            source=named or feed_title,
            published_at=_published(entry),
            symbols=_symbols(entry, f"{title or ''} {summary or ''}"),
        ),
        reading.recv,
    )
    if item is None:
        raise Malformed("an item with neither title, link nor id")
    if item.id not in seen:
        seen.add(item.id)
        reading.add(item)


def _content(entry: Any) -> str | None:
    parts = entry.get("content") or ()
    return next(
        (text for part in parts if hasattr(part, "get") if (text := plain_text(part.get("value")))), None
    )


def _published(entry: Any) -> int | None:
    for name in ("published", "updated", "created"):
        if name in entry:
            found = feed_time(entry.get(name), entry.get(f"{name}_parsed"))
            if found is not None:
                return found
    return None


def _symbols(entry: Any, text: str) -> tuple[str, ...]:
    """What the publisher lists (Nasdaq's `tickers`, categories like `Nasdaq:AAPL`), then the text."""
    listed = entry.get("nasdaq_tickers")
    letters = listed.split(",") if isinstance(listed, str) else []
    for tag in entry.get("tags") or ():
        exchange, mark, symbol = str(tag.get("term") or "").partition(":")
        if mark and re.sub(r"[^A-Z]", "", exchange.upper()) in US_NAMES:
            letters.append(symbol)
    found = (ticker_id(each) for each in letters)
    return tuple(dict.fromkeys((*(each for each in found if each), *symbols_of_news(text))))


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
