"""`{"response": {"status"}, "messages": [...]}`, `{..., "symbols": [...]}`, `{..., "errors": [...]}`."""

from __future__ import annotations

from actors.feeds.base import Origin, Parsed, RejectClass
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.failures import Words, class_of
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from actors.feeds.texts.names import stream_of, ticker_id
from actors.feeds.texts.opinions import Message, opinions
from actors.feeds.texts.plain import unescaped
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Trending
from domain.sentiment.scoring import Label

PROVIDER = "stocktwits"
STREAM = stream_of(PROVIDER, None)
OWN_VENUE = "STOCKTWITS"
"""Of symbols that are neither a share's in the US nor a coin's: `ES_F`, `WEED.CA`, `EURUSD`."""
TAGS: dict[str, Label] = {"bullish": "bullish", "bearish": "bearish"}
_COIN_CLASSES = frozenset({"cryptocurrency", "crypto"})
_SHARE_CLASSES = frozenset({"stock", "exchangetradedfund", "etf", "equity", ""})
_WORDS: Words = (("not found", "not_found"), ("must be logged in", "auth"), ("authorization", "auth"))


def read(payload: str | bytes, origin: Origin, key: bytes) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, Row(value), key), _WORDS)


def _body(reading: Reading, body: Row, key: bytes) -> None:
    if body.raw("errors") is not None or body.raw("error") is not None:
        _refuse(reading, body)
    elif body.has("messages"):
        seen: set[str] = set()
        reading.each(body.items("messages"), _message, reading, key, seen)
    elif body.has("symbols"):
        for rank, value in enumerate(body.items("symbols"), start=1):
            reading.one(f"place {rank}", _trending, reading, rank, value)
    else:
        raise Malformed("neither messages nor symbols nor errors")


def _refuse(reading: Reading, body: Row) -> None:
    """The status inside the body is the provider's own word; the one of HTTP is not looked at before it."""
    texts = [(_said(each) or "").strip() for each in _list(body.raw("errors")) + _list(body.raw("error"))]
    text = "; ".join(each for each in texts if each)
    status = body.row("response").whole("status") or reading.origin.status
    found: RejectClass | None = class_of(text, _WORDS)
    if found is None and status is not None and status >= 400:
        found = reject_class(status)
    reading.reject(found or "bad_request", text or f"status {status} without a word")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _said(error: object) -> str | None:
    found = error.get("message") if isinstance(error, dict) else error
    return found if isinstance(found, str) else None


def _message(reading: Reading, key: bytes, seen: set[str], row: Row) -> None:
    number = row.whole("id")
    if number is None:
        raise Malformed("id is missing")
    if str(number) in seen:
        return
    named = _symbols(row)
    message = Message(
        id=str(number),
        text=unescaped(row.raw("body")),
        ts_event=zoned_ns(row.raw("created_at")),
        tag=_tag(row),
        symbols=named,
        url=f"https://stocktwits.com/message/{number}",
    )
    seen.add(message.id)
    reading.add(*opinions(PROVIDER, STREAM, message, reading.recv, key))


def _tag(row: Row) -> Label | None:
    entities = row.raw("entities")
    found = entities.get("sentiment") if isinstance(entities, dict) else None
    basic = found.get("basic") if isinstance(found, dict) else found
    return TAGS.get(basic.strip().lower()) if isinstance(basic, str) else None


def _symbols(row: Row) -> tuple[str, ...]:
    """One that cannot be read is left out: the message is still the source's."""
    found: list[str] = []
    for value in row.items("symbols"):
        try:
            found.append(instrument_of(Row(value)))
        except Malformed:
            continue
    return tuple(found)


def instrument_of(row: Row) -> str:
    """`F` -> `F.US`, `BTC.X` -> `BTC-USD.CRYPTO`, `ES_F` -> `ES-F.STOCKTWITS`. Raises Malformed."""
    letters = row.must_letters("symbol").lstrip("$")
    kind = row.raw("instrument_class")
    named = kind.lower().replace(" ", "") if isinstance(kind, str) else ""
    found = ticker_id(letters) if named in _SHARE_CLASSES | _COIN_CLASSES else None
    return found or make_instrument_id(letters.replace("_", "-"), OWN_VENUE)


def _trending(reading: Reading, rank: int, value: object) -> None:
    row = Row(value)
    name = row.raw("title")
    reading.add(
        Trending(
            PROVIDER,
            instrument_of(row),
            reading.recv,
            reading.recv,
            rank=row.whole("rank") or rank,
            list="trending",
            symbol=row.must_letters("symbol"),
            name=name if isinstance(name, str) else None,
            score=row.number("trending_score"),
        )
    )
