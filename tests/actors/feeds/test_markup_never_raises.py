"""No damage to recorded XML, feeds and submissions makes their parser raise."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.feeds.base import Origin
from actors.feeds.registry import load_parser
from domain.ids import instrument_id
from tests.parsed import RECV, said

MAX_BYTES = 40_000
SUFFIXES = {".xml", ".rss", ".atom", ".txt"}
ODD = (
    b"", b"<", b">", b"&", b"&#0;", b"&#xD800;", b"\x00", b"\xff\xfe", b"<![CDATA[", b"]]>", b"<!--", b"-->",
    b"</item>", b"<item>", b"<entry/>", b"NaN", b"-1", b"1e999", b"9999-99-99", b"0001-01-01T00:00:00Z",
    b"</value>", b"'", b'"', b"<!DOCTYPE x>", b"\xc3", b"x" * 300, b"xmlns=", b"\r\n\r\n",
)  # fmt: skip
DAMAGE = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(ODD)), min_size=1, max_size=4
)


def damaged(body: bytes, damage: list[tuple[float, int, bytes]]) -> bytes:
    """At each place some bytes are cut out and others put in."""
    for place, cut, put in damage:
        at = int(place * len(body))
        body = body[:at] + put + body[at + cut :]
    return body


def check(provider: str, payload: str | bytes, origin: Origin) -> None:
    parsed = load_parser(provider).parse(payload, origin)
    assert all(reject.reason.strip() for reject in parsed.rejects)
    for each in said(parsed):
        assert instrument_id(each.instrument) and each.ts_event >= 0 and each.ts_recv == RECV


def files(shared_data: Path, provider: str) -> list[Path]:
    return [path for path in sorted((shared_data / provider).rglob("*")) if path.suffix in SUFFIXES]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), damage=DAMAGE)
def test_damaged_recordings(
    shared_data: Path, data: st.DataObject, damage: list[tuple[float, int, bytes]]
) -> None:
    provider = data.draw(st.sampled_from(["rss", "sec_edgar"]))
    file = data.draw(st.sampled_from(files(shared_data, provider)))
    body = damaged(file.read_bytes()[:MAX_BYTES], damage)
    origin = Origin("file", RECV, file.name)
    check(provider, body, origin)
    check(provider, body.decode(errors="replace"), origin)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["rss", "sec_edgar", "newsapi", "reddit", "stocktwits"]),
    st.binary(max_size=200),
    st.text(max_size=200),
)
def test_noise(provider: str, noise: bytes, text: str) -> None:
    for payload in (
        noise,
        text,
        b"<rss><item>" + noise,
        b"<feed>" + noise,
        b"<SEC-HEADER>" + noise,
        b"<xbrl>" + noise,
    ):
        check(provider, payload, Origin("http", RECV, text, status=200))
