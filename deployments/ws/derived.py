"""Values derived from a bar on their way to clients: they travel at the bar's own place in the log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from actors.answers import BarRow
from deployments.ws.codec import Codec
from deployments.ws.event_frame import Builder, EventFrame, MaybeFrom, Shared, ToTime
from deployments.ws.protocol import Time


class IndicatorValue(Struct, frozen=True, gc=False):
    """An indicator at one bar. NaN and None: no value. `also`: other bars whose values changed with it."""

    kind: ClassVar[str] = "indicator"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    spec: str
    interval: str
    value: float | None
    revision: int
    also: tuple[tuple[int, float], ...] = ()


class Corrected(Struct, frozen=True):
    """A later bar's value after the correction."""

    ts_event: Time
    value: float | None


class IndicatorFrame(EventFrame, frozen=True, gc=False, tag="indicator"):
    """`value` null while warming up. `provisional` True: the bar still forms; no offset, never resumed.

    `also`: values of other bars that it has changed (a correction later ones, a split those before), oldest
    first; absent where there are none.
    """

    spec: str
    interval: str
    value: float | None
    revision: int
    provisional: bool
    also: tuple[Corrected, ...] | UnsetType = UNSET


def _indicator(shared: Shared, event: IndicatorValue, from_: MaybeFrom, time: ToTime) -> Struct:
    return IndicatorFrame(
        *shared,
        event.spec,
        event.interval,
        _number(event.value),
        event.revision,
        provisional=False,
        also=tuple(Corrected(time(start), _number(value)) for start, value in event.also) or UNSET,
    )


def provisional_indicator_frame(row: BarRow, spec: str, value: float, codec: Codec) -> bytes:
    """Of a bar that has not closed."""
    frame = IndicatorFrame(
        row.instrument,
        None,
        None,
        row.provider,
        codec.time(row.ts_event),
        codec.time(row.ts_recv),
        codec.time(row.ts_recv),
        spec,
        row.interval,
        _number(value),
        row.revision,
        provisional=True,
    )
    return codec.encode(frame)


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else value


INDICATOR_BUILDERS: Mapping[type, Builder] = MappingProxyType({IndicatorValue: _indicator})
