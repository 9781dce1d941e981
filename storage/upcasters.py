"""Retired event forms: how what an older build wrote becomes today's event.

An entry keeps the old struct as the list of its fields and a pure function from these fields, by
position, to today's event:

    Form(101, shape=TradeV1, make=lambda provider, instrument, ...: Trade(...))

None has been retired yet.
"""

from __future__ import annotations

from storage.forms import Form

RETIRED: tuple[Form, ...] = ()
