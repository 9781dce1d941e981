"""Retired event forms: how what an older build wrote becomes today's event.

An entry keeps the old struct as the list of its fields and a pure function from these fields, by
position, to today's event:

    Form(101, shape=TradeV1, make=lambda provider, instrument, ...: Trade(...))
"""

from __future__ import annotations

from msgspec import Struct

from domain.access_events import SessionSubscribed, digest_of
from storage.forms import Form


class SessionSubscribedV1(Struct):
    """With the names themselves, patterns among them, cut to the first 1,000."""

    session: str
    user: str
    ts_event: int
    channel: str
    instruments: tuple[str, ...]


def _counted(
    session: str, user: str, ts_event: int, channel: str, instruments: tuple[str, ...]
) -> SessionSubscribed:
    patterns = sum("*" in name or "?" in name for name in instruments)
    counts = len(instruments) - patterns, patterns, digest_of(instruments)
    return SessionSubscribed(session, user, ts_event, channel, *counts)


RETIRED: tuple[Form, ...] = (Form(40101, SessionSubscribedV1, _counted),)
