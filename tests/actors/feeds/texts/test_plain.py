"""HTML to plain text."""

from __future__ import annotations

import time

import pytest

from actors.feeds.texts.plain import MAX_CHARS, plain_text, unescaped


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("AT&amp;T &lt;3 &#8220;bonds&#8221;", "AT&T <3 “bonds”"),
        ("<p>One</p>\n<p>two <b>three</b></p>", "One two three"),
        ("a<script>alert(1)</script>b<style>p{}</style>c", "a b c"),
        ("a<script>never closed", "a"),
        ("a<!-- hidden <b> -->b", "a b"),
        ("3 < 5 and 7 > 2", "3 < 5 and 7 > 2"),
        ("  ", None),
        ("<br/>", None),
        (None, None),
        (5, None),
    ],
)
def test_markup_goes_and_text_stays(text: object, plain: str | None) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize("text", ["<script>" * 100_000, "<a" * 100_000, "<!--" * 100_000, "<" * 100_000])
def test_hostile_markup_takes_no_time(text: str) -> None:
    begun = time.process_time()
    plain_text(text)
    assert time.process_time() - begun < 2.0


def test_a_message_keeps_its_lines_and_is_cut() -> None:
    assert unescaped("it&#39;s\nup") == "it's\nup"
    assert len(unescaped("x" * (MAX_CHARS + 1))) == MAX_CHARS and unescaped(None) == ""
