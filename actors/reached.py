"""An actor in another process: through its own door where that is open, else by Ray."""

from __future__ import annotations

import asyncio
from typing import Any

from actors import spawn
from actors.direct import Door
from actors.door_line import DoorLine
from actors.spawn import CALL_TIMEOUT_S, Remote
from domain.errors import NotFound, Unavailable

ASK_TIMEOUT_S = 3.0


class ReachedActor:
    """Found by name, and again where it could not be reached: another one may have the name by then.

    A call that a lost connection leaves unanswered is Unavailable, like one that Ray loses.
    """

    def __init__(self, name: str, remote: Remote | None = None) -> None:
        self.name = name
        self._remote = remote
        self._line = DoorLine(name, self.door)

    async def call(self, method: str, *args: Any, timeout_s: float = CALL_TIMEOUT_S, **named: Any) -> Any:
        """Raises the domain error that the actor raised; Unavailable where it cannot be reached."""
        if self._line.open:
            return await self._line.call(method, args, named, timeout_s)
        return await self.by_ray(method, *args, timeout_s=timeout_s, **named)

    async def by_ray(self, method: str, *args: Any, timeout_s: float = CALL_TIMEOUT_S, **named: Any) -> Any:
        remote = await self._found()
        try:
            return await remote.call(method, *args, timeout_s=timeout_s, **named)
        except Unavailable:
            self._remote = None
            raise

    async def close(self) -> None:
        """Give the connection back; the next call may make another."""
        await self._line.close()

    async def door(self) -> Door | None:
        return await (await self._found()).door(ASK_TIMEOUT_S)

    async def _found(self) -> Remote:
        if self._remote is None:
            try:
                self._remote = await asyncio.to_thread(spawn.find, self.name)
            except NotFound as error:  # it is being made anew; callers take NotFound for an answer
                raise Unavailable(str(error)) from None
        return self._remote
