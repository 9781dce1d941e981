"""Who owns which partition, as a feed or a gateway knows it: asked of the supervisor, kept until wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from actors import spawn
from actors.answers import LastAnswer, PollReply
from actors.intake import Ack
from actors.reached import ASK_TIMEOUT_S, ReachedActor
from actors.runtime import SUPERVISOR, Runtime
from actors.sender import Payload, ShardHandle
from actors.shard_line import ShardLine
from actors.spawn import Remote
from domain.errors import FinanceHubError, NotFound, Unavailable
from domain.market.observations import Trade

OBSERVE_TIMEOUT_S = 30.0
POLL_GRACE_S = 5.0


class RemoteShard(ReachedActor):
    """A keeper shard in another process."""

    def __init__(self, remote: Remote) -> None:
        super().__init__(remote.name, remote)
        self._line: ShardLine = ShardLine(remote.name, self.door)

    async def observe(self, payload: Payload) -> list[Ack]:
        if self._line.open:
            return await self._line.observe(payload)
        acks: list[Ack] = await self.by_ray("observe", payload, timeout_s=OBSERVE_TIMEOUT_S)
        return acks

    async def poll(self, after: Mapping[str, int], wait_s: float) -> PollReply:
        """Raises NotOwner, Unavailable."""
        timeout_s = wait_s + POLL_GRACE_S
        if self._line.open:
            return await self._line.poll(after, wait_s, timeout_s)
        reply: PollReply = await self.by_ray("poll", after, wait_s, timeout_s=timeout_s)
        return reply


class Routes:
    """partition -> shard. `owners` is live: `refresh` changes it in place."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._shards: dict[str, RemoteShard] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self.owners: dict[str, ShardHandle] = {}
        self.names: dict[str, str] = {}

    async def refresh(self) -> None:
        """Ask the supervisor; callers at the same time share one question. Raises Unavailable."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        supervisor = await _found(SUPERVISOR)
        topology: dict[str, str] = await supervisor.call("topology", timeout_s=ASK_TIMEOUT_S)
        for partition, name in topology.items():
            self.names[partition] = name
            self.owners[partition] = await self.shard(name)

    async def shard(self, name: str) -> RemoteShard:
        """Equal names give the same object. Raises Unavailable."""
        if name not in self._shards:
            self._shards[name] = RemoteShard(await _found(name))
        return self._shards[name]

    async def close(self) -> None:
        """Give all connections back."""
        for shard in self._shards.values():
            await shard.close()

    async def last_prices(self, instruments: Sequence[str]) -> dict[str, float]:
        """Newest trade price of the instruments that have one; empty where nobody answers.

        Asks the shards themselves: while everything starts, the supervisor waits for the asking feed.
        """
        found: dict[str, float] = {}
        for name in self._runtime.shard_names():
            for instrument in instruments:
                trade = await self._last_trade(name, instrument)
                if trade is not None:
                    found[instrument] = trade.price
        return found

    async def _last_trade(self, name: str, instrument: str) -> Trade | None:
        try:
            shard = await self.shard(name)
            answer: LastAnswer = await shard.call("last", instrument, timeout_s=ASK_TIMEOUT_S)
        except FinanceHubError:
            return None
        return answer.trade


async def _found(name: str) -> Remote:
    """Raises Unavailable: an actor that is not there now may come, and NotFound would be told to users."""
    try:
        return await asyncio.to_thread(spawn.find, name)
    except NotFound as error:
        raise Unavailable(str(error)) from None
