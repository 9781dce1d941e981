"""A retired form is read as today's event."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from domain.market.observations import Trade
from storage import codec
from storage.forms import FORMS, Form, by_code
from storage.upcasters import RETIRED


class SimplerTrade(Struct):
    """How an imagined older build wrote trades: seconds instead of ns, no receive time."""

    provider: str
    instrument: str
    seconds: int
    price: float
    size: float = 1.0


def to_trade(provider: str, instrument: str, seconds: int, price: float, size: float = 1.0) -> Trade:
    ns = seconds * 10**9
    return Trade(provider=provider, instrument=instrument, ts_event=ns, ts_recv=ns, price=price, size=size)


@pytest.fixture
def with_retired_form(monkeypatch: pytest.MonkeyPatch) -> Form:
    retired = Form(199, SimplerTrade, to_trade)
    monkeypatch.setattr(codec, "_forms", by_code((*FORMS, *RETIRED, retired)))
    return retired


def test_rows_of_a_retired_form_become_todays_events(with_retired_form: Form) -> None:
    row = ("sim", "A.SIM", 7, 1.5)
    payload = msgspec.msgpack.encode((b"", [(199, 4, [row])], []))
    expected = Trade("sim", "A.SIM", 7 * 10**9, 7 * 10**9, 1.5, 1.0)
    assert codec.decode_events(codec.ROWS, payload, 1) == [expected]


def test_columns_of_a_retired_form_become_todays_events(with_retired_form: Form) -> None:
    old = [SimplerTrade("sim", "A.SIM", n, 1.5 * n, 2.0) for n in range(100)]
    group = codec._column_group(with_retired_form, old)  # type: ignore[arg-type]
    payload = msgspec.msgpack.encode((b"", [], [group]))
    events = codec.decode_events(codec.COLUMNS, payload, 100)
    assert [(event.ts_event, event.price) for event in events] == [(n * 10**9, 1.5 * n) for n in range(100)]


def test_retired_codes_are_not_used_by_a_form_of_today() -> None:
    by_code((*FORMS, *RETIRED))
