"""XML as a flat list of elements."""

from __future__ import annotations

import pytest

from actors.feeds.rest.markup import MAX_DEPTH, elements, looks_like_xml
from domain.errors import Malformed


def test_elements_come_in_order_with_their_own_text_and_depth() -> None:
    found = elements('<?xml version="1.0" encoding="utf-16"?><a b="1">x<m:c m:null="true"/>y<d>z</d></a>')
    assert [(each.name, each.text, each.depth) for each in found] == [
        ("a", "xy", 0),
        ("c", "", 1),
        ("d", "z", 1),
    ]
    assert found[0].attributes == {"b": "1"} and found[1].attributes == {"null": "true"}


def test_bytes_are_read_in_the_encoding_that_they_declare() -> None:
    (root,) = elements('<?xml version="1.0" encoding="iso-8859-1"?><a t="é"/>'.encode("iso-8859-1"))
    assert root.attributes == {"t": "é"}
    assert looks_like_xml(b"\xef\xbb\xbf <a/>") and not looks_like_xml('{"a": "<b>"}')


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a" + ">" * 3,
        b"\xff\xfe\x00",
        "<" + "a" * 5 + "\x00/>",
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
        "<a>" * 100_000,
    ],
)
def test_what_is_no_whole_document_is_malformed(bad: str | bytes) -> None:
    with pytest.raises(Malformed):
        elements(bad)
