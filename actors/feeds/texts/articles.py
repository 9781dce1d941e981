"""A news item with the score of its title and summary."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from domain.market.reference import NewsItem
from domain.sentiment.scoring import score


class Article(Struct, frozen=True):
    """`id` is the provider's; without one the link stands for it, without a link a hash of the title."""

    stream: str
    title: str | None
    summary: str | None = None
    url: str | None = None
    id: str | None = None
    source: str | None = None
    published_at: int | None = None
    symbols: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """What makes it this article; None where nothing does."""
        if self.id or self.url:
            return self.id or self.url
        if self.title is None:
            return None
        digest = hashlib.blake2b(self.title.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"title:{digest}"


def news_item(provider: str, article: Article, recv: int) -> NewsItem | None:
    """None where it has neither title, link nor id."""
    key = article.key
    if key is None:
        return None
    found = score("\n".join(part for part in (article.title, article.summary) if part))
    return NewsItem(
        provider=provider,
        instrument=article.stream,
        ts_event=recv if article.published_at is None else article.published_at,
        ts_recv=recv,
        id=key,
        title=article.title,
        summary=article.summary,
        url=article.url,
        source=article.source,
        published_at=article.published_at,
        symbols=article.symbols,
        sentiment=found.value,
        sentiment_method=None if found.value is None else found.method,
    )
