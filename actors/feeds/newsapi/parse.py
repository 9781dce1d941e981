"""`{"status": "ok", "articles": [...]}`, `{..., "sources": [...]}`, `{"status": "error", "code", "message"}`.

An article has no id: its address is one. Its text is cut by the provider ("[+1234 chars]") and not kept.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from actors.feeds.base import Origin, Parsed, RejectClass
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.numbers import is_absent
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.texts.articles import Article, news_item
from actors.feeds.texts.names import stream_of, symbols_of_news
from actors.feeds.texts.plain import plain_text
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo
from domain.market.reference import Profile

PROVIDER = "newsapi"
CODES: dict[str, RejectClass] = {
    "apikeydisabled": "auth",
    "apikeyinvalid": "auth",
    "apikeymissing": "auth",
    "apikeyexhausted": "throttled",
    "ratelimited": "throttled",
    "maximumresultsreached": "entitlement",
    "upgraderequired": "entitlement",
    "corsnotallowed": "entitlement",
    "sourcedoesnotexist": "not_found",
    "unexpectederror": "upstream",
    "unexpectedparameter": "bad_request",
    "parameterinvalid": "bad_request",
    "parametersmissing": "bad_request",
    "parametersincompatible": "bad_request",
    "sourcestoomany": "bad_request",
    "sourceunavailable": "upstream",
}
"""newsapi.org/docs/errors, in lower case."""
_WORDS: Words = tuple(CODES.items())
REMOVED = "[Removed]"
"""What stands in every field of an article that its publisher has taken back."""


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, Row(value)), _WORDS)


def _body(reading: Reading, body: Row) -> None:
    if body.raw("status") == "error" or body.raw("code") is not None:
        _refuse(reading, body)
    elif body.has("articles"):
        seen: set[str] = set()
        reading.each(body.items("articles"), _article, reading, seen)
    elif body.has("sources"):
        reading.each(body.items("sources"), _source, reading)
    else:
        raise Malformed("neither articles nor sources nor an error")


def _refuse(reading: Reading, body: Row) -> None:
    code, message = body.raw("code"), body.raw("message")
    text = ": ".join(part for part in (code, message) if isinstance(part, str) and part.strip())
    found = CODES.get(code.lower()) if isinstance(code, str) else None
    if found is not None:
        reading.reject(found, text or "an error without a word")
    else:
        reading.reject_as(refusal(text, reading.origin))


def _article(reading: Reading, seen: set[str], row: Row) -> None:
    title, url = plain_text(row.raw("title")), _text(row, "url")
    if title == REMOVED or url == "https://removed.com":
        return
    source = row.row("source")
    summary = plain_text(row.raw("description"))
    name = _text(source, "name")
    item = news_item(
        PROVIDER,
        Article(
            stream=stream_of(PROVIDER, _text(source, "id") or name or _host(url)),
            title=title,
            summary=summary,
            url=url,
            source=name,
            published_at=_published(row),
            symbols=symbols_of_news(f"{title or ''} {summary or ''}"),
        ),
        reading.recv,
    )
    if item is None:
        raise Malformed("an article with neither title nor url")
    if item.id not in seen:
        seen.add(item.id)
        reading.add(item)


def _published(row: Row) -> int | None:
    value = row.raw("publishedAt")
    return None if is_absent(value) else zoned_ns(value)


def _source(reading: Reading, row: Row) -> None:
    letters = row.must_letters("id")
    stream = stream_of(PROVIDER, letters)
    now = reading.recv
    reading.add(
        InstrumentInfo(PROVIDER, stream, now, now, venue_symbol=letters, asset_class="news"),
        Profile(
            PROVIDER,
            stream,
            now,
            now,
            name=_text(row, "name"),
            symbol=letters,
            country=(_text(row, "country") or "").upper() or None,
            sector=_text(row, "category"),
            website=_text(row, "url"),
            description=plain_text(row.raw("description")),
        ),
    )


def _text(row: Row, name: str) -> str | None:
    value = row.raw(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{name}: no text")
    return value.strip() or None


def _host(url: str | None) -> str | None:
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None
