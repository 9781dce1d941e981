"""A message of a community to what it thinks: one observation in its source's stream, one per symbol named.

Neither its text nor its author goes further. Of the text a keyed hash remains, which recognises a copy; the
key is the caller's, by default one of this process, so that hashes of two processes do not compare.
"""

from __future__ import annotations

import secrets

from msgspec import Struct

from domain.market.reference import Sentiment
from domain.sentiment.hashing import text_hash
from domain.sentiment.scoring import Label, judge

PROCESS_KEY = secrets.token_bytes(32)


class Message(Struct, frozen=True):
    """`symbols` are instruments; `url` names neither author nor title."""

    id: str
    text: str
    ts_event: int
    tag: Label | None = None
    symbols: tuple[str, ...] = ()
    url: str | None = None


def opinions(provider: str, stream: str, message: Message, recv: int, key: bytes) -> list[Sentiment]:
    found = judge(message.tag, message.text)
    digest = text_hash(message.text, key) if message.text else None
    return [
        Sentiment(
            provider=provider,
            instrument=instrument,
            ts_event=message.ts_event,
            ts_recv=recv,
            id=message.id,
            label=message.tag,
            score=found.value,
            method=found.method,
            text_hash=digest,
            url=message.url,
        )
        for instrument in dict.fromkeys((stream, *message.symbols))
    ]
