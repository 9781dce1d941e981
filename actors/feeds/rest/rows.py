"""One JSON object of a provider, read field by field. Every door raises Malformed and names the field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

from actors.feeds.rest import numbers
from actors.feeds.rest.days import Unit, epoch_ns, iso_day, maybe_day, maybe_epoch_ns
from domain.errors import Malformed

T = TypeVar("T")


class Row:
    """Unknown fields are ignored. Of several names for a field the first that is there counts."""

    __slots__ = ("_fields",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"a {type(value).__name__} where an object was expected")
        self._fields: dict[str, object] = value

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def has(self, *names: str) -> bool:
        """Whether all of them are there."""
        return all(name in self._fields for name in names)

    def raw(self, *names: str) -> object:
        return next((self._fields[name] for name in names if self._fields.get(name) is not None), None)

    def number(self, *names: str) -> float | None:
        return self._read(numbers.number, names)

    def price(self, *names: str) -> float | None:
        return self._read(numbers.price, names)

    def amount(self, *names: str) -> float | None:
        return self._read(numbers.amount, names)

    def volume(self, *names: str) -> float:
        """Of a bar: NaN where the provider says none."""
        found = self.amount(*names)
        return math.nan if found is None else found

    def percent(self, *names: str) -> float | None:
        return self._read(numbers.percent, names)

    def whole(self, *names: str) -> int | None:
        return self._read(numbers.whole, names)

    def must(self, *names: str) -> float:
        return self._there(self.number(*names), names)

    def must_price(self, *names: str) -> float:
        return self._there(self.price(*names), names)

    def must_amount(self, *names: str) -> float:
        return self._there(self.amount(*names), names)

    def text(self, *names: str) -> str | None:
        """A description; the words for "nothing" are nothing."""
        return self._read(_text, names)

    def letters(self, *names: str) -> str | None:
        """A symbol or a code: `NA` and `NAN` are symbols."""
        return self._read(_letters, names)

    def must_letters(self, *names: str) -> str:
        return self._there(self.letters(*names), names)

    def day(self, *names: str) -> str | None:
        return self._read(maybe_day, names)

    def must_day(self, *names: str) -> str:
        return self._there(self._read(lambda value: iso_day(value), names), names)

    def epoch(self, unit: Unit, *names: str) -> int | None:
        return self._read(lambda value: maybe_epoch_ns(value, unit), names)

    def must_epoch(self, unit: Unit, *names: str) -> int:
        return self._there(self._read(lambda value: epoch_ns(value, unit), names), names)

    def row(self, *names: str) -> Row:
        """An object inside; an empty one where there is none."""
        value = self.raw(*names)
        return Row({} if value is None else value)

    def items(self, *names: str) -> list[object]:
        """An array inside; an empty one where there is none."""
        value = self.raw(*names)
        if value is None:
            return []
        if not isinstance(value, list):
            raise Malformed(f"{names[0]}: no array")
        return value

    def _read(self, read: Callable[[object], T | None], names: tuple[str, ...]) -> T | None:
        value = self.raw(*names)
        if value is None:
            return None
        try:
            return read(value)
        except Malformed as error:
            raise Malformed(f"{names[0]}: {error}") from None

    def _there(self, value: T | None, names: tuple[str, ...]) -> T:
        if value is None:
            raise Malformed(f"{names[0]} is missing")
        return value


def _text(value: object) -> str | None:
    if numbers.is_absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed("no text")
    return str(value).strip()


def _letters(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str):
        raise Malformed("no symbol")
    return value.strip() or None
