"""The client of an actor's door: connects by itself, beside the calls, and says when there is no way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from actors import direct_forms as forms
from actors.backoff import Backoff
from actors.direct import DirectConnection, Door, connected
from domain.errors import FinanceHubError, Malformed, NotOwner, Unavailable
from observability.log import get_log

Answer = TypeVar("Answer")

log = get_log("direct")

AGAIN_S, AGAIN_CAP_S = 0.25, 10.0
"""Between two tries; meanwhile calls go by Ray."""


class DoorLine:
    """One actor, as one process reaches it. Nothing here waits for the door but what goes through it.

    `learn` asks the actor over Ray where its door is; None where it has none.
    """

    def __init__(self, name: str, learn: Callable[[], Awaitable[Door | None]]) -> None:
        self.name = name
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

    async def call(self, method: str, args: Sequence[Any], named: Mapping[str, Any], timeout_s: float) -> Any:
        """What the method returns. Raises the domain error that it raised; Unavailable where it is lost."""
        asked = forms.pickled((method, args, named))
        said = await self.exchange(forms.CALL, asked, timeout_s)
        return self.read(said, partial(forms.read_answer, method))

    async def exchange(self, kind: int, asked: object, timeout_s: float) -> msgspec.Raw:
        """Raises Unavailable, NotOwner, and for a `CALL` what its method raised."""
        if self._connection is None:
            raise Unavailable(f"{self.name} has no open door")
        try:
            status, said = await self._connection.call(kind, asked, timeout_s)
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"{self.name} gave no answer: {error!r}") from None
        if status == forms.DONE:
            return said
        if status == forms.RAISED:
            raise self.read(said, forms.read_error)
        refusal = NotOwner if status == forms.NOT_OWNER else Unavailable
        raise refusal(forms.read_text(said))

    def read(self, said: msgspec.Raw, read: Callable[[msgspec.Raw], Answer]) -> Answer:
        """Raises Unavailable for what cannot be read: it would come again, so the next call goes by Ray."""
        try:
            answer = read(said)
        except (msgspec.MsgspecError, Malformed) as error:
            if self._connection is not None:
                self._connection.transport.abort()
            raise Unavailable(f"{self.name} gave an answer that cannot be read: {error}") from None
        # Not before: a door that opens and answers nothing of use is tried ever more rarely.
        self._backoff.reset()
        return answer

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._connection is not None:
            self._connection.transport.abort()

    async def _connect(self) -> None:
        """One try; `open` begins the next one, not before its time."""
        loop = asyncio.get_running_loop()
        try:
            door = await self._learn()
            if door is not None:
                self._connection = await connected(door)
        except (FinanceHubError, OSError, TimeoutError) as error:
            log.info("no direct way", to=self.name, error=repr(error))
        except Exception as error:  # noqa: BLE001 - a defect here costs the short way, and calls go by Ray
            log.error("no direct way", to=self.name, error=repr(error))
        finally:
            self._not_before_s = loop.time() + self._backoff.next_s()
