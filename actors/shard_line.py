"""The client of a shard's door: connects by itself, beside the calls, and says when there is no way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from actors import direct_forms as forms
from actors.answers import PollReply
from actors.backoff import Backoff
from actors.direct import DirectConnection, Door, connected
from actors.intake import Ack
from domain.errors import FinanceHubError, Malformed, NotOwner, Unavailable
from observability.log import get_log

log = get_log("direct")

AGAIN_S, AGAIN_CAP_S = 0.25, 10.0
"""Between two tries; meanwhile calls go by Ray."""
OBSERVE_S = 5.0
"""A door that is silent for so long is given up: the batches come again, by Ray."""


class ShardLine:
    """One shard, as one process reaches it. Nothing here waits for the door but what goes through it.

    `learn` asks the shard over Ray where its door is; None where it has none.
    """

    def __init__(self, name: str, learn: Callable[[], Awaitable[Door | None]]) -> None:
        self._name = name
        self._learn = learn
        self._connection: DirectConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._backoff = Backoff(AGAIN_S, AGAIN_CAP_S, name)
        self._not_before_s = 0.0

    @property
    def open(self) -> bool:
        """Whether calls can go this way now. Where not, sees to it that they can before long."""
        if self._connection is not None and self._connection.open:
            return True
        loop = asyncio.get_running_loop()
        if (self._connecting is None or self._connecting.done()) and loop.time() >= self._not_before_s:
            self._connecting = loop.create_task(self._connect())
        return False

    async def observe(self, payload: forms.Payload) -> list[Ack]:
        """Raises Unavailable."""
        said = await self._call(forms.OBSERVE, payload, OBSERVE_S)
        try:
            return forms.read_acks(said)
        except msgspec.MsgspecError as error:
            raise self._unreadable(error) from None

    async def poll(self, after: Mapping[str, int], wait_s: float, timeout_s: float) -> PollReply:
        """Raises NotOwner, Unavailable."""
        said = await self._call(forms.POLL, (after, wait_s), timeout_s)
        try:
            return forms.read_poll_reply(said)
        except (msgspec.MsgspecError, Malformed) as error:
            raise self._unreadable(error) from None

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._connection is not None:
            self._connection.transport.abort()

    async def _call(self, kind: int, asked: object, timeout_s: float) -> msgspec.Raw:
        if self._connection is None:
            raise Unavailable(f"{self._name} has no open door")
        try:
            status, said = await self._connection.call(kind, asked, timeout_s)
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"{self._name} gave no answer: {error!r}") from None
        if status == forms.DONE:
            return said
        refusal = NotOwner if status == forms.NOT_OWNER else Unavailable
        raise refusal(forms.read_text(said))

    def _unreadable(self, error: Exception) -> Unavailable:
        """Such an answer would come again: from now on by Ray."""
        if self._connection is not None:
            self._connection.transport.abort()
        return Unavailable(f"{self._name} gave an answer that cannot be read: {error}")

    async def _connect(self) -> None:
        """One try; `open` begins the next one, not before its time."""
        loop = asyncio.get_running_loop()
        try:
            door = await self._learn()
            if door is not None:
                self._connection = await connected(door)
                self._backoff.reset()
        except (FinanceHubError, OSError, TimeoutError) as error:
            log.info("no direct way", shard=self._name, error=repr(error))
        finally:
            self._not_before_s = loop.time() + self._backoff.next_s()
