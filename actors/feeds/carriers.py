"""Which connection carries which channel of one instrument.

A venue may spread an instrument over several sockets: its book on one, its trades on another. Each frame
says which socket carries its channel; a socket that is lost interrupts what it carried and nothing else.

    carriers["book"] = 3            at the subscription, and again with each frame of the book
    carriers.on(3) == {"book"}      what to interrupt when connection 3 is lost
    carriers.only(3)                whether nothing of the instrument ran elsewhere: then all of it is lost
"""

from __future__ import annotations

BOOK = "book"
TRADES = "trades"
QUOTES = "quotes"
BARS = "bars"
"""Channels by our own names. A session may use further ones; those of one instrument are a handful."""


class Carriers(dict[str, int]):
    """channel -> connection, of one instrument. A plain dict to write to, since it is written per frame.

    An entry stays when its connection is lost: until a frame comes over another one, the channel is
    expected back on the same connection.
    """

    __slots__ = ()

    def on(self, connection: int) -> set[str]:
        """The channels that a connection carries."""
        return {channel for channel, carrier in self.items() if carrier == connection}

    def only(self, connection: int) -> bool:
        """Whether the connection carries every channel known of the instrument, and at least one."""
        return bool(self) and all(carrier == connection for carrier in self.values())
