"""Who owns which partition, as a feed or a gateway knows it: asked of the supervisor, kept until wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from actors import spawn
from actors.answers import LastAnswer, PollReply
from actors.intake import Ack
from actors.runtime import SUPERVISOR, Runtime
from actors.sender import Payload, ShardHandle
from actors.shard_line import ShardLine
from actors.spawn import Remote
from domain.errors import FinanceHubError
from domain.market.observations import Trade

ASK_TIMEOUT_S = 3.0
OBSERVE_TIMEOUT_S = 30.0
POLL_GRACE_S = 5.0


class RemoteShard:
    """A keeper shard in another process: through its own door where that is open, else by Ray.

    A call that a lost connection leaves unanswered is Unavailable, like one that Ray loses.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._line = ShardLine(remote.name, partial(remote.door, ASK_TIMEOUT_S))

    async def observe(self, payload: Payload) -> list[Ack]:
        if self._line.open:
            return await self._line.observe(payload)
        acks: list[Ack] = await self.remote.call("observe", payload, timeout_s=OBSERVE_TIMEOUT_S)
        return acks

    async def poll(self, after: Mapping[str, int], wait_s: float) -> PollReply:
        """Raises NotOwner, Unavailable."""
        timeout_s = wait_s + POLL_GRACE_S
        if self._line.open:
            return await self._line.poll(after, wait_s, timeout_s)
        reply: PollReply = await self.remote.call("poll", after, wait_s, timeout_s=timeout_s)
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
        supervisor = await asyncio.to_thread(spawn.find, SUPERVISOR)
        topology: dict[str, str] = await supervisor.call("topology", timeout_s=ASK_TIMEOUT_S)
        for partition, name in topology.items():
            self.names[partition] = name
            self.owners[partition] = await self.shard(name)

    async def shard(self, name: str) -> RemoteShard:
        """Equal names give the same object. Raises NotFound."""
        if name not in self._shards:
            self._shards[name] = RemoteShard(await asyncio.to_thread(spawn.find, name))
        return self._shards[name]

    def forget(self, name: str) -> None:
        """The actor behind a name was made anew: find it again."""
        self._shards.pop(name, None)

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
            answer: LastAnswer = await shard.remote.call("last", instrument, timeout_s=ASK_TIMEOUT_S)
        except FinanceHubError:
            return None
        return answer.trade
