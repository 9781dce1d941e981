"""The answer about one instrument: what the venue says of it, and whether its market is open."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from deployments.http.schemas import InstrumentBody, instrument_body
from domain.clock import format_time
from domain.market.calendars import is_open, next_close, next_open
from domain.market.observations import InstrumentInfo


class SessionBody(Struct, frozen=True):
    """By the calendar of its market: `opens` and `closes` are the next after now, whichever comes first."""

    open: bool
    opens: str
    closes: str


class OneInstrumentBody(InstrumentBody, frozen=True):
    """`session` is null where the market never closes, or its hours are not known."""

    session: SessionBody | None


def one_instrument_body(info: InstrumentInfo, now: int) -> OneInstrumentBody:
    """`now`: ns UTC, for the session."""
    return OneInstrumentBody(**asdict(instrument_body(info)), session=session_body(info.instrument, now))


def session_body(instrument: str, now: int) -> SessionBody | None:
    opens, closes = next_open(instrument, now), next_close(instrument, now)
    if opens is None or closes is None:
        return None
    return SessionBody(is_open(instrument, now), format_time(opens), format_time(closes))
