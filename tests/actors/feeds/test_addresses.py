from __future__ import annotations

import pytest

from actors.feeds.addresses import Hosts, parts

HOSTS = Hosts("venue.com", frozenset({"api.venue.com"}))


@pytest.mark.parametrize(
    ("endpoint", "is_address", "foreign"),
    [
        ("https://api.venue.com/x", True, False),
        ("api.venue.com/x", True, False),
        ("wss://API.VENUE.COM:443", True, False),
        ("wss://futures.venue.com/ws", True, True),
        ("venue.com/x", True, True),
        ("https://notvenue.com/x", True, False),
        ("http://127.0.0.1:2/x", True, False),
        ("/products", True, False),
        ("trades_BTC-USD.json", False, False),
        ("api.venue.com.json", False, False),
        ("", False, False),
        ("http://[::1", True, False),
        ("//[bad/x", True, False),
    ],
)
def test_an_address_is_told_from_a_file_and_a_service_from_its_neighbours(
    endpoint: str, is_address: bool, foreign: bool
) -> None:
    assert (HOSTS.is_address(endpoint), HOSTS.foreign(endpoint)) == (is_address, foreign)


def test_an_address_without_its_scheme_has_the_same_parts() -> None:
    assert parts("api.venue.com/a/b?c=d").path == parts("https://api.venue.com/a/b?c=d").path == "/a/b"
