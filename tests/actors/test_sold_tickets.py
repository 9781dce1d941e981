"""A ticket opens one socket, over all gateways and however they are restarted."""

from __future__ import annotations

import pytest

from actors.connections import ConnectionManager, ConnectionSettings
from actors.sold_tickets import SoldTickets, TicketSettings
from domain.clock import NS_PER_S, ManualClock
from domain.errors import OverLimit, Unauthenticated, Unavailable
from storage.memory import MemoryLog
from tests.builders import T0

LATER = T0 + 3600 * NS_PER_S


def _manager(**settings: object) -> ConnectionManager:
    return ConnectionManager(MemoryLog(), ManualClock(T0), ConnectionSettings(**settings), owner="m")


def _open(manager: ConnectionManager, session: str, ticket: str, user: str = "ann", gateway: str = "g1"):
    return manager.open_session(session, user, "viewer", LATER, gateway, ticket)


def test_a_ticket_opens_one_socket_whichever_gateway_it_is_shown_to():
    manager = _manager()
    manager.sell_ticket("t", "ann")
    _open(manager, "s1", "t")
    for gateway in ("g1", "g2", "g1-restarted"):
        with pytest.raises(Unauthenticated, match="used before"):
            _open(manager, "s2", "t", gateway=gateway)
    assert [info.session for info in manager.sessions()] == ["s1"]


def test_the_same_session_asked_for_again_is_the_first_use():
    manager = _manager()
    manager.sell_ticket("t", "ann")
    assert _open(manager, "s1", "t") == _open(manager, "s1", "t")


def test_a_ticket_whose_socket_was_refused_for_a_limit_is_not_used_up():
    manager = _manager(max_sockets_per_user=1)
    manager.sell_ticket("t", "ann")
    manager.open_session("s1", "ann", "viewer", LATER, "g1")
    with pytest.raises(OverLimit):
        _open(manager, "s2", "t")
    manager.close_session("s1", 1000, "bye")
    assert _open(manager, "s2", "t").session == "s2"


def test_tickets_of_before_a_restart_of_somebody_else_or_never_sold_are_refused():
    manager = _manager()
    manager.sell_ticket("t", "ann")
    for ticket, user in (("t", "bob"), ("forged", "ann"), ("", "ann")):
        with pytest.raises(Unauthenticated):
            _open(manager, "s", ticket, user)
    with pytest.raises(Unauthenticated):
        _open(_manager(), "s", "t")


def test_unused_tickets_are_forgotten_after_their_life_and_bounded_until_then():
    elapsed_s = [0.0]
    sold = SoldTickets(lambda: elapsed_s[0], TicketSettings(life_s=60.0, max_per_user=2, max_sold=3))
    sold.sell("a1", "ann")
    elapsed_s[0] = 30.0
    sold.sell("a2", "ann")
    with pytest.raises(OverLimit):
        sold.sell("a3", "ann")
    sold.sell("b1", "bob")
    with pytest.raises(Unavailable):
        sold.sell("c1", "cid")
    elapsed_s[0] = 60.0
    with pytest.raises(Unauthenticated):
        sold.check("a1", "ann")
    sold.sell("a3", "ann")
    sold.use("a3")
    sold.sell("a4", "ann")
    elapsed_s[0] = 120.0
    sold.sell("b2", "bob")
    assert len(sold) == 1
