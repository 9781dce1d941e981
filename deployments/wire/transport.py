"""A transport whose closing ends: `close()` alone waits without limit for the client to take the rest."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from deployments.wire.limits import ABORT_S, GOODBYE_S


class EndingTransport:
    """Everything of the transport inside, but for `close`, which ends in `abort`.

    `receiving`: the client is still sending what it was answered for already. A connection that is closed
    over unread bytes is reset, and the reset takes the answer along; so what comes is read and dropped.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._ending: asyncio.TimerHandle | None = None
        self.receiving = False
        self.said_all = False
        self.write = inner.write
        self.is_closing = inner.is_closing

    def close(self) -> None:
        if self.receiving:
            self.say_no_more()
        else:
            self._inner.close()
            self._end_in(ABORT_S)

    def say_no_more(self) -> None:
        """Nothing is written from here on; what is read counts for nothing; soon it ends."""
        if not (self.said_all or self._inner.is_closing()):
            self.said_all = True
            self._inner.write_eof()
            self._inner.resume_reading()
        self._end_in(GOODBYE_S)

    def gone(self) -> None:
        """The connection is lost: nothing is left to be ended."""
        if self._ending is not None:
            self._ending.cancel()

    def _end_in(self, delay_s: float) -> None:
        if self._ending is None:
            self._ending = self._loop.call_later(delay_s, self._inner.abort)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def ending(transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop) -> EndingTransport:
    """The transport as one that ends; one that does already is returned as it is (after an upgrade)."""
    if isinstance(transport, EndingTransport):
        return transport
    return EndingTransport(cast(asyncio.Transport, transport), loop)
