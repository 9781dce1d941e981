"""Which number stands for which form of an event in the log.

A code is `100 * kind number + version`. It never changes and is never used again: the log keeps it for
ever. Fields travel by position, in the order of the struct; a new field comes last, has a default and
needs no new code. Any other change makes a new version, and the old form moves to `upcasters.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from domain.access_events import AuditCut, GatewaysListed, SessionClosed, SessionOpened, SessionSubscribed
from domain.envelope import Event
from domain.errors import Corrupt
from domain.feed_events import (
    FeedConnected,
    FeedLost,
    FeedResynced,
    FeedSilent,
    FeedStarted,
    FrameRejected,
)
from domain.indicators.armed import IndicatorArmed, IndicatorDisarmed
from domain.market.decisions import (
    AnomalyFound,
    BarClosed,
    BarCorrected,
    BookBroken,
    BookRestored,
    ClockSkewed,
    LargeTrade,
    LateTrade,
    PatternFound,
    SourceChanged,
)
from domain.market.observations import (
    Bar,
    BookDelta,
    BookOrder,
    BookSnapshot,
    FxRate,
    Gap,
    InstrumentInfo,
    Quote,
    SplitAnnounced,
    Ticker,
    Trade,
)


class Form:
    """One form of an event: its code, its fields in order, and what builds today's event from them."""

    def __init__(self, code: int, shape: type[Struct], make: Callable[..., Event] | None = None) -> None:
        hints = get_type_hints(shape)
        names = shape.__struct_fields__
        self.code = code
        self.shape = shape
        self.make: Callable[..., Any] = make or shape
        self.types: tuple[Any, ...] = tuple(hints[name] for name in names)
        self.required = len(names) - len(shape.__struct_defaults__)
        self.values_of: Callable[[Any], tuple[Any, ...]] = astuple
        self._row_decoders: dict[int, msgspec.msgpack.Decoder[Any]] = {}

    @property
    def width(self) -> int:
        """Fields that this build writes."""
        return len(self.types)

    def types_of(self, width: int) -> tuple[Any, ...]:
        """Types of the first `width` fields. Corrupt: a newer build wrote more, or required ones lack."""
        if not self.required <= width <= self.width:
            raise Corrupt(f"event form {self.code} has {width} fields, not {self.required} to {self.width}")
        return self.types[:width]

    def row_decoder(self, width: int) -> msgspec.msgpack.Decoder[Any]:
        """Decoder of a list of rows of `width` fields, each row a tuple."""
        decoder = self._row_decoders.get(width)
        if decoder is None:
            row = tuple.__class_getitem__(self.types_of(width))
            decoder = self._row_decoders[width] = msgspec.msgpack.Decoder(list.__class_getitem__(row))
        return decoder


FORMS = (
    Form(101, Trade),
    Form(201, Quote),
    Form(301, Bar),
    Form(401, BookSnapshot),
    Form(501, BookDelta),
    Form(601, BookOrder),
    Form(701, Ticker),
    Form(801, FxRate),
    Form(901, InstrumentInfo),
    Form(1001, Gap),
    Form(1101, SplitAnnounced),
    Form(20001, BarClosed),
    Form(20101, BarCorrected),
    Form(20201, BookBroken),
    Form(20301, BookRestored),
    Form(20401, LargeTrade),
    Form(20501, ClockSkewed),
    Form(20601, LateTrade),
    Form(20701, SourceChanged),
    Form(20801, AnomalyFound),
    Form(20901, PatternFound),
    Form(25001, IndicatorArmed),
    Form(25101, IndicatorDisarmed),
    Form(30001, FeedStarted),
    Form(30101, FeedConnected),
    Form(30201, FeedLost),
    Form(30301, FeedResynced),
    Form(30401, FrameRejected),
    Form(30501, FeedSilent),
    Form(40001, SessionOpened),
    Form(40101, SessionSubscribed),
    Form(40201, SessionClosed),
    Form(40301, AuditCut),
    Form(40401, GatewaysListed),
)


def by_code(forms: Iterable[Form]) -> dict[int, Form]:
    """code -> form. Raises ValueError where a code is used twice."""
    table: dict[int, Form] = {}
    for form in forms:
        if form.code in table:
            raise ValueError(f"event form {form.code} is listed twice")
        table[form.code] = form
    return table


BY_TYPE: dict[type, Form] = {form.shape: form for form in FORMS}
