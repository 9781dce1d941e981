"""The book in the venue's digits: checksum, precision, depth."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.kraken.checksum import TextBook, TextLevel, digits, text_level
from tests.actors.feeds.kraken.frames import GUIDE_ASKS, GUIDE_BIDS, GUIDE_CHECKSUM, Venue, levels


def made(pairs: list[tuple[str, str]]) -> list[TextLevel]:
    return [text_level(price, size) for price, size in pairs]


def guide() -> TextBook:
    book = TextBook(10)
    book.apply(made(levels(GUIDE_BIDS)), made(levels(GUIDE_ASKS)))
    return book


def test_the_example_of_the_venues_guide_matches() -> None:
    assert guide().checksum() == GUIDE_CHECKSUM
    assert guide().proves(GUIDE_CHECKSUM)
    assert not guide().proves(GUIDE_CHECKSUM + 1)


@pytest.mark.parametrize(
    ("text", "decimals", "part"),
    [
        ("45285.2", None, "452852"),
        ("0.00100000", None, "100000"),
        ("0.05120", None, "5120"),
        ("5", None, "5"),
        ("5", 8, "500000000"),
        ("0.5", 8, "50000000"),
        ("0.001", 8, "100000"),
        ("45285.20", 1, "4528520"),
        ("0", 8, ""),
        ("100.0", 1, "1000"),
    ],
)
def test_digits_lose_the_point_and_leading_zeros_and_gain_the_missing_decimals(
    text: str, decimals: int | None, part: str
) -> None:
    assert digits(text, decimals) == part


def test_cut_zeros_prove_the_book_once_the_precision_is_known() -> None:
    short = [
        (price.rstrip("0").rstrip("."), size.rstrip("0").rstrip(".")) for price, size in levels(GUIDE_BIDS)
    ]
    book = TextBook(10, (1, 8))
    book.apply(made(short), made(levels(GUIDE_ASKS)))
    assert book.checksum() == GUIDE_CHECKSUM


def test_cut_zeros_are_guessed_from_the_longest_fractions_while_nobody_told_the_precision() -> None:
    short = [
        (price.rstrip("0").rstrip("."), size.rstrip("0").rstrip(".")) for price, size in levels(GUIDE_BIDS)
    ]
    book = TextBook(10)
    book.apply(made(short), made(levels(GUIDE_ASKS)))
    assert book.checksum() != GUIDE_CHECKSUM
    assert book.proves(GUIDE_CHECKSUM)
    assert not book.proves(GUIDE_CHECKSUM + 1)


def test_a_precision_that_comes_later_rewrites_the_book() -> None:
    book = TextBook(10)
    book.apply(made([("1", "2")]), made([("1.5", "0.25")]))
    book.learn_precision(2, 3)
    assert book.checksum() == crc32(b"150" + b"250" + b"100" + b"2000")


def test_levels_beyond_the_depth_are_forgotten_or_they_would_come_back_as_ghosts() -> None:
    book = TextBook(2)
    book.apply(made([("10", "1"), ("9", "1")]), made([("11", "1"), ("12", "1")]))
    book.apply(made([("10.5", "1")]), made([]))
    assert [price for price, _ in book.levels()[0]] == ["10.5", "10"]
    book.apply(made([("10.5", "0"), ("10", "0")]), made([]))
    assert book.levels()[0] == []


def test_the_last_word_on_a_price_within_a_message_holds() -> None:
    book = TextBook(10)
    book.apply(made([("10", "1"), ("10", "0"), ("10.0", "3")]), made([("11", "1"), ("11.00", "0")]))
    assert book.levels() == ([("10.0", "3")], [])


def test_deleting_what_is_not_there_changes_nothing() -> None:
    book = guide()
    book.apply(made([("1", "0")]), made([("99999", "0.0")]))
    assert book.checksum() == GUIDE_CHECKSUM


@pytest.mark.parametrize(
    ("price", "size"),
    [
        *[
            ("1", bad)
            for bad in (
                "nan",
                "inf",
                "-1",
                "",
                " 1",
                "1_0",
                "1e99",
                "0x1",
                "١",
                "1.2.3",
                "9" * 50,
                "--1",
                "1e-99999999",
            )
        ],
        *[(bad, "1") for bad in ("0", "0.000", "-0.1", "NaN", "sNaN", "Infinity")],
    ],
)
def test_nonsense_levels_raise_value_error(price: str, size: str) -> None:
    with pytest.raises(ValueError, match=r"not|negative|out of range"):
        text_level(price, size)


def test_exponents_are_written_out() -> None:
    assert text_level("1e-7", "1.5E+3") == (1e-7, 1500.0, "0.0000001", "1500", "11500")
    assert text_level("2", "-0").size == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from(["bids", "asks"]), st.integers(1, 40), st.integers(0, 3)), max_size=60
    ),
    st.integers(0, 4),
    st.integers(0, 9),
)
@settings(max_examples=60)
def test_the_book_agrees_with_a_plain_one_at_every_precision(
    changes: list[tuple[str, int, int]], price_decimals: int, size_decimals: int
) -> None:
    venue = Venue(price_decimals, size_decimals, depth=1000)
    book = TextBook(1000, (price_decimals, size_decimals))
    for side, price, size in changes:
        texts = str(price), str(size)
        venue.set(side, *texts)
        book.apply(made([texts]) if side == "bids" else [], made([texts]) if side == "asks" else [])
        assert book.checksum() == venue.checksum()
