"""Turns at something scarce, fair between users: one who asks a lot waits for himself.

    async with turns.of(user):      at most `at_once` inside in all, `per_user` of one user

Who waits is let in user by user, not in the order of asking: fifty questions of one user delay another's
by one question, not by fifty.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from domain.errors import OverLimit, Unavailable


class TurnSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`wait_s`: seconds that a question waits before it is Unavailable."""

    at_once: int
    per_user: int
    waiting_per_user: int
    wait_s: float


class FairTurns:
    """One event loop's. Raises OverLimit where a user waits too often, Unavailable where no turn comes."""

    def __init__(self, what: str, settings: TurnSettings) -> None:
        """`what` is asked for, in the words of an error."""
        self._what = what
        self._settings = settings
        self._inside: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By user, the next one first."""

    @property
    def inside(self) -> int:
        return self._inside.total()

    @property
    def waiting(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        await self._enter(user)
        try:
            yield
        finally:
            self._leave(user)

    async def _enter(self, user: str) -> None:
        if user not in self._waiting and self._admits(user):
            self._inside[user] += 1
            return
        queue = self._waiting.get(user, ())
        if len(queue) >= self._settings.waiting_per_user:
            raise OverLimit(f"{len(queue)} questions of yours wait for {self._what} already, the limit")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            async with asyncio.timeout(self._settings.wait_s):
                await turn
        except BaseException as error:
            self._withdraw(user, turn)
            if isinstance(error, TimeoutError):
                raise Unavailable(f"too many ask for {self._what}: try again later") from None
            raise

    def _withdraw(self, user: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # let in at the very moment of giving up
            self._leave(user)
            return
        queue = self._waiting.get(user)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[user]

    def _leave(self, user: str) -> None:
        self._inside[user] -= 1
        if not self._inside[user]:
            del self._inside[user]
        self._let_in()

    def _let_in(self) -> None:
        for user in list(self._waiting):
            if self.inside >= self._settings.at_once:
                return
            if self._admits(user):
                self._next(user)

    def _next(self, user: str) -> None:
        queue = self._waiting[user]
        while queue:
            turn = queue.popleft()
            if not turn.done():  # given up, but its task has not run yet
                self._inside[user] += 1
                turn.set_result(None)
                break
        if queue:
            self._waiting.move_to_end(user)
        else:
            del self._waiting[user]

    def _admits(self, user: str) -> bool:
        return self.inside < self._settings.at_once and self._inside[user] < self._settings.per_user
