"""Posts and comments become what they think; of their text and author nothing is kept.

Addresses are those of the number alone (`/comments/46c00m`): a permalink repeats the title. What its author
or a moderator has deleted is left out. Posts on a user's own page are in Reddit's stream: the page bears the
user's name.
"""

from __future__ import annotations

from actors.feeds.base import Origin, Parsed, RejectClass
from actors.feeds.reddit.listings import COMMENT, COMMUNITY, POST, Thing, is_listing, things
from actors.feeds.rest.days import epoch_ns
from actors.feeds.rest.failures import Words, class_of
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from actors.feeds.texts.names import cashtags, stream_of
from actors.feeds.texts.opinions import Message, opinions
from actors.feeds.texts.plain import unescaped
from domain.errors import Malformed
from domain.market.observations import InstrumentInfo

PROVIDER = "reddit"
SITE = "https://www.reddit.com"
DELETED = frozenset({"[deleted]", "[removed]", "[deleted by user]", "[removed by reddit]"})
_WORDS: Words = (
    ("quarantine", "entitlement"),
    ("private", "entitlement"),
    ("forbidden", "entitlement"),
    ("banned", "not_found"),
    ("invalid_grant", "auth"),
    ("invalid_client", "auth"),
    ("unauthorized_client", "auth"),
    ("unsupported_grant_type", "bad_request"),
    ("blocked", "auth"),
)


def read(payload: str | bytes, origin: Origin, key: bytes) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value, key), _WORDS)


def _body(reading: Reading, value: object, key: bytes) -> None:
    listings = value if isinstance(value, list) else [value]
    if listings and all(is_listing(each) for each in listings):
        seen: set[str] = set()
        for listing in listings:
            for number, thing in enumerate(things(listing)):
                reading.one(f"thing {number}", _thing, reading, thing, key, seen)
        return
    body = Row(value)
    if body.raw("error", "message", "errors") is not None:
        _refuse(reading, body)
    elif not body.has("access_token"):
        raise Malformed("neither a listing nor an error")


def _refuse(reading: Reading, body: Row) -> None:
    """`{"message": "Forbidden", "error": 403}`, with or without a reason; `{"error": "invalid_grant"}`."""
    error = body.raw("error")
    said = (body.raw("reason"), body.raw("message"), error, body.raw("error_description"))
    text = ": ".join(str(part) for part in said if isinstance(part, str | int) and str(part).strip())
    found: RejectClass | None = class_of(text, _WORDS)
    status = error if isinstance(error, int) else reading.origin.status
    if found is None and status is not None and 400 <= status < 600:
        found = reject_class(status)
    reading.reject(found or "bad_request", text or "an error without a word")


def _thing(reading: Reading, thing: Thing, key: bytes, seen: set[str]) -> None:
    row = Row(thing.data)
    if thing.kind == COMMUNITY:
        _community(reading, row)
        return
    if thing.kind not in (POST, COMMENT):
        raise Malformed(f"a thing of the kind {thing.kind[:20]!r}")
    name = f"{thing.kind}_{row.must_letters('id')}"
    if name not in seen and not _is_deleted(row):
        seen.add(name)
        message = _message(row, name)
        reading.add(*opinions(PROVIDER, _stream(row), message, reading.recv, key))


def _message(row: Row, name: str) -> Message:
    text = "\n".join(
        part for part in (_part(row, "title"), _part(row, "selftext"), _part(row, "body")) if part
    )
    return Message(
        id=name,
        text=text,
        ts_event=epoch_ns(row.raw("created_utc"), "s"),
        symbols=cashtags(text),
        url=_url(row, name),
    )


def _part(row: Row, field: str) -> str:
    return unescaped(row.raw(field)).strip()


def _is_deleted(row: Row) -> bool:
    """A title may outlive its post; it goes with it."""
    texts = (_part(row, "title"), _part(row, "selftext"), _part(row, "body"))
    marks = (text.lower().replace("[ ", "[").replace(" ]", "]") for text in texts)
    return any(mark in DELETED for mark in marks) or bool(row.raw("removed_by_category"))


def _url(row: Row, name: str) -> str | None:
    kind, _, number = name.partition("_")
    if kind == POST:
        return f"{SITE}/comments/{number}/"
    post = row.raw("link_id")
    return f"{SITE}/comments/{post.removeprefix('t3_')}/_/{number}/" if isinstance(post, str) else None


def _stream(row: Row) -> str:
    community = row.must_letters("subreddit")
    return stream_of(PROVIDER, None if _is_own_page(community) else community)


def _is_own_page(community: str) -> bool:
    return community.lower().startswith("u_")


def _community(reading: Reading, row: Row) -> None:
    name = row.must_letters("display_name")
    if _is_own_page(name):
        return
    # Titles and descriptions of communities name people: they are not kept.
    stream, now = stream_of(PROVIDER, name), reading.recv
    reading.add(InstrumentInfo(PROVIDER, stream, now, now, venue_symbol=name, asset_class="news"))
