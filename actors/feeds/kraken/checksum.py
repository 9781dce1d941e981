"""An order book in the venue's own digits, cut to the subscribed depth, and its CRC32.

Kraken sends with each book update a CRC32 over the ten best asks (lowest first), then the ten best bids
(highest first): of each level the price and then the size as text, without the point and without leading
zeros. Source: docs.kraken.com, guides "Book checksum (WebSocket v1)" and "(WebSocket v2)".
The digits must be those of the pair's precision: `0.5` at eight decimals counts as `50000000`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from zlib import crc32

CHECKED_LEVELS = 10
MAX_PLAIN_CHARS = 40
"""A longer number is no price; it also bounds the work an exponent can cause."""
MAX_USUAL_DIGITS = 40
"""Digits of a level's price and size together; more is the long way's to judge."""
_MAX_EXPONENT = 30


class TextLevel(NamedTuple):
    """A level as sent. `price` and `size` are the floats of the texts; `digits` is its part of the
    checksum where the texts need no filling."""

    price: float
    size: float
    price_text: str
    size_text: str
    digits: str


BookLevel = tuple[float, float, str, str, str]
"""What a `TextLevel` is, without its names."""


def text_level(price_text: str, size_text: str) -> TextLevel:
    """Raises ValueError naming what is wrong with a number."""
    price_text, size_text = _plain(price_text), _plain(size_text)
    price = float(price_text)
    if price <= 0.0:
        raise ValueError(f"price {price_text!r} is not positive")
    part = digits(price_text, None) + digits(size_text, None)
    return TextLevel(price, float(size_text), price_text, size_text, part)


def plain_levels(
    rows: Iterable[tuple[str, str, str]],
) -> tuple[list[BookLevel], tuple[tuple[float, float], ...], str]:
    """`text_level` of rows of price, size, time in plain digits, faster: (levels, their prices and sizes,
    the newest time).

    Raises ValueError for any other text: `text_level` has the rules.
    """
    levels, pairs, newest = [], [], ""
    for price_text, size_text, time in rows:
        price_digits, size_digits = price_text.replace(".", "", 1), size_text.replace(".", "", 1)
        both = price_digits + size_digits
        if not both.isdigit() or not both.isascii() or len(both) > MAX_USUAL_DIGITS:
            raise ValueError(both)
        price, size = float(price_text), float(size_text)
        if price <= 0.0:
            raise ValueError(price_text)
        part = price_digits.lstrip("0") + size_digits.lstrip("0")
        levels.append((price, size, price_text, size_text, part))
        pairs.append((price, size))
        if time > newest:
            newest = time
    return levels, tuple(pairs), newest


NO_LEVELS: tuple[list[BookLevel], tuple[tuple[float, float], ...], str] = ([], (), "")
"""`plain_levels` of no rows."""


def _plain(text: str) -> str:
    """A non-negative number in plain digits; only an exponent makes it another text."""
    if len(text) <= MAX_PLAIN_CHARS and text.isascii() and text.replace(".", "", 1).isdigit():
        return text
    try:
        number = Decimal(text[: MAX_PLAIN_CHARS + 1]) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or len(text) > MAX_PLAIN_CHARS or text != text.strip():
        raise ValueError(f"{text[:MAX_PLAIN_CHARS]!r} is not a finite number")
    if number.is_signed() and number != 0:
        raise ValueError(f"{text!r} is negative")
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError(f"{text!r} is out of range")
    return format(abs(number), "f")


def digits(text: str, decimals: int | None) -> str:
    """A number's part of the checksum: `0.00100000` -> `100000`, `45285.2` -> `452852`.

    `decimals`: the pair's precision; shorter fractions are filled up to it. None: take the text as it is.
    """
    if decimals is not None:
        whole, _, fraction = text.partition(".")
        if len(fraction) < decimals:
            return (whole + fraction.ljust(decimals, "0")).lstrip("0")
    return text.replace(".", "", 1).lstrip("0")


AS_SENT = (None, None)
"""The precision of a book whose texts need no filling."""


class _Side:
    """One side, best first. `sign` 1 for asks, -1 for bids.

    The lists run parallel: `_parts` are the levels' digits for the checksum. What was last checked is
    kept until one of the levels that count changes.
    """

    __slots__ = ("_checked", "_keys", "_parts", "_sign", "_texts")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[float] = []
        self._texts: list[tuple[str, str]] = []
        self._parts: list[str] = []
        self._checked: bytes | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def change(self, levels: Iterable[BookLevel], precision: tuple[int | None, int | None]) -> None:
        """Put, replace or with size 0 delete each level in turn."""
        keys, texts, parts, sign, as_sent = (
            self._keys,
            self._texts,
            self._parts,
            self._sign,
            precision == AS_SENT,
        )
        for price, size, price_text, size_text, part in levels:
            key = sign * price
            at = bisect_left(keys, key)
            known = at < len(keys) and keys[at] == key
            if at < CHECKED_LEVELS:
                self._checked = None
            if size == 0.0:
                if known:
                    del keys[at], texts[at], parts[at]
                continue
            if not as_sent:
                part = digits(price_text, precision[0]) + digits(size_text, precision[1])
            if known:
                texts[at], parts[at] = (price_text, size_text), part
            else:
                keys.insert(at, key)
                texts.insert(at, (price_text, size_text))
                parts.insert(at, part)

    def cut(self, depth: int) -> None:
        """Forget what fell out of scope: the venue does not delete it."""
        if len(self._keys) > depth:
            del self._keys[depth:], self._texts[depth:], self._parts[depth:]
            if depth < CHECKED_LEVELS:
                self._checked = None

    def checked(self) -> bytes:
        if self._checked is None:
            self._checked = "".join(self._parts[:CHECKED_LEVELS]).encode("ascii")
        return self._checked

    def rewrite(self, precision: tuple[int | None, int | None]) -> None:
        self._checked = None
        self._parts = [
            digits(price, precision[0]) + digits(size, precision[1]) for price, size in self._texts
        ]

    def decimals(self) -> tuple[int, int]:
        """The longest fractions of prices and of sizes."""
        prices = max((_fraction_length(price) for price, _ in self._texts), default=0)
        sizes = max((_fraction_length(size) for _, size in self._texts), default=0)
        return prices, sizes

    def texts(self) -> list[tuple[str, str]]:
        return list(self._texts)


def _fraction_length(text: str) -> int:
    return len(text.partition(".")[2])


class TextBook:
    """A book that can prove itself. `depth`: levels a side; None where it is unknown."""

    def __init__(self, depth: int | None, precision: tuple[int | None, int | None] = (None, None)) -> None:
        self.depth = depth
        self._precision = precision
        self._told = precision != (None, None)
        self._bids, self._asks = _Side(-1), _Side(1)

    def apply(self, bids: Sequence[BookLevel], asks: Sequence[BookLevel]) -> None:
        """All levels of one message in their order (the last word on a price holds), then the cut."""
        depth = self.depth
        if bids:
            self._bids.change(bids, self._precision)
            if depth is not None:
                self._bids.cut(depth)
        if asks:
            self._asks.change(asks, self._precision)
            if depth is not None:
                self._asks.cut(depth)

    def checksum(self) -> int:
        bids, asks = self._bids, self._asks
        return crc32(bids._checked or bids.checked(), crc32(asks._checked or asks.checked()))

    def proves(self, checksum: int) -> bool:
        """Whether the book is the venue's.

        While nobody has told the precision and the text as it stands does not prove it, the longest
        fractions in the book are tried: a sender may have cut trailing zeros.
        """
        if self.checksum() == checksum:
            return True
        longest = self._longest_fractions()
        if self._told or longest == self._precision:
            return False
        self._rewrite(longest)
        return self.checksum() == checksum

    def learn_precision(self, price_decimals: int | None, size_decimals: int | None) -> None:
        """The venue has told the pair's decimals."""
        self._told = True
        if self._precision != (price_decimals, size_decimals):
            self._rewrite((price_decimals, size_decimals))

    def _rewrite(self, precision: tuple[int | None, int | None]) -> None:
        self._precision = precision
        self._bids.rewrite(precision)
        self._asks.rewrite(precision)

    def levels(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(bids, asks) as (price, size) texts, best first."""
        return self._bids.texts(), self._asks.texts()

    def _longest_fractions(self) -> tuple[int, int]:
        bids, asks = self._bids.decimals(), self._asks.decimals()
        return max(bids[0], asks[0]), max(bids[1], asks[1])
