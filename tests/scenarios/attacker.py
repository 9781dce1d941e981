"""What an attacker without a token does to one address: raw connections, bounded in number and time."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterator

from tests.deployments.wire.kit import frame

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
ATTACKER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
WAIT_S = 10.0

__all__ = ["ATTACKER", "NEIGHBOUR", "UPGRADE", "Raw", "all_closed_s", "crowd", "frame"]


class Raw:
    """A connection from an address of its own."""

    def __init__(self, port: int, source: str = ATTACKER) -> None:
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        self.sock.settimeout(WAIT_S)
        self.sock.connect(("127.0.0.1", port))

    def send(self, data: bytes) -> Raw:
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)
        return self

    def head(self) -> bytes:
        """What comes, up to the end of the headers at least; less where the connection ends before."""
        text = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in text and (part := self.sock.recv(65_536)):
                text += part
        return text

    def rest(self) -> bytes:
        """Everything up to the end. Raises TimeoutError where nothing comes for long, and no end either."""
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := self.sock.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def status(self) -> int:
        head = self.head()
        return int(head[9:12]) if head else 0

    def get(self, path: str, *headers: str) -> bytes:
        lines = "".join(f"{header}\r\n" for header in headers)
        return self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()).head()

    def stuff(self, data: bytes, most: int, for_s: float) -> int:
        """Bytes of an endless repetition of `data` that are taken before nothing is taken any more."""
        block, sent = data * (65_536 // len(data) + 1), 0
        self.sock.settimeout(for_s)
        with contextlib.suppress(OSError):
            while sent < most:
                sent += self.sock.send(block)
        self.sock.settimeout(WAIT_S)
        return sent

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


@contextlib.contextmanager
def crowd(port: int, count: int, first: bytes) -> Iterator[list[Raw]]:
    """So many connections of the attacker that have sent `first`; those that were refused are not there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
    there: list[Raw] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                there.append(Raw(port).send(first))
        yield there
    finally:
        for each in there:
            each.sock.close()


def all_closed_s(those: list[Raw], within_s: float) -> float:
    """Seconds until the other side has ended every one of them."""
    began = time.monotonic()
    left = {each.sock.fileno(): each for each in those}
    watch = select.poll()
    for number in left:
        watch.register(number, select.POLLIN | select.POLLRDHUP)
    while left:
        assert time.monotonic() - began < within_s, f"{len(left)} of {len(those)} are still open"
        for number, _ in watch.poll(200):
            try:
                ended = not left[number].sock.recv(65_536)
            except ConnectionError:
                ended = True
            if ended:
                watch.unregister(number)
                del left[number]
    return time.monotonic() - began
