"""Names of streams and of what a text is about.

A source has a stream of its own: `RSS_CNBC.NEWS`, `REDDIT_ASKREDDIT.NEWS`. Names in other scripts, and those
too long for an id, end in a hash, so that no two sources share a stream.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from actors.feeds.rest.listings import COINS, CURRENCIES, share
from domain.errors import Malformed
from domain.ids import MAX_ID_LENGTH, make_instrument_id

NEWS = "NEWS"
MAX_SYMBOLS = 20
"""Per text: who names more, names them to be found."""
COIN_TAGS = frozenset({"BTC", "ETH", "XRP", "DOGE", "BNB", "SHIB", "USDT", "USDC"})
"""Cashtags that mean the coin, though funds and companies use some of these letters too."""

_NOT_IN_ID = re.compile(r"[^A-Z0-9.\-]+")
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Z]{1,5}(?:[.-][A-Z])?)(?![\w$])")
_LISTED = re.compile(
    r"\b(?:NASDAQ|NYSE|NYSE American|NYSE Arca|NYSEAMERICAN|AMEX|CBOE)\s?:\s?([A-Z]{1,5}(?:[.-][A-C])?)\b",
    re.IGNORECASE,
)
_COIN = re.compile(r"([A-Z0-9]{1,12})\.X")
_SHARE = re.compile(r"[A-Z]{1,5}(?:[.-][A-C])?")
_HASH_CHARS = 8


def stream_of(provider: str, source: str | None) -> str:
    """`rss`, `CNBC` -> `RSS_CNBC.NEWS`; without a source the provider's own stream, `RSS.NEWS`."""
    prefix = provider.upper()
    if source is None or not source.strip():
        return make_instrument_id(prefix, NEWS)
    name = f"{prefix}_{_slug(source, MAX_ID_LENGTH - len(prefix) - len(NEWS) - 2)}"
    return make_instrument_id(name, NEWS)


def _slug(source: str, limit: int) -> str:
    ascii_text = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode()
    slug = _NOT_IN_ID.sub("_", ascii_text.upper()).strip("_.-")
    if slug and len(slug) <= limit and source.isascii():
        return slug
    digest = hashlib.blake2b(
        source.encode("utf-8", "surrogatepass"), digest_size=_HASH_CHARS // 2
    ).hexdigest()
    return f"{slug[: limit - _HASH_CHARS - 1]}-{digest.upper()}".strip("-")


def ticker_id(symbol: str) -> str | None:
    """As people write it: `F` -> `F.US`, `BRK.B` -> `BRK.B.US`, `BTC.X` -> `BTC-USD.CRYPTO`; else None."""
    letters = symbol.strip().lstrip("$").upper()
    coin = _COIN.fullmatch(letters)
    try:
        if coin is not None:
            return make_instrument_id(f"{coin[1]}-USD", COINS)
        return share(letters) if _SHARE.fullmatch(letters) else None
    except Malformed:
        return None


def symbols_of_news(text: str) -> tuple[str, ...]:
    """Ids of what a text names without doubt: `(NASDAQ: AAPL)` and cashtags, each once."""
    listed = (ticker_id(letters) for letters in _LISTED.findall(text) if letters.isupper())
    return tuple(dict.fromkeys((*(found for found in listed if found), *cashtags(text))))[:MAX_SYMBOLS]


def cashtags(text: str) -> tuple[str, ...]:
    """Ids of the `$TICKER`s of a text in capitals, each once, in their order. Amounts (`$USD`) are none."""
    found: dict[str, None] = {}
    for letters in _CASHTAG.findall(text):
        symbol = f"{letters}.X" if letters in COIN_TAGS else letters
        instrument = None if letters in CURRENCIES else ticker_id(symbol)
        if instrument is not None and len(found) < MAX_SYMBOLS:
            found[instrument] = None
    return tuple(found)
