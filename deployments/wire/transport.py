"""A transport that knows what its client has taken, and whose closing ends.

`close()` of asyncio's own waits without limit for the client to take the rest.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from typing import Any, cast

from deployments.wire.limits import ABORT_S, GOODBYE_S
from deployments.wire.stalling import Watch


class EndingTransport:
    """Everything of the transport inside, but for `close`, which ends in `abort`.

    `receiving`: the client is still sending what it was answered for already. A connection that is closed
    over unread bytes is reset, and the reset takes the answer along; so what comes is read and dropped.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._ending: Watch | None = None
        self.written = 0
        self.receiving = False
        self.said_all = False
        self.abort = inner.abort
        self.is_closing = inner.is_closing

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._inner.write(data)

    def taken(self) -> int:
        """Bytes that have arrived at the client's machine.

        What only left for the kernel's own buffer does not count: the kernel asks for more in steps of up to
        a megabyte, and between two of them a slow client would look like one that takes nothing.
        """
        return self.written - self._inner.get_write_buffer_size() - _in_kernel(self._inner)

    def close(self) -> None:
        if self.receiving:
            self.say_no_more()
        else:
            self._inner.close()
            self._end_in(ABORT_S)

    def say_no_more(self) -> None:
        """Nothing is written from here on; what is read counts for nothing; it ends soon after the
        client has taken the rest."""
        if not (self.said_all or self._inner.is_closing()):
            self.said_all = True
            self._inner.write_eof()
            self._inner.resume_reading()
        self._end_in(GOODBYE_S)

    def gone(self) -> None:
        """The connection is lost: nothing is left to be ended."""
        if self._ending is not None:
            self._ending.cancel()

    def _end_in(self, patience_s: float) -> None:
        if self._ending is None:
            self._ending = Watch(self._loop, self, patience_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _in_kernel(transport: asyncio.Transport) -> int:
    """Bytes that the client's machine has not confirmed to ours; 0 where the kernel does not say."""
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
    except (AttributeError, OSError, ValueError):  # closed meanwhile, or no socket of the kernel's
        return 0
    return int(count)


def ending(transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop) -> EndingTransport:
    """The transport as one that ends; one that does already is returned as it is (after an upgrade)."""
    if isinstance(transport, EndingTransport):
        return transport
    return EndingTransport(cast(asyncio.Transport, transport), loop)
